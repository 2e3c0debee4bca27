// Command policy measures the IAM engine: nanoseconds for one decision, beside
// four other evaluators of AWS policies, in one run on one machine.
//
//	cd bench/policy && npm ci && go run . [-rounds 2] [-for 200ms] [-cutoff 3s]
//
// The others are github.com/minio/pkg/v3/policy, github.com/versity/versitygw
// (its identity policies and its bucket policies), npm's
// @cloud-copilot/iam-simulate and moto's matcher; the last two where node and
// python3 with moto are installed. Two of them are AGPL: this is a module of its
// own, so that they are nobody's dependency but this program's.
//
// Each gets policies and requests in the form that it asks for, prepared as far as
// it can be before the clock starts. Some read the documents anew at each decision,
// because they offer nothing else. Each case also asks each peer a few questions
// whose answers AWS documents; a peer that answers wrongly is measured all the
// same, and marked.
//
// Each peer and case is a process of its own, so that one that never ends can be
// ended. Measurements are taken in rounds over all of them; shown is the least. It
// prints Markdown.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	b := &bench{}
	flag.IntVar(&b.rounds, "rounds", 2, "measurements of each peer and case")
	flag.DurationVar(&b.time, "for", 200*time.Millisecond, "time of one measurement")
	flag.DurationVar(&b.cutoff, "cutoff", 3*time.Second, "most time for one decision; who needs more is ended")
	flag.StringVar(&b.only, "peer", "", "measure this peer alone")
	be := flag.String("be", "", "be one of the peers (used by this program itself)")
	flag.Parse()
	if *be != "" {
		check(serve(*be))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	check(b.run(ctx))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "policy:", err)
		os.Exit(1)
	}
}

// bench is one run of this program.
type bench struct {
	rounds       int
	time, cutoff time.Duration
	only         string
	peers        []*peer
	table        table
}

// row is what a result belongs to.
type row struct{ peer, name string }

// table holds what came out: the least of all rounds.
type table map[row]result

func (b *bench) run(ctx context.Context) error {
	if err := b.findPeers(ctx); err != nil {
		return err
	}
	load := startLoad()
	own, err := newOwned()
	if err != nil {
		return err
	}
	cases := allCases()
	b.table = table{}
	for range b.rounds {
		if err := own.measure(); err != nil {
			return err
		}
		for _, c := range cases {
			for _, p := range b.peers {
				key := row{p.name, c.Name}
				if b.table[key].settled() {
					continue
				}
				r, err := p.measure(ctx, c, b.time, b.cutoff)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", p.name, c.Name, err)
				}
				b.table[key] = b.table[key].or(r)
			}
		}
	}
	b.print(cases, own, load.others())
	if missed := b.wrongOurs(cases); missed != "" {
		return errors.New("our own answer is wrong: " + missed)
	}
	return nil
}

// wrongOurs names the first case in which our own answers are not as they should
// be.
func (b *bench) wrongOurs(cases []policyCase) string {
	for _, c := range cases {
		if r, ok := b.table[row{ours, c.Name}]; ok && r.note(&c) != "" {
			return c.Name + ": " + r.note(&c)
		}
	}
	return ""
}
