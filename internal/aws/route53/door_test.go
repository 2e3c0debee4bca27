package route53_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/eksact/eksact/internal/aws/doortest"
	ours "github.com/eksact/eksact/internal/aws/route53"
)

const balancer = "web-0123456789abcdef.us-west-2.elb.amazonaws.com."

// account is Route 53 behind a real front door, for the official SDK's clients.
type account struct {
	*doortest.Door
	ours  *ours.Service
	admin *route53.Client
}

func open(t testing.TB) *account {
	t.Helper()
	base := doortest.New(t)
	s := ours.New(ours.Deps{
		Store: base.Store, Place: doortest.Place, Now: time.Now,
		VPC: func(id string) bool { return id == "vpc-1" || id == "vpc-2" },
		Balancer: func(name string) ([]netip.Addr, bool) {
			return []netip.Addr{netip.MustParseAddr("198.18.2.4")}, name == balancer
		},
	})
	a := &account{Door: base.Open(t, s.Service()), ours: s}
	a.admin = route53.NewFromConfig(a.Admin)
	return a
}

// zone makes a hosted zone, private for the VPCs given.
func (a *account) zone(t testing.TB, name string, vpcs ...string) string {
	t.Helper()
	in := &route53.CreateHostedZoneInput{Name: &name, CallerReference: aws.String(t.Name() + name + strings.Join(vpcs, ","))}
	if len(vpcs) > 0 {
		in.VPC = vpc(vpcs[0])
	}
	out, err := a.admin.CreateHostedZone(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vpcs[min(1, len(vpcs)):] {
		doortest.Must(t)(a.admin.AssociateVPCWithHostedZone(t.Context(), &route53.AssociateVPCWithHostedZoneInput{HostedZoneId: out.HostedZone.Id, VPC: vpc(v)}))
	}
	return *out.HostedZone.Id
}

func vpc(id string) *types.VPC { return &types.VPC{VPCId: &id, VPCRegion: types.VPCRegionUsWest2} }

func set(name, kind string, ttl int64, values ...string) *types.ResourceRecordSet {
	s := &types.ResourceRecordSet{Name: &name, Type: types.RRType(kind), TTL: &ttl}
	for _, v := range values {
		s.ResourceRecords = append(s.ResourceRecords, types.ResourceRecord{Value: aws.String(v)})
	}
	return s
}

func alias(name, kind, zone, target string) *types.ResourceRecordSet {
	return &types.ResourceRecordSet{Name: &name, Type: types.RRType(kind), AliasTarget: &types.AliasTarget{HostedZoneId: &zone, DNSName: &target}}
}

func create(s *types.ResourceRecordSet) types.Change { return change("CREATE", s) }
func upsert(s *types.ResourceRecordSet) types.Change { return change("UPSERT", s) }
func remove(s *types.ResourceRecordSet) types.Change { return change("DELETE", s) }

func change(action string, s *types.ResourceRecordSet) types.Change {
	return types.Change{Action: types.ChangeAction(action), ResourceRecordSet: s}
}

func (a *account) change(t testing.TB, zone string, changes ...types.Change) error {
	t.Helper()
	out, err := a.admin.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: &zone, ChangeBatch: &types.ChangeBatch{Changes: changes}})
	if err == nil && (out.ChangeInfo.Status != types.ChangeStatusPending || !strings.HasPrefix(*out.ChangeInfo.Id, "/change/C")) {
		t.Errorf("answered %+v", out.ChangeInfo)
	}
	return err
}

func (a *account) must(t testing.TB, zone string, changes ...types.Change) {
	t.Helper()
	if err := a.change(t, zone, changes...); err != nil {
		t.Fatal(err)
	}
}

// names lists a zone's record sets as "NAME TYPE".
func (a *account) names(t testing.TB, zone string, pages func(*route53.ListResourceRecordSetsInput)) []string {
	t.Helper()
	in := &route53.ListResourceRecordSetsInput{HostedZoneId: &zone}
	if pages != nil {
		pages(in)
	}
	var all []string
	for p := route53.NewListResourceRecordSetsPaginator(a.admin, in); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range out.ResourceRecordSets {
			all = append(all, *s.Name+" "+string(s.Type))
		}
	}
	return all
}
