package lb

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"

	"github.com/eksact/eksact/internal/vpc/nft"
)

// Schemes of a load balancer.
const (
	InternetFacing = "internet-facing"
	Internal       = "internal"
)

// LoadBalancer is what a load balancer shall be.
type LoadBalancer struct {
	ID      string // unique and unchanging, e.g. CLUSTER/SERVICE-UID
	Cluster string // whose it is
	Name    string // beginning of its DNS name
	Scheme  string // InternetFacing when empty
	Ports   []Port
	Targets []netip.Addr // nodes
	// SourceRanges may connect; empty means everybody, as for a Service. What
	// comes from inside the VPC to an internet-facing balancer comes from the NAT
	// gateway's address.
	SourceRanges []netip.Prefix
	HealthCheck  HealthCheck
}

// Port leads a port to the same node port of each target.
type Port struct {
	Port, NodePort uint16
	Protocol       string // "TCP" (or empty), "UDP"
}

// HealthCheck says how targets are checked. Zero fields have the defaults.
type HealthCheck struct {
	Port               uint16 // the first TCP port's node port; without one, targets count as healthy
	Path               string // HTTP path; empty: a TCP connection suffices
	Interval           time.Duration
	Timeout            time.Duration
	Healthy, Unhealthy int // checks in a row that change the state
}

// Defaults of health checks: quicker than AWS's, for a workshop waits for them.
const (
	defaultInterval  = 3 * time.Second
	defaultTimeout   = 2 * time.Second
	defaultThreshold = 2
)

// State of a target, in the words of the ELB API.
type State string

const (
	Initial   State = "initial"
	Healthy   State = "healthy"
	Unhealthy State = "unhealthy"
)

// Target is a target's health.
type Target struct {
	Addr   netip.Addr
	State  State
	Reason string // why it is not healthy
}

// Result is where a load balancer is reached.
type Result struct {
	DNSName string
	Addrs   []netip.Addr
}

// record is a load balancer in the store.
type record struct {
	LoadBalancer
	DNSName string
	Addr    netip.Addr
}

func (r record) result() Result { return Result{r.DNSName, []netip.Addr{r.Addr}} }

// Suffix is the 16 hexadecimal digits that tell a balancer from others of its
// name, in its DNS name and ARN.
func Suffix(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:8])
}

func (l LoadBalancer) dnsName(region string) string {
	name := fmt.Sprintf("%s-%s.%s.elb.amazonaws.com", l.Name, Suffix(l.ID), region)
	if l.Scheme == Internal {
		return "internal-" + name
	}
	return name
}

// complete checks what was given and fills in defaults.
func (l LoadBalancer) complete() (LoadBalancer, error) {
	bad := func(format string, args ...any) (LoadBalancer, error) {
		return l, fmt.Errorf("load balancer %s: %s", l.ID, fmt.Sprintf(format, args...))
	}
	if l.Scheme == "" {
		l.Scheme = InternetFacing
	}
	switch {
	case l.ID == "" || l.Name == "":
		return bad("an ID and a name are needed")
	case len(l.Name) > 32:
		return bad("the name %q is longer than 32 bytes", l.Name)
	case l.Scheme != InternetFacing && l.Scheme != Internal:
		return bad("unknown scheme %q", l.Scheme)
	case len(l.Ports) == 0:
		return bad("no ports")
	}
	type listener struct {
		proto uint8
		port  uint16
	}
	seen := map[listener]bool{}
	for _, p := range l.Ports {
		proto, ok := nft.ProtoNumber(p.Protocol)
		if !ok || proto != nft.TCP && proto != nft.UDP {
			return bad("protocol %q is not supported", p.Protocol)
		}
		if p.Port == 0 || p.NodePort == 0 {
			return bad("port %d to node port %d: no such port", p.Port, p.NodePort)
		}
		if seen[listener{proto, p.Port}] {
			return bad("port %d twice", p.Port)
		}
		seen[listener{proto, p.Port}] = true
		if l.HealthCheck.Port == 0 && proto == nft.TCP {
			l.HealthCheck.Port = p.NodePort
		}
	}
	for _, r := range l.SourceRanges {
		if !r.IsValid() {
			return bad("invalid source range")
		}
	}
	for _, t := range l.Targets {
		if !t.Is4() {
			return bad("target %s is not an IPv4 address", t)
		}
	}
	l.HealthCheck = l.HealthCheck.Defaults()
	return l, nil
}

// Defaults fills in what is not set, save the port, which is the balancer's.
func (c HealthCheck) Defaults() HealthCheck {
	c.Interval = orDefault(c.Interval, defaultInterval)
	c.Timeout = orDefault(c.Timeout, defaultTimeout)
	c.Healthy = orDefault(c.Healthy, defaultThreshold)
	c.Unhealthy = orDefault(c.Unhealthy, defaultThreshold)
	return c
}

func orDefault[T time.Duration | int](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// health is what is known of one target.
type health struct {
	state  State
	proven bool // was healthy before
	streak int  // checks in a row that speak against the state
	reason string
}

// after is the health after one more check; failure is empty for a success. A
// target that never was healthy is so with its first success. Pure.
func (h health) after(failure string, c HealthCheck) health {
	ok := failure == ""
	switch {
	case h.state == Initial || !h.proven:
		if ok {
			return health{state: Healthy, proven: true}
		}
		return health{state: Unhealthy, reason: failure}
	case ok == (h.state == Healthy):
		h.streak = 0
		if !ok {
			h.reason = failure
		}
		return h
	}
	h.streak++
	switch {
	case ok && h.streak >= c.Healthy:
		return health{state: Healthy, proven: true}
	case !ok && h.streak >= c.Unhealthy:
		return health{state: Unhealthy, proven: true, reason: failure}
	}
	return h
}

// inUse lists the targets that receive connections: the healthy ones, or all.
func inUse(targets []netip.Addr, known map[netip.Addr]health) []netip.Addr {
	var healthy []netip.Addr
	for _, t := range targets {
		if known[t].state == Healthy {
			healthy = append(healthy, t)
		}
	}
	if len(healthy) == 0 {
		return targets
	}
	return healthy
}

var anywhere = netip.MustParsePrefix("0.0.0.0/0")

// sources are the addresses that may connect, as the router sees them: what
// comes from the VPC has not got the NAT gateway's address yet.
func sources(l LoadBalancer, vpc netip.Prefix, nat netip.Addr) []netip.Prefix {
	if len(l.SourceRanges) == 0 {
		return []netip.Prefix{anywhere}
	}
	if l.Scheme == Internal {
		return l.SourceRanges
	}
	var out []netip.Prefix
	for _, r := range l.SourceRanges {
		out = append(out, without(r.Masked(), vpc)...)
		if r.Contains(nat) {
			out = append(out, vpc)
		}
	}
	return out
}

// without cuts a part out of a prefix.
func without(p, cut netip.Prefix) []netip.Prefix {
	switch {
	case !p.Overlaps(cut):
		return []netip.Prefix{p}
	case p.Bits() >= cut.Bits():
		return nil
	}
	low, high := halves(p)
	return append(without(low, cut), without(high, cut)...)
}

func halves(p netip.Prefix) (low, high netip.Prefix) {
	bits := p.Bits() + 1
	b := p.Addr().As4()
	b[(bits-1)/8] |= 0x80 >> ((bits - 1) % 8)
	return netip.PrefixFrom(p.Addr(), bits), netip.PrefixFrom(netip.AddrFrom4(b), bits)
}
