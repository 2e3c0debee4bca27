package cloud

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/cloud-provider/service/helpers"
)

// inTree reads a Service as AWS's cloud controller manager does (v1.37): a Classic
// Load Balancer, or a Network Load Balancer by the type annotation. Its checks
// come in its order, with its words.
func (a Asked) inTree() (Balancer, error) {
	s, b, n := a.Service, a.begin(), notesOf(a.Service.Annotations)
	switch kind := n.text("type"); kind {
	case "", "nlb":
		b.Classic = kind == ""
	default:
		return Balancer{}, fmt.Errorf("annotation %stype: unknown load balancer type %q", prefix, kind)
	}
	if err := sameKind(b, s); err != nil {
		return Balancer{}, err
	}
	if s.Spec.SessionAffinity != "" && s.Spec.SessionAffinity != corev1.ServiceAffinityNone {
		return Balancer{}, fmt.Errorf("unsupported load balancer affinity: %v", s.Spec.SessionAffinity)
	}
	if err := b.checkPorts(s.Spec.Ports); err != nil {
		return Balancer{}, err
	}
	if s.Spec.LoadBalancerIP != "" {
		return Balancer{}, fmt.Errorf("LoadBalancerIP cannot be specified for AWS ELB")
	}
	var err error
	if b.SourceRanges, err = sourceRanges(s); err != nil {
		return Balancer{}, err
	}
	n.common()
	b.Internal = n.text("internal") != "" && n.text("internal") != "false"
	b.Subnets, b.CrossZone = n.list("subnets"), n.flag("cross-zone-load-balancing-enabled", false)
	for key, value := range n.pairs("additional-resource-tags") {
		b.Tags[key] = value
	}
	like := Listener{Protocol: string(s.Spec.Ports[0].Protocol)}
	if b.Classic {
		b.classic(n, s, &like)
	} else {
		b.network(n, s, &like)
	}
	labels := n.pairs("target-node-labels")
	if err := n.done(); err != nil {
		return Balancer{}, err
	}
	for _, p := range s.Spec.Ports {
		l := like
		l.Port, l.TargetPort = uint16(p.Port), uint16(p.NodePort)
		if l.Targets, err = a.instances(l.TargetPort, labels); err != nil {
			return Balancer{}, err
		}
		b.Listeners = append(b.Listeners, l)
	}
	return b, nil
}

// sameKind refuses to make a load balancer another kind than it is: its name tells.
func sameKind(b Balancer, s *corev1.Service) error {
	if len(s.Status.LoadBalancer.Ingress) == 0 {
		return nil
	}
	isClassic := strings.HasSuffix(s.Status.LoadBalancer.Ingress[0].Hostname, ".elb.amazonaws.com")
	if isClassic == b.Classic {
		return nil
	}
	kind := "NLB"
	if b.Classic {
		kind = "Classic Load Balancer"
	}
	return fmt.Errorf("cannot update Load Balancer Type annotation %q after creation for %s", prefix+"type", kind)
}

func (b Balancer) checkPorts(ports []corev1.ServicePort) error {
	if len(ports) == 0 {
		return fmt.Errorf("requested load balancer with no ports")
	}
	for _, p := range ports[1:] {
		if p.Protocol != ports[0].Protocol {
			return fmt.Errorf("mixed protocol is not supported for LoadBalancer")
		}
	}
	for _, p := range ports {
		switch {
		case p.Protocol != corev1.ProtocolTCP && (b.Classic || p.Protocol != corev1.ProtocolUDP):
			//lint:ignore ST1005 AWS's text
			return fmt.Errorf("Protocol %s not supported by LoadBalancer", p.Protocol)
		case p.NodePort == 0:
			return fmt.Errorf("port %d has no node port for the load balancer to lead to", p.Port)
		}
	}
	return nil
}

// classic reads what only Classic Load Balancers have.
func (b *Balancer) classic(n *notes, s *corev1.Service, l *Listener) {
	if n.has("target-group-attributes") {
		n.fail(fmt.Errorf("target group attributes annotation is only supported for NLB"))
	}
	switch v := n.text("proxy-protocol"); v {
	case "":
	case "*":
		l.ProxyProtocol = 1
	default:
		n.fail(fmt.Errorf("annotation %q=%q detected, but the only value supported currently is '*'", prefix+"proxy-protocol", v))
	}
	checkProtocol := "TCP"
	switch v := n.text("backend-protocol"); v {
	case "", "tcp":
	case "http":
		l.Protocol = "HTTP"
		if l.ProxyProtocol != 0 {
			n.fail(fmt.Errorf("annotation %sproxy-protocol is not supported with %sbackend-protocol http", prefix, prefix))
		}
	case "https", "ssl": // without a certificate the listener speaks TCP
		checkProtocol = "SSL"
	default:
		//lint:ignore ST1005 AWS's text
		n.fail(fmt.Errorf("Invalid backend protocol %s in %s", v, prefix+"backend-protocol"))
	}
	b.Idle = n.seconds("connection-idle-timeout", 60, 1, 4000)
	l.EndDrained = true
	drains := n.flag("connection-draining-enabled", false)
	if timeout := n.seconds("connection-draining-timeout", 300, 1, 3600); drains {
		l.Drain = timeout
	}
	n.refuse("security-groups", "a Classic Load Balancer's group is made for it here")
	n.refuse("extra-security-groups", "a Classic Load Balancer's group is made for it here")
	l.Check = classicCheck(n, s, checkProtocol)
}

// network reads what only Network Load Balancers have.
func (b *Balancer) network(n *notes, s *corev1.Service, l *Listener) {
	udp := l.Protocol == string(corev1.ProtocolUDP)
	l.TargetAttributes = TargetAttributes{PreserveClient: true, Drain: 300 * time.Second, EndDrained: udp, EndUnhealthy: true}
	n.targetAttributes(&l.TargetAttributes, func(key string) error {
		switch key {
		case "preserve_client_ip.enabled", "proxy_protocol_v2.enabled":
			return nil
		}
		return fmt.Errorf("error validating target group attributes: the attribute %q is not supported by the controller or is invalid", key)
	})
	if udp && !l.PreserveClient {
		n.fail(fmt.Errorf("error validating target group attributes: client IP preservation can't be disabled for UDP ports"))
	}
	if udp && l.ProxyProtocol != 0 {
		n.fail(fmt.Errorf("attribute proxy_protocol_v2.enabled is not supported with UDP"))
	}
	if n.has("extra-security-groups") {
		n.fail(fmt.Errorf("BYO extra security group annotation %q is not supported by NLB", prefix+"extra-security-groups"))
	}
	n.refuse("proxy-protocol", "of a Network Load Balancer, proxy_protocol_v2.enabled=true among "+prefix+"target-group-attributes switches it")
	n.refuse("security-groups", "a load balancer of class "+classController+" can have them")
	n.refuse("private-ipv4-addresses", "a load balancer of class "+classController+" can have them")
	b.elastic(n)
	l.Check = networkCheck(n, s, Check{Protocol: "TCP", Interval: 30 * time.Second, Timeout: 10 * time.Second, Healthy: 3, Unhealthy: 3})
}

// classicCheck is the health check of a Classic Load Balancer, one for all ports:
// of the first node port, or, with externalTrafficPolicy: Local, of the port that
// tells whether a node has a pod of the Service.
func classicCheck(n *notes, s *corev1.Service, protocol string) Check {
	c := Check{Protocol: protocol, Port: uint16(s.Spec.Ports[0].NodePort)}
	if path, port := helpers.GetServiceHealthCheckPathPort(s); path != "" {
		c.Protocol, c.Path = "HTTP", path
		if n.text("healthcheck-port") != trafficPort {
			c.Port = uint16(port)
		}
	}
	if v := n.text("healthcheck-protocol"); v != "" {
		c.Protocol = strings.ToUpper(v)
	}
	if v := n.text("healthcheck-port"); v != "" && v != trafficPort {
		c.Port = uint16(n.number("healthcheck-port", 0, 1, 65535))
	}
	c.path(n)
	c.Healthy, c.Unhealthy = n.number("healthcheck-healthy-threshold", 2, 2, 10), n.number("healthcheck-unhealthy-threshold", 6, 2, 10)
	c.Interval, c.Timeout = n.seconds("healthcheck-interval", 10, 5, 300), n.seconds("healthcheck-timeout", 5, 2, 60)
	if n.err == nil && c.Timeout >= c.Interval {
		n.fail(fmt.Errorf("the health check's timeout of %s is not less than its interval of %s", c.Timeout, c.Interval))
	}
	if c.Protocol != "SSL" {
		c.known(n)
	}
	return c
}

const trafficPort = "traffic-port"

// networkCheck is the health check of a Network Load Balancer's target groups: of
// each target's port, or, with externalTrafficPolicy: Local, as above.
func networkCheck(n *notes, s *corev1.Service, c Check) Check {
	port := trafficPort
	if s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
		path, p := helpers.GetServiceHealthCheckPathPort(s)
		c = Check{Protocol: "HTTP", Path: path, Interval: 10 * time.Second, Timeout: 10 * time.Second, Healthy: 2, Unhealthy: 2}
		port = strconv.Itoa(int(p))
	}
	if v := n.text("healthcheck-protocol"); v != "" {
		c.Protocol = strings.ToUpper(v)
	}
	if v := n.text("healthcheck-port"); v != "" {
		port = v
	}
	if port != trafficPort {
		v, err := strconv.ParseUint(port, 10, 16)
		if err != nil || v == 0 {
			//lint:ignore ST1005 AWS's text
			n.fail(fmt.Errorf("Invalid health check port '%v'", port))
		}
		c.Port = uint16(v)
	}
	c.path(n)
	c.Interval = n.seconds("healthcheck-interval", int(c.Interval/time.Second), 5, 300)
	c.Timeout = n.seconds("healthcheck-timeout", int(c.Timeout/time.Second), 2, 120)
	c.Healthy = n.number("healthcheck-healthy-threshold", c.Healthy, 2, 10)
	c.Unhealthy = n.number("healthcheck-unhealthy-threshold", c.Unhealthy, 2, 10)
	c.known(n)
	return c
}

// path settles what an HTTP check asks for.
func (c *Check) path(n *notes) {
	given := n.text("healthcheck-path")
	if c.Protocol != "HTTP" && c.Protocol != "HTTPS" {
		c.Path = ""
		return
	}
	if given != "" {
		c.Path = given
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if !strings.HasPrefix(c.Path, "/") {
		n.fail(fmt.Errorf("annotation %shealthcheck-path: %q does not begin with /", prefix, c.Path))
	}
}

func (c Check) known(n *notes) {
	switch c.Protocol {
	case "TCP", "HTTP", "HTTPS":
	default:
		//lint:ignore ST1005 AWS's text
		n.fail(fmt.Errorf("Unsupported health check protocol %v", c.Protocol))
	}
}
