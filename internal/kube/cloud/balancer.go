package cloud

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/cloud-provider/service/helpers"
)

// Balancer is the load balancer that a Service asks for.
type Balancer struct {
	// ID is "a" and 31 digits of the Service's UID, unique and unchanging; Name is
	// what AWS shows, mostly the same.
	ID, Name   string
	Service    string   // namespace/name
	Classic    bool     // a Classic, else a Network Load Balancer
	Controller bool     // as the AWS Load Balancer Controller makes it, else AWS's cloud controller
	Internal   bool     // reachable from inside the VPC alone
	Subnets    []string // ids or names; none: those that suit
	EIPs       []string // allocations of its public addresses, one for each subnet
	Private    []netip.Addr
	// Groups are its security groups, ids or names. LeaveNodes says that who made them
	// lets them reach the nodes.
	Groups     []string
	LeaveNodes bool
	CrossZone  bool
	Idle       time.Duration // of a Classic Load Balancer's connections
	Listeners  []Listener
	// SourceRanges may connect; empty means everybody.
	SourceRanges []netip.Prefix
	Tags         map[string]string
}

// Listener leads a port of the balancer to targets.
type Listener struct {
	Port     uint16
	Protocol string // "TCP", "UDP", "TCP_UDP"; of a Classic Load Balancer also "HTTP"
	// TargetPort is the node port of all targets; of pods the Service's own target
	// port, which may be another one for each.
	TargetPort uint16
	Pods       bool // targets are pods, not instances
	Targets    []Target
	Check      Check
	TargetAttributes
}

// TargetAttributes say how connections to targets are treated.
type TargetAttributes struct {
	PreserveClient bool
	ProxyProtocol  int // version of the header that targets are sent; 0: none
	Sticky         bool
	Drain          time.Duration // how long deregistered targets keep their connections
	EndDrained     bool          // which end then
	EndUnhealthy   bool          // those to unhealthy targets end
	Idle           time.Duration // how long a TCP connection of a network load balancer may be silent; 0: as usual
}

// Check is how targets' health is checked.
type Check struct {
	Protocol           string // "TCP", "SSL", "HTTP", "HTTPS"
	Port               uint16 // 0: the target's own
	Path               string
	Interval, Timeout  time.Duration
	Healthy, Unhealthy int
}

// Target receives connections.
type Target struct {
	ID   string // i-0123456789abcdef0, or a pod's address
	Addr netip.AddrPort
	Zone string // "us-west-2a"
}

// Asked is what is known when a Service's load balancer is read.
type Asked struct {
	Cluster string
	Service *corev1.Service
	Nodes   []*corev1.Node
	Pods    PodsOf
}

// PodsOf lists the ready pods behind a port of a Service.
type PodsOf func(s *corev1.Service, port corev1.ServicePort) ([]Target, error)

// Of reads what a Service asks for. Errors are told to the user in an event of the
// Service. ImplementedElsewhere means that nobody here makes it.
func Of(a Asked) (Balancer, error) {
	if byController(a.Service) {
		return a.controllers()
	}
	return a.inTree()
}

// begin is what all load balancers of a Service have in common.
func (a Asked) begin() Balancer {
	s := a.Service
	b := Balancer{
		ID: cloudprovider.DefaultLoadBalancerName(s), Service: s.Namespace + "/" + s.Name, Idle: time.Minute,
		Tags: map[string]string{
			"kubernetes.io/service-name":         s.Namespace + "/" + s.Name,
			"kubernetes.io/cluster/" + a.Cluster: "owned",
		},
	}
	b.Name = b.ID
	return b
}

func sourceRanges(s *corev1.Service) ([]netip.Prefix, error) {
	nets, err := helpers.GetLoadBalancerSourceRanges(s)
	if err != nil {
		return nil, err
	}
	if helpers.IsAllowAll(nets) {
		return nil, nil
	}
	var ranges []netip.Prefix
	for _, text := range nets.StringSlice() {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("source range %s: %w", text, err)
		}
		if !p.Addr().Is4() {
			return nil, fmt.Errorf("source range %s: load balancers have IPv4 addresses only", text)
		}
		ranges = append(ranges, p)
	}
	slices.SortFunc(ranges, func(a, b netip.Prefix) int { return strings.Compare(a.String(), b.String()) })
	return ranges, nil
}

// instances are those behind nodes, on a node port, in the order of their ids.
// Nodes that have not all of labels are passed over; a label without a value
// needs only to be there.
func (a Asked) instances(port uint16, labels map[string]string) ([]Target, error) {
	var all []Target
	for _, n := range a.Nodes {
		if !labelled(n, labels) {
			continue
		}
		path := strings.Split(n.Spec.ProviderID, "/") // aws:///us-west-2a/i-0123456789abcdef0
		addr, err := internalIP(n)
		if err != nil {
			return nil, err
		}
		if id := path[len(path)-1]; id != "" && len(path) > 1 && addr.IsValid() {
			all = append(all, Target{ID: id, Addr: netip.AddrPortFrom(addr, port), Zone: path[len(path)-2]})
		}
	}
	slices.SortFunc(all, func(a, b Target) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

func labelled(n *corev1.Node, labels map[string]string) bool {
	for key, want := range labels {
		if got, ok := n.Labels[key]; !ok || want != "" && got != want {
			return false
		}
	}
	return true
}

// internalIP is a node's first IPv4 address; the zero value if it has none yet.
func internalIP(n *corev1.Node) (netip.Addr, error) {
	for _, a := range n.Status.Addresses {
		if a.Type != corev1.NodeInternalIP {
			continue
		}
		addr, err := netip.ParseAddr(a.Address)
		if err != nil {
			return netip.Addr{}, fmt.Errorf("node %s: %w", n.Name, err)
		}
		if addr.Is4() {
			return addr, nil
		}
	}
	return netip.Addr{}, nil
}
