package front

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"

	"github.com/eksact/eksact/internal/aws/api"
)

// validator is a Codec that holds inputs against the model without a request.
type validator interface {
	Validate(service, operation string, in any) error
}

// Do makes a call that comes from a service in this process, with the rights of who:
// CloudFormation's, which makes what its templates say with those of its caller, or
// of a role. It passes the stations from the third on, for there is nothing to route
// and no signature: authorize, handle, record. who.Service says which service calls.
//
// service is the ID of the wire table ("iam"), in a pointer to an SDK input struct,
// which must not be changed afterwards; the answer is a pointer to an output struct.
// Errors are those that a client would get.
func (f *Front) Do(ctx context.Context, who api.Caller, service, operation string, in any) (out any, err error) {
	wire := insideCall{service, operation}
	p := &passage{f: f, start: f.Now(), id: newRequestID(), wire: wire, in: in}
	if p.op = f.find(wire); p.op == nil {
		return nil, unknownOperation(wire)
	}
	if who.Service == "" {
		return nil, errors.New("front: a call within the process has no service that makes it")
	}
	who.RequestID, who.Time, who.Region = p.id, p.start, f.Place.Region
	who.RequestedRegion = requestedRegion(wire.Signing(), who.Region)
	p.caller = &who
	defer func() {
		if fault := recover(); fault != nil {
			f.Log.Error("a handler panicked", "call", p.name(), "request", p.id, "panic", fault, "stack", string(debug.Stack()))
			err = internal(wire.Family())
		}
		p.out = out
		if p.err = err; err != nil {
			out, p.out = nil, nil
		}
		p.record()
	}()
	return p.inside(api.WithCaller(ctx, p.caller), in)
}

func (p *passage) inside(ctx context.Context, in any) (any, error) {
	if err := p.f.Recorder.Err(); err != nil {
		return nil, unrecorded(err)
	}
	if v, ok := p.f.Codec.(validator); ok {
		if err := v.Validate(p.wire.Service(), p.wire.Operation(), in); err != nil {
			return nil, err
		}
	}
	if err := p.authorize(ctx, in); err != nil {
		return nil, err
	}
	return p.op.Handle(ctx, in)
}

// insideCall is a call that has no request.
type insideCall struct{ service, operation string }

func (c insideCall) Service() string   { return c.service }
func (c insideCall) Signing() string   { return signingName(c.service) }
func (c insideCall) Operation() string { return c.operation }
func (c insideCall) Family() Family    { return familyOf(c.service) }
func (c insideCall) Unsigned() bool    { return false }

func (c insideCall) Decode(any) error                                     { return errNoRequest }
func (c insideCall) Encode(http.ResponseWriter, any, string) error        { return errNoRequest }
func (c insideCall) EncodeError(w http.ResponseWriter, _ error, _ string) {}

var errNoRequest = errors.New("front: a call within the process has no request")
