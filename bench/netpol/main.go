// Command netpol measures NetworkPolicy on a running cluster of two nodes: how long
// from a write to packets that obey it, what a connection costs under policies,
// what a pod's start costs, what memory the enforcing programs take. It prints
// Markdown.
//
//	go run ./bench/netpol -engine NAME [-pods 100,1000,10000] [-rounds 50]
//	    [-only latency,path,start] [-processes 'eksact serve']
//
// It talks to the cluster of the current kubeconfig and knows nothing of who
// enforces: NAME is for the table. scripts/bench-netpol runs it on clusters of
// eksact, with eksact's own enforcement and with others'.
//
// Latency is seen by packets. A pod on one node sends a datagram every half a
// millisecond to a pod on the other, which notes the first and the last to arrive
// after and before a change; the clock starts when the API server has acknowledged
// the write. The pods among which the change is made are API objects with
// addresses, on nodes that are API objects too: every one is in the sets that
// policies select, one policy for ten of them exists beside.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

type options struct {
	engine    string
	sizes     []int
	rounds    int
	only      []string
	processes []string
	image     string
}

func main() {
	o := options{}
	flag.StringVar(&o.engine, "engine", "eksact", "who enforces, for the table")
	sizes := flag.String("pods", "100,1000,10000", "numbers of pods among which a change is made")
	flag.IntVar(&o.rounds, "rounds", 50, "changes of each kind")
	only := flag.String("only", "latency,path,start", "what to measure")
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
	if slices.Contains(o.only, "path") {
		if err := o.path(ctx, c); err != nil {
			return err
		}
	}
	if slices.Contains(o.only, "start") {
		if err := o.start(ctx, c); err != nil {
			return err
		}
	}
	if slices.Contains(o.only, "latency") {
		return o.latency(ctx, c)
	}
	return nil
}
