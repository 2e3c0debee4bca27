package authn

import (
	"context"
	"net"
	"sync"
)

// gate holds back the answers on one connection until its API server is settled.
type gate struct{ once sync.Once }

type gateKey struct{}

// newGate is for http.Server.ConnContext.
func newGate(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, gateKey{}, &gate{})
}

// settle waits, on a connection's first requests, for the API server to be
// settled, but not for ever: the answer is right in any case.
func (h *Handler) settle(ctx context.Context) {
	g, ok := ctx.Value(gateKey{}).(*gate)
	if !ok || h.Settled == nil {
		return
	}
	g.once.Do(func() {
		// For all requests of the connection, even when the first is given up.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if err := h.Settled(ctx); err != nil {
			h.Log.line(warning, "answering an API server that is not settled", fields{"error": err})
		}
	})
}
