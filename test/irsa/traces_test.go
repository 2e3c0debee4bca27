package irsa

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spanpb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"k8s.io/client-go/kubernetes"

	"github.com/eksact/eksact/internal/netns"
)

// traces is where an API server sends its spans of the requests that ask for it. It is
// the server's own account of one request, which tells what a webhook took of it.
type traces struct {
	tracepb.UnimplementedTraceServiceServer
	mu       sync.Mutex
	all      map[string]*trace // by id
	awaiting int               // requests whose spans have not come
}

// trace is one pod's creation. What lasts is in nanoseconds of the wall clock.
type trace struct {
	whole spell   // the request
	calls []*call // of webhooks
}

type spell struct{ from, to uint64 }

func (s spell) took() time.Duration { return time.Duration(s.to - s.from) }

// call is one of a webhook: from where its review is written until its patch is in the pod.
type call struct {
	webhook string
	spell
	answered uint64
}

// spansEvery is how long after it sent spans an API server sends those that came since.
const spansEvery = 500 * time.Millisecond

const tracesAddress = "127.0.0.1:4317"

// traced makes the plane's next API server send its spans, and returns a client whose
// requests can ask for it.
func (p *plane) traced(t testing.TB) (*traces, func() kubernetes.Interface) {
	t.Helper()
	config := filepath.Join(p.m.Dir, "tracing.yaml")
	must(t, os.WriteFile(config, []byte("apiVersion: apiserver.config.k8s.io/v1\nkind: TracingConfiguration\nendpoint: "+tracesAddress+"\n"), 0o600))
	p.flags = append(p.flags, "--tracing-config-file="+config)
	// Spans are sent while no pod is made: see await.
	p.env = append(p.env, fmt.Sprint("OTEL_BSP_SCHEDULE_DELAY=", spansEvery.Milliseconds()), "OTEL_BSP_MAX_QUEUE_SIZE=8192", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=8192")
	l, err := netns.Listen(p.NetNS, "tcp", tracesAddress)
	must(t, err)
	ts := &traces{all: map[string]*trace{}}
	server := grpc.NewServer()
	tracepb.RegisterTraceServiceServer(server, ts)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	return ts, func() kubernetes.Interface {
		rest := p.REST(p.pki)
		rest.Wrap(func(next http.RoundTripper) http.RoundTripper { return asking{next} })
		client, err := kubernetes.NewForConfig(rest)
		must(t, err)
		return client
	}
}

// traceKey is a context's, of the id of the trace to be made.
type traceKey struct{}

// ask is a context whose request is traced.
func (ts *traces) ask(ctx context.Context) (context.Context, string) {
	id := fmt.Sprintf("%016x%016x", rand.Uint64()|1, rand.Uint64())
	ts.mu.Lock()
	ts.awaiting++
	ts.mu.Unlock()
	return context.WithValue(ctx, traceKey{}, id), id
}

// asking asks for a trace, by https://www.w3.org/TR/trace-context.
type asking struct{ next http.RoundTripper }

func (a asking) RoundTrip(r *http.Request) (*http.Response, error) {
	if id, ok := r.Context().Value(traceKey{}).(string); ok {
		r = r.Clone(r.Context())
		r.Header.Set("Traceparent", "00-"+id+"-"+id[:16]+"-01")
	}
	return a.next.RoundTrip(r)
}

// Export takes spans from an API server.
func (ts *traces) Export(_ context.Context, r *tracepb.ExportTraceServiceRequest) (*tracepb.ExportTraceServiceResponse, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, resource := range r.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				ts.take(s)
			}
		}
	}
	return &tracepb.ExportTraceServiceResponse{}, nil
}

func (ts *traces) take(s *spanpb.Span) {
	id := fmt.Sprintf("%x", s.TraceId)
	t := ts.all[id]
	if t == nil {
		t = &trace{}
		ts.all[id] = t
	}
	lasted := spell{s.StartTimeUnixNano, s.EndTimeUnixNano}
	switch {
	case s.Kind == spanpb.Span_SPAN_KIND_SERVER && fmt.Sprintf("%x", s.ParentSpanId) == id[:16]:
		t.whole = lasted
		ts.awaiting--
	case s.Name == "Call mutating webhook":
		c := &call{spell: lasted}
		for _, a := range s.Attributes {
			if a.Key == "webhook" {
				c.webhook = a.Value.GetStringValue()
			}
		}
		for _, e := range s.Events {
			if e.Name == "Request completed" {
				c.answered = e.TimeUnixNano
			}
		}
		t.calls = append(t.calls, c)
	}
}

// await returns when all that was asked for has come. Who then asks for less than spansEvery
// is not disturbed by what is sent.
func (ts *traces) await(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		ts.mu.Lock()
		missing := ts.awaiting
		ts.mu.Unlock()
		if missing == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d traces have not come", missing)
		}
	}
}

// tap notes when bytes come in and go out of a listener's connections: what lies between is
// a server's own, its TLS and HTTP included.
type tap struct {
	net.Listener
	mu      sync.Mutex
	in, out []uint64
	open    []net.Conn
}

func (l *tap) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.open = append(l.open, c)
	l.mu.Unlock()
	return &tapped{c, l}, nil
}

// hangUp ends all connections, as they end when no pod is made for 90 s.
func (l *tap) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.open {
		c.Close()
	}
	l.open = nil
}

type tapped struct {
	net.Conn
	of *tap
}

func (c *tapped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.of.note(&c.of.in)
	return n, err
}

func (c *tapped) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.of.note(&c.of.out)
	return n, err
}

func (l *tap) note(to *[]uint64) {
	now := uint64(time.Now().UnixNano())
	l.mu.Lock()
	*to = append(*to, now)
	l.mu.Unlock()
}

// within is from the first byte that came to the last that went while a call lasted.
func (l *tap) within(c *call) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := sort.Search(len(l.in), func(i int) bool { return l.in[i] >= c.from })
	last := sort.Search(len(l.out), func(i int) bool { return l.out[i] > c.answered }) - 1
	if first == len(l.in) || last < 0 || l.out[last] < l.in[first] {
		return 0
	}
	return time.Duration(l.out[last] - l.in[first])
}
