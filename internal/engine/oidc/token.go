package oidc

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// Longest is the longest token that is read, in bytes: what STS takes.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
const Longest = 20000

// skew is how far the issuer's clock may be ahead.
const skew = 5 * 60 // seconds

// Token is what a token says. It is the issuer's word once Verify has returned nil.
type Token struct {
	Algorithm, KeyID string // of the header
	Issuer, Subject  string
	Audience         []string
	AuthorizedParty  string   // azp, "" without
	AuthMethods      []string // amr
	IssuedAt         int64    // seconds since 1970
	Expires          int64
	NotBefore        int64 // 0 without

	claims map[string]any
	jws    *jose.JSONWebSignature
}

// algorithms are those that AWS takes.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512}
}

// Parse reads a token without asking whether its signature is good.
func Parse(text string) (*Token, error) {
	if len(text) > Longest {
		return nil, malformed("it is longer than %d characters", Longest)
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, malformed("it has %d parts, not three", len(parts))
	}
	header, err := object(parts[0])
	if err != nil {
		return nil, malformed("header: %v", err)
	}
	claims, err := object(parts[1])
	if err != nil {
		return nil, malformed("claims: %v", err)
	}
	if _, err := decode(parts[2]); err != nil {
		return nil, malformed("signature: %v", err)
	}
	for _, name := range []string{"crit", "b64"} {
		if _, ok := header[name]; ok {
			return nil, malformed("header %s is not understood", name)
		}
	}
	jws, err := jose.ParseSignedCompact(text, algorithms())
	var wrong *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.As(err, &wrong):
		return nil, &Error{Kind: Algorithm, Detail: strconv.Quote(string(wrong.Got))}
	case err != nil:
		return nil, malformed("%v", err)
	}
	h := jws.Signatures[0].Protected
	t := &Token{Algorithm: h.Algorithm, KeyID: h.KeyID, claims: claims, jws: jws}
	return t, t.read()
}

// decode reads base64url in its only spelling: no padding, no line breaks, no bits
// that mean nothing.
func decode(part string) ([]byte, error) {
	if strings.ContainsAny(part, "\r\n") { // which the library skips
		return nil, errors.New("a line break")
	}
	return base64.RawURLEncoding.Strict().DecodeString(part)
}

// object reads a part that holds a JSON object. No member may be given twice: two
// readers might read either.
func object(part string) (map[string]any, error) {
	text, err := decode(part)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(text) {
		return nil, errors.New("not UTF-8")
	}
	var out map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.SetNumberType(json.UnmarshalJSONNumber)
	if err := d.Decode(&out); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	if out == nil {
		return nil, errors.New("null is not an object")
	}
	return out, nil
}

// read takes the claims that every token has, and checks their form.
func (t *Token) read() (err error) {
	note := func(e error) {
		if err == nil {
			err = e
		}
	}
	text := func(name string, need bool) string {
		v, there := t.claims[name]
		s, ok := v.(string)
		switch {
		case !there && need, need && ok && s == "":
			note(&Error{Kind: MissingClaim, Claim: name})
		case there && !ok:
			note(malformed("claim %s is not a string", name))
		}
		return s
	}
	seconds := func(name string, need bool) int64 {
		v, there := t.claims[name]
		if !there {
			if need {
				note(&Error{Kind: MissingClaim, Claim: name})
			}
			return 0
		}
		number, _ := v.(json.Number)
		n, e := strconv.ParseInt(string(number), 10, 64)
		if e != nil || n < 0 {
			note(malformed("claim %s is not a whole number of seconds", name))
		}
		return n
	}
	t.Issuer = text("iss", true)
	t.Audience = t.texts("aud", note)
	if len(t.Audience) == 0 {
		note(&Error{Kind: MissingClaim, Claim: "aud"})
	}
	t.Expires = seconds("exp", true)
	t.IssuedAt = seconds("iat", true)
	t.NotBefore = seconds("nbf", false)
	t.Subject = text("sub", true)
	t.AuthorizedParty = text("azp", false)
	t.AuthMethods = t.texts("amr", note)
	return err
}

// texts is a claim that holds a string or a list of strings.
func (t *Token) texts(name string, note func(error)) []string {
	v, there := t.claims[name]
	if !there {
		return nil
	}
	if s, ok := v.(string); ok {
		return []string{s}
	}
	items, ok := v.([]any)
	list := make([]string, 0, len(items))
	for _, item := range items {
		s, isText := item.(string)
		ok = ok && isText
		list = append(list, s)
	}
	if !ok {
		note(malformed("claim %s is not a string or a list of strings", name))
	}
	return list
}

// Client is the client id that the token was made for: azp when it is there, or
// else the only audience; "" of a token with several and no azp, which does not say.
// https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
func (t *Token) Client() string {
	switch {
	case t.AuthorizedParty != "":
		return t.AuthorizedParty
	case len(t.Audience) == 1:
		return t.Audience[0]
	}
	return ""
}

// Accept checks that the token is meant for one of the client ids, and that now
// lies in its time.
func (t *Token) Accept(clientIDs []string, now time.Time) error {
	client, at := t.Client(), now.Unix()
	switch {
	case client == "" || !slices.Contains(clientIDs, client):
		return &Error{Kind: Audience, Detail: strings.Join(t.Audience, ", ")}
	case at >= t.Expires:
		return &Error{Kind: Expired, Now: at, At: t.Expires}
	case t.NotBefore > at+skew:
		return &Error{Kind: NotYet, Now: at, At: t.NotBefore}
	case t.IssuedAt > at+skew:
		return &Error{Kind: NotYet, Now: at, At: t.IssuedAt}
	}
	return nil
}
