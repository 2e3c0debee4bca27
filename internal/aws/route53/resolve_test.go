package route53_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/miekg/dns"

	"github.com/eksact/eksact/internal/aws/doortest"
)

func TestResolve(t *testing.T) {
	a := open(t)
	public, private, deep := a.zone(t, "example.com"), a.zone(t, "example.com", "vpc-1"), a.zone(t, "deep.example.com", "vpc-1")
	hidden := a.zone(t, "internal", "vpc-2")
	id := func(zone string) string { return strings.TrimPrefix(zone, "/hostedzone/") }
	a.must(t, public,
		create(set("www.example.com", "A", 60, "198.18.2.9")),
		create(set("*.example.com", "A", 60, "198.18.2.1")),
		create(set("a.b.example.com", "TXT", 60, `"caf\303\251"`)),
		create(alias("lb.example.com", "A", "Z1H1FL5HABSF5", balancer)),
		create(alias("dual.example.com", "A", "Z1H1FL5HABSF5", "dualstack."+balancer)),
		create(alias("same.example.com", "A", id(public), "www.example.com")),
		create(set("cname.example.com", "CNAME", 60, balancer)),
	)
	a.must(t, private, create(set("www.example.com", "A", 60, "10.0.0.9")))
	a.must(t, deep, create(set("x.deep.example.com", "A", 60, "10.0.0.7")))
	a.must(t, hidden, create(set("x.internal", "A", 60, "10.0.0.5")))

	for _, test := range []struct {
		vpc, name string
		kind      uint16
		want      string // data, a target, or a status
	}{
		{"", "www.example.com.", dns.TypeA, "198.18.2.9"},
		{"", "www.example.com.", dns.TypeAAAA, "NOERROR"},
		{"", "else.example.com.", dns.TypeA, "198.18.2.1"},
		{"", "else.more.example.com.", dns.TypeA, "198.18.2.1"},
		{"", "else.www.example.com.", dns.TypeA, "NXDOMAIN"}, // the nearest name that exists has no wildcard below
		{"", "b.example.com.", dns.TypeA, "NOERROR"},         // it exists, for a name below it does
		{"", "a.b.example.com.", dns.TypeTXT, `"caf\195\169"`},
		{"", "lb.example.com.", dns.TypeA, "-> " + balancer},
		{"", "dual.example.com.", dns.TypeA, "-> " + balancer},
		{"", "same.example.com.", dns.TypeA, "-> www.example.com."},
		{"", "lb.example.com.", dns.TypeTXT, "NOERROR"},
		{"", "cname.example.com.", dns.TypeA, balancer},
		{"", "x.internal.", dns.TypeA, "no zone"},
		{"vpc-1", "www.example.com.", dns.TypeA, "10.0.0.9"},
		{"vpc-1", "lb.example.com.", dns.TypeA, "NXDOMAIN"}, // a private zone hides the public one of its name
		{"vpc-1", "x.deep.example.com.", dns.TypeA, "10.0.0.7"},
		{"vpc-1", "www.deep.example.com.", dns.TypeA, "NXDOMAIN"},
		{"vpc-1", "x.internal.", dns.TypeA, "no zone"},
		{"vpc-2", "x.internal.", dns.TypeA, "10.0.0.5"},
	} {
		if got := lookup(a, test.vpc, test.name, test.kind); got != test.want {
			t.Errorf("%q %s %s: %s, want %s", test.vpc, test.name, dns.TypeToString[test.kind], got, test.want)
		}
	}
	a.must(t, private, upsert(set("www.example.com", "A", 60, "10.0.0.10")))
	if got := lookup(a, "vpc-1", "www.example.com.", dns.TypeA); got != "10.0.0.10" {
		t.Errorf("after a change: %s", got)
	}

	answer := func(name string) *route53.TestDNSAnswerOutput {
		out, err := a.admin.TestDNSAnswer(t.Context(), &route53.TestDNSAnswerInput{HostedZoneId: &public, RecordName: &name, RecordType: "A"})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := answer("same.example.com"); *out.ResponseCode != "NOERROR" || !slices.Equal(out.RecordData, []string{"198.18.2.9"}) {
		t.Errorf("%+v", out)
	}
	if out := answer("lb.example.com"); !slices.Equal(out.RecordData, []string{"198.18.2.4"}) {
		t.Errorf("%+v", out)
	}
	if out := answer("else.www.example.com"); *out.ResponseCode != "NXDOMAIN" || len(out.RecordData) != 0 {
		t.Errorf("%+v", out)
	}
	_, err := a.admin.TestDNSAnswer(t.Context(), &route53.TestDNSAnswerInput{HostedZoneId: &private, RecordName: &public, RecordType: "A"})
	doortest.Refused(t, err, "InvalidInput", "TestDNSAnswer is not supported for private hosted zones.")
}

func lookup(a *account, vpc, name string, kind uint16) string {
	z, ok := a.ours.Find(name, vpc)
	if !ok {
		return "no zone"
	}
	rrs, target, exists := z.Lookup(name, kind)
	switch {
	case target != "":
		return "-> " + target
	case !exists:
		return "NXDOMAIN"
	case len(rrs) == 0:
		return "NOERROR"
	}
	var data []string
	for _, rr := range rrs {
		data = append(data, strings.Join(strings.Split(rr.String(), "\t")[4:], " "))
	}
	return strings.Join(data, " ")
}
