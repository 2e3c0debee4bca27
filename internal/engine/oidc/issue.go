package oidc

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// What an issuer of service account tokens publishes.

// KeyID is the name that Kubernetes gives a key in the tokens it signs with it: the
// SHA-256 of the public key in PKIX form, in base64url.
// (k8s.io/kubernetes/pkg/serviceaccount, keyIDFromPublicKey)
func KeyID(key crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// KeySet is an issuer's JSON Web Key Set, of RSA keys that sign by RS256.
func KeySet(keys []crypto.PublicKey) (jose.JSONWebKeySet, error) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range keys {
		if _, ok := k.(*rsa.PublicKey); !ok {
			return set, fmt.Errorf("a key of type %T can't sign by RS256", k)
		}
		id, err := KeyID(k)
		if err != nil {
			return set, err
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k, KeyID: id, Algorithm: string(jose.RS256), Use: "sig"})
	}
	return set, nil
}

// Discovery is the document at ISSUER/.well-known/openid-configuration, as EKS's
// issuers have it; the keys are at ISSUER/keys.
func Discovery(issuer string) ([]byte, error) {
	return json.Marshal(struct {
		Issuer        string   `json:"issuer"`
		Keys          string   `json:"jwks_uri"`
		Authorization string   `json:"authorization_endpoint"`
		Responses     []string `json:"response_types_supported"`
		Subjects      []string `json:"subject_types_supported"`
		Claims        []string `json:"claims_supported"`
		Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	}{
		issuer, issuer + "/keys", "urn:kubernetes:programmatic_authorization",
		[]string{"id_token"}, []string{"public"}, []string{"sub", "iss"}, []string{string(jose.RS256)},
	})
}
