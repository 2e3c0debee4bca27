package cloud

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	cloudprovider "k8s.io/cloud-provider"
)

// Classes of load balancers that are made here beside those without a class: EKS
// Auto Mode's, and the AWS Load Balancer Controller's.
const (
	classAuto       = "eks.amazonaws.com/nlb"
	classController = "service.k8s.aws/nlb"
)

// byController says whether a Service asks for what the AWS Load Balancer
// Controller makes: by its class or, as of old, by the type annotation.
func byController(s *corev1.Service) bool {
	switch classOf(s) {
	case classAuto, classController:
		return true
	}
	kind := s.Annotations[prefix+"type"]
	return kind == "external" || kind == "nlb-ip"
}

// controllers reads a Service as the AWS Load Balancer Controller does: a Network
// Load Balancer, internal unless it says otherwise, whose targets are instances or
// pods.
func (a Asked) controllers() (Balancer, error) {
	s, b, n := a.Service, a.begin(), notesOf(a.Service.Annotations)
	pods, err := podTargets(n, classOf(s))
	if err != nil {
		return Balancer{}, err
	}
	if len(s.Spec.Ports) == 0 {
		return Balancer{}, fmt.Errorf("requested load balancer with no ports")
	}
	if pods && s.Spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		return Balancer{}, fmt.Errorf("sessionAffinity ClientIP is not supported with ip targets: stickiness.enabled=true,stickiness.type=source_ip among %starget-group-attributes switches it", prefix)
	}
	if b.SourceRanges, err = sourceRanges(s); err != nil {
		return Balancer{}, err
	}
	if b.Internal, err = scheme(n); err != nil {
		return Balancer{}, err
	}
	b.Controller, b.Name = true, b.shownAs(n, s, a.Cluster)
	b.CrossZone = n.flag("cross-zone-load-balancing-enabled", false)
	b.attributes(n)
	b.Subnets = n.list("subnets")
	for key, value := range n.pairs("additional-resource-tags") {
		b.Tags[key] = value
	}
	b.restOf(n)
	like := Listener{Pods: pods, Check: controllersCheck(n, s, pods)}
	both := n.flag("enable-tcp-udp-listener", false)
	labels := n.pairs("target-node-labels")
	for _, p := range s.Spec.Ports {
		if err := b.listen(a, n, like, p, both, labels); err != nil {
			return Balancer{}, err
		}
	}
	return b, n.done()
}

// podTargets says whether targets are pods. The Load Balancer Controller's default
// is instances, EKS Auto Mode's pods; a Service of type external has to say.
func podTargets(n *notes, class string) (bool, error) {
	kind, target := n.text("type"), n.text("nlb-target-type")
	switch {
	case kind != "" && kind != "external" && kind != "nlb-ip" && kind != "nlb":
		return false, fmt.Errorf("annotation %stype: unknown load balancer type %q", prefix, kind)
	case kind == "nlb-ip", target == "ip", target == "nlb-ip":
		return true, nil
	case target == "instance":
		return false, nil
	case target != "":
		return false, fmt.Errorf("unsupported target type \"%v\" for load balancer type \"%v\"", target, kind)
	case class == "":
		return false, cloudprovider.ImplementedElsewhere
	}
	return class == classAuto, nil
}

func scheme(n *notes) (internal bool, err error) {
	legacy := n.flag("internal", true)
	switch v := n.text("scheme"); v {
	case "":
		return legacy, nil
	case "internal":
		return true, nil
	case "internet-facing":
		return false, nil
	default:
		return false, fmt.Errorf("unknown scheme: %v", v)
	}
}

var notInNames = regexp.MustCompile(`[^a-zA-Z0-9]`)

// shownAs is the name that the controller gives: k8s-NAMESPACE-NAME-HASH.
func (b Balancer) shownAs(n *notes, s *corev1.Service, cluster string) string {
	if name := n.text("name"); name != "" {
		if len(name) > 32 || strings.HasPrefix(name, "internal-") || notInNames.MatchString(strings.ReplaceAll(name, "-", "")) ||
			strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-") {
			n.fail(fmt.Errorf("annotation %sname: %q is not a name of a load balancer", prefix, name))
		}
		return name
	}
	sum := sha256.Sum256([]byte(cluster + "/" + string(s.UID)))
	return fmt.Sprintf("k8s-%.8s-%.8s-%.10s", notInNames.ReplaceAllString(s.Namespace, ""), notInNames.ReplaceAllString(s.Name, ""), hex.EncodeToString(sum[:]))
}

// attributes applies those of the load balancer itself.
func (b *Balancer) attributes(n *notes) {
	for key, value := range n.pairs("attributes") {
		switch {
		case key == "load_balancing.cross_zone.enabled" && (value == "true" || value == "false"):
			b.CrossZone = value == "true"
		case key == "deletion_protection.enabled" && value == "false", key == "access_logs.s3.enabled" && value == "false",
			key == "dns_record.client_routing_policy" && value == "any_availability_zone":
		default:
			n.fail(fmt.Errorf("annotation %sattributes: %s=%s is not supported", prefix, key, value))
		}
	}
}

// restOf reads what can have one value here.
func (b *Balancer) restOf(n *notes) {
	n.common()
	only := func(name, value string) {
		if v := n.text(name); v != "" && v != value {
			n.fail(fmt.Errorf("annotation %s%s: %q is not supported, it is always %q", prefix, name, v, value))
		}
	}
	only("ip-address-type", "ipv4")
	b.Groups = n.list("security-groups")
	// Rules of the nodes' groups are managed unless the load balancer's groups were
	// given: who gives them has to say so.
	manage := n.flag("manage-backend-security-group-rules", false)
	b.LeaveNodes = len(b.Groups) > 0 && !manage
	b.chosen(n)
}

// elastic reads allocations of public addresses.
func (b *Balancer) elastic(n *notes) {
	if b.EIPs = n.list("eip-allocations"); len(b.EIPs) > 0 && b.Internal {
		n.fail(fmt.Errorf("EIP allocations can only be set for internet facing load balancers"))
	}
}

// chosen reads addresses that are not to be drawn, with the controller's words.
func (b *Balancer) chosen(n *notes) {
	b.elastic(n)
	given := n.list("private-ipv4-addresses")
	if len(given) > 0 && !b.Internal {
		n.fail(fmt.Errorf("private IPv4 addresses can only be set for internal load balancers"))
	}
	for _, text := range given {
		a, err := netip.ParseAddr(text)
		switch {
		case err != nil:
			n.fail(fmt.Errorf("private IPv4 addresses must be valid IP address: %v", text))
		case !a.Is4():
			n.fail(fmt.Errorf("private IPv4 addresses must be valid IPv4 address: %v", text))
		}
		b.Private = append(b.Private, a)
	}
}

// listenerAttributes reads those of one port, listener-attributes.TCP-80.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ListenerAttribute.html
func (b *Balancer) listenerAttributes(n *notes, l *Listener) {
	name := fmt.Sprintf("listener-attributes.%s-%d", l.Protocol, l.Port)
	for key, value := range n.pairs(name) {
		seconds, err := strconv.Atoi(value)
		if key != "tcp.idle_timeout.seconds" || l.Protocol == "UDP" || err != nil || seconds < 60 || seconds > 6000 {
			n.fail(fmt.Errorf("annotation %s%s: %s=%s is not supported", prefix, name, key, value))
		}
		l.Idle = time.Duration(seconds) * time.Second
	}
}

func controllersCheck(n *notes, s *corev1.Service, pods bool) Check {
	usual := Check{Protocol: "TCP", Interval: 10 * time.Second, Timeout: 10 * time.Second, Healthy: 3, Unhealthy: 3}
	if !pods {
		return networkCheck(n, s, usual)
	}
	cluster := s.DeepCopy() // pods are asked themselves, whatever nodes would say
	cluster.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyCluster
	return networkCheck(n, cluster, usual)
}

// listen adds a port of the Service. TCP and UDP on one number are one listener if
// the Service says so.
func (b *Balancer) listen(a Asked, n *notes, l Listener, p corev1.ServicePort, both bool, labels map[string]string) (err error) {
	if p.Protocol != corev1.ProtocolTCP && p.Protocol != corev1.ProtocolUDP {
		return fmt.Errorf("port %d: protocol %s is not supported", p.Port, p.Protocol)
	}
	l.Port, l.Protocol, l.TargetPort = uint16(p.Port), string(p.Protocol), uint16(p.NodePort)
	if i := slices.IndexFunc(b.Listeners, func(o Listener) bool { return o.Port == l.Port }); i >= 0 {
		if !both || b.Listeners[i].Protocol == l.Protocol {
			return fmt.Errorf("port %d: a Network Load Balancer has one listener on a port; %senable-tcp-udp-listener makes it one for TCP and UDP", p.Port, prefix)
		}
		l = b.Listeners[i]
		l.Protocol = "TCP_UDP"
		b.Listeners = slices.Delete(b.Listeners, i, i+1)
	}
	if l.Pods {
		l.TargetPort = uint16(p.TargetPort.IntValue())
		l.Targets, err = a.Pods(a.Service, p)
	} else if l.TargetPort == 0 {
		return fmt.Errorf("port %d has no node port for the load balancer to lead to", p.Port)
	} else {
		l.Targets, err = a.instances(l.TargetPort, labels)
	}
	if err != nil {
		return err
	}
	udp := l.Protocol != string(corev1.ProtocolTCP)
	l.TargetAttributes = TargetAttributes{PreserveClient: udp || !l.Pods, Drain: 300 * time.Second, EndDrained: udp, EndUnhealthy: true}
	if v := n.text("proxy-protocol"); v == "*" {
		l.ProxyProtocol = 2
	} else if v != "" {
		n.fail(fmt.Errorf("invalid value %v for Load Balancer proxy protocol v2 annotation, only value currently supported is *", v))
	}
	n.targetAttributes(&l.TargetAttributes, func(string) error { return nil })
	b.listenerAttributes(n, &l)
	switch {
	case udp && !l.PreserveClient:
		n.fail(fmt.Errorf("client IP preservation can't be disabled for UDP ports"))
	case udp && l.ProxyProtocol != 0:
		n.fail(fmt.Errorf("port %d: the proxy protocol is not supported with %s", p.Port, l.Protocol))
	}
	b.Listeners = append(b.Listeners, l)
	return nil
}
