package dns

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// negativeTTL is for how long the absence of a name may be remembered, in
// seconds. Route 53 says 60; here names appear within seconds of being asked
// for, and someone is usually waiting.
const negativeTTL = 5

// maxCNAMEs is how many aliases in a row are followed.
const maxCNAMEs = 8

// viewer is who asks, and what it sees.
type viewer struct {
	View
	from netip.Addr
}

// answer makes the response to a query, or says that the name is of no zone.
func (s *Server) answer(v viewer, q *dns.Msg) (m *dns.Msg, ours bool) {
	m = new(dns.Msg)
	m.SetReply(q)
	m.RecursionAvailable = true
	if opt := q.IsEdns0(); opt != nil {
		m.SetEdns0(maxUDP, false)
		if opt.Version() != 0 {
			m.Rcode = dns.RcodeBadVers
			return m, true
		}
	}
	switch {
	case q.Opcode != dns.OpcodeQuery:
		m.Rcode = dns.RcodeNotImplemented
		return m, true
	case len(q.Question) != 1:
		m.Rcode = dns.RcodeFormatError
		return m, true
	case q.Question[0].Qclass != dns.ClassINET:
		m.Rcode = dns.RcodeRefused
		return m, true
	}
	question := q.Question[0]
	s.mu.RLock()
	defer s.mu.RUnlock()
	return m, s.resolve(m, v, question.Name, question.Qtype, 0)
}

// resolve adds to m what a name has, following aliases. It is false when the
// name is of no zone, with m refused.
func (s *Server) resolve(m *dns.Msg, v viewer, name string, qtype uint16, depth int) bool {
	key := canonical(name)
	zone := zoneOf(s.zones, key)
	record, exists := s.trees[v.View].find(key, zone)
	if h := s.hosted(v, key, zone, exists); h != nil {
		s.resolveHosted(m, v, h, name, qtype, depth)
		return true
	}
	switch {
	case zone == "" && !exists:
		if depth == 0 {
			m.Rcode = dns.RcodeRefused
		}
		return false
	case !exists:
		m.Rcode = dns.RcodeNameError
		m.Ns = append(m.Ns, soa(zone))
		return true
	}
	if record.CNAME != "" && qtype != dns.TypeCNAME {
		m.Answer = append(m.Answer, &dns.CNAME{Hdr: header(name, dns.TypeCNAME, record.TTL), Target: canonical(record.CNAME)})
		if depth < maxCNAMEs {
			s.resolve(m, v, canonical(record.CNAME), qtype, depth+1)
		}
		return true
	}
	found := record.rrs(name, qtype)
	m.Answer = append(m.Answer, found...)
	switch {
	case len(found) > 0:
	case qtype == dns.TypeSOA && key == zone:
		m.Answer = append(m.Answer, soa(zone))
	case zone != "":
		m.Ns = append(m.Ns, soa(zone))
	}
	return true
}

// rrs lists a record's data of a type; addresses in random order, so that
// clients spread over them.
func (r Record) rrs(name string, qtype uint16) []dns.RR {
	switch {
	case qtype == dns.TypeCNAME && r.CNAME != "":
		return []dns.RR{&dns.CNAME{Hdr: header(name, dns.TypeCNAME, r.TTL), Target: canonical(r.CNAME)}}
	case qtype == dns.TypePTR && r.PTR != "":
		return []dns.RR{&dns.PTR{Hdr: header(name, dns.TypePTR, r.TTL), Ptr: canonical(r.PTR)}}
	case qtype == dns.TypeA || qtype == dns.TypeANY:
		addrs := slices.Clone(r.Addrs)
		shuffle(addrs)
		var out []dns.RR
		for _, a := range addrs {
			out = append(out, &dns.A{Hdr: header(name, dns.TypeA, r.TTL), A: a.AsSlice()})
		}
		return out
	}
	return nil
}

func shuffle[T any](s []T) { rand.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] }) }

func header(name string, rrtype uint16, ttl uint32) dns.RR_Header {
	if ttl == 0 {
		ttl = defaultTTL
	}
	return dns.RR_Header{Name: name, Rrtype: rrtype, Class: dns.ClassINET, Ttl: ttl}
}

func soa(zone string) dns.RR {
	return &dns.SOA{
		Hdr: header(zone, dns.TypeSOA, negativeTTL),
		Ns:  "ns-0." + strings.TrimPrefix(zone, "."), Mbox: "awsdns-hostmaster.amazon.com.",
		Serial: 1, Refresh: 7200, Retry: 900, Expire: 1209600, Minttl: negativeTTL,
	}
}
