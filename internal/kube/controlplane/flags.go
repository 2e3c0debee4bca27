package controlplane

import (
	"fmt"
	"time"

	"github.com/eksact/eksact/internal/kube/gc"
	"github.com/eksact/eksact/internal/kube/pki"
	"github.com/eksact/eksact/internal/supervise"
)

// Component names, as upstream names the programs and EKS the log types' streams.
const (
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
)

// SpecName is the name a cluster's component is supervised by.
func (c Config) SpecName(component string) string { return component + "@" + c.Name }

// Specs are the control plane's processes, in the order they are to be started;
// stop them in the reverse order, and etcd after them. There is no need to wait
// between starts: callers of the API server wait in its socket's queue.
func (c Config) Specs(b *pki.Bundle) []supervise.Spec {
	// It is done in a tenth of a second, and then waits for clients to hang up.
	api := c.spec(APIServer, c.apiServerFlags(b), 3*time.Second)
	api.Sockets = []string{c.Socket}
	return []supervise.Spec{
		api,
		c.spec(ControllerManager, c.controllerManagerFlags(b), 2*time.Second),
		c.spec(Scheduler, c.schedulerFlags(b), 2*time.Second),
	}
}

// ListenSocket is the API server's socket, to be opened before it is started.
func (c Config) ListenSocket() supervise.Socket {
	return supervise.Socket{Name: c.Socket, NetNS: c.NetNS, Network: "tcp4", Address: "0.0.0.0:443"}
}

func (c Config) spec(component string, flags []string, patience time.Duration) supervise.Spec {
	env := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	if c.GC != "" {
		env = append(env, gc.Env(c.GC))
	}
	return supervise.Spec{
		Name: c.SpecName(component), Path: c.Program(component), Argv: append([]string{component}, flags...),
		Env: env, Dir: c.Dir, NetNS: c.NetNS, Log: c.Log(component), StopAfter: patience,
	}
}

func (c Config) apiServerFlags(b *pki.Bundle) []string {
	return flags{
		// Where it serves. The socket is inherited; bind address and port say what
		// it is. The host name is for the URLs it prints; the default would be the
		// machine's.
		{"advertise-address", c.Private[0].String()},
		{"bind-address", "0.0.0.0"},
		{"secure-port", "443"},
		{"external-hostname", c.EndpointHost},
		{"tls-cert-file", b.APIServer},
		{"tls-private-key-file", b.APIServer},
		{"tls-min-version", "VersionTLS12"},

		// Storage. A lost etcd is noticed by the health check, not by hanging calls.
		{"etcd-servers", c.Etcd},
		{"etcd-prefix", c.EtcdPrefix},
		{"encryption-provider-config", c.file("encryption.yaml")},
		{"encryption-provider-config-automatic-reload", "true"},
		{"event-ttl", "60m"},

		// Who calls: certificates of the cluster's CA, the token webhook, service
		// accounts. The webhook's own cache is off, for another one lies above it:
		// success is remembered for ten seconds by the API server, refusals never.
		{"client-ca-file", b.CA},
		{"authentication-config", c.file("authentication.yaml")},
		{"authentication-token-webhook-config-file", c.file("token-webhook.yaml")},
		{"authentication-token-webhook-version", "v1"},
		{"authentication-token-webhook-cache-ttl", "0s"},
		// A day is the longest that EKS makes tokens for. Those for STS are for STS
		// alone: its name is not among the API's own audiences.
		{"service-account-issuer", c.Issuer},
		{"service-account-jwks-uri", c.Issuer + "/keys"},
		{"service-account-max-token-expiration", "24h"},
		{"service-account-key-file", b.ServiceAccountPublic},
		{"service-account-signing-key-file", b.ServiceAccount},
		{"api-audiences", "https://kubernetes.default.svc"},

		// What they may do, and what is done to it.
		{"authorization-config", c.file("authorization.yaml")},
		{"enable-admission-plugins", "NodeRestriction,ExtendedResourceToleration"}, // EKS's, beside the default ones
		{"admission-control-config-file", c.file("admission.yaml")},
		{"allow-privileged", "true"},

		// Aggregated APIs and webhooks behind Services are dialled at their pods'
		// addresses: no service proxy runs here, and a ClusterIP would leave by the
		// default route.
		{"enable-aggregator-routing", "true"},
		{"requestheader-client-ca-file", b.FrontProxyCA},
		{"requestheader-allowed-names", pki.FrontProxyUser},
		{"requestheader-username-headers", "X-Remote-User"},
		{"requestheader-group-headers", "X-Remote-Group"},
		{"requestheader-extra-headers-prefix", "X-Remote-Extra-"},
		{"proxy-client-cert-file", b.FrontProxyClient},
		{"proxy-client-key-file", b.FrontProxyClient},

		// Kubelets, for logs and exec: by address, whatever names resolve to.
		{"kubelet-certificate-authority", b.CA},
		{"kubelet-client-certificate", b.KubeletClient},
		{"kubelet-client-key", b.KubeletClient},
		{"kubelet-preferred-address-types", "InternalIP,Hostname,ExternalIP"},

		// Services. One API server: with leases its address is in the endpoints of
		// "kubernetes" as soon as it serves, whatever an earlier run left there.
		{"service-cluster-ip-range", c.ServiceCIDR.String()},
		{"endpoint-reconciler-type", "lease"},

		// Audit: always on, so that switching the log type on or off needs no
		// restart; whether it is delivered is the log service's business. Blocking,
		// so that whoever got an answer finds its event. At most 256 MB on disk.
		// Events beyond what one log event may hold are cut to their metadata.
		{"audit-policy-file", c.file("audit-policy.yaml")},
		{"audit-log-path", c.AuditLog()},
		{"audit-log-maxsize", "64"}, // MB
		{"audit-log-maxbackup", "3"},
		{"audit-log-truncate-enabled", "true"},
		{"audit-log-truncate-max-event-size", "1048550"}, // 1 MiB less the 26 bytes each event counts more

		{"profiling", "false"},
		{"v", "2"},
	}.argv()
}

func (c Config) controllerManagerFlags(b *pki.Bundle) []string {
	kubeconfig := c.file("controller-manager.kubeconfig")
	return flags{
		{"kubeconfig", kubeconfig},
		// There is one: waiting for a dead predecessor's lease to run out would
		// only make restarts slow.
		{"leader-elect", "false"},
		// Each controller acts as a service account of its own, as audit logs of
		// EKS show.
		{"use-service-account-credentials", "true"},
		{"service-account-private-key-file", b.ServiceAccount},
		{"root-ca-file", b.CA},
		// Certificate requests are approved and signed by EKS's own signers, nodes
		// get their pods' addresses from the VPC.
		{"controllers", "*,-certificatesigningrequest-approving-controller,-certificatesigningrequest-signing-controller,-node-ipam-controller"},
		{"allocate-node-cidrs", "false"},
		{"cluster-name", c.Name},
		// A node whose credentials stop working is NotReady after the token cache's
		// 10 s and this grace.
		{"node-monitor-grace-period", "50s"},
		// The first start makes dozens of service accounts at once.
		{"kube-api-qps", "100"},
		{"kube-api-burst", "200"},
		{"bind-address", "127.0.0.1"},
		{"secure-port", "10257"},
		{"tls-cert-file", b.LoopbackServer},
		{"tls-private-key-file", b.LoopbackServer},
		{"profiling", "false"},
		{"v", "2"},
	}.argv()
}

func (c Config) schedulerFlags(b *pki.Bundle) []string {
	kubeconfig := c.file("scheduler.kubeconfig")
	return flags{
		{"kubeconfig", kubeconfig},
		{"leader-elect", "false"},
		{"bind-address", "127.0.0.1"},
		{"secure-port", "10259"},
		{"tls-cert-file", b.LoopbackServer},
		{"tls-private-key-file", b.LoopbackServer},
		{"profiling", "false"},
		{"v", "2"},
	}.argv()
}

// flags are a command line's, in order.
type flags []struct{ name, value string }

func (f flags) argv() []string {
	var argv []string
	for _, flag := range f {
		argv = append(argv, fmt.Sprintf("--%s=%s", flag.name, flag.value))
	}
	return argv
}
