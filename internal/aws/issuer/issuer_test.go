package issuer

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/eksact/eksact/internal/aws/idp"
	"github.com/eksact/eksact/internal/engine/oidc"
)

const host = "oidc.eks.us-west-2.amazonaws.com"

func handler(t *testing.T) (*Handler, jose.JSONWebKeySet) {
	t.Helper()
	var public []crypto.PublicKey
	for range 2 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		public = append(public, key.Public())
	}
	set, err := oidc.KeySet(public)
	if err != nil {
		t.Fatal(err)
	}
	return &Handler{
		Host: host,
		Keys: func(id string) (jose.JSONWebKeySet, bool) { return set, id == "ABC" },
		Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
	}, set
}

func TestWhatIsServed(t *testing.T) {
	h, _ := handler(t)
	const discovery = `{"issuer":"https://oidc.eks.us-west-2.amazonaws.com/id/ABC","jwks_uri":"https://oidc.eks.us-west-2.amazonaws.com/id/ABC/keys",` +
		`"authorization_endpoint":"urn:kubernetes:programmatic_authorization","response_types_supported":["id_token"],` +
		`"subject_types_supported":["public"],"claims_supported":["sub","iss"],"id_token_signing_alg_values_supported":["RS256"]}`
	for _, c := range []struct {
		name, method, host, path string
		code                     int
		body                     string
	}{
		{"discovery", "GET", host, "/id/ABC/.well-known/openid-configuration", 200, discovery},
		{"with a port", "GET", host + ":443", "/id/ABC/.well-known/openid-configuration", 200, discovery},
		{"in capitals", "GET", strings.ToUpper(host), "/id/ABC/.well-known/openid-configuration", 200, discovery},
		{"another cluster's", "GET", host, "/id/ABD/.well-known/openid-configuration", 404, `{"message":"Not Found"}`},
		{"another document", "GET", host, "/id/ABC/other", 404, `{"message":"Not Found"}`},
		{"the issuer itself", "GET", host, "/id/ABC", 404, `{"message":"Not Found"}`},
		{"nothing", "GET", host, "/", 404, `{"message":"Not Found"}`},
		{"without id", "GET", host, "/ABC/keys", 404, `{"message":"Not Found"}`},
		{"a change", "POST", host, "/id/ABC/keys", 405, `{"message":"Method Not Allowed"}`},
		{"another host", "GET", "sts.us-west-2.amazonaws.com", "/id/ABC/keys", 418, ""},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(c.method, c.path, nil)
		r.Host = c.host
		h.ServeHTTP(w, r)
		if w.Code != c.code || w.Body.String() != c.body {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
	}
}

func TestKeysAreInEKSsForm(t *testing.T) {
	h, set := handler(t)
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/id/ABC/keys", nil)
	r.Host = host
	h.ServeHTTP(w, r)
	var got struct{ Keys []map[string]string }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Keys) != 2 {
		t.Fatalf("%v: %s", err, w.Body)
	}
	for i, k := range got.Keys {
		if k["kty"] != "RSA" || k["alg"] != "RS256" || k["use"] != "sig" || k["e"] != "AQAB" || k["kid"] != set.Keys[i].KeyID || len(k["n"]) != 342 || len(k) != 6 {
			t.Errorf("key %d: %v", i, k)
		}
	}
}

// Those that don't have the keys in process fetch them: by discovery, over TLS.
func TestOthersCanFetchTheKeys(t *testing.T) {
	h, set := handler(t)
	server := httptest.NewTLSServer(h)
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client := idp.New(idp.Options{Now: time.Now, Roots: roots, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}})
	// The test server's certificate has another name, so this much is seen to fail.
	if _, err := client.Keys(t.Context(), idp.Provider{URL: host + "/id/ABC"}, false); err == nil {
		t.Fatal("a certificate for another name was taken")
	}
	get := func(path string) []byte {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", server.URL+path, nil)
		r.Host = host
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		return body
	}
	keys, err := oidc.ParseKeys(get("/id/ABC/keys"))
	if err != nil || len(keys.Keys) != 2 || keys.Keys[0].KeyID != set.Keys[0].KeyID {
		t.Errorf("%v, %v", keys, err)
	}
}
