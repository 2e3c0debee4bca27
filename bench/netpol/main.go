// Command netpol measures NetworkPolicy on a running cluster of two nodes: how long
// from a write to packets that obey it, what a connection costs under policies,
// what a pod's start costs, what memory the enforcing programs take. It prints
// Markdown.
//
//	go run ./bench/netpol -engine NAME [-pods 100,1000,10000] [-rounds 50] [-runs 5]
//	    [-only path,start,latency] [-processes 'eksact serve']
//
// A measure that fails is a row that says so, and the next one is taken; the command
// then ends with 1. Changes that take long are made less often: as many as a minute
// has room for, ten at least.
//
// It talks to the cluster of the current kubeconfig and knows nothing of who
// enforces: NAME is for the table. scripts/bench-netpol runs it on clusters of
// eksact, with eksact's own enforcement and with others'.
//
// Latency is seen by packets. A pod on one node sends a datagram every half a
// millisecond to a pod on the other, which notes the first and the last to arrive
// after and before a change; the time is told from the API server's answer on and from
// the call on. The pods among which the change is made are API objects with
// addresses, on nodes that are API objects too: every one is in the sets that
// policies select, one policy for ten of them exists beside.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type options struct {
	engine    string
	sizes     []int
	rounds    int
	runs      int
	only      []string
	processes []string
	image     string
}

func main() {
	o := options{}
	flag.StringVar(&o.engine, "engine", "eksact", "who enforces, for the table")
	sizes := flag.String("pods", "100,1000,10000", "numbers of pods among which a change is made")
	flag.IntVar(&o.rounds, "rounds", 50, "changes of each kind")
	flag.IntVar(&o.runs, "runs", 5, "times that a connection's cost is measured: the best counts")
	only := flag.String("only", "path,start,latency", "what to measure, in this order")
	processes := flag.String("processes", "eksact serve", "programs whose memory counts: beginnings of command lines, separated by commas")
	flag.StringVar(&o.image, "image", "netpol-bench", "image of bench/netpol/image.yaml")
	flag.Parse()
	o.only, o.processes = strings.Split(*only, ","), strings.Split(*processes, ",")
	for _, s := range strings.Split(*sizes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			fail(err)
		}
		o.sizes = append(o.sizes, n)
	}
	slices.Sort(o.sizes)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fail(o.run(ctx))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "netpol:", err)
		os.Exit(1)
	}
}

func (o options) run(ctx context.Context) error {
	c, err := connect(ctx, o.image)
	if err != nil {
		return err
	}
	defer c.remove()
	if err := c.enforced(ctx); err != nil {
		return err
	}
	var failed []error
	for _, m := range []struct {
		name string
		take func(context.Context, *cluster) error
	}{{"path", o.path}, {"start", o.start}, {"latency", o.latency}} {
		if !slices.Contains(o.only, m.name) || ctx.Err() != nil {
			continue
		}
		began := time.Now()
		err := m.take(ctx, c)
		fmt.Fprintf(os.Stderr, "netpol: %s, %s: %.0f s\n", o.engine, m.name, time.Since(began).Seconds())
		if err != nil {
			o.row("failed: " + strings.ReplaceAll(err.Error(), "\n", " "))
			failed = append(failed, fmt.Errorf("%s: %w", m.name, err))
		}
	}
	return errors.Join(failed...)
}

// table begins a table. Those of the same columns are joined by scripts/bench-netpol.
func (o options) table(columns string) {
	fmt.Printf("\n| engine | %s |\n|%s\n", columns, strings.Repeat(" --- |", 2+strings.Count(columns, "|")))
}

// row is a row of the table that was begun last.
func (o options) row(cells ...string) {
	fmt.Printf("| %s | %s |\n", o.engine, strings.Join(cells, " | "))
}
