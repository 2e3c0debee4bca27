package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// decider is a peer in Go, with the policies of a case.
type decider interface {
	// prepare turns a request into the form that the peer decides.
	prepare(r request) (decide func() bool, err error)
}

// engines make the peers that are in Go ready, or say why they take no such
// policies.
var engines = map[string]func(policies []string) (decider, error){
	ours:           newOurs,
	minioPeer:      newMinio,
	versityPeer:    newVersity,
	versityBuckets: newVersityBucket,
}

// serve is the process of one of them: it reads a task, says when it is ready and
// when it has decided once, and writes the result.
func serve(name string) error {
	var t task
	if err := json.NewDecoder(os.Stdin).Decode(&t); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	engine, err := engines[name](t.Case.Policies)
	if err != nil {
		return out.Encode(result{Refused: err.Error()})
	}
	var asked []func() bool
	for _, r := range t.Case.Requests {
		decide, err := engine.prepare(r)
		if err != nil {
			return out.Encode(result{Refused: err.Error()})
		}
		asked = append(asked, decide)
	}
	if err := out.Encode(result{}); err != nil {
		return err
	}
	r := result{Answers: []bool{asked[0]()}}
	if err := out.Encode(r); err != nil {
		return err
	}
	for _, decide := range asked[1:] {
		r.Answers = append(r.Answers, decide())
	}
	r.Nanoseconds, r.Allocs = timed(asked[0], time.Duration(t.Seconds*float64(time.Second)))
	return out.Encode(r)
}

// batch is how long decisions are counted before the clock is read again.
const batch = 2 * time.Millisecond

// timed returns the least time of a decision, of batches, and its allocations.
// There is at least one batch, however long it takes.
func timed(decide func() bool, measured time.Duration) (ns, allocs float64) {
	n := 1
	for begun := time.Now(); ns == 0 || time.Since(begun) < measured; {
		took := repeat(decide, n)
		if took < batch {
			n *= 2
			continue
		}
		if one := float64(took.Nanoseconds()) / float64(n); ns == 0 || one < ns {
			ns = one
		}
	}
	return ns, allocations(decide, min(n, 100))
}

func repeat(decide func() bool, n int) time.Duration {
	begun := time.Now()
	for range n {
		decide()
	}
	return time.Since(begun)
}

func allocations(decide func() bool, n int) float64 {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	repeat(decide, n)
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / uint64(n))
}

// module is the version of a module that this program is built with.
func module(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return fmt.Sprintf("(no %s)", path)
}
