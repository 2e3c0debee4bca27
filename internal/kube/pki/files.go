package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/google/renameio/v2"
)

// identity is a private key and the certificate of its public half.
type identity struct {
	key  crypto.Signer
	cert *x509.Certificate
	pem  []byte // both, as in the file
}

// errUnreadable marks a file that is there but says nothing usable. It is no
// reason to make a new one: that would quietly disown all that was signed.
var errUnreadable = errors.New("unreadable")

// readIdentity reads a file of key and certificate. A missing file is nil and
// no error.
func readIdentity(path string) (*identity, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	id := &identity{pem: data}
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch block.Type {
		case "PRIVATE KEY":
			if id.key, err = parseKey(block.Bytes); err != nil {
				return nil, fmt.Errorf("%s: %w: %v", path, errUnreadable, err)
			}
		case "CERTIFICATE":
			if id.cert, err = x509.ParseCertificate(block.Bytes); err != nil {
				return nil, fmt.Errorf("%s: %w: %v", path, errUnreadable, err)
			}
		}
	}
	switch {
	case id.key == nil || id.cert == nil:
		return nil, fmt.Errorf("%s: %w: want a private key and a certificate", path, errUnreadable)
	case !samePublicKey(id.key.Public(), id.cert.PublicKey):
		return nil, fmt.Errorf("%s: %w: the certificate is not for the key beside it", path, errUnreadable)
	}
	return id, nil
}

// newIdentity joins key and certificate, the latter in DER.
func newIdentity(key crypto.Signer, der []byte) (*identity, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	data, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	return &identity{key: key, cert: cert, pem: append(data, encodeCert(cert)...)}, nil
}

func newECKey() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func newRSAKey() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) }

func parseKey(der []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%T is no signing key", key)
	}
	return signer, nil
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func encodeCert(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func samePublicKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// write puts data at path, whole or not at all, unless it is there already.
func write(path string, data []byte, mode os.FileMode) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	return renameio.WriteFile(path, data, mode)
}

func decodeKey(path string, data []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s: %w: no PEM block", path, errUnreadable)
	}
	key, err := parseKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %v", path, errUnreadable, err)
	}
	return key, nil
}
