package daemon

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/sns"
)

// newTopics makes SNS, which delivers from the Internet.
func (d *Daemon) newTopics(place api.Place) *sns.Service {
	return sns.New(sns.Deps{
		Store: d.store, Place: place, IAM: d.iam, Now: time.Now, Log: slog.Default(),
		Client: d.outside(), Reaches: Reaches, Certify: d.authority.certify,
	})
}

// roots are whom this machine trusts, and the authority.
func (a *authority) roots() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AddCert(a.cert)
	return pool
}

// certify makes the certificate of a key that SNS signs messages with, followed by the
// authority's.
func (a *authority) certify(public crypto.PublicKey, from, to time.Time) ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(from.UnixNano()), Subject: pkix.Name{CommonName: "sns.amazonaws.com"}, DNSNames: []string{"sns.amazonaws.com"},
		NotBefore: from, NotAfter: to, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
	if err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), a.pem()...), nil
}
