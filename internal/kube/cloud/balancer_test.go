package cloud_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	cloudprovider "k8s.io/cloud-provider"

	"github.com/eksact/eksact/internal/kube/cloud"
)

func service(change func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "user1", Name: "nginx", UID: "01234567-89ab-cdef-0123-456789abcdef", Annotations: map[string]string{}},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, SessionAffinity: corev1.ServiceAffinityNone,
			Ports: []corev1.ServicePort{{Protocol: corev1.ProtocolTCP, Port: 80, NodePort: 30080}},
		},
	}
	if change != nil {
		change(s)
	}
	return s
}

// annotated has the annotations "name=value", of AWS's prefix.
func annotated(pairs ...string) *corev1.Service {
	return service(func(s *corev1.Service) {
		for _, pair := range pairs {
			name, value, _ := strings.Cut(pair, "=")
			s.Annotations["service.beta.kubernetes.io/aws-load-balancer-"+name] = value
		}
	})
}

func node(id string, addresses ...string) *corev1.Node {
	n := &corev1.Node{Spec: corev1.NodeSpec{ProviderID: "aws:///us-west-2a/" + id}}
	n.Name = id
	for _, a := range addresses {
		n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: a})
	}
	return n
}

var nodes = []*corev1.Node{
	node("i-2", "fd00::1", "10.0.96.4"), node("i-1", "10.0.64.4"),
	node("i-3"),           // no address yet
	node("", "10.0.64.9"), // no instance yet
}

func onNodes(port string) []cloud.Target {
	return []cloud.Target{
		{ID: "i-1", Addr: netip.MustParseAddrPort("10.0.64.4:" + port), Zone: "us-west-2a"},
		{ID: "i-2", Addr: netip.MustParseAddrPort("10.0.96.4:" + port), Zone: "us-west-2a"},
	}
}

var equal = cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{})

// asked reads a Service with the nodes and pods of the tests.
func asked(s *corev1.Service) (cloud.Balancer, error) {
	return cloud.Of(cloud.Asked{Cluster: "cluster", Service: s, Nodes: nodes, Pods: func(_ *corev1.Service, p corev1.ServicePort) ([]cloud.Target, error) {
		return []cloud.Target{{ID: "10.0.65.1", Addr: netip.AddrPortFrom(netip.MustParseAddr("10.0.65.1"), uint16(p.TargetPort.IntValue())), Zone: "us-west-2a"}}, nil
	}})
}

func classic() cloud.Balancer {
	return cloud.Balancer{
		ID: "a0123456789abcdef0123456789abcde", Name: "a0123456789abcdef0123456789abcde", Service: "user1/nginx", Classic: true, Idle: time.Minute,
		Listeners: []cloud.Listener{{
			Port: 80, Protocol: "TCP", TargetPort: 30080, Targets: onNodes("30080"), TargetAttributes: cloud.TargetAttributes{EndDrained: true},
			Check: cloud.Check{Protocol: "TCP", Port: 30080, Interval: 10 * time.Second, Timeout: 5 * time.Second, Healthy: 2, Unhealthy: 6},
		}},
		Tags: map[string]string{"kubernetes.io/service-name": "user1/nginx", "kubernetes.io/cluster/cluster": "owned"},
	}
}

func network4() cloud.Balancer {
	b := classic()
	b.Classic = false
	b.Listeners[0].TargetAttributes = cloud.TargetAttributes{PreserveClient: true, Drain: 5 * time.Minute, EndUnhealthy: true}
	b.Listeners[0].Check = cloud.Check{Protocol: "TCP", Interval: 30 * time.Second, Timeout: 10 * time.Second, Healthy: 3, Unhealthy: 3}
	return b
}

type reading struct {
	service *corev1.Service
	want    cloud.Balancer
	refused string
}

func (r reading) test(t *testing.T) {
	got, err := asked(r.service)
	if r.refused != "" {
		if err == nil || err.Error() != r.refused {
			t.Fatalf("error %v, want %s", err, r.refused)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r.want, got, equal); d != "" {
		t.Error(d)
	}
}

func changed(base cloud.Balancer, change func(b *cloud.Balancer, l *cloud.Listener)) cloud.Balancer {
	change(&base, &base.Listeners[0])
	return base
}

func local(s *corev1.Service) *corev1.Service {
	s.Spec.ExternalTrafficPolicy, s.Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyLocal, 32000
	return s
}

const name = "service.beta.kubernetes.io/aws-load-balancer-"

// As AWS's cloud controller reads them.
func TestInTree(t *testing.T) {
	udp := func(s *corev1.Service) *corev1.Service {
		s.Spec.Ports[0].Protocol = corev1.ProtocolUDP
		return s
	}
	named := func(s *corev1.Service, host string) *corev1.Service {
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: host}}
		return s
	}
	for title, r := range map[string]reading{
		"plain":             {service: service(nil), want: classic()},
		"nlb":               {service: annotated("type=nlb"), want: network4()},
		"internal":          {service: annotated("internal=true"), want: changed(classic(), func(b *cloud.Balancer, _ *cloud.Listener) { b.Internal = true })},
		"internal, of old":  {service: annotated("internal=0.0.0.0/0"), want: changed(classic(), func(b *cloud.Balancer, _ *cloud.Listener) { b.Internal = true })},
		"internal: false":   {service: annotated("internal=false"), want: classic()},
		"cross zone":        {service: annotated("cross-zone-load-balancing-enabled=true"), want: changed(classic(), func(b *cloud.Balancer, _ *cloud.Listener) { b.CrossZone = true })},
		"cross zone of nlb": {service: annotated("type=nlb", "cross-zone-load-balancing-enabled=true"), want: changed(network4(), func(b *cloud.Balancer, _ *cloud.Listener) { b.CrossZone = true })},
		"cross zone, wrong": {service: annotated("cross-zone-load-balancing-enabled=yes"), refused: "error parsing service annotation: " + name + "cross-zone-load-balancing-enabled=yes"},
		"subnets": {service: annotated("subnets=subnet-1, mine"), want: changed(classic(), func(b *cloud.Balancer, _ *cloud.Listener) {
			b.Subnets = []string{"subnet-1", "mine"}
		})},
		"proxy protocol":        {service: annotated("proxy-protocol=*"), want: changed(classic(), func(_ *cloud.Balancer, l *cloud.Listener) { l.ProxyProtocol = 1 })},
		"proxy protocol, wrong": {service: annotated("proxy-protocol=80"), refused: `annotation "` + name + `proxy-protocol"="80" detected, but the only value supported currently is '*'`},
		"proxy protocol of nlb": {service: annotated("type=nlb", "proxy-protocol=*"), refused: "annotation " + name + "proxy-protocol is not supported: of a Network Load Balancer, proxy_protocol_v2.enabled=true among " + name + "target-group-attributes switches it"},
		"attributes": {service: annotated("type=nlb", "target-group-attributes=proxy_protocol_v2.enabled=true,preserve_client_ip.enabled=false"), want: changed(network4(), func(_ *cloud.Balancer, l *cloud.Listener) {
			l.ProxyProtocol, l.PreserveClient = 2, false
		})},
		"attributes of a classic": {service: annotated("target-group-attributes=preserve_client_ip.enabled=true"), refused: "target group attributes annotation is only supported for NLB"},
		"other attributes":        {service: annotated("type=nlb", "target-group-attributes=stickiness.enabled=true"), refused: `error validating target group attributes: the attribute "stickiness.enabled" is not supported by the controller or is invalid`},
		"wrong attributes":        {service: annotated("type=nlb", "target-group-attributes=preserve_client_ip.enabled=1"), refused: `error validating target group attributes: invalid attribute value for "preserve_client_ip.enabled": 1`},
		"draining": {service: annotated("connection-draining-enabled=true", "connection-draining-timeout=20"), want: changed(classic(), func(_ *cloud.Balancer, l *cloud.Listener) {
			l.Drain = 20 * time.Second
		})},
		"draining, off": {service: annotated("connection-draining-timeout=20"), want: classic()},
		"idle":          {service: annotated("connection-idle-timeout=90"), want: changed(classic(), func(b *cloud.Balancer, _ *cloud.Listener) { b.Idle = 90 * time.Second })},
		"idle, wrong":   {service: annotated("connection-idle-timeout=0"), refused: "annotation " + name + "connection-idle-timeout: 0 is not between 1 and 4000"},
		"idle of nlb":   {service: annotated("type=nlb", "connection-idle-timeout=90"), refused: "annotation " + name + "connection-idle-timeout is not supported"},
		"HTTP":          {service: annotated("backend-protocol=http"), want: changed(classic(), func(_ *cloud.Balancer, l *cloud.Listener) { l.Protocol = "HTTP" })},
		"SSL behind":    {service: annotated("backend-protocol=ssl"), want: changed(classic(), func(_ *cloud.Balancer, l *cloud.Listener) { l.Check.Protocol = "SSL" })},
		"certificate":   {service: annotated("ssl-cert=arn:aws:acm:us-west-2:111122223333:certificate/x"), refused: "annotation " + name + "ssl-cert is not supported: there are no certificates here"},
		"access log":    {service: annotated("access-log-enabled=true"), refused: "annotation " + name + "access-log-enabled is not supported: access logs are not written"},
		"no access log": {service: annotated("access-log-enabled=false"), want: classic()},
		"unknown type":  {service: annotated("type=alb"), refused: "annotation " + name + `type: unknown load balancer type "alb"`},
		"unknown":       {service: annotated("colour=blue"), refused: "annotation " + name + "colour is not supported"},
		"others'":       {service: service(func(s *corev1.Service) { s.Annotations["example.com/a"] = "b" }), want: classic()},
		"tags": {service: annotated("additional-resource-tags=Team=blue, Bare,=x"), want: changed(classic(), func(b *cloud.Balancer, _ *cloud.Listener) {
			b.Tags = map[string]string{"kubernetes.io/service-name": "user1/nginx", "kubernetes.io/cluster/cluster": "owned", "Team": "blue", "Bare": ""}
		})},
		"source ranges": {
			service: service(func(s *corev1.Service) {
				s.Spec.LoadBalancerSourceRanges = []string{"203.0.113.0/24", "198.51.100.0/24"}
			}),
			want: changed(classic(), func(b *cloud.Balancer, _ *cloud.Listener) {
				b.SourceRanges = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24")}
			}),
		},
		"source ranges, annotated": {
			service: service(func(s *corev1.Service) {
				s.Annotations["service.beta.kubernetes.io/load-balancer-source-ranges"] = "203.0.113.0/24"
			}),
			want: changed(classic(), func(b *cloud.Balancer, _ *cloud.Listener) {
				b.SourceRanges = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
			}),
		},
		"from everywhere":    {service: service(func(s *corev1.Service) { s.Spec.LoadBalancerSourceRanges = []string{"0.0.0.0/0"} }), want: classic()},
		"IPv6 source ranges": {service: service(func(s *corev1.Service) { s.Spec.LoadBalancerSourceRanges = []string{"2001:db8::/32"} }), refused: "source range 2001:db8::/32: load balancers have IPv4 addresses only"},
		"local": {service: local(service(nil)), want: changed(classic(), func(_ *cloud.Balancer, l *cloud.Listener) {
			l.Check.Protocol, l.Check.Port, l.Check.Path = "HTTP", 32000, "/healthz"
		})},
		"local, nlb": {service: local(annotated("type=nlb")), want: changed(network4(), func(_ *cloud.Balancer, l *cloud.Listener) {
			l.Check = cloud.Check{Protocol: "HTTP", Port: 32000, Path: "/healthz", Interval: 10 * time.Second, Timeout: 10 * time.Second, Healthy: 2, Unhealthy: 2}
		})},
		"health check": {
			service: annotated("healthcheck-protocol=http", "healthcheck-path=/ok", "healthcheck-port=8080", "healthcheck-interval=5", "healthcheck-timeout=2", "healthcheck-healthy-threshold=3", "healthcheck-unhealthy-threshold=4"),
			want: changed(classic(), func(_ *cloud.Balancer, l *cloud.Listener) {
				l.Check = cloud.Check{Protocol: "HTTP", Port: 8080, Path: "/ok", Interval: 5 * time.Second, Timeout: 2 * time.Second, Healthy: 3, Unhealthy: 4}
			}),
		},
		"health check of nlb": {
			service: annotated("type=nlb", "healthcheck-protocol=HTTP", "healthcheck-port=traffic-port", "healthcheck-interval=10"),
			want: changed(network4(), func(_ *cloud.Balancer, l *cloud.Listener) {
				l.Check.Protocol, l.Check.Path, l.Check.Interval = "HTTP", "/", 10*time.Second
			}),
		},
		"health check too slow": {service: annotated("healthcheck-interval=5"), refused: "the health check's timeout of 5s is not less than its interval of 5s"},
		"health check by UDP":   {service: annotated("type=nlb", "healthcheck-protocol=UDP"), refused: "Unsupported health check protocol UDP"},
		"health check nowhere":  {service: annotated("type=nlb", "healthcheck-port=http"), refused: "Invalid health check port 'http'"},
		"labelled nodes":        {service: annotated("target-node-labels=role=edge"), want: changed(classic(), func(_ *cloud.Balancer, l *cloud.Listener) { l.Targets = nil })},
		"affinity":              {service: service(func(s *corev1.Service) { s.Spec.SessionAffinity = corev1.ServiceAffinityClientIP }), refused: "unsupported load balancer affinity: ClientIP"},
		"an own address":        {service: service(func(s *corev1.Service) { s.Spec.LoadBalancerIP = "198.51.100.7" }), refused: "LoadBalancerIP cannot be specified for AWS ELB"},
		"no ports":              {service: service(func(s *corev1.Service) { s.Spec.Ports = nil }), refused: "requested load balancer with no ports"},
		"no node port":          {service: service(func(s *corev1.Service) { s.Spec.Ports[0].NodePort = 0 }), refused: "port 80 has no node port for the load balancer to lead to"},
		"UDP":                   {service: udp(service(nil)), refused: "Protocol UDP not supported by LoadBalancer"},
		"UDP by nlb": {service: udp(annotated("type=nlb")), want: changed(network4(), func(_ *cloud.Balancer, l *cloud.Listener) {
			l.Protocol, l.EndDrained = "UDP", true
		})},
		"UDP hidden": {service: udp(annotated("type=nlb", "target-group-attributes=preserve_client_ip.enabled=false")), refused: "error validating target group attributes: client IP preservation can't be disabled for UDP ports"},
		"both": {service: func() *corev1.Service {
			s := annotated("type=nlb")
			s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Protocol: corev1.ProtocolUDP, Port: 80, NodePort: 30081})
			return s
		}(), refused: "mixed protocol is not supported for LoadBalancer"},
		"SCTP": {service: func() *corev1.Service {
			s := annotated("type=nlb")
			s.Spec.Ports[0].Protocol = corev1.ProtocolSCTP
			return s
		}(), refused: "Protocol SCTP not supported by LoadBalancer"},
		"another kind":       {service: named(annotated("type=nlb"), "a0-1.us-west-2.elb.amazonaws.com"), refused: `cannot update Load Balancer Type annotation "` + name + `type" after creation for NLB`},
		"another kind, back": {service: named(service(nil), "a0-1.elb.us-west-2.amazonaws.com"), refused: `cannot update Load Balancer Type annotation "` + name + `type" after creation for Classic Load Balancer`},
		"the same kind":      {service: named(service(nil), "a0-1.us-west-2.elb.amazonaws.com"), want: classic()},
		"elastic addresses":  {service: annotated("type=nlb", "eip-allocations=eipalloc-1"), want: changed(network4(), func(b *cloud.Balancer, _ *cloud.Listener) { b.EIPs = []string{"eipalloc-1"} })},
		"elastic, inside":    {service: annotated("type=nlb", "internal=true", "eip-allocations=eipalloc-1"), refused: "EIP allocations can only be set for internet facing load balancers"},
		"groups of nlb":      {service: annotated("type=nlb", "security-groups=sg-1"), refused: "annotation " + name + "security-groups is not supported: a load balancer of class service.k8s.aws/nlb can have them"},
		"security groups":    {service: annotated("extra-security-groups=sg-1"), refused: "annotation " + name + "extra-security-groups is not supported: a Classic Load Balancer's group is made for it here"},
	} {
		t.Run(title, r.test)
	}
}

// As the AWS Load Balancer Controller reads them.
func TestController(t *testing.T) {
	pods := func(b *cloud.Balancer, l *cloud.Listener) {
		b.Internal, b.Name = true, "k8s-user1-nginx-4a23e93f11"
		l.Pods, l.PreserveClient, l.TargetPort = true, false, 8080
		l.Targets = []cloud.Target{{ID: "10.0.65.1", Addr: netip.MustParseAddrPort("10.0.65.1:8080"), Zone: "us-west-2a"}}
		l.Check.Interval = 10 * time.Second
	}
	instances := func(b *cloud.Balancer, l *cloud.Listener) {
		b.Internal, b.Name = true, "k8s-user1-nginx-4a23e93f11"
		l.Check.Interval = 10 * time.Second
	}
	and := func(all ...func(*cloud.Balancer, *cloud.Listener)) cloud.Balancer {
		return changed(network4(), func(b *cloud.Balancer, l *cloud.Listener) {
			b.Controller = true
			for _, change := range all {
				change(b, l)
			}
		})
	}
	public := func(b *cloud.Balancer, _ *cloud.Listener) { b.Internal = false }
	to8080 := func(s *corev1.Service) *corev1.Service {
		s.Spec.Ports[0].TargetPort.IntVal = 8080
		return s
	}
	both := func(s *corev1.Service) *corev1.Service {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Protocol: corev1.ProtocolUDP, Port: 80, NodePort: 30080})
		return s
	}
	for title, r := range map[string]reading{
		"pods":         {service: to8080(annotated("type=external", "nlb-target-type=ip")), want: and(pods)},
		"pods, of old": {service: to8080(annotated("type=nlb-ip")), want: and(pods)},
		"pods, public": {service: to8080(annotated("type=external", "nlb-target-type=ip", "scheme=internet-facing")), want: and(pods, public)},
		"instances":    {service: annotated("type=external", "nlb-target-type=instance"), want: and(instances)},
		"instances, local": {service: local(annotated("type=external", "nlb-target-type=instance")), want: and(instances, func(_ *cloud.Balancer, l *cloud.Listener) {
			l.Check = cloud.Check{Protocol: "HTTP", Port: 32000, Path: "/healthz", Interval: 10 * time.Second, Timeout: 10 * time.Second, Healthy: 2, Unhealthy: 2}
		})},
		"public by the old annotation": {service: annotated("type=external", "nlb-target-type=instance", "internal=false"), want: and(instances, public)},
		"no such scheme":               {service: annotated("type=external", "nlb-target-type=ip", "scheme=public"), refused: "unknown scheme: public"},
		"no such target":               {service: annotated("type=external", "nlb-target-type=lambda"), refused: `unsupported target type "lambda" for load balancer type "external"`},
		"named":                        {service: annotated("type=external", "nlb-target-type=instance", "name=my-own"), want: and(instances, func(b *cloud.Balancer, _ *cloud.Listener) { b.Name = "my-own" })},
		"wrongly named":                {service: annotated("type=external", "nlb-target-type=instance", "name=my_own"), refused: "annotation " + name + `name: "my_own" is not a name of a load balancer`},
		"chosen addresses": {
			service: annotated("type=external", "nlb-target-type=instance", "scheme=internet-facing", "eip-allocations=eipalloc-1, eipalloc-2", "listener-attributes.TCP-80=tcp.idle_timeout.seconds=60"),
			want: and(instances, public, func(b *cloud.Balancer, l *cloud.Listener) {
				b.EIPs, l.Idle = []string{"eipalloc-1", "eipalloc-2"}, time.Minute
			}),
		},
		"chosen inside": {
			service: annotated("type=external", "nlb-target-type=instance", "private-ipv4-addresses=10.0.64.9"),
			want:    and(instances, func(b *cloud.Balancer, _ *cloud.Listener) { b.Private = []netip.Addr{netip.MustParseAddr("10.0.64.9")} }),
		},
		"groups": {
			service: annotated("type=external", "nlb-target-type=instance", "security-groups=sg-1,mine"),
			want:    and(instances, func(b *cloud.Balancer, _ *cloud.Listener) { b.Groups, b.LeaveNodes = []string{"sg-1", "mine"}, true }),
		},
		"groups, nodes' too": {
			service: annotated("type=external", "nlb-target-type=instance", "security-groups=sg-1", "manage-backend-security-group-rules=true"),
			want:    and(instances, func(b *cloud.Balancer, _ *cloud.Listener) { b.Groups = []string{"sg-1"} }),
		},
		"attributes": {
			service: annotated("type=external", "nlb-target-type=instance", "attributes=load_balancing.cross_zone.enabled=true,deletion_protection.enabled=false",
				"target-group-attributes=deregistration_delay.timeout_seconds=20,deregistration_delay.connection_termination.enabled=true,stickiness.enabled=true,stickiness.type=source_ip,preserve_client_ip.enabled=false,target_health_state.unhealthy.connection_termination.enabled=false"),
			want: and(instances, func(b *cloud.Balancer, l *cloud.Listener) {
				b.CrossZone = true
				l.TargetAttributes = cloud.TargetAttributes{Sticky: true, Drain: 20 * time.Second, EndDrained: true}
			}),
		},
		"protected":       {service: annotated("type=external", "nlb-target-type=instance", "attributes=deletion_protection.enabled=true"), refused: "annotation " + name + "attributes: deletion_protection.enabled=true is not supported"},
		"proxy protocol":  {service: to8080(annotated("type=external", "nlb-target-type=ip", "proxy-protocol=*")), want: and(pods, func(_ *cloud.Balancer, l *cloud.Listener) { l.ProxyProtocol = 2 })},
		"dual stack":      {service: annotated("type=external", "nlb-target-type=instance", "ip-address-type=dualstack"), refused: "annotation " + name + `ip-address-type: "dualstack" is not supported, it is always "ipv4"`},
		"elastic inside":  {service: annotated("type=external", "nlb-target-type=instance", "eip-allocations=eipalloc-1"), refused: "EIP allocations can only be set for internet facing load balancers"},
		"private outside": {service: annotated("type=external", "nlb-target-type=instance", "scheme=internet-facing", "private-ipv4-addresses=10.0.0.9"), refused: "private IPv4 addresses can only be set for internal load balancers"},
		"no address":      {service: annotated("type=external", "nlb-target-type=instance", "private-ipv4-addresses=10.0.0.9,ten"), refused: "private IPv4 addresses must be valid IP address: ten"},
		"of IPv6":         {service: annotated("type=external", "nlb-target-type=instance", "private-ipv4-addresses=fd00::1"), refused: "private IPv4 addresses must be valid IPv4 address: fd00::1"},
		"idle too short":  {service: annotated("type=external", "nlb-target-type=instance", "listener-attributes.TCP-80=tcp.idle_timeout.seconds=30"), refused: "annotation " + name + "listener-attributes.TCP-80: tcp.idle_timeout.seconds=30 is not supported"},
		"idle of no port": {service: annotated("type=external", "nlb-target-type=instance", "listener-attributes.TCP-81=tcp.idle_timeout.seconds=60"), refused: "annotation " + name + "listener-attributes.TCP-81 is not supported"},
		"TCP and UDP": {service: both(annotated("type=external", "nlb-target-type=instance", "enable-tcp-udp-listener=true")), want: and(instances, func(_ *cloud.Balancer, l *cloud.Listener) {
			l.Protocol, l.EndDrained = "TCP_UDP", true
		})},
		"TCP and UDP, not said": {service: both(annotated("type=external", "nlb-target-type=instance")), refused: "port 80: a Network Load Balancer has one listener on a port; " + name + "enable-tcp-udp-listener makes it one for TCP and UDP"},
	} {
		t.Run(title, r.test)
	}
}

// A Service of type external that does not say what its targets are is nobody's.
func TestImplementedElsewhere(t *testing.T) {
	if _, err := asked(annotated("type=external", "scheme=internet-facing")); !errors.Is(err, cloudprovider.ImplementedElsewhere) {
		t.Error(err)
	}
}

// Whatever an annotation says: it is refused, or what is read of it can be made.
func FuzzAnnotations(f *testing.F) {
	for _, seed := range []string{
		"type=nlb", "proxy-protocol=*", "healthcheck-port=99999", "healthcheck-interval=-1", "connection-idle-timeout=1e3",
		"target-group-attributes=deregistration_delay.timeout_seconds=99999999999", "subnets=,,", "attributes==,=", "name=-", "scheme=internal",
	} {
		name, value, _ := strings.Cut(seed, "=")
		f.Add(name, value, false)
		f.Add(name, value, true)
	}
	f.Fuzz(func(t *testing.T, name, value string, external bool) {
		s := annotated(name + "=" + value)
		if external {
			s = annotated("type=external", "nlb-target-type=instance", name+"="+value)
		}
		b, err := asked(s)
		if err != nil {
			return
		}
		if len(b.Name) > 32 || b.Idle <= 0 || len(b.Listeners) != 1 {
			t.Fatalf("%+v", b)
		}
		l := b.Listeners[0]
		if c := l.Check; c.Interval <= 0 || c.Timeout <= 0 || c.Healthy < 2 || c.Unhealthy < 2 || (c.Path != "") != strings.HasPrefix(c.Protocol, "HTTP") {
			t.Fatalf("health check %+v", c)
		}
		if l.Drain < 0 || l.ProxyProtocol != 0 && l.Protocol != "TCP" {
			t.Fatalf("%+v", l)
		}
	})
}
