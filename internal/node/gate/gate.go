// Package gate is what a node's CNI plugin asks before a pod's network is made, and
// tells when it is gone. It is answered when every node of the cluster holds the pod
// to its network policies and knows its address as a peer of others: so no packet of
// a pod is ever sent before its rules stand.
//
// The question goes to the daemon over a unix socket that its keeper holds, one line
// of JSON each way. While the daemon is away the question waits; without an answer
// there is no network.
package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Request tells of a pod's interface.
type Request struct {
	Namespace string     `json:"namespace"`
	Name      string     `json:"name"`
	UID       string     `json:"uid"`
	Container string     `json:"container"` // of the sandbox
	Address   netip.Addr `json:"address"`
	Node      string     `json:"-"` // its name, as who serves the node knows it
	// Gone says that the interface is no more; its address is nobody's.
	Gone bool `json:"gone,omitempty"`
}

type answer struct {
	Error string `json:"error,omitempty"`
}

// Ask returns when the request was carried out, or says why not.
func Ask(socket string, r Request, patience time.Duration) error {
	conn, err := net.DialTimeout("unix", socket, patience)
	if err != nil {
		return fmt.Errorf("network policies can't be asked for: %w", err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return fmt.Errorf("network policies can't be asked for: %w", err)
	}
	var a answer
	if err := json.NewDecoder(conn).Decode(&a); err != nil {
		return fmt.Errorf("no word in %s that the network policies of pod %s/%s are enforced: %w", patience, r.Namespace, r.Name, err)
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	return nil
}

// Tell sends a request whose carrying out the caller does not wait for.
func Tell(socket string, r Request) error {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	return json.NewEncoder(conn).Encode(r)
}

// largest is more than any request has.
const largest = 64 << 10

// Serve answers requests until ctx ends. A caller that goes away ends its request.
func Serve(ctx context.Context, l net.Listener, do func(context.Context, Request) error) error {
	var running sync.WaitGroup
	defer running.Wait()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		running.Go(func() { serve(ctx, conn, do) })
	}
}

func serve(ctx context.Context, conn net.Conn, do func(context.Context, Request) error) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	var r Request
	if err := json.NewDecoder(io.LimitReader(conn, largest)).Decode(&r); err != nil {
		return
	}
	if r.Gone {
		_ = do(ctx, r) // nobody waits for it
		return
	}
	go func() { // nothing more is sent: reading ends when the caller does
		_, _ = io.Copy(io.Discard, conn)
		cancel()
	}()
	var a answer
	if err := do(ctx, r); err != nil {
		a.Error = err.Error()
	}
	if ctx.Err() == nil {
		_ = json.NewEncoder(conn).Encode(a)
	}
}
