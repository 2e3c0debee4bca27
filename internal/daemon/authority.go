package daemon

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2"
)

// authority is the certificate authority of the AWS endpoints here. Clients
// that trust it (AWS_CA_BUNDLE) reach them over TLS under AWS's own names.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	der  []byte

	mu     sync.Mutex
	leaves map[string]*tls.Certificate // by server name
}

// systemBundles are where distributions keep the public authorities.
var systemBundles = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"}

// openAuthority reads the authority, or makes it the first time, and keeps
// trust.pem: the system's authorities and this one, for clients' variables.
func openAuthority(c Config) (*authority, error) {
	a := &authority{leaves: map[string]*tls.Certificate{}}
	path := c.state("authority.pem")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = newAuthority(path)
	}
	if err != nil {
		return nil, err
	}
	if err := a.parse(data); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return a, a.writeBundle(c.state("trust.pem"))
}

func newAuthority(path string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: "eksact AWS endpoints", Organization: []string{"eksact"}},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.AddDate(10, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		// Whoever trusts this authority trusts it for these names alone.
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         []string{"amazonaws.com", "localhost"},
		PermittedIPRanges:           []*net.IPNet{{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)}, {IP: net.IPv4(198, 18, 0, 0).To4(), Mask: net.CIDRMask(15, 32)}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	data := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	return data, renameio.WriteFile(path, data, 0o600)
}

func (a *authority) parse(data []byte) error {
	cert, rest := pem.Decode(data)
	if cert == nil {
		return errors.New("no certificate")
	}
	key, _ := pem.Decode(rest)
	if key == nil {
		return errors.New("no key")
	}
	var err error
	if a.cert, err = x509.ParseCertificate(cert.Bytes); err != nil {
		return err
	}
	secret, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	if err != nil {
		return err
	}
	ok := false
	if a.key, ok = secret.(*ecdsa.PrivateKey); !ok {
		return fmt.Errorf("a key of type %T", secret)
	}
	a.der = cert.Bytes
	return nil
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.der})
}

func (a *authority) writeBundle(path string) error {
	var bundle []byte
	for _, file := range systemBundles {
		if data, err := os.ReadFile(file); err == nil {
			bundle = append(bytes.TrimSpace(data), '\n')
			break
		}
	}
	bundle = append(bundle, a.pem()...)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, bundle) {
		return nil
	}
	return renameio.WriteFile(path, bundle, 0o644)
}

func (a *authority) tlsConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: a.certificate}
}

// certificate makes the leaf for a name under amazonaws.com, a bucket's name
// included, or for loopback when the client names nothing.
func (a *authority) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if name != "" && name != "localhost" && !strings.HasSuffix(name, ".amazonaws.com") {
		return nil, fmt.Errorf("no certificate for %q", name)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if leaf, ok := a.leaves[name]; ok && time.Until(leaf.Leaf.NotAfter) > 24*time.Hour {
		return leaf, nil
	}
	if len(a.leaves) > 1000 {
		clear(a.leaves) // names are the client's to choose
	}
	leaf, err := a.issue(name)
	if err == nil {
		a.leaves[name] = leaf
	}
	return leaf, err
}

func (a *authority) issue(name string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(0, 1, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if name == "" || name == "localhost" {
		template.Subject.CommonName = "localhost"
		template.DNSNames = []string{"localhost"}
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der, a.der}, PrivateKey: key, Leaf: leaf}, nil
}
