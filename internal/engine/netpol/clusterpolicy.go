package netpol

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"

	"github.com/eksact/eksact/internal/engine/ruleset"
)

// clusterPolicy is a ClusterNetworkPolicy: upstream's and AWS's differ in how they
// write ports, and in what peers there are.
type clusterPolicy struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metav1.ObjectMeta `json:"metadata"`
	Status     any               `json:"status"`
	Spec       struct {
		Tier     string        `json:"tier"`
		Priority int32         `json:"priority"`
		Subject  clusterPeer   `json:"subject"`
		Ingress  []clusterRule `json:"ingress"`
		Egress   []clusterRule `json:"egress"`
	} `json:"spec"`
}

type clusterRule struct {
	Name      string            `json:"name"`
	Action    string            `json:"action"`
	From      []clusterPeer     `json:"from"`
	To        []clusterPeer     `json:"to"`
	Protocols []clusterProtocol `json:"protocols"` // upstream's
	Ports     []clusterPort     `json:"ports"`     // AWS's
}

type clusterPeer struct {
	Namespaces *metav1.LabelSelector `json:"namespaces"`
	Pods       *struct {
		NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
		PodSelector       metav1.LabelSelector `json:"podSelector"`
	} `json:"pods"`
	Networks    []string              `json:"networks"`
	Nodes       *metav1.LabelSelector `json:"nodes"`
	DomainNames []string              `json:"domainNames"`
}

type clusterProtocol struct {
	TCP                  *destination `json:"tcp"`
	UDP                  *destination `json:"udp"`
	SCTP                 *destination `json:"sctp"`
	DestinationNamedPort string       `json:"destinationNamedPort"`
}

type destination struct {
	DestinationPort *struct {
		Number int32      `json:"number"`
		Range  *portRange `json:"range"`
	} `json:"destinationPort"`
}

type portRange struct {
	Protocol string `json:"protocol"` // AWS's
	Start    int32  `json:"start"`
	End      int32  `json:"end"`
}

type clusterPort struct {
	PortNumber *struct {
		Protocol string `json:"protocol"`
		Port     int32  `json:"port"`
	} `json:"portNumber"`
	PortRange *portRange `json:"portRange"`
	NamedPort *string    `json:"namedPort"`
}

// FromClusterNetworkPolicy reads a ClusterNetworkPolicy in JSON: upstream's
// (policy.networking.k8s.io, v1alpha2 and v1beta1) or AWS's (networking.k8s.aws,
// v1alpha1). It fails on what is no such object. What an object may not say is told in
// Problems, and fails closed as upstream demands: a rule with a problem that would
// accept matches nothing, one that would not denies all.
func FromClusterNetworkPolicy(text []byte) (*Policy, error) {
	var o clusterPolicy
	unknown, err := json.UnmarshalStrict(text, &o)
	if err != nil {
		return nil, fmt.Errorf("ClusterNetworkPolicy: %w", err)
	}
	group, version, _ := strings.Cut(o.APIVersion, "/")
	versions := map[string][]string{UpstreamGroup: {"v1alpha2", "v1beta1"}, AWSGroup: {"v1alpha1"}}
	if o.Kind != "ClusterNetworkPolicy" || !slices.Contains(versions[group], version) {
		return nil, fmt.Errorf("%s of %s is no ClusterNetworkPolicy of a known version", o.Kind, o.APIVersion)
	}
	p := &Policy{PolicyName: PolicyName{group, "", o.Metadata.Name}, Version: Version{string(o.Metadata.UID), o.Metadata.Generation}, Priority: o.Spec.Priority}
	for _, field := range unknown {
		p.problem("%v", field)
	}
	r := clusterReader{Policy: p}
	switch o.Spec.Tier {
	case Admin.String():
	case Baseline.String():
		p.Tier = Baseline
	default:
		p.problem("tier: %q is neither Admin nor Baseline", o.Spec.Tier)
	}
	r.subject(&o.Spec.Subject)
	for i := range o.Spec.Ingress {
		r.rule(Ingress, fmt.Sprintf("ingress[%d]", i), &o.Spec.Ingress[i])
	}
	for i := range o.Spec.Egress {
		r.rule(Egress, fmt.Sprintf("egress[%d]", i), &o.Spec.Egress[i])
	}
	return p, nil
}

// clusterReader fills a policy.
type clusterReader struct{ *Policy }

// subject of a policy that can't be read is no pod: it would be all of the cluster.
func (r *clusterReader) subject(s *clusterPeer) {
	before := len(r.Problems)
	peer := r.pods("subject", s)
	if peer == nil {
		r.problem("subject: it has neither namespaces nor pods")
	}
	if len(r.Problems) > before {
		r.Subject = Selection{}
		return
	}
	r.Subject = *peer
}

// pods are those that a peer picks by labels; nil if it doesn't.
func (r *clusterReader) pods(at string, p *clusterPeer) *Selection {
	switch {
	case p.Namespaces != nil && p.Pods != nil:
		r.problem("%s: it has namespaces and pods", at)
	case p.Namespaces != nil:
		return &Selection{Namespaces: r.selector(at+".namespaces", p.Namespaces)}
	case p.Pods != nil:
		return &Selection{
			Namespaces: r.selector(at+".pods.namespaceSelector", &p.Pods.NamespaceSelector),
			Pods:       *r.selector(at+".pods.podSelector", &p.Pods.PodSelector),
		}
	}
	return nil
}

func (r *clusterReader) rule(d Direction, at string, in *clusterRule) {
	before := len(r.Problems)
	out := Rule{Name: in.Name, AnyPort: len(in.Protocols)+len(in.Ports) == 0}
	known := true
	if out.Action, known = map[string]Action{"Accept": Accept, "Deny": Deny, "Pass": Pass}[in.Action]; !known {
		r.problem("%s: action %q is none of Accept, Deny and Pass", at, in.Action)
	}
	side, peers := "from", in.From
	if d == Egress {
		side, peers = "to", in.To
	}
	if len(peers) == 0 {
		r.problem("%s: it has no %s", at, side)
	}
	for i := range peers {
		out.Peers = append(out.Peers, r.peer(d, fmt.Sprintf("%s.%s[%d]", at, side, i), &peers[i]))
	}
	for i := range in.Protocols {
		out.Ports = append(out.Ports, r.protocol(fmt.Sprintf("%s.protocols[%d]", at, i), &in.Protocols[i])...)
	}
	for i := range in.Ports {
		out.Ports = append(out.Ports, r.awsPort(fmt.Sprintf("%s.ports[%d]", at, i), &in.Ports[i])...)
	}
	if len(r.Problems) > before {
		open := known && out.Action == Accept
		out = Rule{Name: in.Name, Action: Deny, AnyPeer: true, AnyPort: true}
		if open {
			out = Rule{Name: in.Name}
		}
	}
	r.Rules[d] = append(r.Rules[d], out)
}

func (r *clusterReader) peer(d Direction, at string, p *clusterPeer) Peer {
	switch {
	case p.Nodes != nil && d == Ingress:
		r.problem("%s: nodes are peers of egress rules alone", at)
	case p.Nodes != nil && p.Networks == nil && p.Namespaces == nil && p.Pods == nil:
		return Peer{Pods: NodeSelection(*r.selector(at+".nodes", p.Nodes))}
	case p.Nodes != nil:
		r.problem("%s: it has nodes and others", at)
	case p.DomainNames != nil:
		r.problem("%s: domainNames are not supported: EKS has them on Auto Mode alone", at)
	case p.Networks != nil && d == Ingress:
		r.problem("%s: networks are peers of egress rules alone", at)
	case p.Networks != nil && p.Namespaces == nil && p.Pods == nil:
		var out Peer
		for i, text := range p.Networks {
			out.Blocks = append(out.Blocks, Block{CIDR: r.prefix(fmt.Sprintf("%s.networks[%d]", at, i), text)})
		}
		return out
	case p.Networks != nil:
		r.problem("%s: it has networks and selectors", at)
	}
	pods := r.pods(at, p)
	if pods == nil {
		r.problem("%s: it picks nothing", at)
	}
	return Peer{Pods: pods}
}

func (r *clusterReader) protocol(at string, p *clusterProtocol) (list []PortMatch) {
	for _, one := range []struct {
		number uint8
		to     *destination
	}{{ruleset.TCP, p.TCP}, {ruleset.UDP, p.UDP}, {ruleset.SCTP, p.SCTP}} {
		if one.to == nil {
			continue
		}
		m := PortMatch{Proto: one.number}
		if port := one.to.DestinationPort; port != nil && port.Range != nil {
			r.span(at, &m, port.Range)
		} else if port != nil {
			m.First = r.number(at+".destinationPort", port.Number)
			m.Last = m.First
		}
		list = append(list, m)
	}
	if p.DestinationNamedPort != "" {
		list = append(list, PortMatch{Name: p.DestinationNamedPort})
	}
	if len(list) != 1 {
		r.problem("%s: it is %d of tcp, udp, sctp and destinationNamedPort, not one", at, len(list))
	}
	return list
}

// awsPort: the parts of an entry add up, and a name is one of TCP ports, as AWS's
// controller has it.
func (r *clusterReader) awsPort(at string, p *clusterPort) (list []PortMatch) {
	proto := func(name string) (m PortMatch) {
		known := false
		if m.Proto, known = protocol(name); !known {
			r.problem("%s: protocol %q is none of TCP, UDP and SCTP", at, name)
		}
		return m
	}
	if n := p.PortNumber; n != nil {
		m := proto(n.Protocol)
		m.First = r.number(at+".portNumber", n.Port)
		m.Last = m.First
		list = append(list, m)
	}
	if n := p.PortRange; n != nil {
		m := proto(n.Protocol)
		r.span(at, &m, n)
		list = append(list, m)
	}
	if p.NamedPort != nil {
		list = append(list, PortMatch{Proto: ruleset.TCP, Name: *p.NamedPort})
	}
	if len(list) == 0 || p.NamedPort != nil && *p.NamedPort == "" {
		r.problem("%s: it names no port", at)
	}
	return list
}

func (r *clusterReader) span(at string, m *PortMatch, in *portRange) {
	m.First, m.Last = r.number(at+" start", in.Start), r.number(at+" end", in.End)
	if m.First > m.Last {
		r.problem("%s: the range ends at %d, before it begins at %d", at, m.Last, m.First)
	}
}
