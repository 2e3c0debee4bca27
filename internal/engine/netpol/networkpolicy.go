package netpol

import (
	"fmt"
	"net/netip"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// FromNetworkPolicy reads a NetworkPolicy. What the API server would refuse is told
// in Problems: the policy isolates its pods all the same, and a rule with a problem
// accepts nothing.
func FromNetworkPolicy(np *networkingv1.NetworkPolicy) *Policy {
	p := &Policy{
		PolicyName: PolicyName{NetworkingGroup, np.Namespace, np.Name},
		Version:    Version{string(np.UID), np.Generation},
		Tier:       Networks,
		Subject:    Selection{Namespace: np.Namespace},
	}
	pods, err := NewSelector(&np.Spec.PodSelector)
	if err != nil {
		p.problem("podSelector: %v", err)
	}
	p.Subject.Pods = pods // of one that can't be read: all pods of the namespace
	p.types(&np.Spec)
	for i, r := range np.Spec.Ingress {
		if p.Isolates[Ingress] {
			p.rule(Ingress, fmt.Sprintf("ingress[%d]", i), r.From, r.Ports)
		}
	}
	for i, r := range np.Spec.Egress {
		if p.Isolates[Egress] {
			p.rule(Egress, fmt.Sprintf("egress[%d]", i), r.To, r.Ports)
		}
	}
	return p
}

func (p *Policy) problem(format string, args ...any) {
	p.Problems = append(p.Problems, fmt.Sprintf(format, args...))
}

// types sets the directions: by default ingress, and egress if there are rules for it.
func (p *Policy) types(spec *networkingv1.NetworkPolicySpec) {
	if len(spec.PolicyTypes) == 0 {
		p.Isolates = [2]bool{Ingress: true, Egress: len(spec.Egress) > 0}
	}
	for i, t := range spec.PolicyTypes {
		switch t {
		case networkingv1.PolicyTypeIngress:
			p.Isolates[Ingress] = true
		case networkingv1.PolicyTypeEgress:
			p.Isolates[Egress] = true
		default:
			p.problem("policyTypes[%d]: %q is neither Ingress nor Egress", i, string(t))
			p.Isolates = [2]bool{true, true}
		}
	}
}

// rule adds a rule. One with a problem keeps its place, and matches nothing.
func (p *Policy) rule(d Direction, at string, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) {
	before := len(p.Problems)
	r := Rule{AnyPeer: len(peers) == 0, AnyPort: len(ports) == 0}
	side := [...]string{"to", "from"}[d]
	for i := range peers {
		r.Peers = append(r.Peers, p.peer(fmt.Sprintf("%s.%s[%d]", at, side, i), &peers[i]))
	}
	for i := range ports {
		r.Ports = append(r.Ports, p.port(fmt.Sprintf("%s.ports[%d]", at, i), &ports[i]))
	}
	if len(p.Problems) > before {
		r = Rule{}
	}
	p.Rules[d] = append(p.Rules[d], r)
}

func (p *Policy) peer(at string, n *networkingv1.NetworkPolicyPeer) Peer {
	if n.IPBlock != nil {
		if n.PodSelector != nil || n.NamespaceSelector != nil {
			p.problem("%s: it has an ipBlock and selectors", at)
		}
		return Peer{Blocks: []Block{p.block(at+".ipBlock", n.IPBlock)}}
	}
	if n.PodSelector == nil && n.NamespaceSelector == nil {
		p.problem("%s: it is empty", at)
		return Peer{}
	}
	s := &Selection{Namespace: p.Namespace}
	if n.NamespaceSelector != nil {
		s.Namespace, s.Namespaces = "", p.selector(at+".namespaceSelector", n.NamespaceSelector)
	}
	if n.PodSelector != nil {
		s.Pods = *p.selector(at+".podSelector", n.PodSelector)
	}
	return Peer{Pods: s}
}

func (p *Policy) selector(at string, l *metav1.LabelSelector) *Selector {
	s, err := NewSelector(l)
	if err != nil {
		p.problem("%s: %v", at, err)
	}
	return &s
}

func (p *Policy) block(at string, b *networkingv1.IPBlock) Block {
	out := Block{CIDR: p.prefix(at+".cidr", b.CIDR)}
	for i, text := range b.Except {
		e := p.prefix(fmt.Sprintf("%s.except[%d]", at, i), text)
		if e.IsValid() && out.CIDR.IsValid() && (e.Bits() <= out.CIDR.Bits() || !out.CIDR.Contains(e.Addr())) {
			p.problem("%s.except[%d]: %s is no part of %s", at, i, e, out.CIDR)
		}
		out.Except = append(out.Except, e)
	}
	return out
}

// prefix reads a CIDR; bits of the host are ignored, as API server and peers do.
func (p *Policy) prefix(at, text string) netip.Prefix {
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is4In6() {
		p.problem("%s: %q is no CIDR", at, text)
		return netip.Prefix{}
	}
	return prefix.Masked()
}

func (p *Policy) port(at string, n *networkingv1.NetworkPolicyPort) PortMatch {
	m := PortMatch{}
	name := ""
	if n.Protocol != nil {
		name = string(*n.Protocol)
	}
	known := false
	if m.Proto, known = protocol(name); !known {
		p.problem("%s: protocol %q is none of TCP, UDP and SCTP", at, name)
	}
	switch {
	case n.Port == nil:
	case n.Port.Type == intstr.String:
		if list := validation.IsValidPortName(n.Port.StrVal); list != nil {
			p.problem("%s: port %q is no name: %s", at, n.Port.StrVal, strings.Join(list, ", "))
		}
		m.Name = n.Port.StrVal
	default:
		m.First = p.number(at+".port", n.Port.IntVal)
		m.Last = m.First
	}
	if n.EndPort == nil {
		return m
	}
	if m.Last == 0 {
		p.problem("%s: it has endPort %d and no number to begin with", at, *n.EndPort)
		return m
	}
	m.Last = p.number(at+".endPort", *n.EndPort)
	if m.Last < m.First {
		p.problem("%s: endPort %d is before port %d", at, *n.EndPort, m.First)
	}
	return m
}

func (p *Policy) number(at string, n int32) uint16 {
	if n < 1 || n > 65535 {
		p.problem("%s: %d is none of 1 to 65535", at, n)
		return 0
	}
	return uint16(n)
}
