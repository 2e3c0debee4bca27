package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

func who() Identity {
	return Identity{
		EndpointHost:   "ABC.gr7.us-west-2.eks.amazonaws.com",
		ServiceAddress: netip.MustParseAddr("172.20.0.1"),
		Private:        []netip.Addr{netip.MustParseAddr("10.0.64.10"), netip.MustParseAddr("10.0.96.10")},
		Public:         []netip.Addr{netip.MustParseAddr("198.18.1.1"), netip.MustParseAddr("198.18.1.2")},
	}
}

func ensure(t *testing.T, dir string, who Identity, now time.Time) *Bundle {
	t.Helper()
	b, err := Ensure(dir, who, now)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// files reads every file of dir.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(data)
	}
	return got
}

func changed(a, b map[string]string) []string {
	var names []string
	for name, data := range b {
		if a[name] != data {
			names = append(names, name)
		}
	}
	return names
}

func leafOf(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	id, err := readIdentity(path)
	if err != nil || id == nil {
		t.Fatalf("%s: %v, %v", path, id, err)
	}
	return id.cert
}

func TestEveryFileWithAKeyIsForItsOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	ensure(t, dir, who(), start)
	secret := 0
	for name, data := range files(t, dir) {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		holdsKey := strings.Contains(data, "PRIVATE KEY") || name == "encryption.key"
		if holdsKey {
			secret++
		}
		if got := info.Mode().Perm(); holdsKey && got != 0o600 {
			t.Errorf("%s has mode %o", name, got)
		}
	}
	if secret != 13 {
		t.Errorf("%d files hold keys, want 13", secret)
	}
}

func TestWhatEachAuthorityVouchesFor(t *testing.T) {
	b := ensure(t, filepath.Join(t.TempDir(), "pki"), who(), start)
	for _, test := range []struct {
		path, ca string
		name     string // a name it must be valid for, of servers
		usage    x509.ExtKeyUsage
		cn, org  string
	}{
		{b.APIServer, b.CA, who().EndpointHost, x509.ExtKeyUsageServerAuth, "kube-apiserver", ""},
		{b.APIServer, b.CA, "kubernetes.default.svc", x509.ExtKeyUsageServerAuth, "kube-apiserver", ""},
		{b.APIServer, b.CA, "172.20.0.1", x509.ExtKeyUsageServerAuth, "kube-apiserver", ""},
		{b.APIServer, b.CA, "10.0.96.10", x509.ExtKeyUsageServerAuth, "kube-apiserver", ""},
		{b.APIServer, b.CA, "198.18.1.2", x509.ExtKeyUsageServerAuth, "kube-apiserver", ""},
		{b.APIServer, b.CA, "127.0.0.1", x509.ExtKeyUsageServerAuth, "kube-apiserver", ""},
		{b.KubeletClient, b.CA, "", x509.ExtKeyUsageClientAuth, KubeletClientUser, KubeletClientGroup},
		{b.ControllerManager, b.CA, "", x509.ExtKeyUsageClientAuth, "system:kube-controller-manager", ""},
		{b.Scheduler, b.CA, "", x509.ExtKeyUsageClientAuth, "system:kube-scheduler", ""},
		{b.FrontProxyClient, b.FrontProxyCA, "", x509.ExtKeyUsageClientAuth, FrontProxyUser, ""},
		{b.LoopbackServer, b.LoopbackCA, "127.0.0.1", x509.ExtKeyUsageServerAuth, "localhost", ""},
		{b.WebhookClient, b.LoopbackCA, "", x509.ExtKeyUsageClientAuth, WebhookClientUser, ""},
	} {
		cert := leafOf(t, test.path)
		for _, ca := range []string{b.CA, b.FrontProxyCA, b.LoopbackCA} {
			pool := x509.NewCertPool()
			data, err := os.ReadFile(ca)
			if err != nil {
				t.Fatal(err)
			}
			pool.AppendCertsFromPEM(data)
			_, err = cert.Verify(x509.VerifyOptions{Roots: pool, DNSName: test.name, CurrentTime: start, KeyUsages: []x509.ExtKeyUsage{test.usage}})
			if (err == nil) != (ca == test.ca) {
				t.Errorf("%s (%s) verified by %s: %v", filepath.Base(test.path), test.name, filepath.Base(ca), err)
			}
		}
		if got := strings.Join(cert.Subject.Organization, ","); cert.Subject.CommonName != test.cn || got != test.org {
			t.Errorf("%s: subject %q of %q, want %q of %q", test.path, cert.Subject.CommonName, got, test.cn, test.org)
		}
	}
}

func TestEnsureChangesOnlyWhatHasTo(t *testing.T) {
	moved := who()
	moved.Private = []netip.Addr{netip.MustParseAddr("10.0.64.99")}
	for _, test := range []struct {
		name string
		who  Identity
		now  time.Time
		want string // files that changed; "leaves" is every certificate but the CAs'
	}{
		{"again", who(), start.Add(time.Hour), ""},
		{"addresses moved", moved, start.Add(time.Hour), "apiserver.pem"},
		{"leaves near their end", who(), start.Add(leafLife - leafRenew + time.Minute), "leaves"},
		{"leaves not yet near their end", who(), start.Add(leafLife - leafRenew - time.Minute), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			ensure(t, dir, who(), start)
			before := files(t, dir)
			ensure(t, dir, test.who, test.now)
			got := changed(before, files(t, dir))
			if test.want == "leaves" {
				if len(got) != 8 {
					t.Errorf("changed %v, want the 8 leaves", got)
				}
				return
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("changed %v, want %q", got, test.want)
			}
		})
	}
}

func TestARenewedAuthorityKeepsItsKeySoOldLeavesStayValid(t *testing.T) {
	dir := t.TempDir()
	old := ensure(t, dir, who(), start)
	oldServing := leafOf(t, old.APIServer)
	later := start.Add(authorityLife - authorityRenew + time.Hour)
	renewed := ensure(t, dir, who(), later)
	if bytes.Equal(old.CAPEM, renewed.CAPEM) {
		t.Fatal("the authority was not renewed")
	}
	if !samePublicKey(old.ca.key.Public(), renewed.ca.key.Public()) {
		t.Error("the renewed authority has another key")
	}
	if err := oldServing.CheckSignatureFrom(renewed.ca.cert); err != nil {
		t.Errorf("what the old authority signed: %v", err)
	}
	if err := leafOf(t, renewed.APIServer).CheckSignatureFrom(old.ca.cert); err != nil {
		t.Errorf("what the new authority signed, to one who knows the old: %v", err)
	}
}

func TestALeafOfALostAuthorityIsReissued(t *testing.T) {
	dir := t.TempDir()
	ensure(t, dir, who(), start)
	if err := os.Remove(filepath.Join(dir, "loopback-ca.pem")); err != nil {
		t.Fatal(err)
	}
	b := ensure(t, dir, who(), start)
	for _, path := range []string{b.LoopbackServer, b.WebhookClient} {
		if err := leafOf(t, path).CheckSignatureFrom(b.loopbackCA.cert); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestDamagedFilesAreErrorsNotReasonsForNewKeys(t *testing.T) {
	for _, name := range []string{"ca.pem", "apiserver.pem", "service-account.key", "encryption.key"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ensure(t, dir, who(), start)
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte("half a fi"), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Ensure(dir, who(), start)
			if !errors.Is(err, errUnreadable) || !strings.Contains(err.Error(), name) {
				t.Errorf("error %v", err)
			}
			if data, _ := os.ReadFile(path); string(data) != "half a fi" {
				t.Error("the damaged file was replaced")
			}
		})
	}
}

func TestKeyAndCertificateOfDifferentFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	ensure(t, dir, who(), start)
	all := files(t, dir)
	key, _, _ := strings.Cut(all["admin.pem"], "-----BEGIN CERTIFICATE")
	_, cert, _ := strings.Cut(all["scheduler.pem"], "-----BEGIN CERTIFICATE")
	mixed := filepath.Join(dir, "scheduler.pem")
	if err := os.WriteFile(mixed, []byte(key+"-----BEGIN CERTIFICATE"+cert), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Ensure(dir, who(), start); !errors.Is(err, errUnreadable) {
		t.Errorf("error %v", err)
	}
}

func TestAnIncompleteIdentityIsRefused(t *testing.T) {
	if _, err := Ensure(t.TempDir(), Identity{EndpointHost: "x"}, start); err == nil {
		t.Error("certificates without an address")
	}
}

// The webhooks' server talks to this cluster's API server and nobody else.
func TestWebhookTLSAdmitsOnlyTheAPIServer(t *testing.T) {
	now := time.Now()
	b := ensure(t, t.TempDir(), who(), now)
	other := ensure(t, t.TempDir(), who(), now)
	pair := func(path string) []tls.Certificate {
		c, err := tls.LoadX509KeyPair(path, path)
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{c}
	}
	for _, test := range []struct {
		name         string
		authenticate bool
		client       []tls.Certificate
		ok           bool
	}{
		{"the API server", true, pair(b.WebhookClient), true},
		{"no certificate", true, nil, false},
		{"another cluster's API server", true, pair(other.WebhookClient), false},
		{"a certificate of the cluster's CA", true, pair(b.Scheduler), false},
		{"the loopback servers' own certificate", true, pair(b.LoopbackServer), false},
		{"no certificate, none asked", false, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			pool := x509.NewCertPool()
			pool.AppendCertsFromPEM(b.LoopbackCAPEM())
			near, far := net.Pipe()
			defer near.Close()
			defer far.Close()
			server := tls.Server(far, b.WebhookTLS(test.authenticate))
			served := make(chan error, 1)
			go func() { served <- server.Handshake() }()
			c := tls.Client(near, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1",
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					if len(test.client) == 0 {
						return &tls.Certificate{}, nil
					}
					return &test.client[0], nil // whatever authorities the server names
				}})
			go c.Read(make([]byte, 1)) // handshakes, then takes the server's alert
			if err := <-served; (err == nil) != test.ok {
				t.Errorf("handshake: %v", err)
			}
			if curve := server.ConnectionState().CurveID; test.ok && curve != tls.X25519 {
				t.Errorf("keys were exchanged by %v", curve)
			}
		})
	}
}
