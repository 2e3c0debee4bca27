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

// patterns runs pattern and what follows it: diff, anomaly; and diff and logcompare on
// their own, which are of @message.
func (x *execution) patterns(ctx context.Context, s *scope, rest []syntax.Command) (*table, []syntax.Command) {
	text := s.resolve(message)
	var before *window
	isDiff, isAnomaly := false, false
	for len(rest) > 0 && !isAnomaly {
		switch e := rest[0].(type) {
		case *syntax.Pattern:
			if before != nil {
				return x.mined(ctx, s, text, before, isDiff, isAnomaly), rest
			}
			text = s.expr(e.Field)
		case *syntax.Diff:
			w := x.window.previous(e.Modifier)
			before, isDiff = &w, true
		case *syntax.LogCompare:
			ms, err := function.ParseDuration(e.Shift.Text)
			if err != nil {
				panic(syntax.Errorf(s.c.text, e.Shift.Span, "%v", err))
			}
			before, isDiff = &window{x.window.from - ms, x.window.to - ms}, true
		case *syntax.Anomaly:
			isAnomaly = true
		default:
			return x.mined(ctx, s, text, before, isDiff, isAnomaly), rest
		}
		rest = rest[1:]
	}
	return x.mined(ctx, s, text, before, isDiff, isAnomaly), rest
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

// mined counts patterns and makes the table of them.
func (x *execution) mined(ctx context.Context, s *scope, text *node, before *window, isDiff, isAnomaly bool) *table {
	options := pattern.Options{From: x.window.from, To: x.window.to}
	if isAnomaly {
		options.Bins = bins
	}
	whole := pattern.New(options)
	run := func(at window, isBefore bool) {
		var all []*pattern.Miner
		time := s.resolve(timestamp)
		must(x.scan(ctx, s.c.plan, at, []*node{text, time}, scan.Any, nil, func(*worker) sink {
			m := &mining{text, time, pattern.New(options), isBefore}
			all = append(all, m.miner)
			return m
		}))
		for _, m := range all {
			whole.Merge(m)
		}
	}
	run(x.window, false)
	if before != nil {
		run(*before, true)
	}
	return s.c.patternTable(whole.Patterns(), isDiff, isAnomaly)
}

// patternTable makes a table of patterns: their differences, if those were asked for, or
// what is unusual about them.
func (c *compiler) patternTable(patterns []pattern.Pattern, isDiff, isAnomaly bool) *table {
	names := []string{"@pattern", "@ratio", "@sampleCount", "@severityLabel", "@PatternId", "@regexString", "@tokens"}
	var list [][]value.Value
	switch {
	case isAnomaly:
		names = append(names, "@anomalyType", "@anomalyScore", "@anomalyDescription")
		for _, a := range pattern.Anomalies(patterns) {
			list = append(list, append(patternRow(a.Pattern), value.OfText(a.Kind.String()), value.OfNumber(a.Score), value.OfText(a.Description)))
		}
	case isDiff:
		names = append(names, "@diffEventCount", "@differenceDescription")
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
	return t.scope.c.patternTable(m.Patterns(), false, false)
}
