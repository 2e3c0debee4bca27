package relay

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// hello is how an HTTP/2 client begins: the preface and empty settings. A server
// answers with its own, or, over TLS, with why it does not like the client.
const hello = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// Probe returns nil when one of the endpoints speaks to us, and otherwise what
// each of them said instead. etcd's own client would only say that time ran out.
func (o Options) Probe(ctx context.Context) error {
	r, err := newRelay(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var failed error
	for i, t := range r.targets {
		err := t.greet(ctx)
		if err == nil {
			return nil
		}
		failed = errors.Join(failed, fmt.Errorf("etcd at %s: %w", o.Endpoints[i], err))
	}
	return failed
}

func (t target) greet(ctx context.Context) error {
	conn, err := t.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end)
	}
	// Of a server that hung up already, the reason is still to be read.
	_, _ = conn.Write([]byte(hello))
	_, err = conn.Read(make([]byte, 1))
	return err
}
