package rows

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

// Limits of relevance.
const (
	mostValues       = 10_000 // values of a field that are told apart
	rareValue        = 5      // a value of fewer events than this says nothing
	fewNumbers       = 12     // a field with more different numbers is numerical
	mostContributors = 5
)

// A Relevance learns how one field's values differ between events that meet a condition
// and others. The zero value has seen nothing.
//
// The score of a field of texts, or of few different numbers, is half the sum over all
// values of the difference between their shares in both sets of events (the total
// variation distance); having no value is one, too, and values of fewer than five events
// count as one. The score of a field of many numbers is the largest difference between
// the shares of events up to some number (the Kolmogorov-Smirnov statistic), or the
// difference between the shares that have no value, if that is larger. So a score is 0
// where both sets are alike and 1 where one value tells them apart.
//
// Beyond 10,000 different values, further texts count as one, and numbers that differ by
// less than one percent as the same.
// Source of names: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-RelevantFields.html
type Relevance struct {
	numbers map[float64]*pair
	texts   map[string]*pair
	coarse  bool // numbers are rounded
	more    pair // texts beyond the limit
	present pair
	numeric pair
	size    int64
}

// pair counts events that meet the condition, and others.
type pair struct{ in, out int64 }

func (p *pair) add(holds bool, n int64) {
	if holds {
		p.in += n
	} else {
		p.out += n
	}
}

func (p *pair) join(q pair) { p.in += q.in; p.out += q.out }

// Add counts a field's value in an event that meets the condition, or does not. Events
// without the field need not be counted.
func (r *Relevance) Add(v value.Value, holds bool) {
	if v.IsNull() {
		return
	}
	var one pair
	one.add(holds, 1)
	r.present.join(one)
	if x, ok := v.Number(); ok {
		r.numeric.join(one)
		r.number(x, one)
	}
	r.text(v.String(), one)
}

func (r *Relevance) number(x float64, n pair) {
	if r.numbers == nil {
		r.numbers = map[float64]*pair{}
	}
	if r.coarse {
		x = rounded(x)
	}
	p := r.numbers[x]
	if p == nil {
		p = &pair{}
		r.numbers[x] = p
		r.size += perNumber
	}
	p.join(n)
	if !r.coarse && len(r.numbers) > mostValues {
		r.coarsen()
	}
}

// coarsen rounds all numbers. That they were too many does not depend on their order.
func (r *Relevance) coarsen() {
	r.coarse = true
	old := r.numbers
	r.numbers = map[float64]*pair{}
	r.size -= perNumber * int64(len(old))
	for x, n := range old {
		r.number(x, *n)
	}
}

// rounded is the nearest power of 1.01, with the number's sign.
func rounded(x float64) float64 {
	if x == 0 {
		return 0
	}
	return math.Copysign(math.Pow(1.01, math.Round(math.Log(math.Abs(x))/math.Log(1.01))), x)
}

func (r *Relevance) text(s string, n pair) {
	if r.texts == nil {
		r.texts = map[string]*pair{}
	}
	p := r.texts[s]
	switch {
	case p != nil:
	case len(r.texts) < mostValues:
		p = &pair{}
		r.texts[strings.Clone(s)] = p
		r.size += perText + int64(len(s))
	default:
		p = &r.more
	}
	p.join(n)
}

// What a number and a text cost, the text's bytes aside, roughly.
const (
	perNumber = 64
	perText   = 80
)

// Size is roughly how many bytes it takes.
func (r *Relevance) Size() int64 { return r.size }

// Clone has learnt the same. Neither is changed by what the other learns.
func (r *Relevance) Clone() *Relevance {
	out := *r
	out.numbers, out.texts = cloned(r.numbers), cloned(r.texts)
	return &out
}

func cloned[K comparable](counts map[K]*pair) map[K]*pair {
	if counts == nil {
		return nil
	}
	out, all := make(map[K]*pair, len(counts)), make([]pair, 0, len(counts))
	for key, n := range counts {
		all = append(all, *n)
		out[key] = &all[len(all)-1]
	}
	return out
}

// Merge adds what another has learnt about the same field, which stays as it is.
func (r *Relevance) Merge(other *Relevance) {
	r.present.join(other.present)
	r.numeric.join(other.numeric)
	r.more.join(other.more)
	if other.coarse && !r.coarse {
		r.coarsen()
	}
	for x, n := range other.numbers {
		r.number(x, *n)
	}
	if len(r.texts)+len(other.texts) <= mostValues {
		for s, n := range other.texts {
			r.text(s, *n)
		}
		return
	}
	for _, s := range slices.Sorted(maps.Keys(other.texts)) { // which of them find room is no accident
		r.text(s, *other.texts[s])
	}
}

// A Relevant is how relevant a field is for a condition.
type Relevant struct {
	Score             float64     // @relevanceScore: 0 to 1
	Contributors      string      // @topRelevanceContributors: of fields of texts
	ConditionalMedian value.Value // of numerical fields, else null
	BaselineMedian    value.Value
}

// Result is what was learnt, given how many events met the condition and how many did
// not, with the field or without.
func (r *Relevance) Result(in, out int64) Relevant {
	if in == 0 || out == 0 {
		return Relevant{}
	}
	if r.present == r.numeric && len(r.numbers) > fewNumbers {
		return r.numerical(float64(in), float64(out))
	}
	return r.categorical(float64(in), float64(out))
}

func (r *Relevance) categorical(in, out float64) Relevant {
	type shift struct {
		value   string
		in, out float64
	}
	rest := r.more
	var shifts []shift
	for s, n := range r.texts {
		if n.in+n.out < rareValue {
			rest.join(*n)
			continue
		}
		shifts = append(shifts, shift{s, float64(n.in) / in, float64(n.out) / out})
	}
	slices.SortFunc(shifts, func(a, b shift) int {
		return cmp.Or(cmp.Compare(math.Abs(b.in-b.out), math.Abs(a.in-a.out)), strings.Compare(a.value, b.value))
	})
	absent := math.Abs(float64(r.present.in)/in - float64(r.present.out)/out)
	distance := absent + math.Abs(float64(rest.in)/in-float64(rest.out)/out)
	var top []string
	for i, s := range shifts {
		distance += math.Abs(s.in - s.out)
		if i < mostContributors && s.in != s.out {
			top = append(top, fmt.Sprintf("%s (%s, otherwise %s)", s.value, percent(s.in), percent(s.out)))
		}
	}
	return Relevant{Score: score(distance / 2), Contributors: strings.Join(top, ", ")}
}

func (r *Relevance) numerical(in, out float64) Relevant {
	sorted := slices.Sorted(maps.Keys(r.numbers))
	largest, below := 0.0, pair{}
	hasIn, hasOut := float64(r.present.in), float64(r.present.out)
	for _, x := range sorted {
		below.join(*r.numbers[x])
		if hasIn > 0 && hasOut > 0 {
			largest = max(largest, math.Abs(float64(below.in)/hasIn-float64(below.out)/hasOut))
		}
	}
	largest = max(largest, math.Abs(hasIn/in-hasOut/out))
	return Relevant{
		Score:             score(largest),
		ConditionalMedian: r.median(sorted, r.present.in, func(p *pair) int64 { return p.in }),
		BaselineMedian:    r.median(sorted, r.present.out, func(p *pair) int64 { return p.out }),
	}
}

// median is the number in the middle, or half way between two.
func (r *Relevance) median(sorted []float64, total int64, of func(*pair) int64) value.Value {
	if total == 0 {
		return value.Value{}
	}
	at := func(rank int64) float64 {
		seen := int64(0)
		for _, x := range sorted {
			if seen += of(r.numbers[x]); seen > rank {
				return x
			}
		}
		return sorted[len(sorted)-1]
	}
	return value.OfNumber((at((total-1)/2) + at(total/2)) / 2)
}

func score(x float64) float64 { return math.Round(min(1, x)*1e4) / 1e4 }

func percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1000)/10, 'f', -1, 64) + "%"
}
