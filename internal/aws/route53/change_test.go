package route53_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/eksact/eksact/internal/aws/doortest"
)

func TestChanges(t *testing.T) {
	a := open(t)
	z := a.zone(t, "example.com")
	a.must(t, z,
		create(set("WWW.example.com", "A", 60, "1.2.3.4", "1.2.3.5")),
		create(set("*.example.com", "CNAME", 300, "www.example.com")),
		create(set("example.com", "MX", 60, "10 mail.example.com.")),
		create(set("a-b.example.com", "TXT", 60, `"hello" "w\157rld"`)),
		create(set("a.example.com", "AAAA", 60, "2001:db8::1")),
		create(set("_xmpp._tcp.example.com", "SRV", 60, "1 10 5269 www.example.com.")),
		create(set("example.com", "CAA", 60, `0 issue "ca.example.net"`)),
		create(set("b.a.example.com", "A", 60, "1.1.1.1")),
	)
	want := []string{
		`\052.example.com. CNAME`, "_xmpp._tcp.example.com. SRV", "a-b.example.com. TXT", "a.example.com. AAAA", "b.a.example.com. A",
		"example.com. CAA", "example.com. MX", "example.com. NS", "example.com. SOA", "www.example.com. A",
	}
	got := a.names(t, z, nil)
	if slices.Sort(want); !slices.Equal(sorted(got), want) {
		t.Errorf("listed %v", got)
	}
	// By the labels from the right: the zone first, a-b before a.
	order := []string{"example.com. CAA", "example.com. MX", "example.com. NS", "example.com. SOA", `\052.example.com. CNAME`, "_xmpp._tcp.example.com. SRV",
		"a-b.example.com. TXT", "a.example.com. AAAA", "b.a.example.com. A", "www.example.com. A"}
	if !slices.Equal(got, order) {
		t.Errorf("in the order %v", got)
	}
	small := func(in *route53.ListResourceRecordSetsInput) { in.MaxItems = aws.Int32(3) }
	if pages := a.names(t, z, small); !slices.Equal(pages, order) {
		t.Errorf("by pages: %v", pages)
	}
	from := func(in *route53.ListResourceRecordSetsInput) {
		in.StartRecordName, in.StartRecordType = aws.String("example.com"), types.RRTypeNs
	}
	if got := a.names(t, z, from); !slices.Equal(got, order[2:]) {
		t.Errorf("from the NS on: %v", got)
	}

	// A batch is whole or nothing.
	err := a.change(t, z, upsert(set("www.example.com", "A", 60, "9.9.9.9")), create(set("a.example.com", "AAAA", 60, "2001:db8::2")))
	doortest.Refused(t, err, "InvalidChangeBatch", "[Tried to create resource record set [name='a.example.com.', type='AAAA'] but it already exists]")
	out, err := a.admin.ListResourceRecordSets(t.Context(), &route53.ListResourceRecordSetsInput{HostedZoneId: &z, StartRecordName: aws.String("www.example.com"), StartRecordType: "A"})
	if err != nil || *out.ResourceRecordSets[0].ResourceRecords[0].Value != "1.2.3.4" || *out.ResourceRecordSets[0].TTL != 60 {
		t.Errorf("after a refused batch: %+v, %v", out, err)
	}
	a.must(t, z, remove(set("www.example.com", "A", 60, "1.2.3.5", "1.2.3.4")), create(set("www.example.com", "CNAME", 60, "a.example.com")))
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

func TestChangesAreRefused(t *testing.T) {
	a := open(t)
	z := a.zone(t, "example.com")
	id := strings.TrimPrefix(z, "/hostedzone/")
	a.must(t, z, create(set("www.example.com", "A", 60, "1.2.3.4")), create(set("c.example.com", "CNAME", 60, "www.example.com")))
	invalid := func(text string) string { return "[Invalid Resource Record: 'FATAL problem: " + text + "']" }
	for _, test := range []struct {
		change types.Change
		want   string
	}{
		{remove(set("x.example.com", "A", 60, "1.2.3.4")), "[Tried to delete resource record set [name='x.example.com.', type='A'] but it was not found]"},
		{remove(set("www.example.com", "A", 61, "1.2.3.4")), "[Tried to delete resource record set [name='www.example.com.', type='A'] but the values provided do not match the current values]"},
		{create(set("www.example.org", "A", 60, "1.2.3.4")), "[RRSet with DNS name www.example.org. is not permitted in zone example.com.]"},
		{create(set("example.com", "CNAME", 60, "x.org")), "[RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com.]"},
		{create(set("www.example.com", "CNAME", 60, "x.org")), "[RRSet of type CNAME with DNS name www.example.com. is not permitted as it conflicts with other records with the same DNS name in zone example.com.]"},
		{create(set("c.example.com", "A", 60, "1.2.3.4")), "[RRSet of type A with DNS name c.example.com. is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone example.com.]"},
		{create(set("d.example.com", "A", 60, "1.2.3")), invalid("ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with '1.2.3'")},
		{create(set("d.example.com", "AAAA", 60, "1.2.3.4")), invalid("AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address) encountered with '1.2.3.4'")},
		{create(set("d.example.com", "TXT", 60, "two words")), invalid("InvalidCharacterString (Value should be enclosed in quotation marks) encountered with 'two words'")},
		{create(set("d.example.com", "TXT", 60, "word")), invalid("InvalidCharacterString (Value should be enclosed in quotation marks) encountered with 'word'")},
		{create(set("d.example.com", "TXT", 60, `"`+strings.Repeat("x", 256)+`"`)), invalid(`CharacterStringTooLong (Value is too long) encountered with '"` + strings.Repeat("x", 256) + `"'`)},
		{create(set("d.example.com", "A", 60, "1.2.3.4", "1.2.3.4")), "[Duplicate Resource Record: '1.2.3.4']"},
		{create(alias("d.example.com", "A", id, "none.example.com")), "[Tried to create an alias that targets none.example.com., type A in zone " + id + ", but that target was not found]"},
		{create(alias("d.example.com", "A", id, "www.example.org")), "[Tried to create an alias that targets www.example.org., type A in zone " + id + ", but the alias target name does not lie within the target zone]"},
		{create(alias("d.example.com", "A", "Z18D5FSROUN65G", balancer)), "[Tried to create an alias that targets " + balancer + ", type A in zone Z18D5FSROUN65G, but the alias target name does not lie within the target zone]"},
		{create(alias("d.example.com", "A", "Z1H1FL5HABSF5", "gone-1.us-west-2.elb.amazonaws.com")), "[Tried to create an alias that targets gone-1.us-west-2.elb.amazonaws.com., type A in zone Z1H1FL5HABSF5, but that target was not found]"},
	} {
		doortest.Refused(t, a.change(t, z, test.change), "InvalidChangeBatch", test.want)
	}
	weighted := set("d.example.com", "A", 60, "1.2.3.4")
	weighted.Weight, weighted.SetIdentifier = aws.Int64(1), aws.String("one")
	doortest.Refused(t, a.change(t, z, create(weighted)), "InvalidInput", "Weight is not supported by eksact: there is simple routing alone")
	checked := set("d.example.com", "A", 60, "1.2.3.4")
	checked.HealthCheckId = aws.String("h")
	doortest.Refused(t, a.change(t, z, create(checked)), "InvalidInput", "HealthCheckId is not supported by eksact: there are no health checks")
	doortest.Refused(t, a.change(t, z, create(&types.ResourceRecordSet{Name: aws.String("d.example.com"), Type: "A"})), "InvalidInput",
		"Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found none in Change with [Action=CREATE, Name=d.example.com, Type=A, SetIdentifier=null]")

	// The records that a zone begins with can be changed, not taken away.
	out, err := a.admin.ListResourceRecordSets(t.Context(), &route53.ListResourceRecordSetsInput{HostedZoneId: &z})
	if err != nil {
		t.Fatal(err)
	}
	ns, soa := &out.ResourceRecordSets[0], &out.ResourceRecordSets[1]
	doortest.Refused(t, a.change(t, z, remove(ns), remove(soa)), "InvalidChangeBatch",
		"[A HostedZone must contain exactly one SOA record., A HostedZone must contain at least one NS record for the zone itself.]")
	soa.TTL = aws.Int64(60)
	a.must(t, z, upsert(soa))

	var many []types.Change
	for i := range 501 {
		many = append(many, upsert(set(fmt.Sprintf("h%d.example.com", i), "A", 60, "1.2.3.4")))
	}
	doortest.Refused(t, a.change(t, z, many...), "InvalidChangeBatch", "[Number of records limit of 1000 exceeded.]")
	a.must(t, z, many[:500]...)
	if n := len(a.names(t, z, nil)); n != 504 {
		t.Errorf("%d record sets", n)
	}
}
