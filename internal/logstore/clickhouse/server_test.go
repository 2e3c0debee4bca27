package clickhouse_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go"

	"github.com/eksact/eksact/bench/auditevents"
	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/lower"
	"github.com/eksact/eksact/internal/engine/scan/memory"
	"github.com/eksact/eksact/internal/logstore/clickhouse"
)

const group = "111122223333:g"

// server is a store on the server that EKSACT_CLICKHOUSE names, in a table of the test's
// own.
func server(t *testing.T) *clickhouse.Store {
	named := os.Getenv("EKSACT_CLICKHOUSE")
	if named == "" {
		t.Skip("EKSACT_CLICKHOUSE names no server (clickhouse://USER:PASSWORD@HOST:9000/DATABASE; test/clickhouse serves one): what is lowered was not run")
	}
	u, err := url.Parse(named)
	if err != nil {
		t.Fatal(err)
	}
	table := fmt.Sprintf("eksact_test_%d", time.Now().UnixNano())
	q := u.Query()
	q.Set("table", table)
	u.RawQuery = q.Encode()
	s, err := clickhouse.Open(u.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if q.Get("cluster") != "" {
			t.Logf("the tables %s and %s_shard are left on the cluster", table, table)
			return
		}
		password, _ := u.User.Password()
		c, err := ch.Dial(context.Background(), ch.Options{Address: u.Host, Database: strings.Trim(u.Path, "/"), User: u.User.Username(), Password: password})
		if err == nil {
			err = c.Do(context.Background(), ch.Query{Body: "DROP TABLE " + table})
			c.Close()
		}
		if err != nil {
			t.Errorf("the table %s is left: %v", table, err)
		}
	})
	return s
}

// odd are messages as nobody's policy makes them.
var odd = []string{
	"", "plain a=1\nuser=eve", `{"a":`, "\xffuser=bob\xfe code=1", "x\xffy secrets", `{"code":401}`, `{"code":"401"}`, `{"code":401.0,"b":true}`,
	`{"code":"x","b":false}`, `{"code":1e999,"b":"true"}`, `{"code":9007199254740993}`, `{"code":"9007199254740993"}`, `{"code":null}`, `{"code":-0}`,
	`{"o'd\\key":"it's","code":"403 "}`, `{"@x":"\u0000","code":[1,{"d":"é"}]}`, `{"code":"","b":"K"}`, "{\"code\":\"a\\nb\"}", `{"code":"É"}`,
}

var asked = []string{
	`fields @message | filter user.username = "kubernetes-admin"`,
	`fields @timestamp, verb, sourceIPs[0] | filter user.username = "user1" | sort @timestamp asc | limit 20`,
	`stats count(*) as n by user.username, verb`,
	`filter @message like /secrets/ | stats count(*) as n`,
	`filter @message like /s.crets/ | stats count(*) as n by @logStream`,
	`filter @message not like /s[a-e]crets/ | stats count(*) as n by bin(1m)`,
	`fields toMillis(stageTimestamp) - toMillis(requestReceivedTimestamp) as took | stats pct(took, 50), pct(took, 99), count(*) as n by bin(5m)`,
	`filter objectRef.resource = "secrets" and verb in ["get", "list"] and responseStatus.code >= 400 | stats count(*) as n by user.username`,
	`parse @message '"userAgent":"*"' as agent | stats count(*) as n by agent`,
	`parse @message /(?:user=(\w+))|("verb":"(?<v>\w+)")/ | stats count(*) by v`,
	`parse @message "user=* code=*" as u, c | filter ispresent(u) | fields u, c`,
	`filter responseStatus.code = 403 | stats count(*) as n, count_distinct(sourceIPs.0) as from by user.username, bin(5m)`,
	`filter user.username not like /^(system|eks):/ | stats count(*), max(@timestamp), min(responseStatus.code) by user.username`,
	`filter ispresent(code) | fields code, b | sort code, @message`,
	`filter code = 401 | fields code`, `filter code = "401" | fields code`, `filter code != 401 | fields code`, `filter not (code = 401) and ispresent(code) | fields code`,
	`filter code < "b" | fields code`, `filter code > 3 | fields code`, `filter code >= "401" | fields code`, `filter code = 9007199254740993 | fields code`, `filter code = 0 | fields code`,
	`filter b | fields b`, `filter not b and ispresent(code) | fields b`, `filter b = true | fields b`, `filter b in [1, "K"] | fields b`, `filter b not in ["true"] | fields b`,
	`filter b like /(?i)k/ | fields b`, `filter code like /a.b/ | fields code`, `filter code like /(?s)a.b/ | fields code`, `filter code like /^\pL$/ | fields code`, `filter code like "" | fields code`,
	"filter `o'd\\key` = \"it's\" | fields `o'd\\key`", `filter @@x like /\x00/ | fields @@x`, `filter ispresent(@@x) | fields code.1.d, code.0`,
	`filter @message like /x.y/ | fields @message`, `filter @message like /x.y|bob/ | fields @message`, `filter @message = "" | fields @message`,
	`filter startsWith(@logStream, "kube") and endsWith(@logStream, "1") and strcontains(@log, "2222") | stats count(*)`,
	`stats sum(responseStatus.code), avg(responseStatus.code), count(responseStatus.code) by bin(1w), @log`,
	`stats count(*)`, `filter verb = "no such verb" | stats count(*)`, `fields @timestamp, @ingestionTime | limit 3`,
	`filter @timestamp > 1764000060000 and @ingestionTime <= 1764000100400 | stats count(*)`,
	`stats earliest(verb), latest(verb) by user.username`, `filter isIpInSubnet(sourceIPs.0, "10.0.0.0/8") or verb = "get" | stats count(*) as n by verb`,
	`fields verb | dedup verb`, `fields @message | sort responseStatus.code desc | limit 7`,
}

// TestServerAgrees runs queries on the server, and over the same events in memory.
func TestServerAgrees(t *testing.T) {
	s := server(t)
	start := time.UnixMilli(1_764_000_000_000)
	g := auditevents.New(1, start, 20*time.Millisecond)
	var events []memory.Event
	var rows []lower.Row
	add := func(at int64, stream, message string) {
		e := memory.Event{Time: at, Ingested: at + 400, Stream: stream, Message: message, Ptr: base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%012d", len(events)))}
		events = append(events, e)
		rows = append(rows, lower.Row{Log: group, Stream: stream, Ptr: e.Ptr, Time: e.Time, Ingested: e.Ingested, Message: message})
	}
	for range 4_000 {
		e := g.Next()
		add(e.Time, "kube-apiserver-audit-1", string(e.Message))
	}
	for i, m := range odd {
		add(start.UnixMilli()+int64(i)*777, "odd", m)
	}
	began := time.Now()
	if err := s.Append(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	t.Logf("%4d ms: appended %d events", time.Since(began).Milliseconds(), len(rows))
	local := memory.New(group, events)
	for _, text := range asked {
		want, _ := run(t, text, local)
		began := time.Now()
		got, p := run(t, text, s.Source(group))
		t.Logf("%4d ms, %6d rows: %s", time.Since(began).Milliseconds(), p.Matched.Load(), text)
		if !slices.Equal(got, want) {
			t.Errorf("%s\ngives %d rows\n%s\nwant %d\n%s", text, len(got), first(got), len(want), first(want))
		}
	}
	if got, _ := run(t, `stats count(*)`, s.Source("111122223333:another")); len(got) != 1 || !strings.Contains(got[0], `"0"`) {
		t.Errorf("another log has %v", got)
	}
	if err := s.Append(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	got, _ := run(t, `stats count(*)`, s.Source(group))
	if want, _ := run(t, `stats count(*)`, local); !slices.Equal(got, want) {
		t.Errorf("appended again: %v, want %v", got, want)
	}
	if err := s.Append(t.Context(), []lower.Row{{Log: group, Ptr: "x", Time: 1 << 60}}); err == nil {
		t.Error("an event of a time that a table can't hold was taken")
	}
}

// TestQueriesEnd sees that a scan ends with its context, and says what the server refuses.
func TestQueriesEnd(t *testing.T) {
	s := server(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Source(group).Scan(ctx, &scan.Request{To: 1 << 50, Fields: []string{"@message"}}, func(int, *scan.Batch) bool { return true })
	if err == nil {
		t.Error("a scan whose context has ended says nothing")
	}
	u, _ := url.Parse(os.Getenv("EKSACT_CLICKHOUSE"))
	u.RawQuery = "table=no_such_table"
	missing, err := clickhouse.Open(u.String())
	if err != nil {
		t.Fatal(err)
	}
	err = missing.Source(group).Scan(t.Context(), &scan.Request{To: 1 << 50}, func(int, *scan.Batch) bool { return true })
	if err == nil || !strings.Contains(err.Error(), "no_such_table") {
		t.Errorf("of a table that isn't there it is said: %v", err)
	}
}

func first(list []string) string { return strings.Join(list[:min(8, len(list))], "\n") }

func run(t *testing.T, query string, source scan.Source) ([]string, *insights.Progress) {
	t.Helper()
	q, err := insights.Parse(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	p := &insights.Progress{}
	r, err := q.Run(t.Context(), insights.Env{
		Open:  func(context.Context, insights.Selection) (scan.Source, error) { return source, nil },
		Start: 1_764_000_000_000 - 60_000, End: 1_764_000_000_000 + 3_600_000, Now: 1_764_000_000_000, Progress: p,
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	var out []string
	for i := range r.Rows {
		out = append(out, fmt.Sprintf("%q", r.Fields(i)))
	}
	return out, p
}
