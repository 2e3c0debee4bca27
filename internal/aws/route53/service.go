package route53

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// Deps is what a Service is made of.
type Deps struct {
	Store *store.Store
	Place api.Place
	Now   func() time.Time
	// VPC says whether there is a VPC of that id.
	VPC func(id string) bool
	// Balancer are a load balancer's addresses, if the name, with its final dot, is one's.
	Balancer func(name string) (addrs []netip.Addr, ok bool)
}

// Service answers the Route 53 API and knows the zones.
type Service struct {
	Deps
	zones   *store.Table[Zone] // by id
	sets    *store.Table[Set]  // by setKey
	changes *store.Table[Change]
	index   atomic.Pointer[index]
}

// New makes the service. Its tables are registered in d.Store, which is loaded
// afterwards.
func New(d Deps) *Service {
	s := &Service{
		Deps:    d,
		zones:   store.NewTable[Zone](d.Store, "route53/zone"),
		sets:    store.NewTable[Set](d.Store, "route53/set"),
		changes: store.NewTable[Change](d.Store, "route53/change"),
	}
	s.index.Store(&index{})
	s.zones.Watch(func(_ string, old, new *Zone) { s.index.Store(s.index.Load().with(old, new)) })
	return s
}

// Service lists the operations for the front door.
func (s *Service) Service() *api.Service {
	svc := &api.Service{ID: "route53", Action: "route53", Resource: s.ofResource}
	api.Add(svc, "CreateHostedZone", s.CreateHostedZone, nil)
	api.Add(svc, "GetHostedZone", s.GetHostedZone, func(_ context.Context, in *route53.GetHostedZoneInput) []string { return s.zoneARN(in.Id) })
	api.Add(svc, "GetHostedZoneCount", s.GetHostedZoneCount, nil)
	api.Add(svc, "ListHostedZones", s.ListHostedZones, nil)
	api.Add(svc, "ListHostedZonesByName", s.ListHostedZonesByName, nil)
	api.Add(svc, "ListHostedZonesByVPC", s.ListHostedZonesByVPC, nil)
	api.Add(svc, "UpdateHostedZoneComment", s.UpdateHostedZoneComment, func(_ context.Context, in *route53.UpdateHostedZoneCommentInput) []string { return s.zoneARN(in.Id) })
	api.Add(svc, "DeleteHostedZone", s.DeleteHostedZone, func(_ context.Context, in *route53.DeleteHostedZoneInput) []string { return s.zoneARN(in.Id) })
	api.Add(svc, "AssociateVPCWithHostedZone", s.AssociateVPCWithHostedZone, func(_ context.Context, in *route53.AssociateVPCWithHostedZoneInput) []string {
		return s.zoneARN(in.HostedZoneId)
	})
	api.Add(svc, "DisassociateVPCFromHostedZone", s.DisassociateVPCFromHostedZone, func(_ context.Context, in *route53.DisassociateVPCFromHostedZoneInput) []string {
		return s.zoneARN(in.HostedZoneId)
	})
	api.Add(svc, "ChangeResourceRecordSets", s.ChangeResourceRecordSets, func(_ context.Context, in *route53.ChangeResourceRecordSetsInput) []string {
		return s.zoneARN(in.HostedZoneId)
	})
	api.Add(svc, "ListResourceRecordSets", s.ListResourceRecordSets, func(_ context.Context, in *route53.ListResourceRecordSetsInput) []string {
		return s.zoneARN(in.HostedZoneId)
	})
	api.Add(svc, "GetChange", s.GetChange, func(_ context.Context, in *route53.GetChangeInput) []string { return s.arn("change", in.Id) })
	api.Add(svc, "ChangeTagsForResource", s.ChangeTagsForResource, func(_ context.Context, in *route53.ChangeTagsForResourceInput) []string {
		return s.taggedARN(in.ResourceType, in.ResourceId)
	})
	api.Add(svc, "ListTagsForResource", s.ListTagsForResource, func(_ context.Context, in *route53.ListTagsForResourceInput) []string {
		return s.taggedARN(in.ResourceType, in.ResourceId)
	})
	api.Add(svc, "ListTagsForResources", s.ListTagsForResources, func(_ context.Context, in *route53.ListTagsForResourcesInput) []string {
		var all []string
		for _, id := range in.ResourceIds {
			all = append(all, s.taggedARN(in.ResourceType, &id)...)
		}
		return all
	})
	api.Add(svc, "TestDNSAnswer", s.TestDNSAnswer, nil)
	s.addKeys(svc)
	addNeeds(svc)
	return svc
}

func (s *Service) zoneARN(id *string) []string { return s.arn("hostedzone", id) }

func (s *Service) taggedARN(kind types.TagResourceType, id *string) []string {
	if kind == types.TagResourceTypeHealthcheck {
		return s.arn("healthcheck", id)
	}
	return s.arn("hostedzone", id)
}

func (s *Service) arn(kind string, id *string) []string {
	if aws.ToString(id) == "" {
		return nil
	}
	return []string{"arn:" + s.Place.Partition + ":route53:::" + kind + "/" + bare(*id)}
}

// bare is an id without the path that answers give it: /hostedzone/Z1 and Z1 are one.
func bare(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// addKeys registers the condition keys of changes and of VPCs.
// https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-conditions-route53.html
func (s *Service) addKeys(svc *api.Service) {
	api.WithKeys(svc, "ChangeResourceRecordSets", func(_ context.Context, in *route53.ChangeResourceRecordSetsInput, key string) policy.Values {
		var all []string
		if in.ChangeBatch == nil {
			return policy.Values{}
		}
		for _, c := range in.ChangeBatch.Changes {
			set := c.ResourceRecordSet
			if set == nil {
				continue
			}
			switch key {
			case "route53:changeresourcerecordsetsactions":
				all = append(all, string(c.Action))
			case "route53:changeresourcerecordsetsrecordtypes":
				all = append(all, string(set.Type))
			case "route53:changeresourcerecordsetsnormalizedrecordnames":
				name := strings.ToLower(aws.ToString(set.Name))
				if normal, ok := normalize(name); ok {
					name = normal
				}
				all = append(all, strings.TrimSuffix(name, "."))
			}
		}
		return policy.Many(all)
	})
	api.WithKeys(svc, "CreateHostedZone", func(_ context.Context, in *route53.CreateHostedZoneInput, key string) policy.Values {
		return vpcKey(in.VPC, key)
	})
	api.WithKeys(svc, "AssociateVPCWithHostedZone", func(_ context.Context, in *route53.AssociateVPCWithHostedZoneInput, key string) policy.Values {
		return vpcKey(in.VPC, key)
	})
	api.WithKeys(svc, "DisassociateVPCFromHostedZone", func(_ context.Context, in *route53.DisassociateVPCFromHostedZoneInput, key string) policy.Values {
		return vpcKey(in.VPC, key)
	})
	api.WithKeys(svc, "ListHostedZonesByVPC", func(_ context.Context, in *route53.ListHostedZonesByVPCInput, key string) policy.Values {
		return vpcKey(vpcAsked(in), key)
	})
}

func vpcAsked(in *route53.ListHostedZonesByVPCInput) *types.VPC {
	if in.VPCId == nil {
		return nil
	}
	return &types.VPC{VPCId: in.VPCId, VPCRegion: in.VPCRegion}
}

// addNeeds: who names a VPC must be allowed to see VPCs.
func addNeeds(svc *api.Service) {
	see := func(v *types.VPC) []api.Need {
		if v == nil {
			return nil
		}
		return []api.Need{{Action: "ec2:DescribeVpcs", Resources: []string{"*"}}}
	}
	api.WithNeeds(svc, "CreateHostedZone", func(_ context.Context, in *route53.CreateHostedZoneInput) []api.Need { return see(in.VPC) })
	api.WithNeeds(svc, "AssociateVPCWithHostedZone", func(_ context.Context, in *route53.AssociateVPCWithHostedZoneInput) []api.Need { return see(in.VPC) })
	api.WithNeeds(svc, "DisassociateVPCFromHostedZone", func(_ context.Context, in *route53.DisassociateVPCFromHostedZoneInput) []api.Need { return see(in.VPC) })
	api.WithNeeds(svc, "ListHostedZonesByVPC", func(_ context.Context, in *route53.ListHostedZonesByVPCInput) []api.Need {
		return see(vpcAsked(in))
	})
}

func vpcKey(v *types.VPC, key string) policy.Values {
	if key != "route53:vpcs" || v == nil {
		return policy.Values{}
	}
	return policy.One("VPCId=" + aws.ToString(v.VPCId) + ",VPCRegion=" + string(v.VPCRegion))
}

// ofResource answers for the condition keys of a hosted zone: its tags.
func (s *Service) ofResource(arn, key string) policy.Values {
	tag, isTag := strings.CutPrefix(key, "aws:resourcetag/")
	z, _ := s.zones.Get(bare(arn))
	if !isTag {
		return policy.Values{}
	}
	return api.TagValue(z.Tags, tag)
}

// newID draws an id as Route 53 writes them: a letter and twenty of letters and digits.
func newID(letter string) string {
	limit := new(big.Int).Exp(big.NewInt(36), big.NewInt(20), nil)
	n, _ := rand.Int(rand.Reader, limit) // never fails (crypto/rand)
	return letter + fmt.Sprintf("%020s", strings.ToUpper(n.Text(36)))
}

// note records a change, which is in force with the transaction that makes it. Those
// of more than a day ago are forgotten.
func (s *Service) note(tx *store.Tx, comment string) *types.ChangeInfo {
	now := s.Now().UTC()
	for id, old := range s.changes.In(tx).List("") {
		if now.Sub(old.At) > 24*time.Hour {
			s.changes.In(tx).Delete(id)
		}
	}
	c := Change{ID: newID("C"), At: now, Comment: comment}
	s.changes.In(tx).Put(c.ID, c)
	return c.view(types.ChangeStatusPending)
}

func (c Change) view(status types.ChangeStatus) *types.ChangeInfo {
	v := &types.ChangeInfo{Id: aws.String("/change/" + c.ID), Status: status, SubmittedAt: aws.Time(c.At)}
	if c.Comment != "" {
		v.Comment = aws.String(c.Comment)
	}
	return v
}

// GetChange shows a change, which is always INSYNC.
func (s *Service) GetChange(_ context.Context, in *route53.GetChangeInput) (*route53.GetChangeOutput, error) {
	c, ok := s.changes.Get(bare(aws.ToString(in.Id)))
	if !ok {
		return nil, &types.NoSuchChange{Message: aws.String("Could not find resource with ID: " + bare(aws.ToString(in.Id)))}
	}
	return &route53.GetChangeOutput{ChangeInfo: c.view(types.ChangeStatusInsync)}, nil
}
