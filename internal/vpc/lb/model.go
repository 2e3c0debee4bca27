package lb

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"

	"github.com/eksact/eksact/internal/vpc/nft"
)

// Types of a load balancer, and its schemes.
const (
	Classic = "classic"
	Network = "network"

	InternetFacing = "internet-facing"
	Internal       = "internal"
)

// Protocols of listeners.
const (
	TCP    = "TCP"
	UDP    = "UDP"
	TCPUDP = "TCP_UDP"
	HTTP   = "HTTP" // of a Classic Load Balancer
)

// LoadBalancer is what a load balancer shall be.
type LoadBalancer struct {
	ID      string // unique and unchanging, e.g. CLUSTER/SERVICE-UID
	Cluster string // whose it is
	Name    string // beginning of its DNS name
	Digits  string // 16 hexadecimal ones in its DNS name and ARN; Suffix(ID) when empty
	Type    string
	Scheme  string // InternetFacing when empty
	// Subnets are names of the network's, each of another zone; none: one of each
	// zone, public or private as the scheme is.
	Subnets []string
	Range   netip.Prefix // of its VPC; none: the first one's
	// Fixed are addresses that were chosen, by the subnets' names.
	Fixed     map[string]Fixed `json:",omitempty"`
	CrossZone bool
	// Groups are security groups of its own. With any they say who may connect, and
	// SourceRanges don't.
	Groups []string `json:",omitempty"`
	// SourceRanges may connect; empty means everybody, as for a Service. What
	// comes from inside the VPC to an internet-facing balancer comes from the NAT
	// gateway's address.
	SourceRanges []netip.Prefix
	Listeners    []Listener
	// Idle is how long a connection through the proxy may be silent.
	Idle time.Duration
}

// Fixed is where a load balancer is to be in a subnet. An address that isn't valid is
// drawn.
type Fixed struct {
	Private netip.Addr `json:",omitzero"`
	Public  netip.Addr `json:",omitzero"`
}

// Listener leads a port to its targets.
type Listener struct {
	Port     uint16
	Protocol string
	Targets  []Target
	Check    HealthCheck
	// HideClient makes targets see the load balancer's address instead of the
	// client's. A proxy always does.
	HideClient bool
	// ProxyProtocol is the version of the header that targets are sent; 0: none.
	ProxyProtocol int
	Sticky        bool // all connections of one client go to one target
	// Drain is how long a target that was deregistered keeps its connections; with
	// EndDrained they end then, otherwise by themselves.
	Drain      time.Duration
	EndDrained bool
	// EndUnhealthy ends connections to a target that becomes unhealthy.
	EndUnhealthy bool
	// Idle is how long a TCP connection of a Network Load Balancer may be silent; 0 is
	// DefaultIdle.
	Idle time.Duration `json:",omitempty"`
}

// Target receives connections.
type Target struct {
	ID   string // an instance's id, or an address
	Addr netip.AddrPort
	Zone string // "us-west-2a"
}

// HealthCheck says how targets are checked.
type HealthCheck struct {
	Protocol           string // "TCP", "SSL", "HTTP", "HTTPS"
	Port               uint16 // 0: the target's own
	Path               string // of HTTP and HTTPS
	Interval, Timeout  time.Duration
	Healthy, Unhealthy int // checks in a row that change the state
	// OK is the highest status of HTTP that is a success: 200 of a Classic Load
	// Balancer, 399 of others.
	OK int
}

// DefaultIdle is a Network Load Balancer's.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html
const DefaultIdle = 350 * time.Second

// State of a target, in the words of the ELB API.
type State string

const (
	Initial   State = "initial"
	Healthy   State = "healthy"
	Unhealthy State = "unhealthy"
	Draining  State = "draining"
	Unused    State = "unused" // in a zone that the load balancer is not in
)

// TargetHealth is how a listener's target fares.
type TargetHealth struct {
	Target
	State  State
	Reason string // why it is not healthy
}

// Address is where a load balancer is in a zone.
type Address struct {
	Zone, Subnet    string
	Public, Private netip.Addr // Public only if it faces the Internet
}

// Called is the address that clients use.
func (a Address) Called() netip.Addr {
	if a.Public.IsValid() {
		return a.Public
	}
	return a.Private
}

// Result is where a load balancer is reached.
type Result struct {
	DNSName string
	Addrs   []Address
}

// record is a load balancer in the store.
type record struct {
	LoadBalancer
	DNSName string
	Addrs   []Address
	Leaving []leaving
}

func (r record) result() Result { return Result{r.DNSName, r.Addrs} }

// Suffix is the 16 hexadecimal digits that tell a balancer from others of its
// name, in its DNS name and ARN.
func Suffix(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:8])
}

// dnsName is as AWS forms it: NAME-ID.elb.REGION.amazonaws.com of a Network,
// NAME-NUMBER.REGION.elb.amazonaws.com of a Classic Load Balancer.
func (l LoadBalancer) dnsName(region string) string {
	if l.Type == Network {
		return fmt.Sprintf("%s-%s.elb.%s.amazonaws.com", l.Name, l.Digits, region)
	}
	sum := sha256.Sum256([]byte(l.ID))
	number := uint32(sum[0])<<24 | uint32(sum[1])<<16 | uint32(sum[2])<<8 | uint32(sum[3])
	name := fmt.Sprintf("%s-%d.%s.elb.amazonaws.com", l.Name, number, region)
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
	if l.Idle <= 0 {
		l.Idle = time.Minute
	}
	if l.Digits == "" {
		l.Digits = Suffix(l.ID)
	}
	switch {
	case l.ID == "" || l.Name == "":
		return bad("an ID and a name are needed")
	case len(l.Name) > 32:
		return bad("the name %q is longer than 32 bytes", l.Name)
	case l.Type != Classic && l.Type != Network:
		return bad("unknown type %q", l.Type)
	case l.Scheme != InternetFacing && l.Scheme != Internal:
		return bad("unknown scheme %q", l.Scheme)
	}
	for _, r := range l.SourceRanges {
		if !r.IsValid() {
			return bad("invalid source range")
		}
	}
	seen := map[key]bool{}
	for _, x := range l.Listeners {
		if err := x.check(l.Type); err != nil {
			return bad("port %d: %v", x.Port, err)
		}
		for _, k := range x.keys() {
			if seen[k] {
				return bad("port %d twice", x.Port)
			}
			seen[k] = true
		}
	}
	return l, nil
}

func (x Listener) check(kind string) error {
	known := map[string]bool{TCP: true, HTTP: kind == Classic, UDP: kind == Network, TCPUDP: kind == Network}
	switch {
	case !known[x.Protocol]:
		return fmt.Errorf("protocol %q is not one of a %s load balancer", x.Protocol, kind)
	case x.Port == 0:
		return fmt.Errorf("no such port")
	case x.ProxyProtocol != 0 && x.Protocol != TCP:
		return fmt.Errorf("the proxy protocol goes with TCP, not with %s", x.Protocol)
	case x.HideClient && (x.Protocol == UDP || x.Protocol == TCPUDP):
		return fmt.Errorf("clients' addresses are always preserved with %s", x.Protocol)
	case x.Check.Interval <= 0 || x.Check.Timeout <= 0 || x.Check.Healthy <= 0 || x.Check.Unhealthy <= 0:
		return fmt.Errorf("the health check is incomplete")
	}
	for _, t := range x.Targets {
		if !t.Addr.Addr().Is4() || t.Addr.Port() == 0 {
			return fmt.Errorf("target %s is not an IPv4 address with a port", t.Addr)
		}
	}
	return nil
}

// key is a port as packets have it.
type key struct {
	proto uint8
	port  uint16
}

// keys are the ports that a listener is.
func (x Listener) keys() []key {
	switch x.Protocol {
	case UDP:
		return []key{{nft.UDP, x.Port}}
	case TCPUDP:
		return []key{{nft.TCP, x.Port}, {nft.UDP, x.Port}}
	}
	return []key{{nft.TCP, x.Port}}
}

// proxied says whether connections go through the proxy.
func (l LoadBalancer) proxied(x Listener) bool { return l.Type == Classic || x.ProxyProtocol != 0 }
