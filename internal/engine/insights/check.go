package insights

import (
	"context"
	"slices"
	"time"

	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/scan"
)

// Parse reads and checks a query. The error is a *syntax.Error, which has the place and
// the words of MalformedQueryException.
func Parse(text string) (*Query, error) {
	tree, err := syntax.Parse(text)
	if err != nil {
		return nil, err
	}
	q := &Query{tree}
	if err := catch(func() { check(tree, 0) }); err != nil {
		return nil, err
	}
	// What is left are names of functions, their arguments, expressions where they can't
	// be: a run over nothing meets them all.
	ctx, cancel := context.WithTimeout(context.Background(), constantsTime)
	defer cancel()
	if _, err := q.run(ctx, nothing(), true); ctx.Err() != nil {
		return nil, syntax.Errorf(text, syntax.Span{Start: 0, End: len(text)}, "what the query says of literals takes longer than %v to compute", constantsTime)
	} else if err != nil {
		return nil, err
	}
	return q, nil
}

// constantsTime is how long the part of a query that depends on no event may take.
const constantsTime = 5 * time.Second

// CheckTables finds what is wrong with the lookup tables that the query names: those that
// are not there, and columns that they don't have. Table is as Env's.
func (q *Query) CheckTables(ctx context.Context, table func(ctx context.Context, name string) (*Table, error)) error {
	if !namesTables(q.tree) {
		return nil
	}
	env := nothing()
	env.Table = table
	_, err := q.run(ctx, env, false)
	return err
}

func namesTables(q *syntax.Query) bool {
	found := false
	for _, c := range q.Commands {
		switch c.(type) {
		case *syntax.Lookup, *syntax.CIDRLookup:
			found = true
		}
	}
	eachSubquery(q, func(sub *syntax.Query) { found = found || namesTables(sub) })
	return found
}

// nothing is an environment without events.
func nothing() Env {
	return Env{Open: func(context.Context, Selection) (scan.Source, error) { return empty{}, nil }, Start: 0, End: 1}
}

type empty struct{}

func (empty) Scan(context.Context, *scan.Request, func(int, *scan.Batch) bool) error { return nil }

// A failure is an error that a panic carries to catch.
type failure struct{ error }

// catch runs f, and gives the error that it failed with.
func catch(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *syntax.Error:
			err = r
		case failure:
			err = r.error
		default:
			err = &BugError{r, trace()}
		}
	}()
	f()
	return nil
}

// check refuses commands where they can't be. Depth is 0 of a query, 1 of a subquery.
func check(q *syntax.Query, depth int) {
	refuse := func(c syntax.Command) { panic(syntax.Unexpected(q.Text, nameOf(q.Text, c))) }
	stats, joins, sorted := 0, 0, false
	for i, c := range q.Commands {
		var before syntax.Command
		if i > 0 {
			before = q.Commands[i-1]
		}
		switch c := c.(type) {
		case *syntax.Source:
			if i > 0 {
				refuse(c)
			}
			checkSource(q.Text, c)
		case *syntax.Limit:
			if c.N < 1 || c.N > MaxLimit {
				panic(syntax.Errorf(q.Text, c.Span, "limit is %d, not 1 to %d", c.N, MaxLimit))
			}
		case *syntax.Stats:
			if stats++; stats > MaxStats {
				panic(syntax.Errorf(q.Text, c.Span, "the query has more than %d stats commands", MaxStats))
			}
			sorted = false
		case *syntax.Sort:
			sorted = true
		case *syntax.Join:
			if joins++; joins > 1 || depth > 0 {
				refuse(c)
			}
			checkSource(q.Text, c.Source.Commands[0].(*syntax.Source))
		case *syntax.Dedup:
			for _, after := range q.Commands[i+1:] {
				if _, ok := after.(*syntax.Limit); !ok {
					refuse(after)
				}
			}
		case *syntax.Pattern:
			if sorted {
				refuse(c)
			}
		case *syntax.Anomaly:
			if _, ok := before.(*syntax.Pattern); !ok {
				refuse(c)
			}
		case *syntax.LogCompare, *syntax.RelevantFields:
			if slices.ContainsFunc(q.Commands[:i], func(b syntax.Command) bool { _, ok := b.(*syntax.Stats); return ok }) {
				refuse(c)
			}
		case *syntax.Estimate:
			if i < len(q.Commands)-1 {
				refuse(q.Commands[i+1])
			}
		}
		if depth > 0 && hasSubquery(c) {
			refuse(c)
		}
	}
	eachSubquery(q, func(sub *syntax.Query) { check(sub, depth+1) })
}

// nameOf is where a command's name is.
func nameOf(text string, c syntax.Command) syntax.Span {
	at := c.At()
	end := at.Start
	for end < at.End && (text[end] >= 'a' && text[end] <= 'z' || text[end] >= 'A' && text[end] <= 'Z' || text[end] == '_') {
		end++
	}
	return syntax.Span{Start: at.Start, End: end}
}

// eachSubquery calls visit for the queries within a query, of which none has others.
func eachSubquery(q *syntax.Query, visit func(*syntax.Query)) {
	for _, c := range q.Commands {
		subqueries(c, visit)
	}
}

func hasSubquery(c syntax.Command) bool {
	found := false
	subqueries(c, func(*syntax.Query) { found = true })
	return found
}

func subqueries(c syntax.Command, visit func(*syntax.Query)) {
	expressions := func(e syntax.Expr) {
		syntax.Walk(e, func(e syntax.Expr) bool {
			if in, ok := e.(*syntax.In); ok && in.Sub != nil {
				visit(in.Sub)
			}
			return true
		})
	}
	columns := func(list []syntax.Column) {
		for _, col := range list {
			expressions(col.Expr)
		}
	}
	switch c := c.(type) {
	case *syntax.AppendCols:
		visit(c.Sub)
	case *syntax.Join:
		visit(c.Source)
	case *syntax.Filter:
		expressions(c.Condition)
	case *syntax.FilterIndex:
		expressions(c.Condition)
	case *syntax.RelevantFields:
		expressions(c.Condition)
	case *syntax.Fields:
		columns(c.Columns)
	case *syntax.Display:
		columns(c.Columns)
	case *syntax.Stats:
		columns(c.Columns)
		columns(c.By)
	case *syntax.Unnest:
		expressions(c.Expr)
	case *syntax.Sort:
		for _, k := range c.Keys {
			expressions(k.Expr)
		}
	}
}
