package daemon

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"time"

	"github.com/google/renameio/v2"

	"github.com/eksact/eksact/internal/vpc/imds"
)

// identityCertificate is the file, beside trust.pem, of the certificate that
// instances' identity documents are checked with.
const identityCertificate = "identity-documents.pem"

// documentSigner reads the key that identity documents are signed with, or makes
// it the first time, with a certificate of this authority.
func (a *authority) documentSigner(c Config) (*imds.Signer, error) {
	path := c.state("identity-documents.key")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = a.newDocumentKey(c)
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("reading %s: no key", path)
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	text, err := os.ReadFile(c.state(identityCertificate))
	if err != nil {
		return nil, err
	}
	if block, _ = pem.Decode(text); block == nil {
		return nil, fmt.Errorf("reading %s: no certificate", c.state(identityCertificate))
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	return &imds.Signer{Key: key, Certificate: cert}, err
}

// newDocumentKey writes the certificate before the key, which says that both are
// there.
func (a *authority) newDocumentKey(c Config) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: "EC2 instance identity documents", Organization: []string{"eksact"}},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     a.cert.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	if err := renameio.WriteFile(c.state(identityCertificate), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return nil, err
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return data, renameio.WriteFile(c.state("identity-documents.key"), data, 0o600)
}
