package dns

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// View is a side from which names are looked at.
type View int

const (
	Inside View = iota
	Outside
	views
)

func (v View) String() string { return [...]string{"inside", "outside"}[v] }

// Record is what a name has: addresses, or another name that it stands for.
type Record struct {
	Addrs []netip.Addr // IPv4
	CNAME string
	PTR   string
	TTL   uint32 // seconds; 0 means 60, which AWS gives endpoints and load balancers
}

const defaultTTL = 60

// tree holds the names of one view, canonical: lower case, final dot.
type tree struct {
	records map[string]Record
	// below counts the names under each name, so that it is known to exist.
	below map[string]int
}

func newTree() *tree { return &tree{map[string]Record{}, map[string]int{}} }

func (t *tree) set(name string, r Record) {
	if _, there := t.records[name]; !there {
		t.count(name, 1)
	}
	t.records[name] = r
}

func (t *tree) delete(name string) {
	if _, there := t.records[name]; there {
		t.count(name, -1)
		delete(t.records, name)
	}
}

func (t *tree) count(name string, n int) {
	for p := parent(name); p != "."; p = parent(p) {
		if t.below[p] += n; t.below[p] == 0 {
			delete(t.below, p)
		}
	}
}

// find looks a name of a zone up. exists is whether there is such a name at all;
// the record is the name's own, or the nearest wildcard's within the zone.
func (t *tree) find(name, zone string) (r Record, exists bool) {
	if r, ok := t.records[name]; ok {
		return r, true
	}
	if t.below[name] > 0 || name == zone {
		return Record{}, true
	}
	for p := name; p != zone && p != "."; {
		p = parent(p)
		if r, ok := t.records["*."+p]; ok {
			return r, true
		}
	}
	return Record{}, false
}

func parent(name string) string {
	if i := strings.IndexByte(name, '.'); i >= 0 && i+1 < len(name) {
		return name[i+1:]
	}
	return "."
}

func canonical(name string) string { return dns.CanonicalName(name) }

// zoneOf finds the nearest zone that a name is in; empty for none.
func zoneOf(zones []string, name string) string {
	for p := name; ; p = parent(p) {
		if _, ok := slices.BinarySearch(zones, p); ok {
			return p
		}
		if p == "." {
			return ""
		}
	}
}

// Reverse is the name under which an address is looked up.
func Reverse(a netip.Addr) string {
	name, err := dns.ReverseAddr(a.String())
	if err != nil {
		return ""
	}
	return name
}

// ReverseZones are the zones of a prefix's addresses, cut at whole bytes.
func ReverseZones(p netip.Prefix) []string {
	labels := strings.SplitAfter(Reverse(p.Masked().Addr()), ".")
	keep := p.Bits() / 8
	if !p.Addr().Is4() || keep == 0 {
		return nil
	}
	return []string{strings.Join(labels[4-keep:], "")}
}

// Zones are those of an AWS region with a VPC.
func Zones(region string, vpc netip.Prefix) []string {
	return append(ReverseZones(vpc),
		"amazonaws.com.",
		"api.aws.",
		region+".elb.amazonaws.com.",
		"elb."+region+".amazonaws.com.",
		region+".eks.amazonaws.com.",
		region+".vpce.amazonaws.com.",
		region+".compute.internal.",
		region+".compute.amazonaws.com.",
	)
}
