package cloud_test

import (
	"errors"
	"net/netip"
	"testing"

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

func annotated(pairs ...string) *corev1.Service {
	return service(func(s *corev1.Service) {
		for i := 0; i < len(pairs); i += 2 {
			s.Annotations["service.beta.kubernetes.io/aws-load-balancer-"+pairs[i]] = pairs[i+1]
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

func TestOf(t *testing.T) {
	plain := cloud.Balancer{
		Name: "a0123456789abcdef0123456789abcde", Service: "user1/nginx",
		Ports:   []cloud.Port{{Port: 80, NodePort: 30080, Protocol: "TCP"}},
		Targets: []cloud.Target{{Instance: "i-1", Addr: netip.MustParseAddr("10.0.64.4")}, {Instance: "i-2", Addr: netip.MustParseAddr("10.0.96.4")}},
		Tags:    map[string]string{"kubernetes.io/service-name": "user1/nginx", "kubernetes.io/cluster/cluster": "owned"},
	}
	with := func(change func(*cloud.Balancer)) cloud.Balancer {
		b := plain
		change(&b)
		return b
	}
	nodes := []*corev1.Node{
		node("i-2", "fd00::1", "10.0.96.4"), node("i-1", "10.0.64.4"),
		node("i-3"),           // no address yet
		node("", "10.0.64.9"), // no instance yet
	}
	for name, test := range map[string]struct {
		service *corev1.Service
		want    cloud.Balancer
		refused string
	}{
		"plain":             {service: service(nil), want: plain},
		"nlb":               {service: annotated("type", "nlb"), want: plain},
		"internal":          {service: annotated("internal", "true"), want: with(func(b *cloud.Balancer) { b.Internal = true })},
		"internal, of old":  {service: annotated("internal", "0.0.0.0/0"), want: with(func(b *cloud.Balancer) { b.Internal = true })},
		"internal: false":   {service: annotated("internal", "false"), want: plain},
		"cross zone":        {service: annotated("cross-zone-load-balancing-enabled", "true"), want: plain},
		"not cross zone":    {service: annotated("cross-zone-load-balancing-enabled", "false"), refused: `annotation service.beta.kubernetes.io/aws-load-balancer-cross-zone-load-balancing-enabled: "false" is not supported, load balancing across zones is always on`},
		"certificate":       {service: annotated("ssl-cert", "arn:aws:acm:us-west-2:111122223333:certificate/x"), refused: "annotation service.beta.kubernetes.io/aws-load-balancer-ssl-cert is not supported"},
		"proxy protocol":    {service: annotated("proxy-protocol", "*"), refused: "annotation service.beta.kubernetes.io/aws-load-balancer-proxy-protocol is not supported"},
		"unknown type":      {service: annotated("type", "alb"), refused: `annotation service.beta.kubernetes.io/aws-load-balancer-type: unknown load balancer type "alb"`},
		"other annotations": {service: service(func(s *corev1.Service) { s.Annotations["example.com/a"] = "b" }), want: plain},
		"tags": {service: annotated("additional-resource-tags", "Team=blue, Bare,=x"), want: with(func(b *cloud.Balancer) {
			b.Tags = map[string]string{"kubernetes.io/service-name": "user1/nginx", "kubernetes.io/cluster/cluster": "owned", "Team": "blue", "Bare": ""}
		})},
		"source ranges": {
			service: service(func(s *corev1.Service) {
				s.Spec.LoadBalancerSourceRanges = []string{"203.0.113.0/24", "198.51.100.0/24"}
			}),
			want: with(func(b *cloud.Balancer) {
				b.SourceRanges = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24")}
			}),
		},
		"from everywhere":    {service: service(func(s *corev1.Service) { s.Spec.LoadBalancerSourceRanges = []string{"0.0.0.0/0"} }), want: plain},
		"IPv6 source ranges": {service: service(func(s *corev1.Service) { s.Spec.LoadBalancerSourceRanges = []string{"2001:db8::/32"} }), refused: "source range 2001:db8::/32: load balancers have IPv4 addresses only"},
		"local traffic": {
			service: service(func(s *corev1.Service) {
				s.Spec.ExternalTrafficPolicy, s.Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyLocal, 32000
			}),
			want: with(func(b *cloud.Balancer) { b.HealthPath, b.HealthPort = "/healthz", 32000 }),
		},
		"affinity":       {service: service(func(s *corev1.Service) { s.Spec.SessionAffinity = corev1.ServiceAffinityClientIP }), refused: "unsupported load balancer affinity: ClientIP"},
		"an own address": {service: service(func(s *corev1.Service) { s.Spec.LoadBalancerIP = "198.51.100.7" }), refused: "LoadBalancerIP cannot be specified for AWS ELB"},
		"no ports":       {service: service(func(s *corev1.Service) { s.Spec.Ports = nil }), refused: "requested load balancer with no ports"},
		"UDP":            {service: service(func(s *corev1.Service) { s.Spec.Ports[0].Protocol = corev1.ProtocolUDP }), refused: "Only TCP LoadBalancer is supported for AWS ELB"},
		"UDP by NLB": {
			service: func() *corev1.Service {
				s := annotated("type", "nlb")
				s.Spec.Ports[0].Protocol = corev1.ProtocolUDP
				return s
			}(),
			want: with(func(b *cloud.Balancer) { b.Ports = []cloud.Port{{Port: 80, NodePort: 30080, Protocol: "UDP"}} }),
		},
		"SCTP": {
			service: func() *corev1.Service {
				s := annotated("type", "nlb")
				s.Spec.Ports[0].Protocol = corev1.ProtocolSCTP
				return s
			}(),
			refused: "port 80: protocol SCTP is not supported",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := cloud.Of("cluster", test.service, nodes)
			if test.refused != "" {
				if err == nil || err.Error() != test.refused {
					t.Fatalf("error %v, want %s", err, test.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); d != "" {
				t.Error(d)
			}
		})
	}
}

// What asks for the AWS Load Balancer Controller waits for it, whatever else it
// is annotated with.
func TestOfAnotherController(t *testing.T) {
	for _, kind := range []string{"external", "nlb-ip"} {
		_, err := cloud.Of("cluster", annotated("type", kind, "nlb-target-type", "ip", "scheme", "internet-facing"), nil)
		if !errors.Is(err, cloudprovider.ImplementedElsewhere) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
