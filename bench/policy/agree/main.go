// Command agree compares the IAM engine's decisions with those of npm's
// @cloud-copilot/iam-simulate, the one evaluator of AWS policies around that knows
// every layer, on random requests: users, sessions, root; identity policies, a
// boundary, session policies, control policies of two levels, a resource's and an
// endpoint's policy; in one account and across two.
//
//	cd bench/policy && npm ci && go run ./agree [-n 20000] [-seed 1] [-show 3]
//
// Where AWS's documentation leaves a choice or the two read it differently, no
// requests are made: variables in Version 2008-10-17, and without a value in
// NotResource or under a negated operator; IfExists with ForAnyValue;
// NotPrincipal. One such difference can't
// be left out and is counted by itself: iam-simulate lets a session policy limit
// what a resource's policy grants to everyone, which the User Guide says it
// doesn't. Any other difference is an error.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"

	"github.com/eksact/eksact/internal/engine/policy"
)

func main() {
	n := flag.Int("n", 20000, "how many requests")
	seed := flag.Uint64("seed", 1, "of the random requests")
	show := flag.Int("show", 3, "how many differences to show whole")
	flag.Parse()
	if err := compare(maker{rand.New(rand.NewPCG(*seed, 7))}, *n, *show); err != nil {
		fmt.Fprintln(os.Stderr, "agree:", err)
		os.Exit(1)
	}
}

// The decisions, as iam-simulate calls them.
const (
	allowed  = "Allowed"
	explicit = "ExplicitlyDenied"
	implicit = "ImplicitlyDenied"
)

// compare asks both the same.
func compare(m maker, n, show int) error {
	peer, err := startPeer()
	if err != nil {
		return err
	}
	defer peer.end()
	counts := map[string]int{}
	differences, bySession := 0, 0
	for range n {
		q := m.question()
		d := policy.Decide(&q.applied, &q.request)
		ours := word(d)
		theirs, err := peer.ask(q.simulation)
		if err != nil {
			return err
		}
		counts[ours]++
		switch {
		case ours == theirs:
		case d.Allowed && d.Layer == policy.ResourceLayer && q.applied.Session != nil && theirs == implicit:
			bySession++
		default:
			if differences++; differences <= show {
				text, _ := json.Marshal(q.simulation)
				fmt.Printf("ours %s (%s), theirs %s: %s\n\n", ours, d.Layer, theirs, text)
			}
		}
	}
	fmt.Printf("%d decisions: %d allowed, %d denied explicitly, %d implicitly\n", n, counts[allowed], counts[explicit], counts[implicit])
	fmt.Printf("%d differ because a session policy limits a grant to everyone there and not here\n%d differ otherwise\n", bySession, differences)
	if differences > 0 {
		return fmt.Errorf("%d decisions differ", differences)
	}
	return nil
}

func word(d policy.Decision) string {
	switch {
	case d.Allowed:
		return allowed
	case d.Explicit:
		return explicit
	}
	return implicit
}

// peer is the other evaluator, a process that answers line by line.
type peer struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startPeer() (*peer, error) {
	p := &peer{cmd: exec.Command("node", "agree/simulate.mjs")}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("node is needed, and npm ci in bench/policy: %w", err)
	}
	return p, nil
}

func (p *peer) ask(simulation any) (string, error) {
	if err := json.NewEncoder(p.in).Encode(simulation); err != nil {
		return "", err
	}
	if !p.out.Scan() {
		return "", fmt.Errorf("iam-simulate ended: %v", p.out.Err())
	}
	var answer struct{ Result, Error string }
	if err := json.Unmarshal(p.out.Bytes(), &answer); err != nil {
		return "", err
	}
	if answer.Error != "" {
		return "", fmt.Errorf("iam-simulate refuses the request: %s", answer.Error)
	}
	return answer.Result, nil
}

func (p *peer) end() {
	p.in.Close()
	p.cmd.Wait()
}
