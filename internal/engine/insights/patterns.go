package insights

import (
	"context"
	"math"
	"time"

	"github.com/eksact/eksact/internal/engine/insights/function"
	"github.com/eksact/eksact/internal/engine/insights/pattern"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
)

// bins is how many parts of its time anomaly counts messages in.
const bins = 50

// mining feeds one worker's miner.
type mining struct {
	text, time *node
	miner      *pattern.Miner
	before     bool // it is the time that is compared with
	beside     int  // a worker's part of the bytes that were counted before
}

func (*mining) keeps() bool { return false }

func (m *mining) add(f *frame) error {
	texts, times := f.vector(m.text), f.vector(m.time)
	for row := range f.n {
		text, ok := texts.at(row).Text()
		if !ok {
			continue
		}
		if m.before {
			m.miner.AddBefore(text, 1)
			continue
		}
		at, _ := times.at(row).Milliseconds()
		m.miner.Add(text, at, 1)
	}
	return nil
}

// An inquiry is what is asked about patterns.
type inquiry struct {
	text      *node
	before    *window // the time that diff compares with; nil: none
	isDiff    bool
	isPending bool // that time is not read yet
	isAnomaly bool
}

// patterns runs pattern and what follows it: diff, anomaly; and diff and logcompare on
// their own, which are of @message.
func (x *execution) patterns(ctx context.Context, s *scope, rest []syntax.Command, limit int) (*table, []syntax.Command) {
	asked := inquiry{text: s.resolve(message)}
	for len(rest) > 0 && !asked.isAnomaly {
		switch e := rest[0].(type) {
		case *syntax.Pattern:
			if asked.isDiff {
				return x.mined(ctx, s, asked, rest, limit), rest
			}
			asked.text = s.expr(e.Field)
		case *syntax.Diff:
			w := x.window.previous(e.Modifier)
			asked.before, asked.isDiff = &w, true
		case *syntax.LogCompare:
			ms, err := function.ParseDuration(e.Shift.Text)
			if err != nil {
				panic(syntax.Errorf(s.c.text, e.Shift.Span, "%v", err))
			}
			asked.before, asked.isDiff = &window{x.window.from - ms, x.window.to - ms}, true
		case *syntax.Anomaly:
			asked.isAnomaly = true
		default:
			return x.mined(ctx, s, asked, rest, limit), rest
		}
		rest = rest[1:]
	}
	return x.mined(ctx, s, asked, rest, limit), rest
}

// previous is the window that diff compares with.
func (w window) previous(modifier string) window {
	const day = 24 * 60 * 60 * 1000
	switch modifier {
	case "previousDay":
		return window{w.from - day, w.to - day}
	case "previousWeek":
		return window{w.from - 7*day, w.to - 7*day}
	case "previousMonth":
		from := time.UnixMilli(w.from).UTC().AddDate(0, -1, 0).UnixMilli()
		return window{from, from + w.to - w.from}
	}
	return window{w.from - (w.to - w.from) - 1, w.from - 1}
}

// mined counts patterns and makes the table of them, which the commands of rest follow.
func (x *execution) mined(ctx context.Context, s *scope, asked inquiry, rest []syntax.Command, limit int) *table {
	options := pattern.Options{From: x.window.from, To: x.window.to}
	if asked.isAnomaly {
		options.Bins = bins
	}
	run := func(at window, isBefore bool, known *known) *pattern.Miner {
		var all []*pattern.Miner
		time := s.resolve(timestamp)
		beside := known.miner.Size() / max(1, x.env.Workers)
		part := options
		part.Beside = x.env.Workers
		x.showPatterns(s.c, asked, isBefore, known, rest, limit)
		must(x.scan(ctx, s.c.plan, at, []*node{asked.text, time}, scan.Any, nil, func(*worker) sink {
			m := &mining{asked.text, time, pattern.New(part), isBefore, beside}
			all = append(all, m.miner)
			return m
		}))
		whole := known.take()
		for _, m := range all {
			whole.Merge(m)
		}
		return whole
	}
	whole := run(x.window, false, &known{miner: pattern.New(options)})
	if asked.before != nil {
		whole = run(*asked.before, true, &known{miner: whole})
	}
	return s.c.patternTable(whole.Patterns(), asked)
}

// patternTable makes a table of patterns: their differences, if those were asked for, or
// what is unusual about them.
func (c *compiler) patternTable(patterns []pattern.Pattern, asked inquiry) *table {
	names := []string{"@pattern", "@ratio", "@sampleCount", "@severityLabel", "@PatternId", "@regexString", "@tokens"}
	var list [][]value.Value
	switch {
	case asked.isAnomaly:
		names = append(names, "@anomalyType", "@anomalyScore", "@anomalyDescription")
		for _, a := range pattern.Anomalies(patterns) {
			list = append(list, append(patternRow(a.Pattern), value.OfText(a.Kind.String()), value.OfNumber(a.Score), value.OfText(a.Description)))
		}
	case asked.isDiff:
		names = append(names, "@diffEventCount", "@differenceDescription")
		if asked.isPending {
			for i := range patterns {
				list = append(list, append(patternRow(&patterns[i]), value.Value{}, value.Value{}))
			}
			break
		}
		for _, d := range pattern.Differences(patterns) {
			list = append(list, append(patternRow(d.Pattern), value.OfNumber(float64(d.Events)), value.OfText(d.Description)))
		}
	default:
		for i := range patterns {
			list = append(list, patternRow(&patterns[i]))
		}
	}
	return c.newTable(names, list)
}

func patternRow(p *pattern.Pattern) []value.Value {
	severity := value.Value{}
	if p.Severity.String() != "" {
		severity = value.OfText(p.Severity.String())
	}
	return []value.Value{
		value.OfText(p.Text), value.OfNumber(math.Round(p.Ratio*1e4) / 1e4), value.OfNumber(float64(p.Count)), severity,
		value.OfText(p.ID), value.OfText(p.Regex), value.OfText(p.TokensJSON()),
	}
}

// pattern counts the patterns of a table's column.
func (t *table) pattern(e *syntax.Pattern) *table {
	m := pattern.New(pattern.Options{})
	for _, v := range t.column(t.scope.expr(e.Field)) {
		if text, ok := v.Text(); ok {
			m.Add(text, 0, 1)
		}
	}
	return t.scope.c.patternTable(m.Patterns(), inquiry{})
}
