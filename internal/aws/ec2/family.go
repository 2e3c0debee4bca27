package ec2

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// family is a kind of resource with its table, and what is done with all kinds
// alike: finding one, tagging it, answering for its condition keys.
type family[T any] struct {
	kind
	name  string // as ARNs and tags say it: "route-table"
	table *store.Table[T]
	tags  func(*T) *map[string]string
	// keys answers for the condition keys of one, "ec2:vpc" in lower case; "" for
	// one that it doesn't have.
	keys func(r T, key string) string
}

// relatives is a family, whatever its records are.
type relatives interface {
	named() string
	owns(id string) bool
	tagged() iter.Seq2[string, map[string]string]
	retag(tx *store.Tx, id string, change func(map[string]string) (map[string]string, error)) error
	answer(id, key string) policy.Values
}

func (f *family[T]) named() string { return f.name }

func (f *family[T]) owns(id string) bool {
	rest, ok := strings.CutPrefix(id, f.prefix)
	return ok && rest != "" && !strings.Contains(rest, "-")
}

// find reads one in a transaction; its absence is AWS's error.
func (f *family[T]) find(tx *store.Tx, id string) (T, error) {
	r, ok := f.table.In(tx).Get(id)
	if !ok {
		return r, f.missing(id)
	}
	return r, nil
}

// seek is find outside of a transaction.
func (f *family[T]) seek(id string) (T, error) {
	r, ok := f.table.Get(id)
	if !ok {
		return r, f.missing(id)
	}
	return r, nil
}

func (f *family[T]) missing(id string) error {
	if f.malformed != "" && !strings.HasPrefix(id, f.prefix) {
		return malformedID(f.kind, id)
	}
	return notThere(f.kind, id)
}

func (f *family[T]) put(tx *store.Tx, id string, r T) { f.table.In(tx).Put(id, r) }
func (f *family[T]) drop(tx *store.Tx, id string)     { f.table.In(tx).Delete(id) }
func (f *family[T]) list(tx *store.Tx) []T            { return values(f.table.In(tx).List("")) }
func (f *family[T]) all() []T                         { return values(f.table.List("")) }
func (f *family[T]) tagsIn(r T) map[string]string     { return *f.tags(&r) }

// describe selects a page.
func (f *family[T]) describe(q query, known attributes[T]) ([]T, *string, error) {
	q.dryRun = nil // add has answered
	return run(f.table, f.kind, q, known, f.tagsIn)
}

func (f *family[T]) tagged() iter.Seq2[string, map[string]string] {
	return func(yield func(string, map[string]string) bool) {
		for id, r := range f.table.List("") {
			if !yield(id, *f.tags(&r)) {
				return
			}
		}
	}
}

func (f *family[T]) retag(tx *store.Tx, id string, change func(map[string]string) (map[string]string, error)) error {
	r, err := f.find(tx, id)
	if err != nil {
		return err
	}
	tags, err := change(*f.tags(&r))
	if err != nil {
		return err
	}
	*f.tags(&r) = tags
	f.put(tx, id, r)
	return nil
}

// answer is the value of a condition key of one: of a tag, or of what it is.
func (f *family[T]) answer(id, key string) policy.Values {
	r, ok := f.table.Get(id)
	if !ok {
		return policy.Values{}
	}
	if tag, isTag := strings.CutPrefix(key, "aws:resourcetag/"); isTag {
		return api.TagValue(*f.tags(&r), tag)
	}
	if f.keys == nil {
		return policy.Values{}
	}
	if v := f.keys(r, key); v != "" {
		return policy.One(v)
	}
	return policy.Values{}
}

// familyOf finds the family that an id is of, by its beginning.
func (s *Service) familyOf(id string) (relatives, bool) {
	i := slices.IndexFunc(s.families, func(f relatives) bool { return f.owns(id) })
	if i < 0 {
		return nil, false
	}
	return s.families[i], true
}

// familyNamed finds a family by the name that ARNs have.
func (s *Service) familyNamed(name string) (relatives, bool) {
	i := slices.IndexFunc(s.families, func(f relatives) bool { return f.named() == name })
	if i < 0 {
		return nil, false
	}
	return s.families[i], true
}

func values[T any](records iter.Seq2[string, T]) []T {
	var all []T
	for _, r := range records {
		all = append(all, r)
	}
	return all
}

// newID draws an id: the prefix and 17 hexadecimal digits.
func newID(prefix string) string {
	var raw [8]byte
	rand.Read(raw[:]) // never fails
	return prefix + "0" + hex.EncodeToString(raw[:])
}

// tagsFor are the tags that a creation asks for, checked, and those of the service that
// makes it for others. Other kinds than the one that is made are refused.
func tagsFor(ctx context.Context, kind types.ResourceType, specified []types.TagSpecification) (map[string]string, error) {
	out := map[string]string{}
	for _, spec := range specified {
		if spec.ResourceType == "" {
			return nil, absent("TagSpecification.ResourceType")
		}
		if spec.ResourceType != kind {
			return nil, invalid("'%s' is not a valid taggable resource type for this operation.", spec.ResourceType)
		}
		for _, t := range spec.Tags {
			if _, twice := out[aws.ToString(t.Key)]; twice {
				return nil, invalid("Duplicate tag key '%s' specified.", aws.ToString(t.Key))
			}
			out[aws.ToString(t.Key)] = aws.ToString(t.Value)
		}
	}
	return api.WithSystemTags(ctx, out), checkTags(out)
}

// parsePrefix reads a CIDR block, in its canonical form: host bits are cleared, as
// AWS clears them.
func parsePrefix(parameter, given string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(given)
	if err != nil || !p.Addr().Is4() {
		return p, invalid("Value (%s) for parameter %s is invalid. This is not a valid CIDR block.", given, parameter)
	}
	return p.Masked(), nil
}
