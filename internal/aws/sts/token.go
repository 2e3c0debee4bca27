package sts

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/iam"
)

// Keys are temporary credentials.
type Keys struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expires                                    time.Time
}

// sealed is what a token says. Names and ARNs are not in it: they are IAM's to
// tell at the time of use.
type sealed struct {
	Type api.PrincipalType
	ID   string // AROA…, AIDA…, or the account's number for root
	api.Session
}

// tokenHead begins every token, so that a foreign one is known at once.
const tokenHead = "EKSACT1"

// issue makes credentials, with a token of at least so many bytes.
func (s *STS) issue(what sealed, atLeast int) (Keys, error) {
	text, err := json.Marshal(what)
	if err != nil {
		return Keys{}, err
	}
	if missing := base64.StdEncoding.DecodedLen(atLeast-len(tokenHead)) + 1 - s.seal.NonceSize() - len(text) - s.seal.Overhead(); missing > 0 {
		text = append(text, strings.Repeat(" ", missing)...)
	}
	nonce := make([]byte, s.seal.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return Keys{}, err
	}
	token := tokenHead + base64.StdEncoding.EncodeToString(s.seal.Seal(nonce, nonce, text, []byte(tokenHead)))
	id, secret, err := s.derive(token)
	return Keys{id, secret, token, what.Expires}, err
}

// derive makes the access key id and secret that belong to a token.
func (s *STS) derive(token string) (id, secret string, err error) {
	mac := func(what string) []byte {
		m := hmac.New(sha256.New, s.key)
		m.Write([]byte(what + token))
		return m.Sum(nil)
	}
	id, err = iam.NewID("ASIA", s.place.AccountID, mac("id ")[:8])
	return id, strings.ToLower(base32.StdEncoding.EncodeToString(mac("secret "))[:8]) + base64.StdEncoding.EncodeToString(mac("secret "))[:32], err
}

// read reads a token and checks that the access key id is its own.
func (s *STS) read(id, token string) (sealed, string, error) {
	var what sealed
	body, ok := strings.CutPrefix(token, tokenHead)
	if !ok {
		return what, "", ErrBadToken
	}
	data, err := base64.StdEncoding.DecodeString(body)
	if err != nil || len(data) < s.seal.NonceSize() {
		return what, "", ErrBadToken
	}
	n := s.seal.NonceSize()
	text, err := s.seal.Open(nil, data[:n], data[n:], []byte(tokenHead))
	if err != nil || json.Unmarshal(text, &what) != nil {
		return what, "", ErrBadToken
	}
	own, secret, err := s.derive(token)
	if err != nil {
		return what, "", err
	}
	if !hmac.Equal([]byte(own), []byte(id)) {
		return what, "", ErrUnknownKey
	}
	return what, secret, nil
}

// What Resolve may find wrong.
var (
	ErrUnknownKey   = errors.New("no such access key, or it is inactive")
	ErrBadToken     = errors.New("the session token is not one of ours, or not of this access key")
	ErrExpiredToken = errors.New("the session token has expired")
)
