package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// The peers.
const (
	ours           = "eksact"
	minioPeer      = "minio"
	versityPeer    = "versitygw, identity"
	versityBuckets = "versitygw, bucket"
	simulatePeer   = "iam-simulate"
	motoPeer       = "moto"
)

// peer is one evaluator: a command that reads a task and writes a result.
type peer struct {
	name    string
	version string // of what it is, to be printed
	command []string
}

// task is what a peer's process reads.
type task struct {
	Case    policyCase `json:"case"`
	Seconds float64    `json:"seconds"` // to measure
}

// result is what it writes.
type result struct {
	Nanoseconds float64 `json:"ns"`      // a decision, the least of several batches
	Allocs      float64 `json:"allocs"`  // a decision; of the Go ones
	Answers     []bool  `json:"answers"` // to the case's requests: allowed?
	Refused     string  `json:"refused"` // why it does not take these policies
	cut         bool    // it had not answered in time
}

// settled says that another round would tell nothing new.
func (r result) settled() bool { return r.Refused != "" || r.cut }

// or is the better of two results.
func (r result) or(o result) result {
	if r.Nanoseconds > 0 && r.Nanoseconds < o.Nanoseconds {
		o.Nanoseconds = r.Nanoseconds
	}
	return o
}

// note says what is wrong with the result; "" if nothing is.
func (r *result) note(c *policyCase) string {
	switch {
	case r.cut:
		return "had not decided when it was ended"
	case r.Refused != "":
		return "refuses these policies: " + r.Refused
	}
	for i, got := range r.Answers {
		if got == c.Requests[i].Allowed {
			continue
		}
		if what := c.Requests[i].What; what != "" {
			return what
		}
		return "denies what is allowed"
	}
	return ""
}

// findPeers looks for what is installed, and says what is not.
func (b *bench) findPeers(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b.peers = []*peer{
		{ours, "", []string{self, "-be", ours}},
		{minioPeer, "minio/pkg " + module("github.com/minio/pkg/v3"), []string{self, "-be", minioPeer}},
		{versityPeer, "versitygw " + module("github.com/versity/versitygw"), []string{self, "-be", versityPeer}},
		{versityBuckets, "", []string{self, "-be", versityBuckets}},
		{simulatePeer, "", []string{"node", "iam-simulate.mjs"}},
		{motoPeer, "", []string{"python3", "moto_matcher.py"}},
	}
	var there []*peer
	for _, p := range b.peers {
		if b.only != "" && b.only != p.name && p.name != ours {
			continue
		}
		if p.name == simulatePeer || p.name == motoPeer {
			if p.version, err = p.ask(ctx); err != nil {
				fmt.Printf("%s is not measured: %v\n\n", p.name, err)
				continue
			}
		}
		there = append(there, p)
	}
	b.peers = there
	return nil
}

// ask asks a script for its version.
func (p *peer) ask(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, p.command[0], append(p.command[1:], "--version")...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", errors.New(lastLine(exit.Stderr))
	}
	return p.name + " " + strings.TrimSpace(string(out)), err
}

// lastLine is what interpreters say at the end.
func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, l := range lines {
		if strings.Contains(l, "Error") {
			return strings.TrimSpace(l)
		}
	}
	return lines[len(lines)-1]
}

// starts is the time that a peer may take to start and to prepare a case.
const starts = 10 * time.Second

// measure runs one case in a process of its own, which is ended when it does not
// come to a decision.
func (p *peer) measure(ctx context.Context, c policyCase, measured, cutoff time.Duration) (result, error) {
	in, err := json.Marshal(task{c, measured.Seconds()})
	if err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.command[0], p.command[1:]...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return result{}, err
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	r, err := await(json.NewDecoder(out), cutoff, measured)
	cancel()
	_ = cmd.Wait() // its answer tells all; it may have been ended
	if err != nil {
		err = fmt.Errorf("%w %s", err, lastLine(said.Bytes()))
	}
	return r, err
}

// await reads the peer's messages: that it is ready, that it has decided once, and
// its result.
func await(from *json.Decoder, cutoff, measured time.Duration) (result, error) {
	var r result
	read := make(chan error, 1)
	next := func(most time.Duration) (inTime bool, err error) {
		r = result{}
		go func() { read <- from.Decode(&r) }()
		select {
		case err := <-read:
			return true, err
		case <-time.After(most):
			return false, nil
		}
	}
	if inTime, err := next(starts); !inTime || err != nil {
		return result{}, cmp.Or(err, errors.New("was not ready in time"))
	}
	if r.Refused != "" {
		return r, nil
	}
	if inTime, err := next(cutoff); !inTime || err != nil {
		return result{cut: err == nil}, err
	}
	if inTime, err := next(10*cutoff + measured); !inTime || err != nil {
		return result{}, cmp.Or(err, errors.New("did not come to an end"))
	}
	return r, nil
}
