package netpol

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Selector picks objects by their labels. The zero Selector picks all.
type Selector struct {
	requirements []requirement // sorted
	text         string        // the same for all that pick alike by the same words
}

// requirement is what a label must be.
type requirement struct {
	key    string
	op     metav1.LabelSelectorOperator
	values []string // sorted, of In and NotIn
}

// NewSelector reads a selector of Kubernetes, or says what is wrong with it.
func NewSelector(s *metav1.LabelSelector) (Selector, error) {
	if _, err := metav1.LabelSelectorAsSelector(s); err != nil {
		return Selector{}, err
	}
	var list []requirement
	for key, value := range s.MatchLabels {
		list = append(list, requirement{key, metav1.LabelSelectorOpIn, []string{value}})
	}
	for _, e := range s.MatchExpressions {
		values := slices.Clone(e.Values)
		slices.Sort(values)
		list = append(list, requirement{e.Key, e.Operator, slices.Compact(values)})
	}
	texts := map[string]requirement{}
	for _, r := range list {
		texts[r.String()] = r
	}
	out := Selector{}
	var words []string
	for _, text := range sortedKeys(texts) {
		out.requirements, words = append(out.requirements, texts[text]), append(words, text)
	}
	out.text = strings.Join(words, ",")
	return out, nil
}

// String is as kubectl takes it: app=web,tier in (a,b),!old. Of a selector that picks
// all it is empty.
func (s Selector) String() string { return s.text }

func (r requirement) String() string {
	list := "(" + strings.Join(r.values, ",") + ")"
	switch {
	case r.op == metav1.LabelSelectorOpIn && len(r.values) == 1:
		return r.key + "=" + r.values[0]
	case r.op == metav1.LabelSelectorOpIn:
		return r.key + " in " + list
	case r.op == metav1.LabelSelectorOpNotIn:
		return r.key + " notin " + list
	case r.op == metav1.LabelSelectorOpDoesNotExist:
		return "!" + r.key
	}
	return r.key
}

// Matches is whether the labels are those the selector picks.
func (s Selector) Matches(labels map[string]string) bool {
	for i := range s.requirements {
		if !s.requirements[i].holds(labels) {
			return false
		}
	}
	return true
}

func (r *requirement) holds(labels map[string]string) bool {
	value, has := labels[r.key]
	switch r.op {
	case metav1.LabelSelectorOpIn:
		return has && slices.Contains(r.values, value)
	case metav1.LabelSelectorOpNotIn:
		return !has || !slices.Contains(r.values, value)
	case metav1.LabelSelectorOpExists:
		return has
	}
	return !has
}

// All is whether it picks everything.
func (s Selector) All() bool { return len(s.requirements) == 0 }

// label is a label that an object has; with exists, of any value.
type label struct {
	key, value string
	exists     bool
}

// handles are labels of which all that the selector picks have one, as few as there
// are; none if it picks objects without any.
func (s Selector) handles() (best []label) {
	for _, r := range s.requirements {
		switch {
		case r.op == metav1.LabelSelectorOpIn && (best == nil || best[0].exists || len(r.values) < len(best)):
			best = nil
			for _, v := range r.values {
				best = append(best, label{key: r.key, value: v})
			}
		case r.op == metav1.LabelSelectorOpExists && best == nil:
			best = []label{{key: r.key, exists: true}}
		}
	}
	return best
}
