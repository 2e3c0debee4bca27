package daemon

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net"
	"testing"
	"time"
)

// TestOnInternet: what SNS delivers to is neither this machine nor a private network.
func TestOnInternet(t *testing.T) {
	own := []net.Addr{&net.IPNet{IP: net.IPv4(198, 18, 0, 1), Mask: net.CIDRMask(24, 32)}}
	for address, want := range map[string]bool{
		"198.18.3.4:80": true, "203.0.113.7:443": true, "[2001:db8::1]:80": true,
		"127.0.0.1:80": false, "[::1]:80": false, "10.0.0.1:80": false, "192.168.1.1:80": false, "169.254.169.254:80": false,
		"198.18.0.1:80": false, "0.0.0.0:80": false, "[::ffff:127.0.0.1]:80": false, "224.0.0.1:80": false,
	} {
		if err := onInternet(address, own); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestSigningCertificates chain to the authority.
func TestSigningCertificates(t *testing.T) {
	a, err := openAuthority(Config{StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := a.certify(&key.PublicKey, time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(chain)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: a.roots(), DNSName: "sns.amazonaws.com"}); err != nil {
		t.Error(err)
	}
}
