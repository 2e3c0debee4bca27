package oidc

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// Most keys of each type that an issuer may have.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html
const mostKeys = 100

// smallestRSA is the size of modulus, in bits, below which a key is not one.
const smallestRSA = 2048

// ParseKeys reads an issuer's JSON Web Key Set. Keys that can't verify tokens
// (other types, private or symmetric ones, for encryption) are left out; a set
// without any that can, or with too many, is an error.
func ParseKeys(text []byte) (jose.JSONWebKeySet, error) {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text, &raw); err != nil {
		return set, err
	}
	ofRSA, ofEC := 0, 0
	for _, one := range raw.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(one, &key) != nil || key.Use != "" && key.Use != "sig" {
			continue
		}
		switch k := key.Key.(type) {
		case *rsa.PublicKey:
			if ofRSA++; k.N.BitLen() < smallestRSA {
				continue
			}
		case *ecdsa.PublicKey:
			ofEC++
		default:
			continue
		}
		// What the issuer says of certificates is not asked for.
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Key, KeyID: key.KeyID, Algorithm: key.Algorithm, Use: key.Use})
	}
	switch {
	case ofRSA > mostKeys || ofEC > mostKeys:
		return jose.JSONWebKeySet{}, fmt.Errorf("there are %d RSA and %d EC keys: at most %d of each", ofRSA, ofEC, mostKeys)
	case len(set.Keys) == 0:
		return set, errors.New("there is no key that verifies tokens")
	}
	return set, nil
}

// Verify checks the token's signature against its issuer's keys. The error is of
// kind UnknownKey when none of them is meant, so that newer ones can be asked for.
func (t *Token) Verify(keys jose.JSONWebKeySet) error {
	var fit []*jose.JSONWebKey
	for i := range keys.Keys {
		if k := &keys.Keys[i]; t.KeyID == k.KeyID || t.KeyID == "" {
			if fits(k, t.Algorithm) {
				fit = append(fit, k)
			}
		}
	}
	if len(fit) == 0 || t.KeyID == "" && len(fit) > 1 {
		return &Error{Kind: UnknownKey, Detail: "kid " + strconv.Quote(t.KeyID) + " for " + t.Algorithm}
	}
	for _, k := range fit {
		if _, err := t.jws.Verify(k.Key); err == nil {
			return nil
		}
	}
	return &Error{Kind: BadSignature}
}

// fits says whether a key can have made signatures of that algorithm. The type of
// key decides, never the token.
func fits(k *jose.JSONWebKey, algorithm string) bool {
	if k.Use != "" && k.Use != "sig" || k.Algorithm != "" && k.Algorithm != algorithm {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return algorithm[:2] == "RS" && key.N.BitLen() >= smallestRSA
	case *ecdsa.PublicKey:
		bits := map[string]int{"ES256": 256, "ES384": 384, "ES512": 521}[algorithm]
		return key.Curve.Params().BitSize == bits
	}
	return false
}
