// Package auditevents makes the audit events of a busy EKS cluster, as its API server
// writes them under EKS's audit policy: the same for the same seed. Benchmarks and tests
// are run on them. Users, verbs, resources, sizes and stages follow what real clusters
// log: leases above all, pods and nodes with their bodies, secrets as metadata, created
// objects with their managed fields, tokens with both stages.
package auditevents

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// An Event is one line of the audit log.
type Event struct {
	Time    int64  // of its stage, epoch milliseconds
	Message []byte // valid until the next event is made
}

// A Generator makes events, one after the other.
type Generator struct {
	r        *rand.Rand
	now      int64 // µs
	interval int64 // mean, µs
	version  int64 // of resources
	nodes    []node
	apps     []app
	pods     []pod
	users    []user // the control plane's and the apps'
	people   []user

	later []delayed
	total int
	b     []byte
}

// delayed is an event that comes when its time has come.
type delayed struct {
	at   int64
	text []byte
}

// New makes a generator whose events begin at a time and come so often, on average.
func New(seed uint64, start time.Time, interval time.Duration) *Generator {
	g := &Generator{r: rand.New(rand.NewPCG(seed, 20261123)), now: start.UnixMicro(), interval: interval.Microseconds(), version: 81_000_000}
	g.cast()
	for i := range kinds {
		g.total += kinds[i].weight
	}
	return g
}

// Next makes the next event.
func (g *Generator) Next() Event {
	if len(g.later) > 0 && g.later[0].at <= g.now {
		d := g.later[0]
		g.later = g.later[1:]
		return Event{d.at / 1000, d.text}
	}
	g.now += int64(g.r.ExpFloat64() * float64(g.interval))
	n := g.r.IntN(g.total)
	for i := range kinds {
		if n -= kinds[i].weight; n < 0 {
			c := call{level: "Metadata", verb: "get", code: 200, took: g.latency(1500)}
			kinds[i].make(g, &c)
			return g.event(&c)
		}
	}
	panic("the weights are more than their sum")
}

// latency is a call's, in µs: most near the usual one, few much longer.
func (g *Generator) latency(usual float64) int64 {
	l := usual * (0.6 + g.r.ExpFloat64()*0.5)
	if g.r.IntN(100) == 0 {
		l *= 5 + g.r.Float64()*60
	}
	return int64(l)
}

// call is what an event tells of.
type call struct {
	level, verb, stage        string
	u                         *user
	group, resource, sub      string // of the API
	namespace, name           string
	uid, version              string // of the object
	query, path               string
	code                      int
	request, response         string
	reason, decision, refused string
	took                      int64
	both                      bool // RequestReceived too
	watch                     int64
}

// event writes a call as the line of its stage, and keeps those of later stages.
func (g *Generator) event(c *call) Event {
	id := g.uuid()
	if c.stage == "" {
		c.stage = "ResponseComplete"
	}
	switch {
	case c.both:
		first := *c
		first.stage, first.code, first.request, first.response = "RequestReceived", 0, "", ""
		line := g.line(&first, id, g.now, g.now)
		g.put(g.now+c.took, g.line(c, id, g.now, g.now+c.took))
		return Event{g.now / 1000, line}
	case c.watch > 0:
		first := *c
		first.stage = "ResponseStarted"
		line := g.line(&first, id, g.now, g.now+c.took)
		g.put(g.now+c.watch, g.line(c, id, g.now, g.now+c.watch))
		return Event{(g.now + c.took) / 1000, line}
	}
	g.b = g.appendLine(g.b[:0], c, id, g.now, g.now+c.took)
	return Event{(g.now + c.took) / 1000, g.b}
}

func (g *Generator) line(c *call, id string, from, to int64) []byte {
	return g.appendLine(nil, c, id, from, to)
}

// put keeps a line until its time.
func (g *Generator) put(at int64, line []byte) {
	i := len(g.later)
	for i > 0 && g.later[i-1].at > at {
		i--
	}
	g.later = append(g.later, delayed{})
	copy(g.later[i+1:], g.later[i:])
	g.later[i] = delayed{at, line}
}

func (g *Generator) appendLine(b []byte, c *call, id string, from, to int64) []byte {
	text := func(s ...string) {
		for _, s := range s {
			b = append(b, s...)
		}
	}
	text(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"`, c.level, `","auditID":"`, id, `","stage":"`, c.stage, `","requestURI":"`, c.uri(), `","verb":"`, c.verb, `","user":`, c.u.json)
	text(`,"sourceIPs":["`, c.u.address, `"],"userAgent":"`, c.u.agent, `"`)
	if c.resource != "" {
		text(`,"objectRef":{"resource":"`, c.resource, `"`)
		for _, f := range [...][2]string{{"namespace", c.namespace}, {"name", c.name}, {"uid", c.uid}, {"apiGroup", c.group}, {"apiVersion", "v1"}, {"resourceVersion", c.version}, {"subresource", c.sub}} {
			if f[1] != "" {
				text(`,"`, f[0], `":"`, f[1], `"`)
			}
		}
		text("}")
	}
	if c.code != 0 {
		text(`,"responseStatus":{"metadata":{}`)
		if c.code >= 400 {
			text(`,"status":"Failure","message":"`, c.refused, `","reason":"`, reasons[c.code], `"`)
			if c.resource != "" {
				text(`,"details":{"name":"`, c.name, `","kind":"`, c.resource, `"}`)
			}
		}
		text(`,"code":`, strconv.Itoa(c.code), "}")
	}
	if c.request != "" {
		text(`,"requestObject":`, c.request)
	}
	if c.response != "" {
		text(`,"responseObject":`, c.response)
	}
	text(`,"requestReceivedTimestamp":"`, micro(from), `","stageTimestamp":"`, micro(to), `"`)
	if c.stage != "RequestReceived" {
		decision := "allow"
		if c.decision != "" {
			decision = c.decision
		}
		text(`,"annotations":{"authorization.k8s.io/decision":"`, decision, `","authorization.k8s.io/reason":"`, c.reason, `"}`)
	}
	text("}")
	return b
}

var reasons = map[int]string{403: "Forbidden", 404: "NotFound", 409: "Conflict", 422: "Invalid"}

func (c *call) uri() string {
	uri := c.path
	if uri == "" {
		if uri = "/api/v1"; c.group != "" {
			uri = "/apis/" + c.group + "/v1"
		}
		if c.namespace != "" {
			uri += "/namespaces/" + c.namespace
		}
		uri += "/" + c.resource
		if c.name != "" && (c.verb != "create" || c.sub != "") {
			uri += "/" + c.name
		}
		if c.sub != "" {
			uri += "/" + c.sub
		}
	}
	if c.query != "" {
		uri += "?" + c.query
	}
	return uri
}

func micro(t int64) string  { return time.UnixMicro(t).UTC().Format("2006-01-02T15:04:05.000000Z") }
func second(t int64) string { return time.UnixMicro(t).UTC().Format("2006-01-02T15:04:05Z") }

func (g *Generator) uuid() string {
	const hex = "0123456789abcdef"
	var b [36]byte
	for i := range b {
		switch i {
		case 8, 13, 18, 23:
			b[i] = '-'
		case 14:
			b[i] = '4'
		case 19:
			b[i] = hex[8+g.r.IntN(4)]
		default:
			b[i] = hex[g.r.IntN(16)]
		}
	}
	return string(b[:])
}

// letters are as Kubernetes puts them behind generated names.
func (g *Generator) letters(n int) string {
	const safe = "bcdfghjklmnpqrstvwxz2456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = safe[g.r.IntN(len(safe))]
	}
	return string(b)
}

func (g *Generator) revision() string {
	g.version += 1 + int64(g.r.IntN(3))
	return strconv.FormatInt(g.version, 10)
}
