package imds

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
)

// Signer signs identity documents. Whoever has the certificate can check them as
// AWS's are checked, by openssl smime -verify.
type Signer struct {
	Key         *rsa.PrivateKey
	Certificate *x509.Certificate
}

// signatures are the kinds that are offered, by their names in the tree.
var signatures = map[string]func(*Signer, string) (string, error){
	"signature": (*Signer).plain, "pkcs7": (*Signer).pkcs7, "rsa2048": (*Signer).pkcs7,
}

// plain is the signature alone (PKCS #1, SHA-256), in base64.
func (s *Signer) plain(document string) (string, error) {
	signature, err := s.sign(document)
	return wrap(signature), err
}

func (s *Signer) sign(document string) ([]byte, error) {
	sum := sha256.Sum256([]byte(document))
	return rsa.SignPKCS1v15(rand.Reader, s.Key, crypto.SHA256, sum[:])
}

var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidSHA256        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidRSAEncryption = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
)

// The structures of PKCS #7 (RFC 2315) as far as one signature without attributes
// needs them.
type (
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0"`
	}
	signedData struct {
		Version      int
		Digests      []pkix.AlgorithmIdentifier `asn1:"set"`
		Content      contentInfo
		Certificates asn1.RawValue // [0], a set
		Signers      []signerInfo  `asn1:"set"`
	}
	signerInfo struct {
		Version   int
		Issuer    issuerAndSerial
		Digest    pkix.AlgorithmIdentifier
		Algorithm pkix.AlgorithmIdentifier
		Signature []byte
	}
	issuerAndSerial struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
)

// pkcs7 is the document signed, with the certificate, as SignedData in base64
// without armour.
func (s *Signer) pkcs7(document string) (string, error) {
	signature, err := s.sign(document)
	if err != nil {
		return "", err
	}
	content, err := asn1.Marshal([]byte(document))
	if err != nil {
		return "", err
	}
	digest := pkix.AlgorithmIdentifier{Algorithm: oidSHA256, Parameters: asn1.NullRawValue}
	data, err := asn1.Marshal(signedData{
		Version:      1,
		Digests:      []pkix.AlgorithmIdentifier{digest},
		Content:      contentInfo{oidData, tagged(content)},
		Certificates: tagged(s.Certificate.Raw),
		Signers: []signerInfo{{
			Version:   1,
			Issuer:    issuerAndSerial{asn1.RawValue{FullBytes: s.Certificate.RawIssuer}, s.Certificate.SerialNumber},
			Digest:    digest,
			Algorithm: pkix.AlgorithmIdentifier{Algorithm: oidRSAEncryption, Parameters: asn1.NullRawValue},
			Signature: signature,
		}},
	})
	if err != nil {
		return "", fmt.Errorf("signing an identity document: %w", err)
	}
	out, err := asn1.Marshal(contentInfo{oidSignedData, tagged(data)})
	return wrap(out), err
}

// tagged is a constructed value of tag [0].
func tagged(content []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: content}
}

// wrap is base64 in lines of 64, without a last newline, as AWS writes it.
func wrap(data []byte) string {
	text := base64.StdEncoding.EncodeToString(data)
	var lines []string
	for len(text) > 64 {
		lines, text = append(lines, text[:64]), text[64:]
	}
	return strings.Join(append(lines, text), "\n")
}
