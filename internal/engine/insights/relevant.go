package insights

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/engine/insights/rows"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
)

// mostRelevant is how many fields relevantfields looks at, as many as a log group may
// have.
const mostRelevant = 1000

// relevance learns one worker's part of how fields go with a condition.
type relevance struct {
	condition *node
	message   *node // to discover fields in; nil if they are named
	names     []string
	nodes     []*node
	in, out   int64
	fields    map[string]*rows.Relevance
	memory    *budget
	size      int64 // of fields, roughly, in bytes
	taken     int64
}

func (*relevance) keeps() bool { return false }

func (r *relevance) add(f *frame) error {
	condition := f.vector(r.condition)
	var columns []*vector
	for _, n := range r.nodes {
		columns = append(columns, f.vector(n))
	}
	for row := range f.n {
		holds := condition.at(row).True()
		if holds {
			r.in++
		} else {
			r.out++
		}
		for i, c := range columns {
			r.field(r.names[i], c.at(row), holds)
		}
		if r.message != nil {
			text, _ := f.vector(r.message).at(row).Text()
			for _, l := range scan.Discover(text) {
				r.field(l.Name, value.Scanned(l.Value), holds)
			}
		}
	}
	err := r.memory.take(r.size - r.taken)
	r.taken = r.size
	return err
}

func (r *relevance) field(name string, v value.Value, holds bool) {
	if v.IsNull() || v.IsComposite() {
		return
	}
	known := r.fields[name]
	if known == nil {
		if len(r.fields) >= mostRelevant {
			return
		}
		known = &rows.Relevance{}
		r.fields[name] = known
	}
	before := known.Size()
	known.Add(v, holds)
	r.size += known.Size() - before
}

// merge adds what another worker has learnt, which stays as it is.
func (r *relevance) merge(other *relevance) {
	r.in, r.out = r.in+other.in, r.out+other.out
	for name, f := range other.fields {
		if known := r.fields[name]; known != nil {
			known.Merge(f)
		} else {
			r.fields[name] = f.Clone()
		}
	}
}

// relevant runs relevantfields. Fields that the condition itself mentions say nothing
// about it, and are left out unless they are named. The commands of rest follow.
func (x *execution) relevant(ctx context.Context, s *scope, e *syntax.RelevantFields, rest []syntax.Command, limit int) *table {
	var names []string
	var nodes []*node
	for _, f := range e.Fields {
		names, nodes = append(names, f.Name), append(nodes, s.resolve(f.Name))
	}
	condition := s.expr(e.Condition)
	ask := append([]*node{condition}, nodes...)
	var discover *node
	mentioned := map[string]bool{}
	if len(nodes) == 0 {
		discover = s.resolve(message)
		ask = append(ask, discover)
		for _, name := range fieldsOf([]syntax.Command{&syntax.Filter{Condition: e.Condition}}) {
			mentioned[name] = true
		}
	}
	var all []*relevance
	x.showRelevant(s.c, mentioned, rest, limit)
	must(x.scan(ctx, s.c.plan, x.window, ask, scan.Any, nil, func(*worker) sink {
		r := &relevance{condition: condition, message: discover, names: names, nodes: nodes, fields: map[string]*rows.Relevance{}, memory: x.memory}
		all = append(all, r)
		return r
	}))
	whole := all[0]
	for _, r := range all[1:] {
		whole.merge(r)
	}
	return s.c.relevantTable(whole, mentioned)
}

func (c *compiler) relevantTable(r *relevance, mentioned map[string]bool) *table {
	type scored struct {
		name string
		rows.Relevant
	}
	var list []scored
	for name, f := range r.fields {
		if !mentioned[name] {
			list = append(list, scored{name, f.Result(r.in, r.out)})
		}
	}
	slices.SortFunc(list, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.name, b.name))
	})
	var out [][]value.Value
	for _, f := range list {
		contributors := value.Value{}
		if f.Contributors != "" {
			contributors = value.OfText(f.Contributors)
		}
		out = append(out, []value.Value{value.OfText(f.name), value.OfNumber(f.Score), contributors, f.ConditionalMedian, f.BaselineMedian})
	}
	return c.newTable([]string{"@fieldName", "@relevanceScore", "@topRelevanceContributors", "@conditionalMedian", "@baselineMedian"}, out)
}

// counted is a sink of rows that only need to be counted.
type counted struct{}

func (counted) add(*frame) error { return nil }
func (counted) keeps() bool      { return false }

// estimate says how many bytes and events the query would look at.
func (x *execution) estimate(ctx context.Context, s *scope) *table {
	before := x.env.Progress.Bytes.Load()
	records := x.env.Progress.Records.Load()
	must(x.scan(ctx, &plan{}, x.window, nil, scan.Any, nil, func(*worker) sink { return counted{} }))
	return s.c.newTable([]string{"estimatedBytesScanned", "estimatedRecordsScanned"}, [][]value.Value{{
		value.OfNumber(float64(x.env.Progress.Bytes.Load() - before)), value.OfNumber(float64(x.env.Progress.Records.Load() - records)),
	}})
}
