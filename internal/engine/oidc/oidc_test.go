package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/eksact/eksact/internal/engine/oidc"
)

var (
	now     = time.Unix(1_800_000_000, 0)
	rsaKey  = sync.OnceValue(func() *rsa.PrivateKey { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k })
	rsaKey2 = sync.OnceValue(func() *rsa.PrivateKey { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k })
	ecKey   = sync.OnceValue(func() *ecdsa.PrivateKey { k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); return k })
	ecKey3  = sync.OnceValue(func() *ecdsa.PrivateKey { k, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader); return k })
)

// keys are the issuer's: one of each type.
func keys() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{KeyID: "rsa", Key: &rsaKey().PublicKey, Use: "sig"},
		{KeyID: "ec", Key: &ecKey().PublicKey, Algorithm: "ES256"},
		{KeyID: "ec3", Key: &ecKey3().PublicKey},
	}}
}

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

const good = `{"iss":"https://idp.example/a","aud":"me","sub":"alice","exp":1800000600,"iat":1799999900,"nbf":1799999900}`

// token signs header and claims as they are, whatever they say. The key decides how.
func token(t testing.TB, header, claims string, key any) string {
	t.Helper()
	input := b64(header) + "." + b64(claims)
	sum := sha256.Sum256([]byte(input))
	var sig []byte
	var err error
	switch k := key.(type) {
	case *rsa.PrivateKey:
		sig, err = rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, sum[:])
	case *ecdsa.PrivateKey:
		digest, size := sum[:], 32
		if k.Curve == elliptic.P384() {
			long := sha512.Sum384([]byte(input))
			digest, size = long[:], 48
		}
		r, s, e := ecdsa.Sign(rand.Reader, k, digest)
		err, sig = e, append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	case []byte:
		m := hmac.New(sha256.New, k)
		m.Write([]byte(input))
		sig = m.Sum(nil)
	case nil:
	}
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func publicPEM() []byte {
	der, _ := x509.MarshalPKIXPublicKey(&rsaKey().PublicKey)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// verify takes a token all the way.
func verify(text string, keys jose.JSONWebKeySet, clients ...string) (*oidc.Token, error) {
	t, err := oidc.Parse(text)
	if err != nil {
		return nil, err
	}
	if err := t.Accept(clients, now); err != nil {
		return nil, err
	}
	return t, t.Verify(keys)
}

// is checks an error's kind; want "" is no error.
func is(t *testing.T, err error, want string) {
	t.Helper()
	kinds := map[string]oidc.Kind{"malformed": oidc.Malformed, "algorithm": oidc.Algorithm, "missing": oidc.MissingClaim, "audience": oidc.Audience,
		"expired": oidc.Expired, "not yet": oidc.NotYet, "unknown key": oidc.UnknownKey, "signature": oidc.BadSignature}
	var e *oidc.Error
	kind, claim, _ := strings.Cut(want, ":")
	switch {
	case want == "" && err != nil:
		t.Errorf("got %v", err)
	case want != "" && (!errors.As(err, &e) || e.Kind != kinds[kind] || e.Claim != claim):
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestSignatures(t *testing.T) {
	const rs, es = `{"alg":"RS256","kid":"rsa"}`, `{"alg":"ES256","kid":"ec"}`
	self := fmt.Sprintf(`{"alg":"RS256","kid":"rsa","jwk":{"kty":"RSA","n":"%s","e":"AQAB"},"jku":"https://evil.example/keys"}`,
		base64.RawURLEncoding.EncodeToString(rsaKey2().N.Bytes()))
	signed := token(t, rs, good, rsaKey())
	parts := strings.Split(signed, ".")
	evil := b64(strings.Replace(good, "alice", "mallory", 1))
	for name, c := range map[string]struct{ token, want string }{
		"RS256":                    {signed, ""},
		"ES256":                    {token(t, es, good, ecKey()), ""},
		"ES384":                    {token(t, `{"alg":"ES384","kid":"ec3"}`, good, ecKey3()), ""},
		"none":                     {token(t, `{"alg":"none"}`, good, nil), "algorithm"},
		"None":                     {token(t, `{"alg":"None","kid":"rsa"}`, good, nil), "algorithm"},
		"no algorithm":             {token(t, `{"kid":"rsa"}`, good, rsaKey()), "algorithm"},
		"public key as HMAC's":     {token(t, `{"alg":"HS256","kid":"rsa"}`, good, publicPEM()), "algorithm"},
		"RS256 by HMAC":            {token(t, rs, good, publicPEM()), "signature"},
		"PS256":                    {token(t, `{"alg":"PS256","kid":"rsa"}`, good, rsaKey()), "algorithm"},
		"EdDSA":                    {token(t, `{"alg":"EdDSA","kid":"rsa"}`, good, rsaKey()), "algorithm"},
		"no signature":             {token(t, rs, good, nil), "signature"},
		"another's key":            {token(t, rs, good, rsaKey2()), "signature"},
		"EC key's id for RSA":      {token(t, `{"alg":"RS256","kid":"ec"}`, good, rsaKey()), "unknown key"},
		"RSA key's id for EC":      {token(t, `{"alg":"ES256","kid":"rsa"}`, good, ecKey()), "unknown key"},
		"a curve too long":         {token(t, `{"alg":"ES256","kid":"ec3"}`, good, ecKey3()), "unknown key"},
		"unknown kid":              {token(t, `{"alg":"RS256","kid":"other"}`, good, rsaKey()), "unknown key"},
		"no kid, one fits":         {token(t, `{"alg":"RS256"}`, good, rsaKey()), ""},
		"kid a path":               {token(t, `{"alg":"RS256","kid":"../../dev/null"}`, good, rsaKey()), "unknown key"},
		"kid a number":             {token(t, `{"alg":"RS256","kid":7}`, good, rsaKey()), "malformed"},
		"own key in the header":    {token(t, self, good, rsaKey2()), "signature"},
		"own key, no kid":          {token(t, strings.Replace(self, `"kid":"rsa",`, "", 1), good, rsaKey2()), "signature"},
		"own key is not asked for": {token(t, self, good, rsaKey()), ""},
		"critical header":          {token(t, `{"alg":"RS256","kid":"rsa","crit":["exp"],"exp":1}`, good, rsaKey()), "malformed"},
		"unencoded payload":        {token(t, `{"alg":"RS256","kid":"rsa","crit":["b64"],"b64":false}`, good, rsaKey()), "malformed"},
		"changed claims":           {parts[0] + "." + evil + "." + parts[2], "signature"},
		"two algorithms":           {token(t, `{"alg":"RS256","alg":"none","kid":"rsa"}`, good, rsaKey()), "malformed"},
		"two kids":                 {token(t, `{"alg":"RS256","kid":"rsa","kid":"other"}`, good, rsaKey()), "malformed"},
		"detached":                 {parts[0] + ".." + parts[2], "malformed"},
		"flattened JSON":           {`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, "malformed"},
		"five parts":               {signed + "..", "malformed"},
		"two parts":                {parts[0] + "." + parts[1], "malformed"},
		"empty":                    {"", "malformed"},
		"padded":                   {parts[0] + "." + parts[1] + "." + parts[2] + "==", "malformed"},
		"a line break":             {parts[0] + "." + parts[1] + "\n." + parts[2], "malformed"},
		"a space":                  {signed + " ", "malformed"},
		"standard base64":          {parts[0] + "." + parts[1] + "." + strings.Repeat("+/", 171), "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := verify(c.token, keys(), "me")
			is(t, err, c.want)
		})
	}
}

// Of the last character of a part some bits mean nothing: only zeros are taken, for
// otherwise a token has many spellings.
func TestBase64HasOneSpelling(t *testing.T) {
	signed := token(t, `{"alg":"RS256","kid":"rsa"}`, good, rsaKey())
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, signed[len(signed)-1])
	for bits := 1; bits < 4; bits++ { // 256 bytes leave 4 such bits
		_, err := verify(signed[:len(signed)-1]+alphabet[last+bits:last+bits+1], keys(), "me")
		is(t, err, "malformed")
	}
}

func TestClaims(t *testing.T) {
	with := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for name, c := range map[string]struct{ claims, want string }{
		"good":                     {good, ""},
		"no iss":                   {with(`"iss":"https://idp.example/a",`, ""), "missing:iss"},
		"no aud":                   {with(`"aud":"me",`, ""), "missing:aud"},
		"empty aud":                {with(`"me"`, "[]"), "missing:aud"},
		"no sub":                   {with(`"sub":"alice",`, ""), "missing:sub"},
		"empty sub":                {with("alice", ""), "missing:sub"},
		"no exp":                   {with(`"exp":1800000600,`, ""), "missing:exp"},
		"no iat":                   {with(`"iat":1799999900,`, ""), "missing:iat"},
		"no nbf":                   {with(`,"nbf":1799999900`, ""), ""},
		"sub a list":               {with(`"alice"`, `["alice"]`), "malformed"},
		"aud a number":             {with(`"me"`, "1"), "malformed"},
		"aud with a number":        {with(`"me"`, `["me",1]`), "malformed"},
		"exp a text":               {with("1800000600", `"1800000600"`), "malformed"},
		"exp a fraction":           {with("1800000600", "1800000600.5"), "malformed"},
		"exp with exponent":        {with("1800000600", "18e8"), "malformed"},
		"exp below zero":           {with("1800000600", "-1"), "malformed"},
		"exp beyond 64 bits":       {with("1800000600", "99999999999999999999"), "malformed"},
		"exp null":                 {with("1800000600", "null"), "malformed"},
		"claims twice":             {with(`"sub":"alice"`, `"sub":"mallory","sub":"alice"`), "malformed"},
		"claims twice, escaped":    {with(`"sub":"alice"`, `"s\u0075b":"mallory","sub":"alice"`), "malformed"},
		"claims twice, deep":       {with(`"sub":"alice"`, `"x":[{"y":1,"y":2}],"sub":"alice"`), "malformed"},
		"another case is another":  {with(`"sub":"alice"`, `"SUB":"mallory","sub":"alice"`), ""},
		"a list":                   {"[" + good + "]", "malformed"},
		"null":                     {"null", "malformed"},
		"two values":               {good + good, "malformed"},
		"rubbish behind":           {good + "}", "malformed"},
		"not UTF-8":                {with("alice", "al\xffice"), "malformed"},
		"another audience":         {with(`"me"`, `"you"`), "audience"},
		"audience's case":          {with(`"me"`, `"ME"`), "audience"},
		"one in a list":            {with(`"me"`, `["me"]`), ""},
		"several, and no azp":      {with(`"me"`, `["me","you"]`), "audience"},
		"several, azp is one":      {with(`"me"`, `["me","you"],"azp":"me"`), ""},
		"azp goes before aud":      {with(`"me"`, `"you","azp":"me"`), ""},
		"azp another's":            {with(`"me"`, `"me","azp":"you"`), "audience"},
		"azp not a text":           {with(`"me"`, `"me","azp":["me"]`), "malformed"},
		"amr not a text":           {with(`"me"`, `"me","amr":1`), "malformed"},
		"expired this second":      {with("1800000600", "1800000000"), "expired"},
		"expires next second":      {with("1800000600", "1800000001"), ""},
		"nbf five minutes ahead":   {with(`"nbf":1799999900`, `"nbf":1800000300`), ""},
		"nbf further":              {with(`"nbf":1799999900`, `"nbf":1800000301`), "not yet"},
		"issued in the future":     {with(`"iat":1799999900`, `"iat":1800000301`), "not yet"},
		"nested beyond all reason": {with(`"sub":"alice"`, `"x":`+strings.Repeat("[", 7000)+`,"sub":"alice"`), "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := verify(token(t, `{"alg":"RS256","kid":"rsa"}`, c.claims, rsaKey()), keys(), "me", "other")
			is(t, err, c.want)
		})
	}
	_, err := oidc.Parse(token(t, `{"alg":"RS256","kid":"rsa"}`, with("alice", strings.Repeat("a", 15000)), rsaKey()))
	is(t, err, "malformed") // longer than a token may be
}

// Two keys of one id, as while an issuer replaces one type by another: each is tried.
// Of two keys without id neither is meant by a token without id.
func TestKeysThatShareAnID(t *testing.T) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{KeyID: "k", Key: &ecKey().PublicKey}, {KeyID: "k", Key: &rsaKey2().PublicKey}, {KeyID: "k", Key: &rsaKey().PublicKey},
	}}
	_, err := verify(token(t, `{"alg":"RS256","kid":"k"}`, good, rsaKey()), set, "me")
	is(t, err, "")
	_, err = verify(token(t, `{"alg":"RS256"}`, good, rsaKey()), set, "me")
	is(t, err, "unknown key")
	for i := range set.Keys {
		set.Keys[i].KeyID = ""
	}
	_, err = verify(token(t, `{"alg":"RS256","kid":"k"}`, good, rsaKey()), set, "me")
	is(t, err, "unknown key")
	forEncryption := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "k", Key: &rsaKey().PublicKey, Use: "enc"}}}
	_, err = verify(token(t, `{"alg":"RS256","kid":"k"}`, good, rsaKey()), forEncryption, "me")
	is(t, err, "unknown key")
	symmetric := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "k", Key: []byte("secret")}}}
	_, err = verify(token(t, `{"alg":"RS256","kid":"k"}`, good, []byte("secret")), symmetric, "me")
	is(t, err, "unknown key")
}

func TestParseKeys(t *testing.T) {
	of := func(k any) string {
		text, err := (&jose.JSONWebKey{KeyID: "k", Key: k}).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	usable := of(&rsaKey().PublicKey)
	for name, c := range map[string]struct {
		text string
		want int // -1: an error
	}{
		"two":               {`{"keys":[` + usable + `,` + of(&ecKey().PublicKey) + `],"more":1}`, 2},
		"unusable ones":     {`{"keys":[{"kty":"future"},{"kty":"oct","k":"c2VjcmV0"},` + of(rsaKey()) + `,` + of(&small.PublicKey) + `,` + usable + `]}`, 1},
		"for encryption":    {`{"keys":[` + strings.Replace(usable, "{", `{"use":"enc",`, 1) + `]}`, -1},
		"none":              {`{"keys":[]}`, -1},
		"not a set":         {usable, -1},
		"not JSON":          {`<html>`, -1},
		"keys twice":        {`{"keys":[],"keys":[` + usable + `]}`, -1},
		"a hundred":         {`{"keys":[` + strings.Repeat(usable+",", 99) + usable + `]}`, 100},
		"a hundred and one": {`{"keys":[` + strings.Repeat(usable+",", 100) + usable + `]}`, -1},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := oidc.ParseKeys([]byte(c.text))
			if got := len(set.Keys); err == nil && got != c.want || err != nil && (c.want != -1 || got != 0) {
				t.Errorf("%d keys, %v; want %d", got, err, c.want)
			}
		})
	}
}

func TestSessionTags(t *testing.T) {
	const nested = `"https://aws.amazon.com/tags":{"principal_tags":{"team":["blue"],"cost":"7"},"transitive_tag_keys":["team"]}`
	for name, c := range map[string]struct{ claim, want string }{
		"none":              {`"x":1`, "[] []"},
		"nested":            {nested, "[{cost 7} {team blue}] [team]"},
		"flat":              {`"https://aws.amazon.com/tags/principal_tags/team":"blue","https://aws.amazon.com/tags/transitive_tag_keys":["team"]`, "[{team blue}] [team]"},
		"both":              {nested + `,"https://aws.amazon.com/tags/principal_tags/team":"red"`, "tags are given both nested and flat"},
		"several values":    {`"https://aws.amazon.com/tags":{"principal_tags":{"team":["blue","red"]}}`, "not one string"},
		"a number":          {`"https://aws.amazon.com/tags":{"principal_tags":{"team":[1]}}`, "not one string"},
		"a list":            {`"https://aws.amazon.com/tags":[{"principal_tags":{}}]`, "holds principal_tags"},
		"keys not a list":   {`"https://aws.amazon.com/tags":{"transitive_tag_keys":"team"}`, "not a list"},
		"keys not of texts": {`"https://aws.amazon.com/tags":{"transitive_tag_keys":[1]}`, "not a list of strings"},
		"no tags":           {`"https://aws.amazon.com/tags":{}`, "[] []"},
	} {
		t.Run(name, func(t *testing.T) {
			tok, err := oidc.Parse(token(t, `{"alg":"RS256"}`, `{`+c.claim+","+good[1:], nil))
			if err != nil {
				t.Fatal(err)
			}
			tags, transitive, err := tok.SessionTags()
			got := fmt.Sprint(tags, transitive)
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	for claim, want := range map[string]string{`"https://aws.amazon.com/source_identity":"alice"`: "alice", `"x":1`: ""} {
		tok, _ := oidc.Parse(token(t, `{"alg":"RS256"}`, `{`+claim+","+good[1:], nil))
		if got, err := tok.SourceIdentity(); got != want || err != nil {
			t.Errorf("%s: %q, %v", claim, got, err)
		}
	}
	tok, _ := oidc.Parse(token(t, `{"alg":"RS256"}`, `{"https://aws.amazon.com/source_identity":["alice"],`+good[1:], nil))
	if _, err := tok.SourceIdentity(); err == nil {
		t.Error("a list is a source identity")
	}
}

// FuzzParse looks for tokens that verify though nobody signed them, and for panics.
func FuzzParse(f *testing.F) {
	signed := []string{token(f, `{"alg":"RS256","kid":"rsa"}`, good, rsaKey()), token(f, `{"alg":"ES256","kid":"ec"}`, good, ecKey())}
	for _, s := range signed {
		f.Add(s)
		f.Add(s[:len(s)-1] + "A")
	}
	f.Add(token(f, `{"alg":"none"}`, good, nil))
	f.Add(token(f, `{"alg":"HS256","kid":"rsa","jwk":{}}`, good, []byte("k")))
	f.Add("..")
	set := keys()
	f.Fuzz(func(t *testing.T, text string) {
		tok, err := oidc.Parse(text)
		if err != nil {
			var e *oidc.Error
			if !errors.As(err, &e) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		_, _, _ = tok.SessionTags()
		_, _ = tok.SourceIdentity()
		_ = tok.Accept([]string{"me"}, now)
		if tok.Verify(set) == nil && !slices.Contains(signed, text) {
			t.Fatalf("nobody signed %q", text)
		}
	})
}

// FuzzKeys looks for panics of the reader of key sets, and for keys that it should
// have left out.
func FuzzKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"oct","k":"AQAB"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := oidc.ParseKeys(text)
		if err == nil && len(set.Keys) == 0 {
			t.Fatal("no keys and no error")
		}
		for _, k := range set.Keys {
			if !k.IsPublic() || !k.Valid() {
				t.Fatalf("%+v is not a public key", k)
			}
		}
	})
}
