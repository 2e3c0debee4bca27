// Command frontdoor measures the AWS front door: requests a second and the time
// from sending a call to having read its answer, by one client and by sixteen,
// for GetCallerIdentity and for ListRoles of an account with twenty roles.
//
//	go run ./bench/frontdoor [-n 40000] [-for 500ms] [-rounds 9]
//
// Measured beside it, in the same run, with the same calls: moto_server, if it
// is installed; and, as the floor, a bare net/http server that answers the same
// bytes without looking at the question. What is measured is the real thing, as
// the daemon puts it together: every signature verified, every policy evaluated,
// every call in the trail, on disk. Each server is a process of its own, on
// loopback, in plain HTTP. A second table is the price of authorization: the
// same door with an authorizer that agrees to everything, which exists here only.
//
// The client costs as little as can be: it sends requests signed in advance (a
// signature is good for five minutes) over kept connections and checks of each
// answer its status and one text in it.
//
// Measurements are short and taken in rounds of all rows, so that what else the
// machine does falls on every server, and are taken again while it does much.
// Shown are medians; a ratio is the median of the rounds' ratios. It prints
// Markdown.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"
)

func main() {
	limits := bounds{}
	flag.IntVar(&limits.requests, "n", 40000, "most requests of one measurement")
	flag.DurationVar(&limits.time, "for", 500*time.Millisecond, "most time of one measurement")
	flag.IntVar(&limits.rounds, "rounds", 9, "measurements of each row")
	flag.DurationVar(&limits.rest, "rest", 0, "pause before each measurement, for others on the machine")
	only := flag.String("only", "", "measure this server alone, for profiles")
	flag.StringVar(&limits.call, "call", "", "measure this call alone")
	profile := flag.String("profile", "", "where each server writes its CPU profile: this name and a number")
	role := flag.String("serve", "", "be one of the servers (used by this program itself)")
	flag.Parse()
	if *role != "" {
		check(serve(*role, *profile))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := &bench{bounds: limits, profile: *profile}
	defer b.end()
	err := b.run(ctx, *only)
	b.end()
	check(err)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "frontdoor:", err)
		os.Exit(1)
	}
}

// bounds are how much is measured at most.
type bounds struct {
	requests, rounds int
	time, rest       time.Duration
	call             string // "" of all
}

// clients are the numbers of connections measured.
var clients = []int{1, 16}

// bench holds the servers at hand.
type bench struct {
	bounds
	profile string
	servers []*server
}

func (b *bench) end() {
	for _, s := range b.servers {
		s.end()
	}
	b.servers = nil
}

// run starts the servers, measures in rounds, so that what else the machine does
// falls on all of them, and prints.
func (b *bench) run(ctx context.Context, only string) error {
	if err := b.start(ctx, only); err != nil {
		return err
	}
	fmt.Printf("Front door, %d rounds, at most %d requests or %v a measurement, %d CPUs, %s\n\n",
		b.rounds, b.requests, b.time, runtime.NumCPU(), runtime.Version())
	t := table{}
	for range b.rounds {
		for _, s := range b.servers {
			for _, call := range s.calls {
				if b.call != "" && b.call != call.name {
					continue
				}
				for _, n := range clients {
					m, err := b.measure(ctx, s, call, n)
					if err != nil {
						return fmt.Errorf("%s, %s, %d clients: %w", s.name, call.name, n, err)
					}
					key := row{s.name, call.name, n}
					t[key] = append(t[key], m)
				}
			}
		}
	}
	t.print()
	t.printEnforcement()
	t.printOthers()
	return nil
}

// row is what a result belongs to.
type row struct {
	server, call string
	clients      int
}

// result is one measurement.
type result struct {
	rate     float64 // requests a second
	p50, p99 float64 // milliseconds from sending to having read
	cpu      float64 // microseconds of the server's processors, for one request
	others   float64 // share of the processors that others took meanwhile
}

func rate(r result) float64 { return r.rate }
func cpu(r result) float64  { return r.cpu }

// table holds the measurements of each row, one a round.
type table map[row][]result

// printOthers says how much the figures are worth.
func (t table) printOthers() {
	var all, rough int
	var worst float64
	for _, list := range t {
		for _, m := range list {
			all++
			if m.others > calm {
				rough++
			}
			worst = max(worst, m.others)
		}
	}
	fmt.Printf("\nOther processes took more than %.0f %% of the processors during %d of %d measurements, %.0f %% at most.\n", 100*calm, rough, all, 100*worst)
}

// median is the median over the rounds.
func (t table) median(r row, of func(result) float64) float64 {
	var list []float64
	for _, m := range t[r] {
		list = append(list, of(m))
	}
	return middle(list)
}

// ratio is the median of the rounds' ratios of one row to another; 0 without them.
func (t table) ratio(a, b row, of func(result) float64) float64 {
	var list []float64
	for i := range min(len(t[a]), len(t[b])) {
		list = append(list, of(t[a][i])/of(t[b][i]))
	}
	return middle(list)
}

func middle(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[len(list)/2]
}

func (t table) print() {
	fmt.Println("| call | clients | server | requests/s | p50 | p99 | server's CPU a request | times moto | of bare |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, call := range []string{identity, roles} {
		for _, n := range clients {
			for _, name := range []string{frontDoor, moto, bare} {
				key := row{name, call, n}
				if len(t[key]) == 0 {
					continue
				}
				var toMoto, toBare string
				if x := t.ratio(key, row{moto, call, n}, rate); name == frontDoor && x > 0 {
					toMoto = fmt.Sprintf("%.0f", x)
				}
				if x := t.ratio(key, row{bare, call, n}, rate); name == frontDoor && x > 0 {
					toBare = fmt.Sprintf("%.0f %%", 100*x)
				}
				fmt.Printf("| %s | %d | %s | %.0f | %.2f ms | %.2f ms | %.0f µs | %s | %s |\n", call, n, name, t.median(key, rate),
					t.median(key, func(r result) float64 { return r.p50 }), t.median(key, func(r result) float64 { return r.p99 }),
					t.median(key, cpu), toMoto, toBare)
			}
		}
	}
}

// printEnforcement compares with the door that asks no policy. GetCallerIdentity
// is not in it: no policy can refuse it, so none is asked.
func (t table) printEnforcement() {
	fmt.Println("\n| call | clients | authorized, requests/s | all allowed | costs | authorized, CPU | all allowed | costs |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, n := range clients {
		with, without := row{frontDoor, roles, n}, row{openDoor, roles, n}
		if len(t[with]) == 0 || len(t[without]) == 0 {
			continue
		}
		fmt.Printf("| %s | %d | %.0f | %.0f | %.1f %% | %.1f µs | %.1f µs | %.1f %% |\n", roles, n,
			t.median(with, rate), t.median(without, rate), 100*(1-t.ratio(with, without, rate)),
			t.median(with, cpu), t.median(without, cpu), 100*(1-1/t.ratio(with, without, cpu)))
	}
}
