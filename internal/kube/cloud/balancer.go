package cloud

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/cloud-provider/service/helpers"
)

// Balancer is the load balancer that a Service asks for.
type Balancer struct {
	Name     string // "a" and 31 digits of the Service's UID, as AWS's controller names it
	Service  string // namespace/name
	Internal bool   // reachable from inside the VPC alone
	Ports    []Port
	Targets  []Target
	// SourceRanges may connect; empty means everybody.
	SourceRanges []netip.Prefix
	// HealthPort and HealthPath are set where only nodes with a pod of the Service
	// are to be used (externalTrafficPolicy: Local); otherwise a node's health is
	// that of its node port.
	HealthPort uint16
	HealthPath string
	Tags       map[string]string
}

// Port leads a port of the balancer to a port of every node.
type Port struct {
	Port, NodePort uint16
	Protocol       string // "TCP", "UDP"
}

// Target is a node that receives connections.
type Target struct {
	Instance string // i-0123456789abcdef0
	Addr     netip.Addr
}

// Annotations of AWS's cloud controller, see
// https://cloud-provider-aws.sigs.k8s.io/service_controller/.
const (
	annotations    = "service.beta.kubernetes.io/aws-load-balancer-"
	annotationType = annotations + "type"     // "nlb"; "external" and "nlb-ip" name another controller
	annotationOpen = annotations + "internal" // anything but "" and "false": internal
	annotationTags = annotations + "additional-resource-tags"
	// Every balancer here spreads over all zones' nodes.
	annotationCrossZone = annotations + "cross-zone-load-balancing-enabled"
)

//lint:ignore ST1005 AWS's text
var errTCPOnly = errors.New("Only TCP LoadBalancer is supported for AWS ELB")

// Of reads what a Service asks for, to be served by nodes. Errors are told to the
// user in an event of the Service. ImplementedElsewhere means that the Service
// asks for another controller's balancer.
func Of(cluster string, s *corev1.Service, nodes []*corev1.Node) (Balancer, error) {
	b := Balancer{
		Name:    cloudprovider.DefaultLoadBalancerName(s),
		Service: s.Namespace + "/" + s.Name,
		Tags: map[string]string{
			"kubernetes.io/service-name":       s.Namespace + "/" + s.Name,
			"kubernetes.io/cluster/" + cluster: "owned",
		},
	}
	if err := b.annotated(s.Annotations); err != nil {
		return Balancer{}, err
	}
	switch {
	case s.Spec.SessionAffinity != "" && s.Spec.SessionAffinity != corev1.ServiceAffinityNone:
		return Balancer{}, fmt.Errorf("unsupported load balancer affinity: %v", s.Spec.SessionAffinity)
	case len(s.Spec.Ports) == 0:
		return Balancer{}, fmt.Errorf("requested load balancer with no ports")
	case s.Spec.LoadBalancerIP != "":
		return Balancer{}, fmt.Errorf("LoadBalancerIP cannot be specified for AWS ELB")
	}
	network := s.Annotations[annotationType] == "nlb"
	for _, p := range s.Spec.Ports {
		switch {
		case p.Protocol != corev1.ProtocolTCP && !network:
			return Balancer{}, errTCPOnly
		case p.Protocol != corev1.ProtocolTCP && p.Protocol != corev1.ProtocolUDP:
			return Balancer{}, fmt.Errorf("port %d: protocol %s is not supported", p.Port, p.Protocol)
		}
		b.Ports = append(b.Ports, Port{Port: uint16(p.Port), NodePort: uint16(p.NodePort), Protocol: string(p.Protocol)})
	}
	var err error
	if b.SourceRanges, err = sourceRanges(s); err != nil {
		return Balancer{}, err
	}
	path, port := helpers.GetServiceHealthCheckPathPort(s)
	b.HealthPath, b.HealthPort = path, uint16(port)
	b.Targets, err = targets(nodes)
	return b, err
}

// annotated applies AWS's annotations, and refuses what it can't apply.
func (b *Balancer) annotated(all map[string]string) error {
	switch kind := all[annotationType]; kind {
	case "", "nlb":
	case "external", "nlb-ip": // AWS Load Balancer Controller's, with all their other annotations
		return cloudprovider.ImplementedElsewhere
	default:
		return fmt.Errorf("annotation %s: unknown load balancer type %q", annotationType, kind)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		value := all[name]
		switch name {
		case annotationType:
		case annotationOpen:
			b.Internal = value != "" && value != "false"
		case annotationTags:
			for _, pair := range strings.Split(value, ",") {
				if key, v, _ := strings.Cut(strings.TrimSpace(pair), "="); key != "" {
					b.Tags[key] = v
				}
			}
		case annotationCrossZone:
			if value != "" && value != "true" {
				return fmt.Errorf("annotation %s: %q is not supported, load balancing across zones is always on", name, value)
			}
		default:
			if strings.HasPrefix(name, annotations) {
				return fmt.Errorf("annotation %s is not supported", name)
			}
		}
	}
	return nil
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

// targets are the instances behind nodes, in the order of their ids.
func targets(nodes []*corev1.Node) ([]Target, error) {
	var all []Target
	for _, n := range nodes {
		t := Target{Instance: n.Spec.ProviderID[strings.LastIndexByte(n.Spec.ProviderID, '/')+1:]}
		for _, a := range n.Status.Addresses {
			if a.Type != corev1.NodeInternalIP {
				continue
			}
			addr, err := netip.ParseAddr(a.Address)
			if err != nil {
				return nil, fmt.Errorf("node %s: %w", n.Name, err)
			}
			if addr.Is4() {
				t.Addr = addr
				break
			}
		}
		if t.Instance != "" && t.Addr.IsValid() {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b Target) int { return strings.Compare(a.Instance, b.Instance) })
	return all, nil
}
