package sts_test

import (
	"context"
	"crypto/sha1" // what AWS's thumbprints are
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/eksact/eksact/internal/aws/idp"
)

// An issuer elsewhere, over TLS, from its registration without a thumbprint to a
// change of its key and of its certificate.
func TestWebIdentityOverHTTPS(t *testing.T) {
	a := open(t)
	a.now = time.Now()                                 // certificates have their time
	i := &issuer{url: "https://example.com/realm/One"} // a name of the test server's certificate
	i.rotate(t, "k1")
	var fetched atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/realm/One/.well-known/openid-configuration":
			_, _ = io.WriteString(w, `{"issuer":"`+i.url+`","jwks_uri":"https://example.com/keys"}`)
		case "/keys":
			fetched.Add(1)
			_ = json.NewEncoder(w).Encode(i.keys())
		default:
			http.NotFound(w, r)
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}
	use := func(roots *x509.CertPool) {
		issuers := idp.New(idp.Options{Now: func() time.Time { return a.now }, Roots: roots, Dial: dial})
		a.sts.UseIssuers(issuers)
		a.iam.ReadThumbprints(issuers.Thumbprint)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	sum := sha1.Sum(server.Certificate().Raw)
	thumbprint := hex.EncodeToString(sum[:])

	use(x509.NewCertPool()) // this machine trusts nobody: nothing is read from a stranger
	in := &awsiam.CreateOpenIDConnectProviderInput{Url: &i.url, ClientIDList: []string{"sts.amazonaws.com"}}
	says(t, second(a.iam.CreateOpenIDConnectProvider(a.admin, in)), "OpenIdIdpCommunicationError: Could not connect to https://example.com/realm/One.")
	use(trusted)
	made, err := a.iam.CreateOpenIDConnectProvider(a.admin, in)
	if err != nil {
		t.Fatal(err)
	}
	provider, err := a.iam.GetOpenIDConnectProvider(a.admin, &awsiam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: made.OpenIDConnectProviderArn})
	if err != nil || len(provider.ThumbprintList) != 1 || provider.ThumbprintList[0] != thumbprint {
		t.Fatalf("%+v, %v", provider, err)
	}
	role := a.role(t, "app", trustsProvider(*made.OpenIDConnectProviderArn, asWebIdentity, `"StringEquals":{"example.com/realm/One:sub":"system:serviceaccount:default:app"}`))
	try := func() error {
		return second(a.sts.AssumeRoleWithWebIdentity(stranger(t.Context()), &awssts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: aws.String("pod"), WebIdentityToken: i.token(t, a.now, nil)}))
	}
	says(t, try(), "")
	says(t, try(), "")
	if got := fetched.Load(); got != 1 {
		t.Errorf("keys were fetched %d times", got)
	}
	use(x509.NewCertPool())
	says(t, try(), "") // by the thumbprint

	i.rotate(t, "k2")
	says(t, try(), "Couldn't retrieve verification key") // asked a moment ago
	a.now = a.now.Add(time.Minute)
	says(t, try(), "")

	says(t, second(a.iam.UpdateOpenIDConnectProviderThumbprint(a.admin, &awsiam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: made.OpenIDConnectProviderArn, ThumbprintList: []string{strings.Repeat("0", 40)}})), "")
	says(t, try(), "InvalidIdentityToken: OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint")
	a.now = a.now.Add(time.Minute)
	server.Close()
	says(t, try(), "IDPCommunicationError: The identity provider could not be reached.")
}
