package irsa

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/go-jose/go-jose/v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/idp"
	"github.com/eksact/eksact/internal/aws/issuer"
	"github.com/eksact/eksact/internal/engine/oidc"
	"github.com/eksact/eksact/internal/kube/pki"
)

const (
	forSTS = "sts.amazonaws.com"
	denied = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
	noKey  = "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
)

// account is an AWS account with the clusters that are in it.
type account struct {
	*doortest.Door
	later    atomic.Int64 // how far STS's clock is ahead, in seconds
	here     map[string]*plane
	deleted  atomic.Bool // all clusters here are gone
	abroad   *http.Server
	listener net.Listener
	root     *x509.Certificate // that the server of another region shows
}

// openAccount makes an account with the cluster here; the other is one of another region,
// whose issuer is to be asked over the network.
func openAccount(t testing.TB, here, other *plane) *account {
	t.Helper()
	a := &account{here: map[string]*plane{strings.TrimPrefix(here.Issuer, "https://"): here}}
	if other != nil {
		a.serve(t, other)
	}
	sets := map[*plane]func() jose.JSONWebKeySet{here: keptKeys(t, here)}
	account := doortest.NewAt(t, time.Now, func() time.Time { return time.Now().Add(time.Duration(a.later.Load()) * time.Second) })
	account.STS.UseIssuers(idp.New(idp.Options{
		Here: func(url string) (idp.Local, bool) {
			p, ok := a.here[url]
			return idp.Local{Keys: func() jose.JSONWebKeySet {
				if a.deleted.Load() {
					return jose.JSONWebKeySet{}
				}
				return sets[p]()
			}}, ok
		},
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, a.listener.Addr().String())
		},
		Roots: x509.NewCertPool(),
	}))
	a.Door = account.Open(t, bucketsOf(t, account))
	return a
}

// keptKeys reads a cluster's keys once a second, where the daemon is told of changes.
func keptKeys(t testing.TB, p *plane) func() jose.JSONWebKeySet {
	var mu sync.Mutex
	var set jose.JSONWebKeySet
	var at time.Time
	return func() jose.JSONWebKeySet {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(at) > time.Second {
			set, at = keysOf(t, p), time.Now()
		}
		return set
	}
}

func keysOf(t testing.TB, p *plane) jose.JSONWebKeySet {
	keys, err := p.Keys(time.Now())
	must(t, err)
	set, err := oidc.KeySet(keys)
	must(t, err)
	return set
}

// serve is the front door of the other's region, whose certificate nobody trusts.
func (a *account) serve(t testing.TB, other *plane) {
	host := strings.Split(strings.TrimPrefix(other.Issuer, "https://"), "/")[0]
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	a.root, err = x509.ParseCertificate(der)
	must(t, err)
	a.listener, err = tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	must(t, err)
	a.abroad = &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: &issuer.Handler{Host: host, Next: http.NotFoundHandler(), Keys: func(id string) (jose.JSONWebKeySet, bool) {
		return keysOf(t, other), strings.HasSuffix(other.Issuer, "/id/"+id)
	}}}
	go a.abroad.Serve(a.listener)
	t.Cleanup(func() { a.abroad.Close() })
}

func (a *account) provider(t testing.TB, p *plane, thumbprint string) string {
	t.Helper()
	out, err := awsiam.NewFromConfig(a.Admin).CreateOpenIDConnectProvider(t.Context(), &awsiam.CreateOpenIDConnectProviderInput{
		Url: &p.Issuer, ClientIDList: []string{forSTS}, ThumbprintList: []string{thumbprint},
	})
	must(t, err)
	return *out.OpenIDConnectProviderArn
}

// role trusts one service account of a cluster, as eksctl writes it.
func (a *account) role(t testing.TB, name, provider string, p *plane, subject string) string {
	t.Helper()
	url := strings.TrimPrefix(p.Issuer, "https://")
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + provider + `"},"Action":"sts:AssumeRoleWithWebIdentity",` +
		`"Condition":{"StringEquals":{"` + url + `:aud":"sts.amazonaws.com","` + url + `:sub":"` + subject + `"}}}]}`
	out, err := awsiam.NewFromConfig(a.Admin).CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
	must(t, err)
	return *out.Role.Arn
}

func (a *account) assume(t testing.TB, role, token string) (*awssts.AssumeRoleWithWebIdentityOutput, error) {
	t.Helper()
	return awssts.NewFromConfig(a.Config("", "", "")).AssumeRoleWithWebIdentity(t.Context(), &awssts.AssumeRoleWithWebIdentityInput{
		RoleArn: &role, RoleSessionName: aws.String("pod"), WebIdentityToken: &token,
	})
}

func (a *account) accepted(t *testing.T, what, role, token string) {
	t.Helper()
	if _, err := a.assume(t, role, token); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func (a *account) refused(t *testing.T, what, role, token, code, text string) {
	t.Helper()
	_, err := a.assume(t, role, token)
	var said interface {
		ErrorCode() string
		ErrorMessage() string
	}
	switch {
	case err == nil:
		t.Errorf("%s: accepted", what)
	case !errors.As(err, &said) || said.ErrorCode() != code || said.ErrorMessage() != text && !(strings.HasSuffix(text, "…") && strings.HasPrefix(said.ErrorMessage(), strings.TrimSuffix(text, "…"))):
		t.Errorf("%s: %v\nwant %s: %s", what, err, code, text)
	}
}

// tampered is a token whose claims say otherwise.
func tampered(t *testing.T, token, was, is string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(t, err)
	changed := strings.Replace(string(claims), was, is, 1)
	if changed == string(claims) {
		t.Fatalf("the claims lack %q: %s", was, claims)
	}
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(changed))
	return strings.Join(parts, ".")
}

func TestTokens(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	here, other := m.cluster(t, "here", "us-west-2"), m.cluster(t, "other", "eu-central-1")
	a := openAccount(t, here, other)
	for _, p := range []*plane{here, other} {
		p.account(t, "default", "reader", nil)
	}
	here.account(t, "default", "someone", nil)
	here.account(t, "elsewhere", "reader", nil)
	good := here.token(t, "default", "reader", forSTS, nil)
	arn := "arn:aws:iam::111122223333:role/reader"

	a.refused(t, "the provider is missing", arn, good, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for "+here.Issuer)
	provider := a.provider(t, here, strings.Repeat("0", 40))
	a.refused(t, "the role is missing", arn, good, "AccessDenied", denied)
	a.role(t, "reader", provider, here, "system:serviceaccount:default:reader")

	out, err := a.assume(t, arn, good)
	must(t, err)
	if *out.AssumedRoleUser.Arn != "arn:aws:sts::111122223333:assumed-role/reader/pod" || *out.SubjectFromWebIdentityToken != "system:serviceaccount:default:reader" ||
		*out.Audience != forSTS || *out.Provider != provider {
		t.Errorf("%+v", out)
	}
	who, err := awssts.NewFromConfig(a.Config(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)).GetCallerIdentity(t.Context(), &awssts.GetCallerIdentityInput{})
	if err != nil || *who.Arn != *out.AssumedRoleUser.Arn {
		t.Errorf("with the credentials: %+v, %v", who, err)
	}

	a.refused(t, "another service account", arn, here.token(t, "default", "someone", forSTS, nil), "AccessDenied", denied)
	a.refused(t, "another namespace", arn, here.token(t, "elsewhere", "reader", forSTS, nil), "AccessDenied", denied)
	a.refused(t, "another audience", arn, here.token(t, "default", "reader", "https://example.com", nil), "InvalidIdentityToken", "Incorrect token audience")
	a.refused(t, "the API server's own audience", arn, here.token(t, "default", "reader", "", nil), "InvalidIdentityToken", "Incorrect token audience")
	someone := here.token(t, "default", "someone", forSTS, nil)
	a.refused(t, "another's subject written in", arn, tampered(t, someone, "default:someone", "default:reader"), "InvalidIdentityToken", "The ID Token provided has an invalid signature")
	a.refused(t, "a longer life written in", arn, tampered(t, good, `"exp":1`, `"exp":2`), "InvalidIdentityToken", "The ID Token provided has an invalid signature")
	a.refused(t, "not a token", arn, "ya29.access", "InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	a.later.Store(601)
	a.refused(t, "an expired token", arn, good, "ExpiredTokenException", "Token expired: current date/time …")
	a.later.Store(0)

	t.Run("another cluster's", func(t *testing.T) {
		theirs := other.token(t, "default", "reader", forSTS, nil)
		a.refused(t, "without a provider", arn, theirs, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for "+other.Issuer)
		a.refused(t, "under this one's name", arn, tampered(t, theirs, other.Issuer, here.Issuer), "InvalidIdentityToken", noKey)
		// The provider of a cluster elsewhere, with a certificate that nobody trusts.
		wrong := a.provider(t, other, strings.Repeat("0", 40))
		a.refused(t, "for this one's role", arn, theirs, "InvalidIdentityToken", "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint")
		sum := sha1.Sum(a.root.Raw)
		_, err := awsiam.NewFromConfig(a.Admin).UpdateOpenIDConnectProviderThumbprint(t.Context(), &awsiam.UpdateOpenIDConnectProviderThumbprintInput{
			OpenIDConnectProviderArn: &wrong, ThumbprintList: []string{hex.EncodeToString(sum[:])},
		})
		must(t, err)
		a.refused(t, "for this one's role, verified", arn, theirs, "AccessDenied", denied)
		theirRole := a.role(t, "theirs", wrong, other, "system:serviceaccount:default:reader")
		a.accepted(t, "for a role of its own", theirRole, theirs)
		a.refused(t, "this one's, for its role", theirRole, good, "AccessDenied", denied)
	})
	t.Run("they are for STS alone", func(t *testing.T) {
		config := rest.AnonymousClientConfig(here.REST(here.pki))
		for audience, want := range map[string]bool{"": true, forSTS: false, "pods.eks.amazonaws.com": false} {
			config.BearerToken = here.token(t, "default", "reader", audience, nil)
			client, err := kubernetes.NewForConfig(config)
			must(t, err)
			_, err = client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
			if want != apierrors.IsForbidden(err) || !want != apierrors.IsUnauthorized(err) {
				t.Errorf("a token for %q at the API server: %v", audience, err)
			}
		}
	})
	t.Run("keys rotate, and overlap", func(t *testing.T) { rotates(t, a, here, arn, good) })
	t.Run("a cluster that is gone has no keys", func(t *testing.T) {
		a.deleted.Store(true)
		defer a.deleted.Store(false)
		a.refused(t, "its token", arn, good, "InvalidIdentityToken", noKey)
	})
	t.Run("without the provider", func(t *testing.T) {
		_, err := awsiam.NewFromConfig(a.Admin).DeleteOpenIDConnectProvider(t.Context(), &awsiam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: &provider})
		must(t, err)
		a.refused(t, "a good token", arn, good, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for "+here.Issuer)
	})
}

// rotates gives the cluster the key of next week.
func rotates(t *testing.T, a *account, p *plane, role, old string) {
	kid := func(token string) string { parsed, err := oidc.Parse(token); must(t, err); return parsed.KeyID }
	bundle, err := p.Certificates(time.Now().Add(pki.SigningLife))
	must(t, err)
	if len(keysOf(t, p).Keys) != 2 {
		t.Fatalf("keys: %v; want the new one and the old", keysOf(t, p))
	}
	time.Sleep(time.Second) // until the account has read them
	// Published, not yet used: the API server still signs with the old one.
	a.accepted(t, "a token of before", role, p.token(t, "default", "reader", forSTS, nil))
	p.pki = bundle
	p.run(t)
	p.ready(t)
	fresh := p.token(t, "default", "reader", forSTS, nil)
	if kid(fresh) == kid(old) || kid(fresh) != keysOf(t, p).Keys[0].KeyID {
		t.Errorf("it is signed with key %s, as before", kid(fresh))
	}
	a.accepted(t, "a token of the new key", role, fresh)
	a.accepted(t, "a token of the old key", role, old)
}
