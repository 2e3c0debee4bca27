package csr

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"time"

	certsv1 "k8s.io/api/certificates/v1"
)

const (
	life     = 365 * 24 * time.Hour // EKS: default and maximum
	shortest = 10 * time.Minute     // upstream's floor
	short    = 8 * time.Hour        // below it, the end is not backdated
	backdate = 5 * time.Minute
)

// Authority is a CA's certificate and key.
type Authority struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// issue signs a request that Decide said to sign, and answers with PEM. Nothing
// of the request gets in but its key, its subject and its alternative names; of
// a kubelet, the subject is the two fields that were checked.
func (a Authority) issue(csr *certsv1.CertificateSigningRequest, now time.Time) ([]byte, error) {
	x, err := parse(csr.Spec.Request)
	if err != nil {
		return nil, err
	}
	if !now.Before(a.Certificate.NotAfter) {
		return nil, fmt.Errorf("the cluster's certificate authority ended at %s", a.Certificate.NotAfter)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	from, to := validity(csr.Spec.ExpirationSeconds, now)
	if to.After(a.Certificate.NotAfter) {
		to = a.Certificate.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		RawSubject:            x.RawSubject,
		DNSNames:              x.DNSNames,
		IPAddresses:           x.IPAddresses,
		EmailAddresses:        x.EmailAddresses,
		URIs:                  x.URIs,
		NotBefore:             from,
		NotAfter:              to,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, // and no CA
	}
	if csr.Spec.SignerName == certsv1.KubeletServingSignerName {
		template.RawSubject = nil
		template.Subject = pkix.Name{CommonName: x.Subject.CommonName, Organization: x.Subject.Organization}
	}
	if slices.Contains(csr.Spec.Usages, certsv1.UsageDigitalSignature) {
		template.KeyUsage |= x509.KeyUsageDigitalSignature
	}
	if slices.Contains(csr.Spec.Usages, certsv1.UsageKeyEncipherment) {
		template.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.Certificate, x.PublicKey, a.Key)
	if err != nil {
		return nil, fmt.Errorf("could not sign: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// validity is a year, or what was asked for if that is less, from five minutes
// ago, for clocks that are behind.
func validity(asked *int32, now time.Time) (from, to time.Time) {
	length := life
	if asked != nil {
		length = min(max(time.Duration(*asked)*time.Second, shortest), life)
	}
	from, to = now.Add(-backdate), now.Add(length)
	if length >= short {
		to = to.Add(-backdate)
	}
	return from, to
}
