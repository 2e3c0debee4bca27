package insights

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/memory"
)

// stepwise is a source in parts, each of them a worker's in turn; between two it lets
// others look.
type stepwise struct {
	parts []scan.Source
	look  func(after int)
	scans *int // how many there were
}

func (s stepwise) Scan(ctx context.Context, r *scan.Request, yield func(int, *scan.Batch) bool) error {
	if s.scans != nil {
		*s.scans++
	}
	for i, part := range s.parts {
		ok := true
		err := part.Scan(ctx, r, func(_ int, b *scan.Batch) bool { ok = yield(i%r.Workers, b); return ok })
		if err != nil || !ok {
			return err
		}
		s.look(i + 1)
	}
	return nil
}

func linesOf(r *Result) (out []string) {
	for i := range r.Rows {
		line := ""
		for _, f := range r.Fields(i) {
			if f.Name != "@ptr" {
				line += f.Name + "=" + f.Value + "|"
			}
		}
		out = append(out, line)
	}
	return out
}

// TestWhatIsShownIsTheResultSoFar: after each part of random events, what a random query
// shows is what the oracle finds in the parts until then; and looking changes nothing.
func TestWhatIsShownIsTheResultSoFar(t *testing.T) {
	shown, compared := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var events []memory.Event
		var parts []scan.Source
		var until []int
		var looks []bool
		for range rapid.IntRange(1, 5).Draw(t, "parts") {
			from := len(events)
			for range rapid.IntRange(0, 8).Draw(t, "events") {
				e := drawEvent(t, len(events))
				e.Ptr = base64.StdEncoding.EncodeToString(append(binary.BigEndian.AppendUint64(nil, uint64(len(events))), "1:g"...))
				events = append(events, e)
			}
			parts, until, looks = append(parts, memory.New("1:g", events[from:])), append(until, len(events)), append(looks, rapid.Bool().Draw(t, "look"))
		}
		m := &maker{t: t, names: []string{"a", "b", "c.d", "l", "@message", "@timestamp", "@logStream", "l.2.k", "nothing", "t"}}
		text := m.query()
		env := Env{Start: base - 1 + draw(t, int64(0), 0, 100_000), End: base + 200_000, Now: base + 300_000, Workers: 2, Partial: &Partial{}}
		scans := 0
		look := func(after int) {
			if !looks[after-1] {
				return
			}
			r := env.Partial.Result(context.Background(), 1000, mostShown)
			if r == nil {
				return
			}
			shown++
			now, earlier, pending := events[:until[after-1]], events, true
			if scans > 1 { // diff reads the time that it compares with
				now, earlier, pending = events, now, false
				compared++
			}
			if got, want := linesOf(r), askOf(t, text, now, earlier, pending, env); !slices.Equal(got, want) {
				t.Fatalf("%s\nafter %d of %d parts\n%s\nthe oracle says\n%s", text, after, len(parts), strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		env.Open = func(context.Context, Selection) (scan.Source, error) { return stepwise{parts, look, &scans}, nil }
		if got, want := rowsOf(t, text, env), ask(t, text, events, env); !slices.Equal(got, want) {
			t.Fatalf("%s\nin the end\n%s\nthe oracle says\n%s", text, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
	if shown < 20 || compared == 0 {
		t.Errorf("%d partial results were seen, %d of them compared with an earlier time", shown, compared)
	}
}

// TestWhatIsShown: commands of which there is a partial result, and of which there is none.
func TestWhatIsShown(t *testing.T) {
	var events []memory.Event
	for i := range 6 {
		events = append(events, memory.Event{Time: base + int64(i), Message: fmt.Sprintf(`{"n":%d,"k":"k%d"}`, i, i%2), Ptr: fmt.Sprintf("AAAAAAAAAA%dA", i)})
	}
	parts := []scan.Source{memory.New("1:g", events[:4]), memory.New("1:g", events[4:])}
	for query, want := range map[string]string{
		"fields n | limit 2":     "n=3| n=2|",
		"fields n | sort n":      "n=0| n=1|", // as many as are asked for
		"filter n < 3 | dedup k": "@timestamp=2026-11-22 14:05:00.002|@message={\"n\":2,\"k\":\"k0\"}| @timestamp=2026-11-22 14:05:00.001|@message={\"n\":1,\"k\":\"k1\"}|",
		"stats count(*) as c, pct(n, 50) as p by k | sort k desc": "k=k1|c=2|p=1| k=k0|c=2|p=0|",
		"countFrequent k":                        "k=k0|_approxcount=2| k=k1|_approxcount=2|",
		"fields n | accum n as s | filter s > 5": "n=1|s=6| n=0|s=6|",
		"stats count(*)":                         "count(*)=4|",
		"stats count(*) as c | filter c in (stats count(*) as x)":           "nothing", // a subquery
		"pattern @message | display @sampleCount, @pattern | sort @pattern": "@sampleCount=2|@pattern={\"n\":<Number-1>,\"k\":\"k0\"}| @sampleCount=2|@pattern={\"n\":<Number-1>,\"k\":\"k1\"}|",
		"pattern k | filter @pattern in (stats count(*) as x)":              "nothing",
		"pattern k | diff | display @pattern, @differenceDescription":       "@pattern=k0| @pattern=k1|", // that time is not read yet
		"logcompare timeshift 1h | display @sampleCount, @diffEventCount":   "@sampleCount=2| @sampleCount=2|",
		"pattern k | anomaly": "", // of what there is, nothing is unusual
		"relevantfields n where k = 'k1' | display @fieldName, @relevanceScore":         "@fieldName=n|@relevanceScore=0|",
		"relevantfields k where n > 1 | stats count(*) as c, max(@relevanceScore) as s": "c=1|s=0|",
		"stats sum(n) as s by k | stats max(s) as m":                                    "m=4|",
		"stats count_distinct(n) as d by k | limit 1":                                   "k=k0|d=2|",
		"unnest jsonParse(\"[1,2]\") into u | filter n = 1 | fields n, u":               "n=1|u=1| n=1|u=2|",
		"unnest jsonParse(\"[1,2]\") into u | dedup u":                                  "nothing",
	} {
		q, err := Parse(query)
		if err != nil {
			t.Fatal(err)
		}
		p, got, looks := &Partial{}, "", 0
		env := Env{Start: base, End: base + 1000, Now: base, Workers: 2, Partial: p}
		env.Open = func(context.Context, Selection) (scan.Source, error) {
			return stepwise{parts, func(int) {
				if r := p.Result(context.Background(), 2, mostShown); looks == 0 && r != nil {
					got = strings.Join(linesOf(r), " ")
				} else if looks == 0 {
					got = "nothing"
				}
				looks++
			}, nil}, nil
		}
		if _, err := q.Run(context.Background(), env); err != nil {
			t.Errorf("%s: %v", query, err)
		}
		if got != want {
			t.Errorf("%s shows %s, want %s", query, got, want)
		}
	}
}

// slow takes long over each batch, in as many goroutines as there are workers.
type slow struct{ *memory.Source }

func (s slow) Scan(ctx context.Context, r *scan.Request, yield func(int, *scan.Batch) bool) error {
	batches := make(chan *scan.Batch)
	var wait sync.WaitGroup
	for w := range r.Workers {
		wait.Go(func() {
			for b := range batches {
				if !yield(w, b) {
					return
				}
			}
		})
	}
	err := s.Source.Scan(ctx, r, func(_ int, b *scan.Batch) bool {
		select {
		case batches <- b:
			return true
		case <-time.After(10 * time.Second):
			return false
		}
	})
	close(batches)
	wait.Wait()
	return err
}

// TestLookingWhileWorkersWork: many look at once; the counts they see only grow, and the
// result is as if nobody had looked.
func TestLookingWhileWorkersWork(t *testing.T) {
	var events []memory.Event
	for i := range 30_000 {
		events = append(events, memory.Event{Time: base + int64(i), Message: fmt.Sprintf(`{"n":%d,"k":"k%d"}`, i, i%50)})
	}
	source := memory.New("1:g", events)
	source.BatchRows = 64
	for _, query := range []string{"stats count(*) as c, pct(n, 90), count_distinct(n), max(n), avg(n) by k | sort k", "fields n, k | sort n | limit 100", "dedup k", "fields n | accum n | limit 20",
		"pattern @message", "pattern @message | anomaly", "relevantfields k, n where n > 20000"} {
		env := Env{Start: base, End: base + 100_000, Now: base, Workers: 4, Partial: &Partial{}}
		env.Open = func(context.Context, Selection) (scan.Source, error) { return slow{source}, nil }
		ctx, stop := context.WithCancel(context.Background())
		var lookers sync.WaitGroup
		for range 3 {
			lookers.Go(func() {
				rows := 0
				for ctx.Err() == nil {
					within, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
					if r := env.Partial.Result(within, 100, mostShown); r != nil {
						if len(r.Rows) < rows {
							t.Errorf("%s: %d rows after %d", query, len(r.Rows), rows)
						}
						rows = len(r.Rows)
					}
					cancel()
				}
			})
		}
		looked := rowsOf(t, query, env)
		stop()
		lookers.Wait()
		env.Partial = nil
		if alone := rowsOf(t, query, env); !slices.Equal(looked, alone) {
			t.Errorf("%s: looked at, it gives\n%s\nalone\n%s", query, strings.Join(looked, "\n"), strings.Join(alone, "\n"))
		}
	}
}

// TestRowsThatAreCut: where a worker's rows take too many bytes, those of others behind them
// are not shown either.
func TestRowsThatAreCut(t *testing.T) {
	var big, small []memory.Event
	for i := range 10 {
		big = append(big, memory.Event{Time: base + int64(10*i), Message: strings.Repeat("x", 10_000), Ptr: fmt.Sprintf("AAAAAAAAAA%dA", i)})
		small = append(small, memory.Event{Time: base + int64(10*i) + 5, Message: "y", Ptr: fmt.Sprintf("AAAAAAAAAA%dE", i)})
	}
	parts := []scan.Source{memory.New("1:g", big), memory.New("1:g", small)}
	for _, query := range []string{"fields @message", "dedup @timestamp"} {
		q, err := Parse(query)
		if err != nil {
			t.Fatal(err)
		}
		for bytes, want := range map[int64]string{1_000_000: "yxyxyxyxyxyxyxyxyxyx", 90_000: "yxyxyxyx", 20_000: ""} {
			p, got := &Partial{}, ""
			env := Env{Start: base, End: base + 1000, Now: base, Workers: 2, Partial: p}
			env.Open = func(context.Context, Selection) (scan.Source, error) {
				return stepwise{parts, func(after int) {
					if r := p.Result(context.Background(), 100, bytes); r != nil && after == 2 {
						for _, row := range r.Rows {
							got += row.Values[slices.Index(r.Columns, message)].String()[:1]
						}
					}
				}, nil}, nil
			}
			if _, err := q.Run(context.Background(), env); err != nil || got != want {
				t.Errorf("%s, of %d bytes: %s, %v, want %s", query, bytes, got, err, want)
			}
		}
	}
}

// TestShownAfter: what is brought together grows with the time.
func TestShownAfter(t *testing.T) {
	for ran, want := range map[time.Duration]int64{0: 0, 200 * time.Millisecond: 1_200_000, time.Hour: mostShown} {
		if got := ShownAfter(ran); got != want {
			t.Errorf("after %v: %d", ran, got)
		}
	}
}

// growing is a sink that has more each time it is asked, and too much in the end.
type growing struct {
	counted
	asked int
}

func (g *growing) sofar(glimpse) any {
	if g.asked++; g.asked > 2 {
		return tooMuch{}
	}
	return g.asked
}

// TestWhatIsTooMuch: of a worker that has too much nothing new is shown; what was shown of
// all stays.
func TestWhatIsTooMuch(t *testing.T) {
	p := &Partial{}
	u := &unfinished{result: func(_ context.Context, parts []any, _ int) *Result {
		return &Result{Rows: make([]Row, parts[0].(int)+parts[1].(int))}
	}}
	end := u.begin(p, []*worker{{sink: &growing{}}, {sink: &growing{asked: 1}}})
	for _, want := range []int{3, 3, 3} {
		if got := len(p.Result(context.Background(), 10, mostShown).Rows); got != want {
			t.Errorf("%d rows are shown, want %d", got, want)
		}
	}
	end()
	if p := (&Partial{}); p.Result(context.Background(), 10, mostShown) != nil {
		t.Error("nothing runs, and something is shown")
	}
}
