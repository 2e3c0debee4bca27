package insights

import (
	"context"
	"sync"

	"github.com/eksact/eksact/internal/engine/insights/pattern"
	"github.com/eksact/eksact/internal/engine/insights/rows"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
)

// What patterns and fields take to bring together, as bytes of groups: they are worked out
// anew.
const (
	perPatternByte = 8
	perFieldByte   = 2
)

// sofar implements showing.
func (m *mining) sofar(g glimpse) any {
	if perPatternByte*int64(m.miner.Size()+m.beside) > g.bytes {
		return tooMuch{}
	}
	return m.miner.Clone()
}

// known is what was counted before a scan. Others may look at it until it is taken.
type known struct {
	mu    sync.Mutex
	miner *pattern.Miner
}

func (k *known) take() *pattern.Miner {
	k.mu.Lock()
	defer k.mu.Unlock()
	m := k.miner
	k.miner = nil
	return m
}

// copy is what was counted before; nil if that was taken.
func (k *known) copy() *pattern.Miner {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.miner == nil {
		return nil
	}
	return k.miner.Clone()
}

// with is what was counted before and what workers have counted since; nil if that was
// taken.
func (k *known) with(parts []any) *pattern.Miner {
	all := k.copy()
	for _, p := range parts {
		if m, ok := p.(*pattern.Miner); ok && all != nil {
			all.Merge(m.Clone())
		}
	}
	return all
}

// showPatterns lets patterns be looked at while messages are counted. As long as the time
// asked about is read there is nothing yet to compare it with.
func (x *execution) showPatterns(c *compiler, asked inquiry, isBefore bool, k *known, rest []syntax.Command, limit int) {
	asked.isPending = asked.isDiff && !isBefore
	x.show(func(ctx context.Context, parts []any, most int) *Result {
		all := k.with(parts)
		if all == nil {
			return nil
		}
		return x.finished(ctx, c, rest, min(limit, most), func(own *compiler) *table {
			return own.patternTable(all.Patterns(), asked)
		})
	})
}

// sofar implements showing.
func (r *relevance) sofar(g glimpse) any {
	if perFieldByte*r.size > g.bytes {
		return tooMuch{}
	}
	out := &relevance{in: r.in, out: r.out, fields: make(map[string]*rows.Relevance, len(r.fields))}
	for name, f := range r.fields {
		out.fields[name] = f.Clone()
	}
	return out
}

// showRelevant lets fields be looked at while it is learnt how they go with a condition.
func (x *execution) showRelevant(c *compiler, mentioned map[string]bool, rest []syntax.Command, limit int) {
	x.show(func(ctx context.Context, parts []any, most int) *Result {
		whole := &relevance{fields: map[string]*rows.Relevance{}}
		for _, p := range parts {
			if r, ok := p.(*relevance); ok {
				whole.merge(r)
			}
		}
		return x.finished(ctx, c, rest, min(limit, most), func(own *compiler) *table {
			return own.relevantTable(whole, mentioned)
		})
	})
}
