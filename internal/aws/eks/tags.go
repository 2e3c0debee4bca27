package eks

import (
	"context"
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// TagResource adds tags to a cluster, add-on or access entry, and replaces the values of those it has.
func (s *Service) TagResource(ctx context.Context, in *eks.TagResourceInput) (*eks.TagResourceOutput, error) {
	if len(in.Tags) == 0 {
		return nil, badRequest("At least one tag must be given.")
	}
	return &eks.TagResourceOutput{}, s.retag(ctx, in.ResourceArn, func(tags map[string]string) error {
		if why := tagFault(in.Tags); why != "" {
			return badRequest(why)
		}
		maps.Copy(tags, in.Tags)
		if api.OwnTags(tags) > maxTags {
			return badRequest(tooManyTags)
		}
		return nil
	})
}

// UntagResource removes tags from one; keys it doesn't have are no error.
func (s *Service) UntagResource(ctx context.Context, in *eks.UntagResourceInput) (*eks.UntagResourceOutput, error) {
	if len(in.TagKeys) == 0 {
		return nil, badRequest("At least one tag key must be given.")
	}
	return &eks.UntagResourceOutput{}, s.retag(ctx, in.ResourceArn, func(tags map[string]string) error {
		for _, key := range in.TagKeys {
			if api.ReservedTag(key) {
				return badRequest(reservedTag + key)
			}
			delete(tags, key)
		}
		return nil
	})
}

// ListTagsForResource shows the tags of one.
func (s *Service) ListTagsForResource(_ context.Context, in *eks.ListTagsForResourceInput) (*eks.ListTagsForResourceOutput, error) {
	r, err := s.resourceOf(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	have, ok := r.tags(s)
	if !ok {
		return nil, noResource(in.ResourceArn)
	}
	tags := map[string]string{}
	maps.Copy(tags, have)
	return &eks.ListTagsForResourceOutput{Tags: tags}, nil
}

func (s *Service) retag(ctx context.Context, arn *string, change func(map[string]string) error) error {
	r, err := s.resourceOf(arn)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		found, err := false, error(nil)
		switch {
		case r.nodegroup != "":
			found, err = retagIn(tx, s.nodegroups, nodegroupKey(r.cluster, r.nodegroup), func(n *Nodegroup) (*map[string]string, string) { return &n.Tags, n.ID }, r, change)
		case r.association != "":
			found, err = retagIn(tx, s.associations, associationKey(r.cluster, r.association), func(a *Association) (*map[string]string, string) { return &a.Tags, "" }, r, change)
		case r.entry != "":
			found, err = retagIn(tx, s.entries, entryKey(r.cluster, r.entry), func(e *AccessEntry) (*map[string]string, string) { return &e.Tags, e.ID }, r, change)
		case r.addon != "":
			found, err = retagIn(tx, s.addons, addonKey(r.cluster, r.addon), func(a *Addon) (*map[string]string, string) { return &a.Tags, a.ID }, r, change)
		default:
			found, err = retagIn(tx, s.clusters, r.cluster, func(c *Cluster) (*map[string]string, string) { return &c.Tags, "" }, r, change)
		}
		if !found {
			return noResource(arn)
		}
		return err
	})
}

// retagIn changes the tags of a table's record, if it is there and has the resource's
// id. of gives its tags, and its id where ARNs have one.
func retagIn[T any](tx *store.Tx, table *store.Table[T], key string, of func(*T) (*map[string]string, string), r resource, change func(map[string]string) error) (found bool, err error) {
	records := table.In(tx)
	record, found := records.Get(key)
	have, id := of(&record)
	if !found || id != r.id {
		return false, nil
	}
	tags := map[string]string{}
	maps.Copy(tags, *have)
	*have = tags
	if err := change(tags); err != nil {
		return true, err
	}
	records.Put(key, record)
	return true, nil
}

// resource is what an ARN names: a cluster, or an add-on, access entry, Pod Identity
// association or node group of it.
type resource struct {
	cluster     string
	addon       string // its name
	entry       string // its principal's ARN
	id          string
	association string
	nodegroup   string
}

func (r resource) tags(s *Service) (tags map[string]string, ok bool) {
	switch {
	case r.nodegroup != "":
		n, ok := s.nodegroups.Get(nodegroupKey(r.cluster, r.nodegroup))
		return n.Tags, ok && n.ID == r.id
	case r.association != "":
		a, ok := s.associations.Get(associationKey(r.cluster, r.association))
		return a.Tags, ok
	case r.entry != "":
		e, ok := s.entries.Get(entryKey(r.cluster, r.entry))
		return e.Tags, ok && e.ID == r.id
	case r.addon == "":
		c, ok := s.clusters.Get(r.cluster)
		return c.Tags, ok
	}
	a, ok := s.addons.Get(addonKey(r.cluster, r.addon))
	return a.Tags, ok && a.ID == r.id
}

// resourceOf reads an ARN of this account and region.
func (s *Service) resourceOf(arn *string) (resource, error) {
	ours := strings.TrimSuffix(s.ARN(""), "cluster/")
	rest, ok := strings.CutPrefix(aws.ToString(arn), ours)
	if !ok {
		return resource{}, badRequest("Invalid resourceArn: " + aws.ToString(arn))
	}
	kind, name, _ := strings.Cut(rest, "/")
	parts := strings.Split(name, "/")
	switch {
	case kind == "cluster" && checkName("name", name) == nil:
		return resource{cluster: name}, nil
	case kind == "addon" && len(parts) == 3:
		return resource{cluster: parts[0], addon: parts[1], id: parts[2]}, nil
	case kind == "nodegroup" && len(parts) == 3:
		return resource{cluster: parts[0], nodegroup: parts[1], id: parts[2]}, nil
	case kind == "access-entry" && len(parts) == 5:
		// The ARN does not tell the principal's path: the id finds it.
		for e := range s.entriesOf(parts[0]) {
			if e.ID == parts[4] && s.entryARN(e.Cluster, e.Principal.ARN) == *arn {
				return resource{cluster: e.Cluster, entry: e.Principal.ARN, id: e.ID}, nil
			}
		}
	case kind == "podidentityassociation" && len(parts) == 2:
		return resource{cluster: parts[0], association: parts[1]}, nil
	}
	return resource{}, noResource(arn)
}

func badRequest(message string) error {
	return &types.BadRequestException{Message: &message}
}

func noResource(arn *string) error {
	return &types.NotFoundException{Message: aws.String("The specified resource could not be found: " + aws.ToString(arn))}
}
