package proxy

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// web serves HTTP listeners. Each request is led to a target of its own.
type web struct {
	proxy    *Proxy
	incoming chan net.Conn
	closed   chan struct{}
	once     sync.Once
	server   *http.Server
	backend  http.RoundTripper
}

// visit is what an HTTP connection's requests have in common.
type visit struct{ called, seenAs netip.AddrPort }

type visitKey struct{}

// passenger is a connection that knows whom it called.
type passenger struct {
	net.Conn
	visit
}

func newWeb(p *Proxy) *web {
	w := &web{proxy: p, incoming: make(chan net.Conn), closed: make(chan struct{})}
	w.backend = &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return nil, err
			}
			source, _ := ctx.Value(sourceKey{}).(netip.Addr)
			ctx, cancel := context.WithTimeout(ctx, connectTimeout)
			defer cancel()
			return p.dial(ctx, source, to)
		},
		DisableCompression: true,
		// A kept connection would belong to one load balancer's source, and this
		// pool knows targets alone.
		DisableKeepAlives: true,
	}
	w.server = &http.Server{
		Handler: http.HandlerFunc(w.answer), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute, IdleTimeout: time.Minute,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, visitKey{}, c.(*passenger).visit)
		},
	}
	return w
}

type sourceKey struct{}

func (w *web) serve() { _ = w.server.Serve(w) }

func (w *web) close() { w.server.Close() }

// take hands a connection to the server.
func (w *web) take(c *net.TCPConn, called, seenAs netip.AddrPort) {
	select {
	case w.incoming <- &passenger{c, visit{called, seenAs}}:
	case <-w.closed:
		c.Close()
	}
}

// Accept, Close and Addr make w the server's listener.
func (w *web) Accept() (net.Conn, error) {
	select {
	case c := <-w.incoming:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *web) Close() error   { w.once.Do(func() { close(w.closed) }); return nil }
func (w *web) Addr() net.Addr { return &net.TCPAddr{} }

// answer serves one request.
func (w *web) answer(rw http.ResponseWriter, r *http.Request) {
	v := r.Context().Value(visitKey{}).(visit)
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	l, c, ok := w.proxy.claim(v.called, v.seenAs.Addr(), nil, func() { cancel(errDrained) })
	if !ok {
		rw.Header().Set("Connection", "close")
		http.Error(rw, "", http.StatusServiceUnavailable)
		return
	}
	defer w.proxy.release(v.called, c)
	idle := time.AfterFunc(l.Idle, func() { cancel(context.DeadlineExceeded) })
	defer idle.Stop()
	r.Body = &ticking{r.Body, func() { idle.Reset(l.Idle) }}
	ctx = context.WithValue(ctx, sourceKey{}, l.Source)
	(&httputil.ReverseProxy{
		Transport: w.backend,
		Rewrite: func(out *httputil.ProxyRequest) {
			out.SetURL(&url.URL{Scheme: "http", Host: c.target.String()})
			out.Out.Host = out.In.Host
			forwarded(out.Out.Header, out.In.Header, v)
		},
		FlushInterval: -1,
		ErrorLog:      w.server.ErrorLog,
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode != http.StatusSwitchingProtocols { // whose body is written to, too
				r.Body = &ticking{r.Body, func() { idle.Reset(l.Idle) }}
			}
			return nil
		},
		ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, _ error) {
			status := http.StatusServiceUnavailable // what a Classic Load Balancer says of a target that can't be reached
			if context.Cause(ctx) == context.DeadlineExceeded {
				status = http.StatusGatewayTimeout
			}
			rw.WriteHeader(status)
		},
	}).ServeHTTP(rw, r.WithContext(ctx))
}

var errDrained = net.ErrClosed

// ticking is a body whose every piece is a sign of life.
type ticking struct {
	io.ReadCloser
	tick func()
}

func (t *ticking) Read(b []byte) (int, error) {
	n, err := t.ReadCloser.Read(b)
	if n > 0 {
		t.tick()
	}
	return n, err
}

// forwarded adds the headers by which a target learns of the client.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/x-forwarded-headers.html
func forwarded(out, in http.Header, v visit) {
	chain := v.seenAs.Addr().String()
	if before := in.Get("X-Forwarded-For"); before != "" {
		chain = before + ", " + chain
	}
	out.Set("X-Forwarded-For", chain)
	out.Set("X-Forwarded-Port", strconv.Itoa(int(v.called.Port())))
	out.Set("X-Forwarded-Proto", "http")
}
