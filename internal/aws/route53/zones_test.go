package route53_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/eksact/eksact/internal/aws/doortest"
)

func TestZones(t *testing.T) {
	a := open(t)
	ctx := t.Context()
	in := &route53.CreateHostedZoneInput{Name: aws.String("Example.com"), CallerReference: aws.String("1"), HostedZoneConfig: &types.HostedZoneConfig{Comment: aws.String("mine")}}
	made, err := a.admin.CreateHostedZone(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	z := made.HostedZone
	if *z.Name != "example.com." || z.Config.PrivateZone || *z.Config.Comment != "mine" || *z.ResourceRecordSetCount != 2 || len(made.DelegationSet.NameServers) != 4 ||
		!strings.HasPrefix(*z.Id, "/hostedzone/Z") || !strings.HasSuffix(*made.Location, strings.TrimPrefix(*z.Id, "/")) {
		t.Errorf("%+v %+v", made, z)
	}
	if got := a.names(t, *z.Id, nil); !slices.Equal(got, []string{"example.com. NS", "example.com. SOA"}) {
		t.Errorf("it begins with %v", got)
	}
	_, err = a.admin.CreateHostedZone(ctx, in)
	doortest.Refused(t, err, "HostedZoneAlreadyExists", "A hosted zone has already been created with the specified caller reference.")

	inSync := route53.NewResourceRecordSetsChangedWaiter(a.admin)
	if err := inSync.Wait(ctx, &route53.GetChangeInput{Id: made.ChangeInfo.Id}, time.Minute); err != nil {
		t.Error(err)
	}
	_, err = a.admin.GetChange(ctx, &route53.GetChangeInput{Id: aws.String("C1")})
	doortest.Refused(t, err, "NoSuchChange", "Could not find resource with ID: C1")

	private := a.zone(t, "example.com", "vpc-1")
	got, err := a.admin.GetHostedZone(ctx, &route53.GetHostedZoneInput{Id: &private})
	if err != nil || !got.HostedZone.Config.PrivateZone || got.DelegationSet != nil || len(got.VPCs) != 1 || *got.VPCs[0].VPCId != "vpc-1" {
		t.Errorf("%+v, %v", got, err)
	}
	count, err := a.admin.GetHostedZoneCount(ctx, &route53.GetHostedZoneCountInput{})
	if err != nil || *count.HostedZoneCount != 2 {
		t.Errorf("%+v, %v", count, err)
	}

	doortest.Must(t)(a.admin.UpdateHostedZoneComment(ctx, &route53.UpdateHostedZoneCommentInput{Id: &private, Comment: aws.String("hidden")}))
	a.must(t, private, create(set("www.example.com", "A", 60, "10.0.0.1")))
	_, err = a.admin.DeleteHostedZone(ctx, &route53.DeleteHostedZoneInput{Id: &private})
	doortest.Refused(t, err, "HostedZoneNotEmpty", "The specified hosted zone contains non-required resource record sets and so cannot be deleted.")
	a.must(t, private, remove(set("www.example.com", "A", 60, "10.0.0.1")))
	doortest.Must(t)(a.admin.DeleteHostedZone(ctx, &route53.DeleteHostedZoneInput{Id: &private}))
	_, err = a.admin.GetHostedZone(ctx, &route53.GetHostedZoneInput{Id: &private})
	doortest.Refused(t, err, "NoSuchHostedZone", "No hosted zone found with ID: "+strings.TrimPrefix(private, "/hostedzone/"))

	for name, code := range map[string]string{"a..b": "InvalidDomainName", "exa mple": "InvalidDomainName", strings.Repeat("a", 64) + ".com": "InvalidDomainName"} {
		_, err := a.admin.CreateHostedZone(ctx, &route53.CreateHostedZoneInput{Name: &name, CallerReference: &name})
		doortest.Refused(t, err, code, name+" is not a valid domain name")
	}
	_, err = a.admin.CreateHostedZone(ctx, &route53.CreateHostedZoneInput{Name: aws.String("x."), CallerReference: aws.String("x"), VPC: vpc("vpc-9")})
	doortest.Refused(t, err, "InvalidVPCId", "The VPC: vpc-9 in region us-west-2 that you provided is not authorized to make the association.")
}

func TestZonesOfVPCs(t *testing.T) {
	a := open(t)
	ctx := t.Context()
	one := a.zone(t, "internal", "vpc-1")
	_, err := a.admin.DisassociateVPCFromHostedZone(ctx, &route53.DisassociateVPCFromHostedZoneInput{HostedZoneId: &one, VPC: vpc("vpc-1")})
	doortest.Refused(t, err, "LastVPCAssociation", "Cannot remove last VPC association for the private zone")
	two := a.zone(t, "internal", "vpc-2")
	_, err = a.admin.AssociateVPCWithHostedZone(ctx, &route53.AssociateVPCWithHostedZoneInput{HostedZoneId: &two, VPC: vpc("vpc-1")})
	doortest.Refused(t, err, "ConflictingDomainExists",
		"The VPC vpc-1 in region us-west-2 has already been associated with the hosted zone "+strings.TrimPrefix(one, "/hostedzone/")+" with the same domain name.")
	public := a.zone(t, "example.com")
	_, err = a.admin.AssociateVPCWithHostedZone(ctx, &route53.AssociateVPCWithHostedZoneInput{HostedZoneId: &public, VPC: vpc("vpc-1")})
	doortest.Refused(t, err, "PublicZoneVPCAssociation", "associate a VPC with a public hosted zone")

	both := a.zone(t, "shared", "vpc-1", "vpc-2")
	list := func() []string {
		var names []string
		in := &route53.ListHostedZonesByVPCInput{VPCId: aws.String("vpc-1"), VPCRegion: types.VPCRegionUsWest2, MaxItems: aws.Int32(1)}
		for {
			out, err := a.admin.ListHostedZonesByVPC(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			for _, z := range out.HostedZoneSummaries {
				names = append(names, *z.Name)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				slices.Sort(names)
				return names
			}
		}
	}
	if got := list(); !slices.Equal(got, []string{"internal.", "shared."}) {
		t.Errorf("vpc-1 sees %v", got)
	}
	doortest.Must(t)(a.admin.DisassociateVPCFromHostedZone(ctx, &route53.DisassociateVPCFromHostedZoneInput{HostedZoneId: &both, VPC: vpc("vpc-1")}))
	if got := list(); !slices.Equal(got, []string{"internal."}) {
		t.Errorf("then vpc-1 sees %v", got)
	}
}

func TestListsOfZones(t *testing.T) {
	a := open(t)
	for _, name := range []string{"b.example.com", "example.org", "example.com", "a.example.com", "com"} {
		a.zone(t, name)
	}
	n := 0
	for p := route53.NewListHostedZonesPaginator(a.admin, &route53.ListHostedZonesInput{MaxItems: aws.Int32(2)}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n += len(out.HostedZones)
	}
	if n != 5 {
		t.Errorf("%d zones are listed", n)
	}
	var names []string
	in := &route53.ListHostedZonesByNameInput{DNSName: aws.String("a.example.com"), MaxItems: aws.Int32(2)}
	for {
		out, err := a.admin.ListHostedZonesByName(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, z := range out.HostedZones {
			names = append(names, *z.Name)
		}
		if !out.IsTruncated {
			break
		}
		in.DNSName, in.HostedZoneId = out.NextDNSName, out.NextHostedZoneId
	}
	if !slices.Equal(names, []string{"a.example.com.", "b.example.com.", "example.org."}) {
		t.Errorf("by name: %v", names)
	}
}

func TestTags(t *testing.T) {
	a := open(t)
	id := strings.TrimPrefix(a.zone(t, "example.com"), "/hostedzone/")
	doortest.Must(t)(a.admin.ChangeTagsForResource(t.Context(), &route53.ChangeTagsForResourceInput{ResourceType: "hostedzone", ResourceId: &id,
		AddTags: []types.Tag{{Key: aws.String("team"), Value: aws.String("net")}, {Key: aws.String("b"), Value: aws.String("")}}}))
	doortest.Must(t)(a.admin.ChangeTagsForResource(t.Context(), &route53.ChangeTagsForResourceInput{ResourceType: "hostedzone", ResourceId: &id, RemoveTagKeys: []string{"b"}}))
	out, err := a.admin.ListTagsForResources(t.Context(), &route53.ListTagsForResourcesInput{ResourceType: "hostedzone", ResourceIds: []string{id}})
	if err != nil || len(out.ResourceTagSets) != 1 || len(out.ResourceTagSets[0].Tags) != 1 || *out.ResourceTagSets[0].Tags[0].Value != "net" {
		t.Errorf("%+v, %v", out, err)
	}

	// Tags, records' types and names are condition keys.
	carol := route53.NewFromConfig(a.User(t, "carol", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"route53:ListResourceRecordSets","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"net"}}},
		{"Effect":"Allow","Action":"route53:ChangeResourceRecordSets","Resource":"arn:aws:route53:::hostedzone/`+id+`","Condition":{
			"ForAllValues:StringEquals":{"route53:ChangeResourceRecordSetsRecordTypes":["TXT"],"route53:ChangeResourceRecordSetsActions":["CREATE"]},
			"ForAllValues:StringLike":{"route53:ChangeResourceRecordSetsNormalizedRecordNames":["_acme-challenge.*"]}}}]}`))
	as := func(s *types.ResourceRecordSet, action types.ChangeAction) error {
		_, err := carol.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: &id,
			ChangeBatch: &types.ChangeBatch{Changes: []types.Change{{Action: action, ResourceRecordSet: s}}}})
		return err
	}
	challenge := set("_ACME-challenge.example.com", "TXT", 60, `"x"`)
	if err := as(challenge, "CREATE"); err != nil {
		t.Error(err)
	}
	doortest.Refused(t, as(challenge, "DELETE"), "AccessDenied", "route53:ChangeResourceRecordSets")
	doortest.Refused(t, as(set("www.example.com", "TXT", 60, `"x"`), "CREATE"), "AccessDenied", "route53:ChangeResourceRecordSets")
	doortest.Must(t)(carol.ListResourceRecordSets(t.Context(), &route53.ListResourceRecordSetsInput{HostedZoneId: &id}))
	other := a.zone(t, "other")
	_, err = carol.ListResourceRecordSets(t.Context(), &route53.ListResourceRecordSetsInput{HostedZoneId: &other})
	doortest.Refused(t, err, "AccessDenied", "route53:ListResourceRecordSets")
}
