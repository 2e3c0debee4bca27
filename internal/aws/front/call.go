package front

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/engine/sigv4"
)

// passage is one request on its way through the front door.
type passage struct {
	f     *Front
	w     http.ResponseWriter
	r     *http.Request
	start time.Time

	id     string // request id
	came   Way
	wire   Call
	op     *operation
	sig    *sigv4.Signature // nil without one
	caller *api.Caller      // set once authenticated
	body   *[]byte
	keys   callKeys

	// For the record and the log.
	in, out  any
	err      error
	recorded bool // already, for the answer goes on
}

func (f *Front) begin(w http.ResponseWriter, r *http.Request) *passage {
	return &passage{f: f, w: w, r: r, start: f.Now(), id: newRequestID()}
}

// run takes the stations in order. The error it returns has not been answered.
func (p *passage) run() error {
	if err := p.route(); err != nil {
		return err
	}
	if err := p.f.Recorder.Err(); err != nil {
		return unrecorded(err)
	}
	ctx := api.WithCaller(p.r.Context(), p.caller)
	in, err := p.read()
	if err != nil {
		return err
	}
	if err := p.authorize(ctx, in); err != nil {
		return err
	}
	out, err := p.op.Handle(ctx, in)
	if err != nil {
		return err
	}
	if _, lasts := out.(*api.Events); lasts {
		p.record() // for it may be hours until it ends
		p.recorded = true
	} else {
		p.out = out
	}
	if err := p.wire.Encode(p.w, out, p.id); err != nil {
		// The codec has answered with an internal failure.
		p.f.Log.Error("an answer cannot be encoded", "call", p.name(), "request", p.id, "error", err)
		p.err, p.out = internal(p.family()), nil
	}
	return nil
}

// route finds out what is called and by whom: the first two stations, which
// are entwined, because the signature's scope names the service, and the
// service's protocol says how to refuse a signature.
func (p *passage) route() error {
	var (
		secret  string
		who     api.Caller
		authErr error
		limit   = unsignedBody
		signed  string
	)
	p.came = p.way()
	claim := p.claim()
	sig, parseErr := sigv4.Parse(&claim)
	if parseErr == nil {
		p.sig, signed = sig, sig.Service
		if secret, who, authErr = p.f.Credentials.Resolve(p.r.Context(), sig.AccessKeyID, sig.SessionToken, p.start); authErr == nil {
			limit = p.f.MaxBody
		}
	}
	later, routeErr, err := p.arrive(signed, limit)
	if err == nil && routeErr == nil {
		err = p.misplaced()
	}
	switch {
	case err != nil:
		return err
	case parseErr != nil && p.anonymous(parseErr, routeErr):
		return p.takeBody(later, "")
	case parseErr != nil:
		return signatureError(p.family(), strings.Contains(claim.Query, "X-Amz-Signature="), parseErr)
	case authErr != nil:
		return p.resolveError(p.family(), authErr)
	}
	if err := p.verify(&claim, secret, later, routeErr); err != nil {
		return err
	}
	who.AccessKeyID, who.Region = sig.AccessKeyID, sig.Region
	p.setCaller(who)
	if routeErr != nil {
		return routeErr
	}
	if p.op = p.f.find(p.wire); p.op == nil {
		return unknownOperation(p.wire)
	}
	return p.takeBody(later, secret)
}

// claim is the request as a signature covers it.
func (p *passage) claim() sigv4.Request {
	claim := sigv4.Request{
		Method: p.r.Method, Path: p.r.URL.EscapedPath(), Query: p.r.URL.RawQuery,
		Host: p.r.Host, Header: p.r.Header, ContentLength: p.r.ContentLength,
	}
	if target := p.r.RequestURI; strings.HasPrefix(target, "/") {
		// As on the wire: net/url may have spelled it anew.
		claim.Path, _, _ = strings.Cut(target, "?")
	}
	return claim
}

// arrive reads the body, unless it is to be read later, and routes the request.
// That it can't be routed is said after its signature was checked.
func (p *passage) arrive(signed string, limit int) (later bool, routeErr, err error) {
	if p.wire, routeErr, later = p.routeHead(signed); later {
		if isVersion2(p.r) {
			err = errVersion2
		}
		return later, routeErr, err
	}
	var bodyErr error
	p.body, bodyErr = readBody(p.r, limit)
	p.wire, routeErr = p.f.Codec.Route(p.r, *p.body, signed)
	switch {
	case errors.Is(bodyErr, errTooLarge):
		p.w.Header().Set("Connection", "close")
		return later, routeErr, tooLarge(p.wire.Family(), limit)
	case bodyErr != nil:
		return later, routeErr, api.Errorf(http.StatusBadRequest, "RequestTimeout", "The request body did not arrive: %v", bodyErr)
	}
	return later, routeErr, nil
}

// anonymous takes a call without a signature, if its operation may come without.
func (p *passage) anonymous(parseErr, routeErr error) bool {
	if !missing(parseErr) || routeErr != nil {
		return false
	}
	if p.op = p.f.find(p.wire); p.op == nil || !p.op.Unsigned || !p.wire.Unsigned() && !p.op.SelfAuthorized {
		return false
	}
	p.setCaller(api.Caller{Type: api.Anonymous, Region: p.f.Place.Region})
	return true
}

// verify checks the signature: its scope, then itself.
func (p *passage) verify(claim *sigv4.Request, secret string, later bool, routeErr error) error {
	if called, err := p.checkScope(p.wire, routeErr); err != nil {
		p.wire = called
		var said *api.Error
		if errors.As(err, &said) {
			return said
		}
		return signatureError(called.Family(), p.sig.Presigned, err)
	}
	if claim.BodyLater = later; !later {
		claim.BodySHA256 = sha256.Sum256(*p.body)
	} else if err := checkDeclared(p.sig); err != nil {
		return err
	}
	if err := p.f.verifier.Verify(claim, p.sig, secret, sigv4.RulesFor(p.sig.Service), p.start); err != nil {
		return signatureError(p.family(), p.sig.Presigned, err)
	}
	return nil
}

func missing(err error) bool {
	var e *sigv4.Error
	return errors.As(err, &e) && e.Kind == sigv4.Missing
}

// checkScope refuses a signature made for another region, or for another
// service than the one called. A request is routed by its signature's service,
// so the second shows as an operation that this service lacks and another has:
// that one is the called, in whose protocol the refusal is said.
func (p *passage) checkScope(wire Call, routeErr error) (called Call, err error) {
	called = wire
	if routeErr != nil && p.body != nil {
		if other, err := p.f.Codec.Route(p.r, *p.body, ""); err == nil && other.Signing() != p.sig.Service {
			called = other
		}
	}
	signing := called.Signing()
	if signing == "s3" && p.sig.Service == signing && !p.f.validRegion(signing, p.sig.Region) {
		p.w.Header().Set("X-Amz-Bucket-Region", p.f.Place.Region) // for answers without a document
		return called, wrongRegion(p.sig.Region, p.f.Place.Region)
	}
	if signing == "" {
		return called, nil // not a service of ours: the route's error says so
	}
	return called, p.sig.CheckScope(signing, func(region string) bool { return p.f.validRegion(signing, region) })
}

func (p *passage) resolveError(family Family, err error) error {
	if e := credentialsError(family, err); e.Status < http.StatusInternalServerError {
		return e
	}
	return fmt.Errorf("credentials: %w", err)
}

// setCaller completes the caller with what the request says.
func (p *passage) setCaller(who api.Caller) {
	if peer, err := netip.ParseAddrPort(p.r.RemoteAddr); err == nil {
		who.SourceIP = peer.Addr().Unmap().WithZone("")
	}
	who.UserAgent, who.Referer = p.r.UserAgent(), p.r.Referer()
	who.TLS, who.Endpoint = p.r.TLS != nil, p.came.Endpoint
	if p.sig != nil {
		who.Presigned, who.SignedAt = p.sig.Presigned, p.sig.Time
	}
	who.RequestID, who.Time = p.id, p.start
	who.RequestedRegion = requestedRegion(p.wire.Signing(), who.Region)
	p.caller = &who
}

// read decodes the input.
func (p *passage) read() (any, error) {
	in := p.op.Input()
	if err := p.wire.Decode(in); err != nil {
		return nil, err
	}
	p.in = in
	return in, nil
}

// anyResource is what a call that names no resource touches.
var anyResource = []string{"*"}

// authorize asks the policies, unless the operation is open to everyone, carries
// its own proof of identity, or decides by itself.
func (p *passage) authorize(ctx context.Context, in any) error {
	op := p.op
	if op.Open || op.SelfAuthorized || op.Unsigned {
		return nil
	}
	p.keys = callKeys{f: p.f, op: op, ctx: ctx, in: in}
	var resources []string
	if op.Resources != nil {
		resources = op.Resources(ctx, in)
	}
	if err := p.ask(ctx, op.action, resources); err != nil || op.Also == nil {
		return err
	}
	for _, need := range op.Also(ctx, in) {
		if err := p.ask(ctx, need.Action, need.Resources); err != nil {
			return err
		}
	}
	return nil
}

// ask asks for one action.
func (p *passage) ask(ctx context.Context, action string, resources []string) error {
	if len(resources) == 0 {
		resources = anyResource
	}
	err := p.f.Authorizer.AuthorizeCall(ctx, p.caller, action, resources, &p.keys)
	if err == nil {
		return nil
	}
	if api.Code(err) != "" {
		return err // an error with a code of its own: a failure, not a refusal
	}
	e := p.f.refusal(p.wire.Family(), err)
	if p.op.denied != "" {
		e.Code = p.op.denied
	}
	return e
}

// authorizationHeader tells the id under which a refusal is explained. AWS tells
// it in the message alone, of the services that take part in its preview.
const authorizationHeader = "X-Amzn-Authorization-Id"

// fail answers with an error. What is no AWS error is ours, and only logged.
func (p *passage) fail(err error) {
	if api.Code(err) == "" {
		p.f.Log.Error("call failed", "call", p.name(), "request", p.id, "error", err)
		err = internal(p.family())
	}
	p.err, p.out = err, nil
	if p.wire == nil {
		http.Error(p.w, err.Error(), http.StatusInternalServerError)
		return
	}
	if p.caller != nil && p.caller.AuthorizationID != "" {
		p.w.Header().Set(authorizationHeader, p.caller.AuthorizationID)
	}
	p.wire.EncodeError(p.w, err, p.id)
}

// end recovers from a panic of any station, records and logs the call.
func (p *passage) end() {
	if fault := recover(); fault != nil {
		if fault == http.ErrAbortHandler {
			panic(fault)
		}
		p.f.Log.Error("a handler panicked", "call", p.name(), "request", p.id, "panic", fault, "stack", string(debug.Stack()))
		p.fail(internal(p.family()))
	}
	p.record()
	if p.f.Log.Enabled(p.r.Context(), slog.LevelDebug) {
		p.log()
	}
	if p.body != nil {
		freeBody(p.body)
	}
}

// record keeps the event of a call that got past authentication.
func (p *passage) record() {
	if p.caller == nil || p.wire.Operation() == "" || p.recorded {
		return
	}
	e := cloudtrail.Event{
		Time: p.start, Caller: p.caller, Account: p.f.Place.AccountID,
		Service: p.wire.Signing(), Name: p.wire.Operation(), Region: p.caller.Region,
		Input: p.in, Output: p.out,
	}
	if p.op != nil {
		e.Service, e.Data = p.op.events, p.op.Data
	}
	if p.r != nil {
		e.Host = p.r.Host
	}
	if p.r != nil && p.r.TLS != nil {
		e.TLS, e.Cipher = p.r.TLS.Version, p.r.TLS.CipherSuite
	}
	if p.err != nil {
		e.ErrorCode, e.ErrorMessage = describe(p.err)
		if p.wire.Family() == EC2 {
			e.ErrorCode = "Client." + e.ErrorCode
		}
	}
	p.f.Recorder.Record(e)
}

// describe finds an error's AWS code and message.
func describe(err error) (code, message string) {
	var e interface {
		ErrorCode() string
		ErrorMessage() string
	}
	if errors.As(err, &e) {
		return e.ErrorCode(), e.ErrorMessage()
	}
	return "InternalFailure", ""
}

func (p *passage) log() {
	attrs := []slog.Attr{
		slog.String("call", p.name()), slog.String("request", p.id), slog.String("peer", p.r.RemoteAddr),
		slog.Duration("took", p.f.Now().Sub(p.start)),
	}
	if p.caller != nil {
		attrs = append(attrs, slog.String("caller", p.caller.ARN))
	} else if p.sig != nil {
		attrs = append(attrs, slog.String("claimed", p.sig.AccessKeyID))
	}
	if p.err != nil {
		code, message := describe(p.err)
		attrs = append(attrs, slog.String("code", code), slog.String("error", message))
	}
	p.f.Log.LogAttrs(p.r.Context(), slog.LevelDebug, "call", attrs...)
}

func (p *passage) name() string {
	if p.wire == nil || p.wire.Operation() == "" {
		return p.r.Method + " " + p.r.URL.Path
	}
	return p.wire.Service() + "." + p.wire.Operation()
}

func (p *passage) family() Family {
	if p.wire == nil {
		return Query
	}
	return p.wire.Family()
}

// newRequestID makes a random UUID, version 4.
func newRequestID() string {
	var raw [16]byte
	rand.Read(raw[:]) // never fails
	raw[6] = raw[6]&0x0f | 0x40
	raw[8] = raw[8]&0x3f | 0x80
	var text [36]byte
	hex.Encode(text[:8], raw[:4])
	text[8] = '-'
	hex.Encode(text[9:13], raw[4:6])
	text[13] = '-'
	hex.Encode(text[14:18], raw[6:8])
	text[18] = '-'
	hex.Encode(text[19:23], raw[8:10])
	text[23] = '-'
	hex.Encode(text[24:], raw[10:])
	return string(text[:])
}
