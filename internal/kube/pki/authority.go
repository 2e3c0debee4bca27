package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"path/filepath"
	"time"
)

const (
	authorityLife  = 10 * 365 * 24 * time.Hour
	authorityRenew = 180 * 24 * time.Hour
	leafLife       = 365 * 24 * time.Hour
	leafRenew      = 30 * 24 * time.Hour
	// skew is how far a clock may be behind ours and still accept what was
	// signed just now.
	skew = 5 * time.Minute
)

// ensureAuthority reads the CA named base in dir, or makes it. One that nears
// its end is renewed with its old key and name, so what it signed stays valid.
func ensureAuthority(dir, base, commonName string, now time.Time) (*identity, error) {
	path := filepath.Join(dir, base+".pem")
	ca, err := readIdentity(path)
	if err != nil {
		return nil, err
	}
	if ca == nil || now.After(ca.cert.NotAfter.Add(-authorityRenew)) {
		var key crypto.Signer
		if ca != nil {
			key = ca.key
		} else if key, err = newECKey(); err != nil {
			return nil, err
		}
		if ca, err = selfSigned(key, commonName, now); err != nil {
			return nil, fmt.Errorf("certificate authority %q: %w", commonName, err)
		}
		if err := write(path, ca.pem, 0o600); err != nil {
			return nil, err
		}
	}
	// Named in configurations, and derived: a crash between the two is mended here.
	return ca, write(filepath.Join(dir, base+".crt"), encodeCert(ca.cert), 0o644)
}

func selfSigned(key crypto.Signer, commonName string, now time.Time) (*identity, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: commonName},
		DNSNames:              []string{commonName},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return newIdentity(key, der)
}

// issue signs a certificate for a new key that says what l wants said.
func (l leaf) issue(ca *identity, now time.Time) (*identity, error) {
	key, err := newECKey()
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	end := now.Add(leafLife)
	if end.After(ca.cert.NotAfter) {
		end = ca.cert.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: l.commonName, Organization: l.groups},
		DNSNames:              l.names,
		IPAddresses:           l.ips(),
		NotBefore:             now.Add(-skew),
		NotAfter:              end,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{l.usage},
		BasicConstraintsValid: true,
	}, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, err
	}
	return newIdentity(key, der)
}

// newSerial is 127 random bits: unique without a counter to keep.
func newSerial() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
}
