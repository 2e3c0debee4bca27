package dns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func aws() *Server {
	s := New(Config{Zones: Zones("us-west-2", netip.MustParsePrefix("10.0.0.0/16"))})
	a := func(texts ...string) (out []netip.Addr) {
		for _, t := range texts {
			out = append(out, netip.MustParseAddr(t))
		}
		return out
	}
	s.SetAddrs("*.amazonaws.com", a("198.18.0.2"), Inside)
	s.SetAddrs("ABCD.gr7.us-west-2.eks.amazonaws.com", a("198.18.1.4", "198.18.1.5"), Outside)
	s.SetAddrs("ABCD.gr7.us-west-2.eks.amazonaws.com", a("10.0.64.7", "10.0.96.7"), Inside)
	s.SetAddrs("web-0123456789abcdef.us-west-2.elb.amazonaws.com", a("198.18.2.4"), Inside, Outside)
	s.SetHost("ip-10-0-64-5.us-west-2.compute.internal", a("10.0.64.5")[0])
	s.Set("www.us-west-2.elb.amazonaws.com", Outside, Record{CNAME: "Web-0123456789abcdef.us-west-2.elb.amazonaws.com"})
	s.Set("away.us-west-2.elb.amazonaws.com", Outside, Record{CNAME: "example.com"})
	s.Set("loop.us-west-2.elb.amazonaws.com", Outside, Record{CNAME: "loop.us-west-2.elb.amazonaws.com"})
	return s
}

func TestAnswer(t *testing.T) {
	s := aws()
	tests := []struct {
		name  string
		view  View
		qname string
		qtype uint16
		rcode int
		want  string // data of the answers, sorted by chance: compared as sets
		soa   string
	}{
		{"service endpoint inside", Inside, "sts.us-west-2.amazonaws.com.", dns.TypeA, dns.RcodeSuccess, "198.18.0.2", ""},
		{"service endpoint outside", Outside, "sts.us-west-2.amazonaws.com.", dns.TypeA, dns.RcodeNameError, "", "amazonaws.com."},
		{"bucket", Inside, "my.bucket.s3.us-west-2.amazonaws.com.", dns.TypeA, dns.RcodeSuccess, "198.18.0.2", ""},
		{"wildcard's name itself", Inside, "amazonaws.com.", dns.TypeA, dns.RcodeSuccess, "", "amazonaws.com."},
		{"case", Outside, "abcd.GR7.us-West-2.eks.amazonaws.com.", dns.TypeA, dns.RcodeSuccess, "198.18.1.4 198.18.1.5", ""},
		{"cluster inside", Inside, "ABCD.gr7.us-west-2.eks.amazonaws.com.", dns.TypeA, dns.RcodeSuccess, "10.0.64.7 10.0.96.7", ""},
		{"unknown cluster: the wildcard stops at the zone", Inside, "EFGH.gr7.us-west-2.eks.amazonaws.com.", dns.TypeA, dns.RcodeNameError, "", "us-west-2.eks.amazonaws.com."},
		{"service next to a zone", Inside, "eks.us-west-2.amazonaws.com.", dns.TypeA, dns.RcodeSuccess, "198.18.0.2", ""},
		{"name with names below", Outside, "gr7.us-west-2.eks.amazonaws.com.", dns.TypeA, dns.RcodeSuccess, "", "us-west-2.eks.amazonaws.com."},
		{"no IPv6", Inside, "ABCD.gr7.us-west-2.eks.amazonaws.com.", dns.TypeAAAA, dns.RcodeSuccess, "", "us-west-2.eks.amazonaws.com."},
		{"deleted load balancer", Inside, "gone-0.us-west-2.elb.amazonaws.com.", dns.TypeA, dns.RcodeNameError, "", "us-west-2.elb.amazonaws.com."},
		{"instance", Inside, "ip-10-0-64-5.us-west-2.compute.internal.", dns.TypeA, dns.RcodeSuccess, "10.0.64.5", ""},
		{"instance, back", Inside, "5.64.0.10.in-addr.arpa.", dns.TypePTR, dns.RcodeSuccess, "ip-10-0-64-5.us-west-2.compute.internal.", ""},
		{"instance, outside", Outside, "ip-10-0-64-5.us-west-2.compute.internal.", dns.TypeA, dns.RcodeNameError, "", "us-west-2.compute.internal."},
		{"nobody's address", Inside, "6.64.0.10.in-addr.arpa.", dns.TypePTR, dns.RcodeNameError, "", "0.10.in-addr.arpa."},
		{"alias", Outside, "www.us-west-2.elb.amazonaws.com.", dns.TypeA, dns.RcodeSuccess, "web-0123456789abcdef.us-west-2.elb.amazonaws.com. 198.18.2.4", ""},
		{"alias to another's name", Outside, "away.us-west-2.elb.amazonaws.com.", dns.TypeA, dns.RcodeSuccess, "example.com.", ""},
		{"zone", Inside, "us-west-2.compute.internal.", dns.TypeSOA, dns.RcodeSuccess, "SOA", ""},
		{"not ours", Inside, "example.com.", dns.TypeA, dns.RcodeRefused, "", ""},
		{"almost ours", Inside, "notamazonaws.com.", dns.TypeA, dns.RcodeRefused, "", ""},
		{"the root", Inside, ".", dns.TypeNS, dns.RcodeRefused, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			q := new(dns.Msg)
			q.SetQuestion(test.qname, test.qtype)
			m, _ := s.answer(viewer{View: test.view}, q)
			if m.Rcode != test.rcode {
				t.Fatalf("rcode %s, want %s", dns.RcodeToString[m.Rcode], dns.RcodeToString[test.rcode])
			}
			got := map[string]bool{}
			for _, rr := range m.Answer {
				if rr.Header().Rrtype == dns.TypeA && len(m.Answer) < 2 && rr.Header().Name != test.qname {
					t.Errorf("answer is about %s: the query's case must be kept", rr.Header().Name)
				}
				got[data(rr)] = true
			}
			for _, w := range strings.Fields(test.want) {
				if !got[w] {
					t.Errorf("answers %v, want %s", got, w)
				}
			}
			if len(got) != len(strings.Fields(test.want)) {
				t.Errorf("answers %v, want %q", got, test.want)
			}
			switch {
			case test.soa == "" && len(m.Ns) > 0:
				t.Errorf("authority %v, want none", m.Ns)
			case test.soa != "" && (len(m.Ns) != 1 || m.Ns[0].Header().Name != test.soa):
				t.Errorf("authority %v, want the SOA of %s", m.Ns, test.soa)
			}
		})
	}
}

func data(rr dns.RR) string {
	switch r := rr.(type) {
	case *dns.A:
		return r.A.String()
	case *dns.CNAME:
		return r.Target
	case *dns.PTR:
		return r.Ptr
	}
	return dns.TypeToString[rr.Header().Rrtype]
}

func TestProtocol(t *testing.T) {
	s := aws()
	query := func(change func(*dns.Msg)) *dns.Msg {
		q := new(dns.Msg)
		q.SetQuestion("sts.us-west-2.amazonaws.com.", dns.TypeA)
		change(q)
		m, _ := s.answer(viewer{View: Inside}, q)
		return m
	}
	for name, test := range map[string]struct {
		change func(*dns.Msg)
		rcode  int
	}{
		"update":        {func(q *dns.Msg) { q.Opcode = dns.OpcodeUpdate }, dns.RcodeNotImplemented},
		"no question":   {func(q *dns.Msg) { q.Question = nil }, dns.RcodeFormatError},
		"chaos":         {func(q *dns.Msg) { q.Question[0].Qclass = dns.ClassCHAOS }, dns.RcodeRefused},
		"EDNS 1":        {func(q *dns.Msg) { q.SetEdns0(4096, false); q.IsEdns0().SetVersion(1) }, dns.RcodeBadVers},
		"EDNS":          {func(q *dns.Msg) { q.SetEdns0(4096, false) }, dns.RcodeSuccess},
		"plain":         {func(*dns.Msg) {}, dns.RcodeSuccess},
		"type unheard":  {func(q *dns.Msg) { q.Question[0].Qtype = 65280 }, dns.RcodeSuccess},
		"ANY (8482)":    {func(q *dns.Msg) { q.Question[0].Qtype = dns.TypeANY }, dns.RcodeSuccess},
		"zone transfer": {func(q *dns.Msg) { q.Question[0].Qtype = dns.TypeAXFR }, dns.RcodeSuccess},
	} {
		if m := query(test.change); m.Rcode != test.rcode {
			t.Errorf("%s: rcode %s", name, dns.RcodeToString[m.Rcode])
		} else if (m.IsEdns0() != nil) != strings.HasPrefix(name, "EDNS") {
			t.Errorf("%s: EDNS in answer: %v", name, m.IsEdns0() != nil)
		}
	}
	if m := query(func(*dns.Msg) {}); m.Answer[0].Header().Ttl != 60 {
		t.Errorf("TTL %d", m.Answer[0].Header().Ttl)
	}
	loop := new(dns.Msg)
	loop.SetQuestion("loop.us-west-2.elb.amazonaws.com.", dns.TypeA)
	if m, _ := s.answer(viewer{View: Outside}, loop); len(m.Answer) == 0 || len(m.Answer) > 10 {
		t.Errorf("an alias of itself gave %d answers", len(m.Answer))
	}
}

func TestDelete(t *testing.T) {
	s := aws()
	name := "web-0123456789abcdef.us-west-2.elb.amazonaws.com."
	s.Delete(name, Outside)
	s.Delete(name, Outside)
	q := new(dns.Msg)
	q.SetQuestion(name, dns.TypeA)
	if m, _ := s.answer(viewer{View: Outside}, q); m.Rcode != dns.RcodeNameError {
		t.Errorf("outside: %v", m)
	}
	if m, _ := s.answer(viewer{View: Inside}, q); len(m.Answer) != 1 {
		t.Errorf("inside: %v", m)
	}
	s.Delete(name)
	if n := s.trees[Inside].below["us-west-2.elb.amazonaws.com."]; n != 0 {
		t.Errorf("%d names are still counted below the zone", n)
	}
}

// Real sockets: both protocols, truncation and forwarding.
func TestServe(t *testing.T) {
	s := aws()
	var many []netip.Addr
	for i := range 200 {
		many = append(many, netip.AddrFrom4([4]byte{198, 18, 2, byte(i)}))
	}
	s.SetAddrs("many.us-west-2.elb.amazonaws.com", many, Outside)
	udp, tcp, stop := serve(t, s, Outside)
	ask := func(network, server, name string, size uint16) *dns.Msg {
		t.Helper()
		q := new(dns.Msg)
		q.SetQuestion(name, dns.TypeA)
		if size > 0 {
			q.SetEdns0(size, false)
		}
		m, _, err := (&dns.Client{Net: network, UDPSize: 65535}).Exchange(q, server)
		if err != nil {
			t.Fatal(err)
		}
		m.Compress = true // for Len
		return m
	}
	for _, size := range []uint16{0, 1232, 4096} {
		if m := ask("udp", udp, "many.us-west-2.elb.amazonaws.com.", size); !m.Truncated || m.Len() > 1232 || size == 0 && m.Len() > 512 {
			t.Errorf("over UDP with %d bytes allowed: truncated %v, %d bytes", size, m.Truncated, m.Len())
		}
	}
	if m := ask("tcp", tcp, "many.us-west-2.elb.amazonaws.com.", 0); m.Truncated || len(m.Answer) != 200 {
		t.Errorf("over TCP: truncated %v, %d answers", m.Truncated, len(m.Answer))
	}
	if m := ask("udp", udp, "example.com.", 0); m.Rcode != dns.RcodeRefused {
		t.Errorf("another's name: %s", dns.RcodeToString[m.Rcode])
	}

	front := New(Config{Zones: []string{"internal."}, Forward: []string{udp}})
	udp2, _, stop2 := serve(t, front, Inside)
	if m := ask("udp", udp2, "ABCD.gr7.us-west-2.eks.amazonaws.com.", 0); len(m.Answer) != 2 {
		t.Errorf("forwarded: %v", m)
	}
	if m := ask("udp", udp2, "x.internal.", 0); m.Rcode != dns.RcodeNameError {
		t.Errorf("own zone was not answered here: %v", m)
	}
	stop()
	stop2()
}

func serve(t *testing.T, s *Server, v View) (udp, tcp string, stop func()) {
	t.Helper()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- s.ServePacket(ctx, v, pc) }()
	go func() { done <- s.ServeStream(ctx, v, l) }()
	return pc.LocalAddr().String(), l.Addr().String(), func() {
		cancel()
		for range 2 {
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("serving ended with %v", err)
			}
		}
	}
}

// Whatever arrives, an answer can be made and sent.
func FuzzAnswer(f *testing.F) {
	s := aws()
	q := new(dns.Msg)
	q.SetQuestion("ABCD.gr7.us-west-2.eks.amazonaws.com.", dns.TypeA)
	q.SetEdns0(4096, true)
	wire, _ := q.Pack()
	f.Add(wire)
	f.Fuzz(func(t *testing.T, wire []byte) {
		q := new(dns.Msg)
		if q.Unpack(wire) != nil {
			return
		}
		for _, v := range []View{Inside, Outside} {
			m, _ := s.answer(viewer{View: v}, q)
			m.Truncate(512)
			if out, err := m.Pack(); err == nil && len(out) > 512 && len(m.Answer) > 0 {
				t.Errorf("%d bytes after truncation", len(out))
			}
		}
	})
}

func BenchmarkAnswer(b *testing.B) {
	s := aws()
	q := new(dns.Msg)
	q.SetQuestion("sts.us-west-2.amazonaws.com.", dns.TypeA)
	for b.Loop() {
		s.answer(viewer{View: Inside}, q)
	}
}
