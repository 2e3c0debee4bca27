package insights

import "math"

// mayCount says in a plan that rows which agree in all that a summary asks of them may
// come as one, with their number, if that makes no difference: to sums, counts and
// extremes it doesn't.
func (sum *summary) mayCount(p *plan) {
	p.counted, p.grain = false, 0
	if p.multiplies() {
		return
	}
	for _, a := range sum.aggregates {
		if a.timed {
			return
		}
		switch a.make().(type) {
		case *counting, *summing, *distinct, *best:
		default:
			return
		}
	}
	p.counted = true
	g := grains{plan: p}
	for _, n := range append(sum.nodes(), p.inputs()...) {
		g.add(n)
	}
	if !g.whole {
		p.grain = g.all
	}
}

// grains are the lengths of time that @timestamp is asked for in multiples of.
type grains struct {
	plan  *plan
	all   int64 // their greatest common divisor; 0: it is not asked for
	whole bool  // it is asked for as it is
}

func (g *grains) add(n *node) {
	switch {
	case n.kind == leaf:
		g.whole = g.whole || g.isTime(n)
	case n.bin != nil && len(n.args) > 0 && g.isTime(n.args[0]):
		g.all = divisor(divisor(g.all, n.bin.period.Grain()), n.bin.offset)
	default:
		for _, a := range n.args {
			g.add(a)
		}
	}
}

func (g *grains) isTime(n *node) bool {
	if n.kind != leaf {
		return false
	}
	l := g.plan.leaves[n.leaf]
	return l.field == timestamp && !l.own && l.extract < 0
}

func divisor(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, -a)
}

// counts are how many events each row of a frame stands for; nil: one.
func (f *frame) counts() []int64 {
	if f.parent == nil {
		return f.batch.Counts
	}
	from := f.parent.counts()
	if from == nil {
		return nil
	}
	out := make([]int64, f.n)
	for i, row := range f.rows {
		out[i] = from[row]
	}
	return out
}

// events is how many events a frame's rows stand for.
func (f *frame) events() int64 {
	counts := f.counts()
	if counts == nil {
		return int64(f.n)
	}
	sum := int64(0)
	for _, n := range counts {
		sum += n
	}
	return sum
}

// accumulateCounted is accumulate for rows that stand for several.
func accumulateCounted(a accumulator, groups []int32, in *vector, counts []int64) {
	switch a := a.(type) {
	case *counting:
		for row, g := range groups {
			if in != nil {
				if v := in.at(row); v.IsNull() || v.IsComposite() {
					continue
				}
			}
			a.n[g] += counts[row]
		}
	case *summing:
		for row, g := range groups {
			v := in.at(row)
			if x, ok := v.Number(); ok {
				a.sums[g].weigh(x, float64(counts[row]))
				a.n[g] += counts[row]
			}
		}
	default:
		accumulate(a, groups, in, nil)
	}
}

// weigh adds a number n times.
func (s *exact) weigh(x, n float64) {
	product := x * n
	s.add(product)
	s.add(math.FMA(x, n, -product))
}
