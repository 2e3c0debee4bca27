package dns

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// zone is a hosted zone with its records in a zone file's form, and aliases.
type zone struct {
	name    string
	records []string
	aliases map[string]string
}

func (z zone) Name() string { return z.name }

func (z zone) SOA() dns.RR {
	rr, _ := dns.NewRR(z.name + " 900 IN SOA ns. host. 1 7200 900 1209600 86400")
	return rr
}

func (z zone) Lookup(name string, kind uint16) (found []dns.RR, target string, exists bool) {
	if target := z.aliases[name]; target != "" {
		return nil, target, true
	}
	for _, text := range z.records {
		rr, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		if rr.Header().Name == name {
			exists = true
			if rr.Header().Rrtype == kind || rr.Header().Rrtype == dns.TypeCNAME {
				found = append(found, rr)
			}
		}
	}
	return found, "", exists
}

// nearest finds a zone as Route 53 does.
func nearest(zones ...zone) func(string) (Hosted, bool) {
	return func(name string) (Hosted, bool) {
		var best Hosted
		for _, z := range zones {
			if dns.IsSubDomain(z.name, name) && (best == nil || len(z.name) > len(best.Name())) {
				best = z
			}
		}
		return best, best != nil
	}
}

// toAnyone shows zones to every address.
func toAnyone(zones func(string) (Hosted, bool)) func(netip.Addr, string) (Hosted, bool) {
	return func(_ netip.Addr, name string) (Hosted, bool) { return zones(name) }
}

func TestHostedZones(t *testing.T) {
	s := New(Config{
		Zones: Zones("us-west-2", netip.MustParsePrefix("10.0.0.0/16")),
		Private: toAnyone(nearest(
			zone{name: "example.com.", records: []string{"www.example.com. 60 IN A 10.0.0.9", "db.example.com. 60 IN CNAME x.internal."}},
			zone{name: "internal.", records: []string{"x.internal. 60 IN A 10.0.0.7", "y.internal. 60 IN CNAME none.internal.", "z.internal. 60 IN CNAME z.internal."},
				aliases: map[string]string{"lb.internal.": "web-1.us-west-2.elb.amazonaws.com.", "loop.internal.": "loop.internal."}},
			zone{name: "amazonaws.com.", records: []string{"ABCD.gr7.us-west-2.eks.amazonaws.com. 60 IN A 1.1.1.1", "s3.us-west-2.amazonaws.com. 60 IN A 10.0.0.3"}},
			zone{name: "s3.eu-west-1.amazonaws.com.", records: []string{"s3.eu-west-1.amazonaws.com. 60 IN A 10.0.0.4"}},
		)),
		Public: nearest(
			zone{name: "example.com.", records: []string{"www.example.com. 60 IN A 198.18.2.9", "only.example.com. 60 IN A 198.18.2.8"}},
			zone{name: "example.org.", records: []string{`example.org. 60 IN TXT "v=spf1 -all"`, "example.org. 60 IN A 198.18.2.7"}},
			zone{name: "us-west-2.compute.internal.", records: []string{"ip-10-0-64-5.us-west-2.compute.internal. 60 IN A 6.6.6.6"}},
		),
	})
	s.SetAddrs("web-1.us-west-2.elb.amazonaws.com", []netip.Addr{netip.MustParseAddr("198.18.2.4"), netip.MustParseAddr("198.18.2.5")}, Inside, Outside)
	s.SetAddrs("abcd.gr7.us-west-2.eks.amazonaws.com", []netip.Addr{netip.MustParseAddr("10.0.64.4")}, Inside)
	s.SetHost("ip-10-0-64-5.us-west-2.compute.internal", netip.MustParseAddr("10.0.64.5"))
	for _, test := range []struct {
		what  string
		view  View
		name  string
		kind  uint16
		want  string // answers' owners and data, sorted by chance: compared as sets
		rcode int
	}{
		{"private", Inside, "WWW.example.com.", dns.TypeA, "WWW.example.com.=10.0.0.9", dns.RcodeSuccess},
		{"public", Outside, "www.example.com.", dns.TypeA, "www.example.com.=198.18.2.9", dns.RcodeSuccess},
		{"a private zone hides the public one", Inside, "only.example.com.", dns.TypeA, "", dns.RcodeNameError},
		{"no other type", Inside, "www.example.com.", dns.TypeAAAA, "", dns.RcodeSuccess},
		{"a public zone inside", Inside, "example.org.", dns.TypeTXT, "example.org.=TXT", dns.RcodeSuccess},
		{"a private zone outside", Outside, "x.internal.", dns.TypeA, "", dns.RcodeRefused},
		{"a CNAME to another zone", Inside, "db.example.com.", dns.TypeA, "db.example.com.=x.internal. x.internal.=10.0.0.7", dns.RcodeSuccess},
		{"the CNAME itself", Inside, "db.example.com.", dns.TypeCNAME, "db.example.com.=x.internal.", dns.RcodeSuccess},
		{"a CNAME to nothing", Inside, "y.internal.", dns.TypeA, "y.internal.=none.internal.", dns.RcodeNameError},
		{"an alias", Inside, "lb.internal.", dns.TypeA, "lb.internal.=198.18.2.4 lb.internal.=198.18.2.5", dns.RcodeSuccess},
		{"an alias of itself", Inside, "loop.internal.", dns.TypeA, "", dns.RcodeSuccess},
		{"a longer zone of AWS's goes before", Inside, "ABCD.gr7.us-west-2.eks.amazonaws.com.", dns.TypeA, "ABCD.gr7.us-west-2.eks.amazonaws.com.=10.0.64.4", dns.RcodeSuccess},
		{"one of the same name comes after", Inside, "s3.us-west-2.amazonaws.com.", dns.TypeA, "s3.us-west-2.amazonaws.com.=10.0.0.3", dns.RcodeSuccess},
		{"a shorter one too", Inside, "s3.eu-west-1.amazonaws.com.", dns.TypeA, "s3.eu-west-1.amazonaws.com.=10.0.0.4", dns.RcodeSuccess},
		{"public zones come after AWS's own", Inside, "ip-10-0-64-5.us-west-2.compute.internal.", dns.TypeA, "ip-10-0-64-5.us-west-2.compute.internal.=10.0.64.5", dns.RcodeSuccess},
		{"also outside", Outside, "ip-10-0-64-5.us-west-2.compute.internal.", dns.TypeA, "", dns.RcodeNameError},
	} {
		t.Run(test.what, func(t *testing.T) {
			q := new(dns.Msg)
			q.SetQuestion(test.name, test.kind)
			m, _ := s.answer(viewer{View: test.view}, q)
			got := map[string]bool{}
			for _, rr := range m.Answer {
				got[rr.Header().Name+"="+data(rr)] = true
			}
			want := strings.Fields(test.want)
			if len(got) != len(want) || m.Rcode != test.rcode {
				t.Errorf("%s, %v; want %s, %v", dns.RcodeToString[m.Rcode], got, dns.RcodeToString[test.rcode], want)
			}
			for _, w := range want {
				if !got[w] {
					t.Errorf("%v lacks %s", got, w)
				}
			}
			if absent := len(want) == 0 && test.rcode != dns.RcodeRefused; absent && (len(m.Ns) == 0 || m.Ns[0].Header().Ttl != negativeTTL) {
				t.Errorf("authority %v, want a SOA to be remembered briefly", m.Ns)
			}
		})
	}
	loop := new(dns.Msg)
	loop.SetQuestion("z.internal.", dns.TypeA)
	if m, _ := s.answer(viewer{View: Inside}, loop); len(m.Answer) == 0 || len(m.Answer) > maxCNAMEs+1 {
		t.Errorf("a CNAME of itself gave %d answers", len(m.Answer))
	}
}
