package insights_test

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eksact/eksact/bench/auditevents"
	"github.com/eksact/eksact/internal/engine/columns"
	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/memory"
)

// benchEvents is how many events the figures are of
// (EKSACT_BENCH_EVENTS=1000000 go test -run - -bench . ./internal/engine/insights).
var benchEvents = func() int {
	if n, err := strconv.Atoi(os.Getenv("EKSACT_BENCH_EVENTS")); err == nil {
		return n
	}
	return 100_000
}()

// seven are the queries that stores are compared by (bench/logs).
var seven = []struct{ name, query string }{
	{"1-admin", `fields @message | filter user.username = "kubernetes-admin"`},
	{"2-user1", `fields @message | filter user.username = "user1"`},
	{"3-user-verb", `stats count(*) as n by user.username, verb`},
	{"4-text", `filter @message like /secrets/ | stats count(*) as n`},
	{"5-latency", `fields toMillis(stageTimestamp) - toMillis(requestReceivedTimestamp) as took | stats pct(took, 50), pct(took, 99), count(*) as n by bin(5m)`},
	{"6-refused", `filter objectRef.resource = "secrets" and verb in ["get", "list"] and responseStatus.code >= 400 | stats count(*) as n by user.username`},
	{"7-parse", `parse @message '"userAgent":"*"' as agent | stats count(*) as n by agent`},
}

// TestStoresAgreeOnAuditEvents asks the seven queries, and some of all kinds of columns, of
// generated audit events in memory and in columns.
func TestStoresAgreeOnAuditEvents(t *testing.T) {
	defer func(n int) { benchEvents = n }(benchEvents)
	benchEvents = 5_000
	sources := []scan.Source{openMemory(), openColumns()}
	queries := []string{
		`fields datefloor(stageTimestamp, 1h) as h, verb | stats count(*), min(stageTimestamp), count_distinct(auditID), avg(strlen(@message)) by h, verb`,
		`filter sourceIPs.0 like /^10\./ and (responseStatus.code >= 300 or verb = "watch") | stats count_distinct(user.username) by responseStatus.code, objectRef.resource`,
		"fields annotations.`authorization.k8s.io/decision` as d, auditID | filter ispresent(d) | sort auditID desc | limit 50",
		`dedup user.username, verb | limit 100`,
		`parse requestURI "/api/*/namespaces/*/*" as v, ns, rest | stats count(*) by v, ns | sort count(*) desc`,
		`filter @message like "\"verb\":\"create\"" | stats count(*), latest(objectRef.name) by objectRef.resource`,
		`fields toMillis(stageTimestamp) as t | sort t desc, auditID | limit 20`,
	}
	for _, q := range seven {
		queries = append(queries, q.query)
	}
	for _, text := range queries {
		q, err := insights.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var answers [2][][]insights.Field
		for i, source := range sources {
			r, err := q.Run(context.Background(), insights.Env{
				Open:  func(context.Context, insights.Selection) (scan.Source, error) { return source, nil },
				Start: 0, End: 1 << 45, Workers: 2,
			})
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			for row := range r.Rows {
				answers[i] = append(answers[i], r.Fields(row))
			}
		}
		if len(answers[0]) == 0 {
			t.Errorf("%s: no rows", text)
		}
		if diff := cmp.Diff(answers[0], answers[1]); diff != "" {
			t.Errorf("%s: memory (-), columns (+)\n%.2000s", text, diff)
		}
	}
}

// each calls f for all generated events.
func each(f func(time int64, message []byte)) {
	g := auditevents.New(1, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), 86*time.Millisecond)
	for range benchEvents {
		e := g.Next()
		f(e.Time, e.Message)
	}
}

var inMemory, inColumns = sync.OnceValue(openMemory), sync.OnceValue(openColumns)

func openMemory() scan.Source {
	var events []memory.Event
	each(func(at int64, m []byte) {
		events = append(events, memory.Event{Time: at, Ingested: at + 400, Stream: "s", Message: string(m)})
	})
	return memory.New("111122223333:g", events)
}

func openColumns() scan.Source {
	var out bytes.Buffer
	w := columns.NewWriter(&out, 0)
	each(func(at int64, m []byte) {
		e := columns.Event{Time: at, Ingested: at + 400, Stream: "s", Message: bytes.Clone(m)}
		if err := w.Append(&e); err != nil {
			panic(err)
		}
	})
	if err := w.Close(); err != nil {
		panic(err)
	}
	s, err := columns.Open(bytes.NewReader(out.Bytes()), int64(out.Len()), columns.NewCache(256<<20))
	if err != nil {
		panic(err)
	}
	return columns.Source{{ID: "111122223333:g", Name: "111122223333:g", Segments: []*columns.Segment{s}}}
}

// processorTime is what the process has used of all processors: it says the same on a busy
// machine, where time does not.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkQueries(b *testing.B) {
	stores := []struct {
		name string
		open func() scan.Source
	}{{"memory", inMemory}, {"columns", inColumns}}
	for _, store := range stores {
		for _, q := range seven {
			b.Run(store.name+"/"+q.name, func(b *testing.B) {
				if store.name == "memory" && benchEvents > 200_000 {
					b.Skip("the store in memory is no match for so many events")
				}
				source := store.open()
				query, err := insights.Parse(q.query)
				if err != nil {
					b.Fatal(err)
				}
				env := insights.Env{
					Open:  func(context.Context, insights.Selection) (scan.Source, error) { return source, nil },
					Start: 0, End: 1 << 45, Workers: runtime.GOMAXPROCS(0),
				}
				rows := 0
				used := processorTime()
				for b.Loop() {
					r, err := query.Run(context.Background(), env)
					if err != nil {
						b.Fatal(err)
					}
					rows = len(r.Rows)
				}
				b.ReportMetric(float64(rows), "rows")
				b.ReportMetric(float64((processorTime()-used).Microseconds())/1000/float64(b.N), "cpu-ms/op")
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/op")
			})
		}
	}
}

// BenchmarkLooking runs queries alone, and while somebody asks again and again for what
// they have found, as often as GetQueryResults lets (internal/aws/logs).
func BenchmarkLooking(b *testing.B) {
	for _, q := range []struct{ name, query string }{
		{"stats", `stats count(*), pct(responseStatus.code, 99), count_distinct(auditID) by user.username, verb, objectRef.resource`},
		{"pattern", `pattern @message`},
		{"anomaly", `pattern @message | anomaly`},
		{"relevantfields", `relevantfields where responseStatus.code >= 400`},
	} {
		for _, looked := range []bool{false, true} {
			b.Run(q.name+map[bool]string{false: "/alone", true: "/looked at"}[looked], func(b *testing.B) {
				query, err := insights.Parse(q.query)
				if err != nil {
					b.Fatal(err)
				}
				source := inColumns()
				env := insights.Env{
					Open:  func(context.Context, insights.Selection) (scan.Source, error) { return source, nil },
					Start: 0, End: 1 << 45, Workers: runtime.GOMAXPROCS(0),
				}
				looks, took, longest := 0, time.Duration(0), time.Duration(0)
				used := processorTime()
				for b.Loop() {
					env.Partial = &insights.Partial{}
					ctx, stop := context.WithCancel(context.Background())
					started := time.Now()
					var looker sync.WaitGroup
					if looked {
						looker.Go(func() {
							for wait := 200 * time.Millisecond; ; {
								select {
								case <-ctx.Done():
									return
								case <-time.After(wait):
								}
								began := time.Now()
								within, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
								env.Partial.Result(within, 10_000, insights.ShownAfter(began.Sub(started)))
								cancel()
								one := time.Since(began)
								wait = looksRest * one
								looks, took, longest = looks+1, took+one, max(longest, one)
							}
						})
					}
					_, err := query.Run(context.Background(), env)
					stop()
					looker.Wait()
					if err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64((processorTime()-used).Microseconds())/1000/float64(b.N), "cpu-ms/op")
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/op")
				if looks > 0 {
					b.ReportMetric(float64(looks)/float64(b.N), "looks/op")
					b.ReportMetric(float64(took.Microseconds())/1000/float64(looks), "ms/look")
					b.ReportMetric(float64(longest.Microseconds())/1000, "ms-longest")
				}
			})
		}
	}
}

// looksRest is how many times as long as a look GetQueryResults waits for the next.
const looksRest = 30
