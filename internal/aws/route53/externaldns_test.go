package route53_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/eksact/eksact/internal/aws/doortest"
)

// The calls of external-dns v0.21 with its TXT registry, as recorded: it lists zones,
// their tags and records, makes aliases of both families for a load balancer with a TXT
// record each that says whose they are, and deletes exactly what it has read.
func TestExternalDNS(t *testing.T) {
	a := open(t)
	ctx := t.Context()
	zone := a.zone(t, "example.com")
	zones, err := a.admin.ListHostedZones(ctx, &route53.ListHostedZonesInput{})
	if err != nil || len(zones.HostedZones) != 1 || *zones.HostedZones[0].Id != zone {
		t.Fatalf("%+v, %v", zones, err)
	}
	owner := `"heritage=external-dns,external-dns/owner=me,external-dns/resource=service/default/nginx"`
	a.must(t, zone,
		create(alias("www.example.com", "A", "Z1H1FL5HABSF5", balancer)), create(alias("www.example.com", "AAAA", "Z1H1FL5HABSF5", balancer)),
		create(set("cname-www.example.com", "TXT", 300, owner)), create(set("aaaa-www.example.com", "TXT", 300, owner)),
		create(set("*.x.example.com", "A", 300, "198.18.2.8")), create(set("a-*.x.example.com", "TXT", 300, owner)),
	)
	list := func() (all []types.ResourceRecordSet) {
		for p := route53.NewListResourceRecordSetsPaginator(a.admin, &route53.ListResourceRecordSetsInput{HostedZoneId: &zone, MaxItems: aws.Int32(300)}); p.HasMorePages(); {
			out, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range out.ResourceRecordSets {
				if s.Type != "NS" && s.Type != "SOA" {
					all = append(all, s)
				}
			}
		}
		return all
	}
	have := list()
	if i := slices.IndexFunc(have, func(s types.ResourceRecordSet) bool { return s.Type == "AAAA" }); i < 0 || *have[i].AliasTarget.DNSName != balancer || have[i].TTL != nil {
		t.Errorf("listed %+v", have)
	}
	var gone []types.Change
	for _, s := range have {
		gone = append(gone, remove(&s))
	}
	a.must(t, zone, gone...)
	if left := list(); len(left) != 0 {
		t.Errorf("left %+v", left)
	}
	doortest.Must(t)(a.admin.DeleteHostedZone(ctx, &route53.DeleteHostedZoneInput{Id: &zone}))
}
