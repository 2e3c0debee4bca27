package front

import (
	"net"
	"net/http"

	"github.com/eksact/eksact/internal/aws/api"
)

// Way is how a connection came to the door. The zero Way is that of the public
// address, where all services answer.
type Way struct {
	// Only is the service that answers there, as signatures name it; "": all do.
	Only string
	// Endpoint is the VPC endpoint that it came through; nil: none.
	Endpoint *api.Endpoint
}

// way finds out by which way the request came, by the address that its connection
// was made to: nothing that the caller says counts. A way that is shut by now has no
// answer.
func (p *passage) way() Way {
	if p.f.Ways == nil {
		return Way{}
	}
	to, _ := p.r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	w, open := p.f.Ways(to)
	if !open {
		panic(http.ErrAbortHandler)
	}
	return w
}

// misplaced refuses a call to another service than the one that answers where it came
// to. That one knows no signature but its own, and no operation of others.
func (p *passage) misplaced() error {
	only := p.came.Only
	if only == "" || p.wire.Signing() == "" || p.wire.Signing() == only {
		return nil
	}
	if p.sig == nil {
		return unknownOperation(p.wire)
	}
	return signatureError(p.family(), p.sig.Presigned, p.sig.CheckScope(only, func(string) bool { return true }))
}
