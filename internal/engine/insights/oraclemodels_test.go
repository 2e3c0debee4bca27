package insights

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/engine/insights/function"
	"github.com/eksact/eksact/internal/engine/insights/pattern"
	"github.com/eksact/eksact/internal/engine/insights/rows"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/memory"
)

// The oracle's pattern, diff, anomaly and relevantfields: one miner, or one Relevance for
// each field, takes one row after the other. These have tests of their own.

// models runs the first of the commands, and those that belong to it; it gives how many
// there are, 0 if it is none of them.
func (o *oracle) models(commands []syntax.Command) int {
	switch c := commands[0].(type) {
	case *syntax.RelevantFields:
		o.relevant(c)
		return 1
	case *syntax.Pattern, *syntax.Diff, *syntax.LogCompare:
	default:
		return 0
	}
	var text syntax.Expr = &syntax.Field{Name: message}
	var before func(o *oracle) window
	isAnomaly, n := false, 0
	for n < len(commands) && !isAnomaly {
		switch c := commands[n].(type) {
		case *syntax.Pattern:
			text = c.Field
		case *syntax.Diff:
			before = func(o *oracle) window { return o.window.previous(c.Modifier) }
		case *syntax.LogCompare:
			ms, _ := function.ParseDuration(c.Shift.Text)
			before = func(o *oracle) window { return window{o.window.from - ms, o.window.to - ms} }
		case *syntax.Anomaly:
			isAnomaly = true
		default:
			n--
			commands = commands[:n+1]
		}
		n++
	}
	o.mine(text, before, isAnomaly)
	return n
}

func (o *oracle) mine(text syntax.Expr, before func(*oracle) window, isAnomaly bool) {
	options := pattern.Options{From: o.window.from, To: o.window.to}
	if isAnomaly {
		options.Bins = 50
	}
	m := pattern.New(options)
	for _, r := range o.rows {
		if s, ok := o.eval(text, r).Text(); ok {
			at := int64(0)
			if r.event != nil {
				at = r.event.Time
			}
			m.Add(s, at, 1)
		}
	}
	if before != nil && !o.pending {
		other := &oracle{text: o.text, context: o.context, window: o.window}
		other.take(o.earlier, before(o))
		for _, c := range o.done {
			other.command(c)
		}
		for _, r := range other.rows {
			if s, ok := other.eval(text, r).Text(); ok {
				m.AddBefore(s, 1)
			}
		}
	}
	o.table("@pattern", "@ratio", "@sampleCount", "@severityLabel", "@PatternId", "@regexString", "@tokens")
	row := func(p *pattern.Pattern) map[string]value.Value {
		cells := map[string]value.Value{
			"@pattern": value.OfText(p.Text), "@ratio": value.OfNumber(math.Round(p.Ratio*1e4) / 1e4), "@sampleCount": value.OfNumber(float64(p.Count)),
			"@PatternId": value.OfText(p.ID), "@regexString": value.OfText(p.Regex), "@tokens": value.OfText(p.TokensJSON()),
		}
		if s := p.Severity.String(); s != "" {
			cells["@severityLabel"] = value.OfText(s)
		}
		o.rows = append(o.rows, &oracleRow{cells: cells})
		return cells
	}
	all := m.Patterns()
	switch {
	case isAnomaly:
		o.shown = append(o.shown, "@anomalyType", "@anomalyScore", "@anomalyDescription")
		for _, a := range pattern.Anomalies(all) {
			cells := row(a.Pattern)
			cells["@anomalyType"], cells["@anomalyScore"], cells["@anomalyDescription"] = value.OfText(a.Kind.String()), value.OfNumber(a.Score), value.OfText(a.Description)
		}
	case before != nil && !o.pending:
		o.shown = append(o.shown, "@diffEventCount", "@differenceDescription")
		for _, d := range pattern.Differences(all) {
			cells := row(d.Pattern)
			cells["@diffEventCount"], cells["@differenceDescription"] = value.OfNumber(float64(d.Events)), value.OfText(d.Description)
		}
	default:
		if before != nil {
			o.shown = append(o.shown, "@diffEventCount", "@differenceDescription")
		}
		for i := range all {
			row(&all[i])
		}
	}
}

// table begins rows with columns of their own.
func (o *oracle) table(columns ...string) {
	o.rows, o.shown, o.made, o.display, o.grouped, o.settled = nil, columns, nil, false, true, true
}

func (o *oracle) relevant(c *syntax.RelevantFields) {
	fields, mentioned := map[string]*rows.Relevance{}, map[string]bool{}
	in, out := int64(0), int64(0)
	add := func(name string, v value.Value, holds bool) {
		if v.IsNull() || v.IsComposite() {
			return
		}
		if fields[name] == nil {
			fields[name] = &rows.Relevance{}
		}
		fields[name].Add(v, holds)
	}
	syntax.Walk(c.Condition, func(e syntax.Expr) bool {
		switch e := e.(type) {
		case *syntax.Field:
			mentioned[e.Name] = len(c.Fields) == 0
		case *syntax.Access:
			if _, name, ok := path(e); ok {
				mentioned[name] = len(c.Fields) == 0
			}
		}
		return true
	})
	for _, r := range o.rows {
		holds := o.eval(c.Condition, r).True()
		if holds {
			in++
		} else {
			out++
		}
		for _, f := range c.Fields {
			add(f.Name, r.at(f.Name), holds)
		}
		if len(c.Fields) == 0 {
			text, _ := r.at(message).Text()
			for _, l := range scan.Discover(text) {
				add(l.Name, value.Scanned(l.Value), holds)
			}
		}
	}
	type scored struct {
		name string
		rows.Relevant
	}
	var list []scored
	for name, f := range fields {
		if !mentioned[name] {
			list = append(list, scored{name, f.Result(in, out)})
		}
	}
	slices.SortFunc(list, func(a, b scored) int {
		if a.Score != b.Score {
			return int(math.Copysign(1, b.Score-a.Score))
		}
		return strings.Compare(a.name, b.name)
	})
	o.table("@fieldName", "@relevanceScore", "@topRelevanceContributors", "@conditionalMedian", "@baselineMedian")
	for _, f := range list {
		cells := map[string]value.Value{"@fieldName": value.OfText(f.name), "@relevanceScore": value.OfNumber(f.Score), "@conditionalMedian": f.ConditionalMedian, "@baselineMedian": f.BaselineMedian}
		if f.Contributors != "" {
			cells["@topRelevanceContributors"] = value.OfText(f.Contributors)
		}
		o.rows = append(o.rows, &oracleRow{cells: cells})
	}
}

// take takes in the events of a time, the newest first, later ones before earlier ones.
func (o *oracle) take(events []memory.Event, at window) {
	for i := range events {
		if t := events[i].Time; t >= at.from && t <= at.to {
			o.rows = append(o.rows, &oracleRow{event: &events[i], ptr: i, cells: map[string]value.Value{}})
		}
	}
	slices.SortStableFunc(o.rows, func(a, b *oracleRow) int {
		if a.event.Time != b.event.Time {
			return int(b.event.Time - a.event.Time)
		}
		return b.ptr - a.ptr
	})
}

// model writes commands that compute by models, at the end of those on events.
func (m *maker) model() string {
	asks := draw(m.t, "pattern", "pattern", "diff", "anomaly", "relevant", "logcompare")
	names := []string{"@pattern", "@ratio", "@sampleCount", "@tokens"}
	text := ""
	switch asks {
	case "relevant":
		text = "relevantfields " + draw(m.t, "", m.name()+" ", m.name()+", "+m.name()+" ") + "where " + m.condition(1)
		names = []string{"@fieldName", "@relevanceScore", "@topRelevanceContributors"}
	case "logcompare":
		text = fmt.Sprintf("logcompare timeshift %s", draw(m.t, "1m", "100s", "1h"))
		names = append(names, "@diffEventCount", "@differenceDescription")
	default:
		text = "pattern " + draw(m.t, "@message", "@message", m.name())
		if asks == "anomaly" {
			text += " | anomaly"
			names = append(names, "@anomalyType", "@anomalyScore")
		}
		if asks == "diff" {
			text += " | diff" + draw(m.t, "", " previousDay")
			names = append(names, "@diffEventCount", "@differenceDescription")
		}
	}
	m.names, m.grouped = names, true
	return text
}
