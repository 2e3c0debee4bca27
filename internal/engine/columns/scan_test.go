package columns

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/eksact/eksact/internal/engine/scan"
)

// rowsOf scans and writes the rows out.
func rowsOf(t testing.TB, source scan.Source, r *scan.Request) (rows []string) {
	t.Helper()
	var mu sync.Mutex
	err := source.Scan(context.Background(), r, func(_ int, b *scan.Batch) bool {
		var batch []string
		for i := range b.Rows {
			var row strings.Builder
			for c := range b.Columns {
				v := b.Columns[c].At(i)
				if c < len(r.Fields) && r.Fields[c] == "@timestamp" {
					v.Text = rounded(v.Text, r.Grain)
				}
				fmt.Fprintf(&row, "%v|", v)
			}
			times := int64(1)
			if b.Counts != nil {
				times = b.Counts[i]
			}
			for range times {
				batch = append(batch, row.String())
			}
		}
		mu.Lock()
		defer mu.Unlock()
		rows = append(rows, batch...)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// rounded is a time, rounded down if a scan may do so.
func rounded(text string, grain int64) string {
	if grain == 0 {
		return text
	}
	t, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return strconv.FormatInt(int64(math.Floor(float64(t)/float64(grain)))*grain, 10)
}

// agree checks that a scan gives what looking at all events gives.
func agree(t *testing.T, log Log, events []Event, r *scan.Request, what string) int {
	t.Helper()
	want := naiveRows(log, events, 1000, r)
	got := rowsOf(t, Source{log}, r)
	slices.Sort(want)
	slices.Sort(got)
	if slices.Equal(got, want) {
		return len(want)
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	first := func(rows []string) string {
		if i < len(rows) {
			return rows[i]
		}
		return "(no more)"
	}
	t.Fatalf("%s: %d rows, want %d; row %d:\n%.3000s\nwant\n%.3000s", what, len(got), len(want), i, first(got), first(want))
	return 0
}

var allFields = []string{"@timestamp", "@ingestionTime", "@message", "@logStream", "@log", "@ptr"}

func TestHostileMessagesAreScanned(t *testing.T) {
	all := events(append(hostile(), hostile()...)...)
	log := Log{ID: "l", Name: "account:group", Segments: []*Segment{open(t, write(t, all, 11))}}
	names := map[string]bool{}
	for i := range all {
		for name := range fieldsOf(all[i].Message) {
			if len(names) < 400 {
				names[name] = true
			}
		}
	}
	r := &scan.Request{From: 0, To: math.MaxInt64, Fields: allFields}
	for name := range names {
		r.Fields = append(r.Fields, name)
	}
	agree(t, log, all, r, "all fields")
	for _, name := range []string{"a", "b", "k5", "k199", "k200", "a.b", "@@a", "a.", "c"} {
		for _, where := range []scan.Predicate{present(name), {Field: name, Match: func(v scan.Value) bool { return v.Kind == scan.Null }}} {
			agree(t, log, all, &scan.Request{To: math.MaxInt64, Fields: []string{"@ptr", name}, Where: []scan.Predicate{where}}, name)
		}
	}
}

func present(name string) scan.Predicate {
	return scan.Predicate{Field: name, Match: func(v scan.Value) bool { return v.Kind != scan.Null }}
}

func equals(name, text string) scan.Predicate {
	return scan.Predicate{Field: name, Contains: []string{text}, Match: func(v scan.Value) bool { return v.Text == text && v.Kind != scan.Null }}
}

func contains(name, text string) scan.Predicate {
	return scan.Predicate{Field: name, Contains: []string{text}, Enough: true, Match: func(v scan.Value) bool { return v.Kind != scan.Null && strings.Contains(v.Text, text) }}
}

// piece cuts a text out of a random message: one that is there, or nearly.
func piece(r *rand.Rand, events []Event) string {
	m := string(events[r.IntN(len(events))].Message)
	if len(m) == 0 {
		return "x"
	}
	from := r.IntN(len(m))
	to := from + 1 + r.IntN(min(len(m)-from, 1+r.IntN(30)))
	text := m[from:to]
	if r.IntN(6) == 0 {
		text = strings.Replace(text, text[:1], "q", 1)
	}
	return text
}

// request makes a random one. Its values come from the events.
func request(r *rand.Rand, events []Event) *scan.Request {
	req := &scan.Request{To: math.MaxInt64, Workers: r.IntN(4), Order: scan.Order(r.IntN(3)), Passing: r.IntN(2) == 0}
	if r.IntN(3) == 0 {
		req.From = events[r.IntN(len(events))].Time
	}
	if r.IntN(3) == 0 {
		req.To = events[r.IntN(len(events))].Time
	}
	if r.IntN(3) == 0 {
		req.Counted, req.Grain = true, int64(r.IntN(2)*300_000)
	}
	names := append([]string{"nowhere"}, allFields...)
	sample := fieldsOf(events[r.IntN(len(events))].Message)
	var found []string
	for name := range sample {
		found = append(found, name)
	}
	slices.Sort(found)
	names = append(names, found...)
	name := func() string { return names[r.IntN(len(names))] }
	for range r.IntN(5) {
		req.Fields = append(req.Fields, name())
	}
	for range r.IntN(4) {
		f := name()
		switch r.IntN(6) {
		case 0:
			req.Where = append(req.Where, present(f))
		case 1:
			req.Where = append(req.Where, equals(f, sample[f].Text))
		case 2:
			req.Where = append(req.Where, contains("@message", piece(r, events)))
		case 3:
			req.Where = append(req.Where, contains(f, piece(r, events)))
		case 4:
			a, b := piece(r, events), piece(r, events)
			req.Where = append(req.Where, scan.Predicate{Field: "@message", Contains: []string{a, b}, Enough: r.IntN(2) == 0, Match: func(v scan.Value) bool { return strings.Contains(v.Text, a) && strings.Contains(v.Text, b) }})
		case 5:
			text := sample[f].Text
			req.Where = append(req.Where, scan.Predicate{Field: f, Match: func(v scan.Value) bool { return v.Kind == scan.Null || v.Text != text }})
		}
	}
	for range r.IntN(3) {
		f := "@message"
		if r.IntN(3) == 0 {
			f = name()
		}
		e := scan.Extract{Field: f}
		quote := func() string { return regexp.QuoteMeta(strings.ToValidUTF8(piece(r, events), "?")) }
		switch r.IntN(6) {
		case 0:
			e.Regexp, e.Groups = regexp.MustCompile(quote()+`(.*?)`+quote()), []int{1}
		case 1:
			e.Regexp, e.Groups = regexp.MustCompile(quote()+`(?P<a>[^"]*)"`), []int{1}
		case 2:
			e.Regexp, e.Groups = regexp.MustCompile(quote()+`(.*?)`+quote()+`.*?,([^,]*),`), []int{2, 1, 2}
		case 3:
			e.Regexp, e.Groups = regexp.MustCompile(regexp.QuoteMeta(strings.ToValidUTF8(piece(r, events), "?"))+`(.)(\w*)`), []int{2, 1}
		default:
			m := string(events[r.IntN(len(events))].Message)
			at := 0
			for range 2 + r.IntN(2) {
				from := at + r.IntN(len(m)-at+1)
				to := from + r.IntN(min(len(m)-from, 8)+1)
				e.Glob = append(e.Glob, m[from:to])
				at = to
			}
		}
		req.Extracts = append(req.Extracts, e)
	}
	return req
}

func TestRandomRequests(t *testing.T) {
	rows := 0
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 2))
		e := random(r, 1+r.IntN(800))
		if seed%3 == 0 {
			e = append(e, events(hostile()[:31]...)...)
		}
		log := Log{ID: "id", Name: "account:group", Segments: []*Segment{open(t, write(t, e, 100+r.IntN(1000)))}}
		if seed%4 == 0 {
			log.Hidden = map[string]int64{"stream1": 1000 + int64(r.IntN(len(e)+1))}
		}
		for n := range 30 {
			req := request(r, e)
			rows += agree(t, log, e, req, fmt.Sprintf("seed %d, request %d: %+v", seed, n, req))
		}
	}
	if rows < 10_000 {
		t.Errorf("only %d rows were compared", rows)
	}
}

// TestAuditRequests are such on real shapes, pieces of which reach over values.
func TestAuditRequests(t *testing.T) {
	e := audit()[:3000]
	log := Log{ID: "id", Name: "account:group", Segments: []*Segment{open(t, write(t, e, 1250))}}
	r := rand.New(rand.NewPCG(9, 9))
	for n := range 100 {
		req := request(r, e)
		agree(t, log, e, req, fmt.Sprintf("request %d: %+v", n, req))
	}
}
