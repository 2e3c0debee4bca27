package netpol

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
)

// Direction of a flow, as the pod sees it that a policy selects.
type Direction uint8

const (
	Egress Direction = iota
	Ingress
)

func (d Direction) String() string { return [...]string{"egress", "ingress"}[d] }

// Tier is how early a policy is asked.
type Tier uint8

const (
	Admin    Tier = iota
	Networks      // NetworkPolicies
	Baseline
)

func (t Tier) String() string { return [...]string{"Admin", "NetworkPolicy", "Baseline"}[t] }

// Action is what a rule does with what it matches.
type Action uint8

const (
	Accept Action = iota
	Deny
	Pass // on to the next tier
)

func (a Action) String() string { return [...]string{"Accept", "Deny", "Pass"}[a] }

// The API groups of policies.
const (
	NetworkingGroup = "networking.k8s.io"        // NetworkPolicy
	UpstreamGroup   = "policy.networking.k8s.io" // ClusterNetworkPolicy, of sigs.k8s.io/network-policy-api
	AWSGroup        = "networking.k8s.aws"       // ClusterNetworkPolicy of the VPC CNI
)

// PolicyName is a policy's key.
type PolicyName struct {
	Group     string `json:"group"`
	Namespace string `json:"namespace,omitempty"` // "" of a ClusterNetworkPolicy
	Name      string `json:"name"`
}

// String is as kubectl names it: networkpolicy/default/deny-all.
func (n PolicyName) String() string {
	switch n.Group {
	case NetworkingGroup:
		return "networkpolicy/" + n.Namespace + "/" + n.Name
	case UpstreamGroup:
		return "clusternetworkpolicy/" + n.Name
	}
	return "clusternetworkpolicy." + n.Group + "/" + n.Name
}

func (n PolicyName) compare(o PolicyName) int {
	return cmp.Or(cmp.Compare(n.Namespace, o.Namespace), cmp.Compare(n.Name, o.Name), cmp.Compare(n.Group, o.Group))
}

// Policy is a policy of any kind.
type Policy struct {
	PolicyName
	Version
	Tier     Tier
	Priority int32 // in the tiers Admin and Baseline: the lowest first
	Subject  Selection
	// Isolates says in which directions the policy lets pass nothing but what a rule
	// accepts: those of a NetworkPolicy's policyTypes.
	Isolates [2]bool
	Rules    [2][]Rule // by direction; in the tiers Admin and Baseline their order decides
	// Problems are what is wrong with the object. What a rule with a problem would
	// accept stays closed.
	Problems []string
}

// Version is which state of an object a policy is.
type Version struct {
	UID        string `json:"uid,omitempty"`
	Generation int64  `json:"generation"`
}

// says is whether the policies say the same, whatever their versions.
func (p *Policy) says(o *Policy) bool {
	other := *o
	other.Version = p.Version
	return reflect.DeepEqual(p, &other)
}

// compare orders policies as they are asked. Of the same tier and priority, which is
// first is for the implementation to say: here it is the name's order.
func (p *Policy) compare(o *Policy) int {
	return cmp.Or(cmp.Compare(p.Tier, o.Tier), cmp.Compare(p.Priority, o.Priority), p.PolicyName.compare(o.PolicyName))
}

// acts is whether it has a say about the pods it selects.
func (p *Policy) acts(d Direction) bool { return p.Isolates[d] || len(p.Rules[d]) > 0 }

// Selection is a choice of pods; or of nodes, as NodeSelection makes it.
type Selection struct {
	Namespace  string // of all pods, when Namespaces isn't used
	Namespaces *Selector
	Pods       Selector
}

// NodeSelection is the nodes that a selector picks.
func NodeSelection(s Selector) *Selection { return &Selection{Namespace: nodes, Pods: s} }

// key is the same for selections that say the same.
func (s *Selection) key() string { return s.scope() + "|" + s.Pods.text }

// scope says which namespaces. Names begin otherwise than selectors' texts.
func (s *Selection) scope() string {
	if s.Namespaces != nil {
		return "~" + s.Namespaces.text
	}
	return "=" + s.Namespace
}

// String says it in words.
func (s *Selection) String() string {
	switch {
	case s.Namespace == nodes && s.Pods.All():
		return "all nodes"
	case s.Namespace == nodes:
		return "nodes " + s.Pods.text
	}
	pods, where := "pods "+s.Pods.text, "in namespaces "+"…"
	if s.Pods.All() {
		pods = "all pods"
	}
	switch {
	case s.Namespaces == nil:
		where = "in namespace " + s.Namespace
	case s.Namespaces.All():
		where = "in all namespaces"
	default:
		where = "in namespaces " + s.Namespaces.text
	}
	return pods + " " + where
}

// Rule matches flows by the other end and the port.
type Rule struct {
	Name    string // of a ClusterNetworkPolicy's rule
	Action  Action
	AnyPeer bool
	Peers   []Peer
	AnyPort bool
	Ports   []PortMatch
}

// Peer is a choice of other ends: pods, or blocks of addresses.
type Peer struct {
	Pods   *Selection
	Blocks []Block
}

// String says it in words.
func (p *Peer) String() string {
	if p.Pods != nil {
		return p.Pods.String()
	}
	text := ""
	for i, b := range p.Blocks {
		if i > 0 {
			text += ", "
		}
		text += b.String()
	}
	return text
}

// Block is a prefix without some others.
type Block struct {
	CIDR   netip.Prefix
	Except []netip.Prefix
}

// String is as in 10.0.0.0/8 except 10.1.0.0/16.
func (b Block) String() string {
	text := b.CIDR.String()
	for i, e := range b.Except {
		if i == 0 {
			text += " except "
		} else {
			text += ", "
		}
		text += e.String()
	}
	return text
}

// PortMatch is a choice of protocol and destination ports.
type PortMatch struct {
	Proto       uint8  // IP protocol number; 0 is any, of a named port alone
	First, Last uint16 // all ports when Last is 0
	Name        string // of the destination pod's containers, instead of numbers
}

// String is as in TCP 80, UDP 8000-8100, TCP http, SCTP.
func (m PortMatch) String() string {
	proto := ProtocolName(m.Proto)
	switch {
	case m.Name != "" && proto == "":
		return m.Name
	case m.Name != "":
		return proto + " " + m.Name
	case m.Last == 0:
		return proto
	case m.First == m.Last:
		return fmt.Sprintf("%s %d", proto, m.First)
	}
	return fmt.Sprintf("%s %d-%d", proto, m.First, m.Last)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
