package controlplane

import (
	"crypto"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/kube/pki"
)

// Version is the Kubernetes minor version served.
const Version = "1.37"

// Config says everything about one cluster's control plane.
type Config struct {
	Name string // the cluster's
	// EndpointHost is ID.gr7.REGION.eks.amazonaws.com, the API's name in kubeconfigs.
	EndpointHost string
	// Issuer is the OpenID Connect issuer of its service account tokens,
	// https://oidc.eks.REGION.amazonaws.com/id/ID.
	Issuer string
	// Version is the Kubernetes minor version, "1.37".
	Version string
	// Private are the addresses of the cluster's ENIs, Public those of its
	// endpoint on the Internet.
	Private, Public []netip.Addr
	ServiceCIDR     netip.Prefix // 172.20.0.0/16

	// NetNS is the file that names the control plane's network namespace, with
	// loopback up.
	NetNS string
	// Etcd is etcd's URL, unix:///run/eksact/etcd.sock, and EtcdPrefix the
	// cluster's own part of its keys, beginning with a slash.
	Etcd, EtcdPrefix string
	// Webhooks is where the token webhook and the authorizer listen inside the namespace,
	// "127.0.0.1:21362".
	Webhooks string
	// IdentityWebhook is where the webhook that gives pods their AWS identities
	// listens, beside it; "" if none does.
	IdentityWebhook string

	// Dir is the cluster's directory. Certificates, configuration and logs are
	// below it.
	Dir string
	// Program gives the path of a program by its name, "kube-apiserver".
	Program func(name string) string
	// Socket names the listening socket the API server is handed.
	Socket string
	// GC tunes the components' garbage collectors: see package gc.
	GC string
}

// check refuses what can't work, naming it.
func (c Config) check() error {
	if c.Version != Version {
		return hint.Wrap(fmt.Errorf("cluster %s: Kubernetes %s can't be run", c.Name, c.Version),
			"the version that can is "+Version)
	}
	for what, missing := range map[string]bool{
		"name": c.Name == "", "endpoint name": c.EndpointHost == "", "issuer": c.Issuer == "",
		"private address": len(c.Private) == 0, "service range": !c.ServiceCIDR.IsValid(),
		"etcd URL": c.Etcd == "", "etcd prefix": c.EtcdPrefix == "", "address of webhooks": c.Webhooks == "",
		"directory": c.Dir == "", "programs": c.Program == nil,
	} {
		if missing {
			return fmt.Errorf("cluster %q: the control plane's configuration has no %s", c.Name, what)
		}
	}
	if !c.ServiceCIDR.Addr().Is4() || c.ServiceCIDR.Bits() > 24 {
		return fmt.Errorf("cluster %s: service range %s: want an IPv4 range of /24 or larger", c.Name, c.ServiceCIDR)
	}
	return nil
}

// service is the n-th address of the service range: 1 is the API's, 10 the
// cluster's DNS.
func (c Config) service(n int) netip.Addr {
	a := c.ServiceCIDR.Masked().Addr()
	for range n {
		a = a.Next()
	}
	return a
}

// DNSAddress is where the cluster's DNS answers, 172.20.0.10.
func (c Config) DNSAddress() netip.Addr { return c.service(10) }

// Keys are the public keys of the cluster's service account tokens, as they are on
// disk: see pki.PublishedKeys.
func (c Config) Keys(now time.Time) ([]crypto.PublicKey, error) {
	return pki.PublishedKeys(c.path("pki"), now)
}

func (c Config) identity() pki.Identity {
	return pki.Identity{EndpointHost: c.EndpointHost, ServiceAddress: c.service(1), Private: c.Private, Public: c.Public}
}

func (c Config) path(parts ...string) string {
	return filepath.Join(append([]string{c.Dir}, parts...)...)
}

// AuditLog is where the API server writes its audit events, one JSON object a
// line. Full files are renamed to audit-TIME.log beside it.
func (c Config) AuditLog() string { return c.path("logs", "audit.log") }

// Log is where a component's own log goes: "kube-apiserver",
// "kube-controller-manager" or "kube-scheduler".
func (c Config) Log(component string) string { return c.path("logs", component+".log") }

// Certificates brings the cluster's certificates and keys up to date as of now.
// Prepare does it too; a daemon that runs for months calls it daily. The components
// pick up what changed of certificates; a new key for service account tokens changes
// their Specs.
func (c Config) Certificates(now time.Time) (*pki.Bundle, error) {
	if err := pki.RotateServiceAccounts(c.path("pki"), now); err != nil {
		return nil, err
	}
	return pki.Ensure(c.path("pki"), c.identity(), now)
}
