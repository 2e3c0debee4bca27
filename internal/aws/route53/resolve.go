package route53

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/miekg/dns"
)

// index finds zones by name. It is a value: a change makes another.
type index struct {
	zones map[string][]Zone // by name as in DNS messages
}

// with is the index after a change of a zone's record.
func (x *index) with(old, new *Zone) *index {
	next := &index{zones: maps.Clone(x.zones)}
	if next.zones == nil {
		next.zones = map[string][]Zone{}
	}
	if old != nil {
		name := plain(old.Name)
		next.zones[name] = slices.DeleteFunc(slices.Clone(next.zones[name]), func(z Zone) bool { return z.ID == old.ID })
	}
	if new != nil {
		name := plain(new.Name)
		next.zones[name] = append(slices.Clone(next.zones[name]), *new)
		slices.SortFunc(next.zones[name], func(a, b Zone) int { return cmp.Compare(a.CreatedAt.UnixNano(), b.CreatedAt.UnixNano()) })
	}
	return next
}

// View is a hosted zone as resolvers read it.
type View struct {
	s    *Service
	zone Zone
}

// Find returns the nearest hosted zone that a name is in: of the private ones that a
// VPC sees, or, with vpc "", of the public ones. Names are canonical: lower case, with
// their final dot.
func (s *Service) Find(name, vpc string) (View, bool) {
	x := s.index.Load()
	for _, parent := range parents(name) {
		for _, z := range x.zones[parent] {
			if z.Private == (vpc != "") && (vpc == "" || z.seenBy(vpc)) {
				return View{s, z}, true
			}
		}
	}
	return View{}, false
}

// Name is the zone's, canonical.
func (v View) Name() string { return plain(v.zone.Name) }

// Lookup returns the records of a name and type, with the name that was asked for as
// their owner; exists is whether the name has records, of whatever type, or names
// below it. A name without either has those of the wildcard that is nearest to it. Of
// a set that is an alias, target is the name whose records are its.
func (v View) Lookup(name string, kind uint16) (rrs []dns.RR, target string, exists bool) {
	at, ok := v.source(name)
	if !ok {
		return nil, "", false
	}
	cname := dns.TypeToString[dns.TypeCNAME]
	for _, wanted := range []string{dns.TypeToString[kind], cname} {
		set, ok := v.s.sets.Get(setKey(v.zone.ID, escaped(at), wanted))
		if !ok {
			continue
		}
		if set.Alias != nil {
			return nil, strings.TrimPrefix(plain(set.Alias.Name), "dualstack."), true
		}
		for _, value := range set.Values {
			if rr, err := record(".", set.Type, set.TTL, value); err == nil { // it was checked when it came
				rr.Header().Name = name
				rrs = append(rrs, rr)
			}
		}
		return rrs, "", true
	}
	return nil, "", true
}

// source is the name whose records a name has: its own, or the nearest wildcard's
// (RFC 4592: of the longest name above it that exists).
func (v View) source(name string) (string, bool) {
	for _, at := range parents(name) {
		if v.exists(at) {
			if at == name {
				return name, true
			}
			wildcard := "*." + at
			return wildcard, v.has(wildcard)
		}
		if at == v.Name() {
			break
		}
	}
	return "", false
}

// exists says whether a name has records or names below it.
func (v View) exists(name string) bool {
	for range v.s.sets.Shared(nameKey(v.zone.ID, escaped(name))) {
		return true
	}
	return false
}

// has says whether a name has records.
func (v View) has(name string) bool {
	for range v.s.sets.Shared(nameKey(v.zone.ID, escaped(name)) + " ") {
		return true
	}
	return false
}

// SOA is the zone's start of authority.
func (v View) SOA() dns.RR {
	rrs, _, _ := v.Lookup(v.Name(), dns.TypeSOA)
	if len(rrs) == 0 {
		return nil
	}
	return rrs[0]
}

// TestDNSAnswer tells what a public zone's name servers answer.
func (s *Service) TestDNSAnswer(_ context.Context, in *route53.TestDNSAnswerInput) (*route53.TestDNSAnswerOutput, error) {
	z, err := s.find(in.HostedZoneId)
	if err != nil {
		return nil, err
	}
	if z.Private {
		return nil, invalidInput("TestDNSAnswer is not supported for private hosted zones.")
	}
	if in.EDNS0ClientSubnetIP != nil {
		if _, err := netip.ParseAddr(*in.EDNS0ClientSubnetIP); err != nil {
			return nil, invalidInput("EDNS0ClientSubnetIP is not an IP address: %s", *in.EDNS0ClientSubnetIP)
		}
	}
	name, ok := normalize(aws.ToString(in.RecordName))
	if !ok {
		return nil, invalidInput("%s is not a valid domain name", aws.ToString(in.RecordName))
	}
	out := &route53.TestDNSAnswerOutput{
		Nameserver: aws.String(z.Servers[0]), RecordName: aws.String(name), RecordType: in.RecordType, RecordData: []string{},
		Protocol: aws.String("UDP"), ResponseCode: aws.String("NOERROR"),
	}
	if !inZone(name, z.Name) {
		out.ResponseCode = aws.String("REFUSED")
		return out, nil
	}
	view := View{s, z}
	rrs, target, exists := view.Lookup(plain(name), dns.StringToType[string(in.RecordType)])
	if !exists {
		out.ResponseCode = aws.String("NXDOMAIN")
	}
	if target != "" && inZone(target, view.Name()) {
		rrs, _, _ = view.Lookup(target, dns.StringToType[string(in.RecordType)])
	} else if target != "" && in.RecordType == types.RRTypeA {
		addrs, _ := s.Balancer(target)
		for _, a := range addrs {
			out.RecordData = append(out.RecordData, a.String())
		}
	}
	for _, rr := range rrs {
		_, data, _ := strings.Cut(rr.String(), "\t"+dns.TypeToString[rr.Header().Rrtype]+"\t")
		out.RecordData = append(out.RecordData, data)
	}
	return out, nil
}
