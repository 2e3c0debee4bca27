package ec2

import (
	"iter"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// ruleFamily is the rules of security groups, which are kept with their groups.
type ruleFamily struct{ s *Service }

func (ruleFamily) named() string { return "security-group-rule" }

func (ruleFamily) owns(id string) bool { return strings.HasPrefix(id, ruleKind.prefix) }

func (f ruleFamily) tagged() iter.Seq2[string, map[string]string] {
	return func(yield func(string, map[string]string) bool) {
		for _, g := range f.s.groups.List("") {
			for _, r := range g.Rules {
				if !yield(r.ID, r.Tags) {
					return
				}
			}
		}
	}
}

func (f ruleFamily) retag(tx *store.Tx, id string, change func(map[string]string) (map[string]string, error)) error {
	for _, g := range f.s.groups.In(tx).List("") {
		i := slices.IndexFunc(g.Rules, func(r Rule) bool { return r.ID == id })
		if i < 0 {
			continue
		}
		tags, err := change(g.Rules[i].Tags)
		if err != nil {
			return err
		}
		g.Rules = slices.Clone(g.Rules)
		g.Rules[i].Tags = tags
		f.s.groups.In(tx).Put(g.ID, g)
		return nil
	}
	return notThere(ruleKind, id)
}

func (f ruleFamily) answer(id, key string) policy.Values {
	tag, ok := strings.CutPrefix(key, "aws:resourcetag/")
	if !ok {
		return policy.Values{}
	}
	for rule, tags := range f.tagged() {
		if rule == id {
			return api.TagValue(tags, tag)
		}
	}
	return policy.Values{}
}
