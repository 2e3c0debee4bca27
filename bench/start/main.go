// Command start measures an installed build as its user meets it: how long
// eksact up takes from stopped, with data and images there, to a lease renewed
// and the cluster's DNS started and ready after this start (which is what up
// waits for) and where the time goes; what memory all parts take; how long
// eksact status and eksact down take. It prints Markdown.
//
//	go run ./bench/start [-bin bin/eksact] [-runs 5] [-settle 20s]
//
// It runs as root, on a machine where eksact does not run: it makes an account
// with one cluster and one node in a state directory of its own, and removes all
// of it. Memory is proportional (PSS): what processes share is counted once. It
// is measured when the collectors have settled, a quarter of a minute after the
// start.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

func main() {
	b := &bench{}
	flag.StringVar(&b.program, "bin", "bin/eksact", "the program")
	flag.IntVar(&b.runs, "runs", 5, "starts measured, after the first")
	flag.DurationVar(&b.settle, "settle", 20*time.Second, "time from the start to the measure of memory")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		os.Exit(1)
	}
}

// bench is one run of this program.
type bench struct {
	program string
	runs    int
	settle  time.Duration
	state   string // directory

	starts []start
	memory []footprint
	status []float64 // milliseconds
	downs  []float64 // seconds
}

// asks is how often eksact status is timed, over all runs.
const asks = 20

func (b *bench) run(ctx context.Context) (err error) {
	if b.program, err = filepath.Abs(b.program); err != nil {
		return err
	}
	if _, err := b.eksact(ctx, nil, "status"); err == nil {
		return errors.New("eksact runs already on this machine: its start can't be measured")
	}
	if b.state, err = os.MkdirTemp("", "eksact-bench-"); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, downErr := b.eksact(ctx, nil, "down", "--purge")
		err = errors.Join(err, downErr, os.RemoveAll(b.state))
	}()
	first, err := b.up(ctx)
	if err != nil {
		return err
	}
	for i := range b.runs {
		if err := b.down(ctx); err != nil {
			return err
		}
		if err := b.cycle(ctx); err != nil {
			return fmt.Errorf("start %d: %w", i+1, err)
		}
	}
	if err := b.down(ctx); err != nil {
		return err
	}
	fmt.Printf("Start, %d runs after the first, %d CPUs, %s\n\n", b.runs, runtime.NumCPU(), version(ctx, b))
	b.print(first)
	return nil
}

// cycle starts once, and measures what can be measured while all runs.
func (b *bench) cycle(ctx context.Context) error {
	s, err := b.up(ctx)
	if err != nil {
		return err
	}
	b.starts = append(b.starts, s)
	select {
	case <-time.After(b.settle):
	case <-ctx.Done():
		return ctx.Err()
	}
	m, err := b.measureMemory(ctx)
	if err != nil {
		return err
	}
	b.memory = append(b.memory, m)
	for range (asks + b.runs - 1) / b.runs {
		took, err := b.eksact(ctx, nil, "status")
		if err != nil {
			return err
		}
		b.status = append(b.status, took.Seconds()*1e3)
	}
	return nil
}

// up starts everything and returns what it says of that.
func (b *bench) up(ctx context.Context) (start, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var s start
	took, err := b.eksact(ctx, &s, "up", "--offline", "-o", "json")
	s.Wall = took.Seconds()
	return s, err
}

func (b *bench) down(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	took, err := b.eksact(ctx, nil, "down")
	b.downs = append(b.downs, took.Seconds())
	return err
}
