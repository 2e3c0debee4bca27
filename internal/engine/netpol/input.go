package netpol

import (
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksact/eksact/internal/engine/ruleset"
)

// Namespace is what policies see of a namespace.
type Namespace struct {
	Name   string
	Labels map[string]string
}

// Pod is what policies see of a pod.
type Pod struct {
	Namespace, Name string
	// UID tells pods of the same name apart: another one is another pod.
	UID    string
	Labels map[string]string
	// Addresses are the pod's own, one for each IP family at most; from the CNI before
	// the status has them.
	Addresses   []netip.Addr
	Node        string      // "" while it has none
	HostNetwork bool        // its traffic is its node's: no policy knows it
	Finished    bool        // it succeeded or failed: its addresses are free for others
	Ports       []NamedPort // of its containers, those with names
}

// NamedPort is a container's port with a name.
type NamedPort struct {
	Name   string
	Proto  uint8 // IP protocol number
	Number uint16
}

// Node is what policies see of a node: peers of a rule may be nodes.
type Node struct {
	Name      string
	Labels    map[string]string
	Addresses []netip.Addr
}

// nodes is where the compiler keeps nodes: as pods of a namespace that none can be.
const nodes = "#nodes"

// asPod is the node as the compiler keeps it.
func (n *Node) asPod() Pod {
	return Pod{Namespace: nodes, Name: n.Name, Labels: n.Labels, Addresses: n.Addresses}
}

// PodName is a pod's key: names are used again, but one at a time.
type PodName struct{ Namespace, Name string }

func (n PodName) String() string { return n.Namespace + "/" + n.Name }

// Key is the pod's name with its namespace.
func (p *Pod) Key() PodName { return PodName{p.Namespace, p.Name} }

// live is whether the pod has traffic that policies know.
func (p *Pod) live() bool { return !p.HostNetwork && !p.Finished }

// equal is whether policies see no difference. Ports and addresses are in order.
func (p *Pod) equal(other *Pod) bool {
	return p.Namespace == other.Namespace && p.Name == other.Name && p.UID == other.UID && p.Node == other.Node &&
		p.HostNetwork == other.HostNetwork && p.Finished == other.Finished &&
		maps.Equal(p.Labels, other.Labels) && slices.Equal(p.Addresses, other.Addresses) && slices.Equal(p.Ports, other.Ports)
}

// numbers are the pod's ports of that name, by protocol and number; proto 0 is any.
func (p *Pod) numbers(name string, proto uint8) (list []ruleset.Port) {
	for _, port := range p.Ports {
		if port.Name == name && (proto == 0 || port.Proto == proto) {
			list = append(list, ruleset.Port{Proto: port.Proto, Number: port.Number})
		}
	}
	return list
}

// NamespaceOf reads a namespace of Kubernetes.
func NamespaceOf(ns *corev1.Namespace) Namespace {
	return Namespace{Name: ns.Name, Labels: ns.Labels}
}

// NodeOf reads a node of Kubernetes: its addresses are those of its status.
func NodeOf(n *corev1.Node) Node {
	out := Node{Name: n.Name, Labels: n.Labels}
	for _, address := range n.Status.Addresses {
		if a, err := netip.ParseAddr(address.Address); err == nil {
			out.Addresses = append(out.Addresses, a.Unmap())
		}
	}
	return out
}

// PodOf reads a pod of Kubernetes. Addresses that aren't any are left out.
func PodOf(p *corev1.Pod) Pod {
	pod := Pod{
		Namespace: p.Namespace, Name: p.Name, UID: string(p.UID), Labels: p.Labels,
		Node: p.Spec.NodeName, HostNetwork: p.Spec.HostNetwork,
		Finished: p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed,
		Ports:    portsOf(&p.Spec),
	}
	texts := make([]string, 0, 2)
	for _, ip := range p.Status.PodIPs {
		texts = append(texts, ip.IP)
	}
	if len(texts) == 0 && p.Status.PodIP != "" {
		texts = append(texts, p.Status.PodIP)
	}
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil {
			pod.Addresses = append(pod.Addresses, a.Unmap())
		}
	}
	return pod
}

// portsOf are the named ports of a pod's containers, those that start first and stay
// included.
func portsOf(spec *corev1.PodSpec) (list []NamedPort) {
	containers := slices.Clone(spec.Containers)
	for _, c := range spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			containers = append(containers, c)
		}
	}
	for _, c := range containers {
		for _, p := range c.Ports {
			proto, known := protocol(string(p.Protocol))
			if p.Name == "" || !known || p.ContainerPort < 1 || p.ContainerPort > 65535 {
				continue
			}
			list = append(list, NamedPort{Name: p.Name, Proto: proto, Number: uint16(p.ContainerPort)})
		}
	}
	return list
}

// protocol is the IP protocol number of a name of Kubernetes; no name is TCP.
func protocol(name string) (number uint8, known bool) {
	switch name {
	case "", "TCP":
		return ruleset.TCP, true
	case "UDP":
		return ruleset.UDP, true
	case "SCTP":
		return ruleset.SCTP, true
	}
	return 0, false
}

// ProtocolName is Kubernetes' name of an IP protocol number; "" if it has none.
func ProtocolName(number uint8) string {
	return map[uint8]string{ruleset.TCP: "TCP", ruleset.UDP: "UDP", ruleset.SCTP: "SCTP"}[number]
}
