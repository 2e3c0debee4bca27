package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// Names the API server's callers by certificate are known by.
const (
	// AdminUser is the daemon itself; no file of it ever leaves the state
	// directory.
	AdminUser = "eks:cluster-bootstrap"
	// KubeletClientUser is the API server when it calls a kubelet. What it may do
	// there is granted to its group, not by system:masters: see the bootstrap
	// objects of package controlplane.
	KubeletClientUser  = "kube-apiserver-kubelet-client"
	KubeletClientGroup = "eks:kube-apiserver-kubelet-client"
	// FrontProxyUser is the API server when it hands a request on to an
	// aggregated API; --requestheader-allowed-names admits it alone.
	FrontProxyUser = "front-proxy-client"
	// WebhookClientUser is the API server when it calls the webhooks.
	WebhookClientUser = "kube-apiserver"
)

// Identity is what the cluster's certificates say about it.
type Identity struct {
	// EndpointHost is the name in kubeconfigs, ID.gr7.REGION.eks.amazonaws.com.
	EndpointHost string
	// ServiceAddress is the first address of the service range, where pods find
	// the API.
	ServiceAddress netip.Addr
	// Private are the addresses of the cluster's ENIs, Public those the endpoint
	// has on the Internet.
	Private, Public []netip.Addr
}

// Bundle is one cluster's keys and certificates, in memory and on disk.
type Bundle struct {
	// Files below name PEM files; those of key and certificate serve for both
	// flags.
	CA, FrontProxyCA, LoopbackCA                    string // without keys
	APIServer, KubeletClient, FrontProxyClient      string
	ControllerManager, Scheduler                    string // clients of the API server
	LoopbackServer                                  string // serves on 127.0.0.1 inside the namespace
	WebhookClient                                   string
	ServiceAccount                                  string // the key that signs service account tokens
	ServiceAccountPublic                            string // those that tokens are checked with
	CAPEM                                           []byte // the certificate in every kubeconfig
	ca, loopbackCA, admin, loopbackServer, whClient *identity
	serviceAccount                                  crypto.Signer
	encryption                                      string // base64 of 32 bytes
}

// Ensure brings the directory to what who says as of now and returns it all. The
// directory is made with mode 0700 where it is missing.
func Ensure(dir string, who Identity, now time.Time) (*Bundle, error) {
	if who.EndpointHost == "" || !who.ServiceAddress.IsValid() || len(who.Private) == 0 {
		return nil, errors.New("certificates: the cluster has no endpoint name, service address or private address yet")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	b := &Bundle{}
	var err error
	if b.ca, err = ensureAuthority(dir, "ca", "kubernetes", now); err != nil {
		return nil, err
	}
	front, err := ensureAuthority(dir, "front-proxy-ca", "front-proxy-ca", now)
	if err != nil {
		return nil, err
	}
	if b.loopbackCA, err = ensureAuthority(dir, "loopback-ca", "loopback-ca", now); err != nil {
		return nil, err
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	b.CA, b.FrontProxyCA, b.LoopbackCA = in("ca.crt"), in("front-proxy-ca.crt"), in("loopback-ca.crt")
	b.CAPEM = encodeCert(b.ca.cert)

	loopback := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	for _, want := range []struct {
		leaf leaf
		ca   *identity
		path *string
		id   **identity
	}{
		{serving(who), b.ca, &b.APIServer, nil},
		{client("apiserver-kubelet-client", KubeletClientUser, KubeletClientGroup), b.ca, &b.KubeletClient, nil},
		{client("controller-manager", "system:kube-controller-manager"), b.ca, &b.ControllerManager, nil},
		{client("scheduler", "system:kube-scheduler"), b.ca, &b.Scheduler, nil},
		{client("admin", AdminUser, "system:masters"), b.ca, nil, &b.admin},
		{client("front-proxy-client", FrontProxyUser), front, &b.FrontProxyClient, nil},
		{server("loopback-server", "localhost", []string{"localhost"}, loopback), b.loopbackCA, &b.LoopbackServer, &b.loopbackServer},
		{client("webhook-client", WebhookClientUser), b.loopbackCA, &b.WebhookClient, &b.whClient},
	} {
		id, err := want.leaf.ensure(dir, want.ca, now)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", want.leaf.file, err)
		}
		if want.path != nil {
			*want.path = in(want.leaf.file + ".pem")
		}
		if want.id != nil {
			*want.id = id
		}
	}
	if err := b.ensureServiceAccounts(dir, now); err != nil {
		return nil, err
	}
	b.encryption, err = ensureSecret(in("encryption.key"))
	return b, err
}

// serving is the API server's own certificate: every name and address its
// callers reach it by. The controllers beside it use 127.0.0.1.
func serving(who Identity) leaf {
	names := []string{who.EndpointHost, "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local", "localhost"}
	addresses := []netip.Addr{who.ServiceAddress, netip.MustParseAddr("127.0.0.1")}
	addresses = append(append(addresses, who.Private...), who.Public...)
	return server("apiserver", "kube-apiserver", names, addresses)
}

// ensureKey reads the key that signs service account tokens, or makes it.
func ensureKey(path string) (crypto.Signer, error) {
	data, err := os.ReadFile(path)
	if err == nil {
		return decodeKey(path, data)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	key, err := newRSAKey()
	if err != nil {
		return nil, err
	}
	if data, err = encodeKey(key); err != nil {
		return nil, err
	}
	return key, write(path, data, 0o600)
}

// ensureSecret reads the key that secrets are encrypted with in etcd, 32 bytes
// in base64, or makes it. Losing it is losing every Secret, so one that can't be
// read is an error, never a reason for a new one.
func ensureSecret(path string) (string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		key := make([]byte, 32)
		rand.Read(key) // never fails: crypto/rand
		data = base64.StdEncoding.AppendEncode(nil, key)
		return string(data), write(path, data, 0o600)
	}
	if err != nil {
		return "", err
	}
	if key, err := base64.StdEncoding.DecodeString(string(data)); err != nil || len(key) != 32 {
		return "", fmt.Errorf("%s: %w: want 32 bytes in base64", path, errUnreadable)
	}
	return string(data), nil
}

// EncryptionKey is the secretbox key for Secrets in etcd: 32 bytes in base64.
func (b *Bundle) EncryptionKey() string { return b.encryption }

// Signer is the cluster's CA, for signing certificate requests.
func (b *Bundle) Signer() (*x509.Certificate, crypto.Signer) { return b.ca.cert, b.ca.key }

// Admin is the daemon's own client certificate and key, in PEM.
func (b *Bundle) Admin() (cert, key []byte) {
	key, _ = encodeKey(b.admin.key) // it was encoded before
	return encodeCert(b.admin.cert), key
}

// LoopbackCAPEM is the caBundle of webhooks served with WebhookTLS.
func (b *Bundle) LoopbackCAPEM() []byte { return encodeCert(b.loopbackCA.cert) }

// WebhookTLS configures a server on 127.0.0.1 in the control plane's namespace.
// With authenticate set, it talks only to this cluster's API server, which
// presents its certificate to webhooks named in a kubeconfig of ours; in-cluster
// webhook configurations can't name one.
func (b *Bundle) WebhookTLS(authenticate bool) *tls.Config {
	c := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		// Nobody records what never leaves the machine to read it in decades, so what the
		// exchange of keys with ML-KEM costs each new connection is saved.
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256},
		Certificates: []tls.Certificate{{
			Certificate: [][]byte{b.loopbackServer.cert.Raw}, PrivateKey: b.loopbackServer.key, Leaf: b.loopbackServer.cert,
		}},
	}
	if authenticate {
		c.ClientAuth = tls.RequireAndVerifyClientCert
		c.ClientCAs = x509.NewCertPool()
		c.ClientCAs.AddCert(b.loopbackCA.cert)
	}
	return c
}
