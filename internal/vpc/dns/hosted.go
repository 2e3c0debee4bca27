package dns

import "github.com/miekg/dns"

// Hosted is a zone that someone else keeps. Names are canonical.
type Hosted interface {
	Name() string
	SOA() dns.RR // nil: the server's own kind
	// Lookup returns a name's records of a type, or its CNAME; exists is whether there
	// is such a name. With a target, the name has the records of that type of another.
	Lookup(name string, kind uint16) (records []dns.RR, target string, exists bool)
}

// hosted is the zone of someone else's that a name is to be looked up in, if any: zone
// is the server's own nearest one, and taken whether it has the name.
func (s *Server) hosted(v viewer, name, zone string, taken bool) Hosted {
	if v.View == Inside && s.private != nil {
		if h, ok := s.private(v.from, name); ok && len(h.Name()) >= len(zone) {
			return h
		}
	}
	if s.public != nil && zone == "" && !taken {
		if h, ok := s.public(name); ok {
			return h
		}
	}
	return nil
}

// resolveHosted is resolve in someone else's zone.
func (s *Server) resolveHosted(m *dns.Msg, v viewer, h Hosted, name string, qtype uint16, depth int) {
	records, target, exists := h.Lookup(canonical(name), qtype)
	if !exists {
		m.Rcode = dns.RcodeNameError
		m.Ns = append(m.Ns, absence(h))
		return
	}
	if target != "" && depth < maxCNAMEs {
		records = s.aliased(v, name, target, qtype, depth)
	}
	if len(records) == 0 {
		m.Ns = append(m.Ns, absence(h))
		return
	}
	shuffle(records)
	for _, r := range records {
		r.Header().Name = name
	}
	m.Answer = append(m.Answer, records...)
	if c, ok := records[0].(*dns.CNAME); ok && qtype != dns.TypeCNAME && depth < maxCNAMEs {
		s.resolve(m, v, canonical(c.Target), qtype, depth+1)
	}
}

// aliased are the records of another name, without the names on the way to them.
func (s *Server) aliased(v viewer, name, target string, qtype uint16, depth int) []dns.RR {
	var at dns.Msg
	s.resolve(&at, v, target, qtype, depth+1)
	var records []dns.RR
	for _, r := range at.Answer {
		if r.Header().Rrtype == qtype {
			records = append(records, dns.Copy(r))
		}
	}
	return records
}

// absence is a zone's SOA as it goes with what is not there, to be remembered briefly.
func absence(h Hosted) dns.RR {
	if r, ok := h.SOA().(*dns.SOA); ok {
		short := dns.Copy(r).(*dns.SOA)
		short.Hdr.Name, short.Hdr.Ttl, short.Minttl = h.Name(), negativeTTL, negativeTTL
		return short
	}
	return soa(h.Name())
}
