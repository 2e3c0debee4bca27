package eksauth

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"log/slog"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eksauth"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/aws/sts"
	"github.com/eksact/eksact/internal/engine/oidc"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

const issuer = "https://oidc.eks.us-west-2.amazonaws.com/id/ABC"

// world is a cluster "c" with one association, for default/reader.
type world struct {
	*Service
	key    *rsa.PrivateKey
	asked  []sts.PodSession
	live   bool
	outage error
	untags bool
}

func (*world) ARN(name string) string {
	return "arn:aws:eks:us-west-2:111122223333:cluster/" + name
}

func (*world) Cluster(name string) (eks.Cluster, bool) {
	return eks.Cluster{Name: name, ID: "ABC", Issuer: issuer}, name == "c" || len(name) == 100
}

func (w *world) AssociationOf(cluster, namespace, account string) (eks.Association, bool) {
	return eks.Association{Cluster: cluster, ID: "a-1", RoleARN: "role", NoSessionTags: w.untags}, namespace == "default" && account == "reader"
}

func (*world) AssociationARN(a eks.Association) string { return "arn:" + a.ID }

func (w *world) OpenPodSession(_ context.Context, p sts.PodSession) (sts.Keys, string, string, error) {
	w.asked = append(w.asked, p)
	return sts.Keys{AccessKeyID: "ASIA"}, "arn:session", "AROA:" + p.Name, nil
}

func play(t *testing.T) *world {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	set, err := oidc.KeySet([]crypto.PublicKey{key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{key: key, live: true}
	w.Service = New(Deps{
		Clusters: w, Sessions: w, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
		Keys: func(id string) (jose.JSONWebKeySet, bool) { return set, id == "ABC" },
		Live: func(_ context.Context, cluster string, b oidc.Bound) (bool, error) {
			if b != (oidc.Bound{Namespace: "default", ServiceAccount: "reader", ServiceAccountUID: "s-1", Pod: "shell", PodUID: "p-1"}) {
				t.Errorf("asked of %s about %+v", cluster, b)
			}
			return w.live, w.outage
		},
	})
	return w
}

type claims = map[string]any

// token signs what Kubernetes would, with some claims changed; nil takes one away.
func (w *world) token(t *testing.T, changed claims) *string {
	t.Helper()
	said := claims{
		"iss": issuer, "aud": []string{"pods.eks.amazonaws.com"}, "sub": "system:serviceaccount:default:reader",
		"exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "nbf": now.Unix(),
		"kubernetes.io": claims{"namespace": "default", "serviceaccount": claims{"name": "reader", "uid": "s-1"}, "pod": claims{"name": "shell", "uid": "p-1"}},
	}
	maps.Copy(said, changed)
	maps.DeleteFunc(said, func(_ string, v any) bool { return v == nil })
	id, err := oidc.KeyID(w.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: w.key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(said).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return &text
}

func (w *world) ask(t *testing.T, cluster string, token *string) (*eksauth.AssumeRoleForPodIdentityOutput, error) {
	t.Helper()
	return w.AssumeRoleForPodIdentity(t.Context(), &eksauth.AssumeRoleForPodIdentityInput{ClusterName: &cluster, Token: token})
}

func TestSessionsAreOfTheirPods(t *testing.T) {
	w := play(t)
	out, err := w.ask(t, "c", w.token(t, nil))
	if err != nil || *out.Credentials.AccessKeyId != "ASIA" || *out.PodIdentityAssociation.AssociationArn != "arn:a-1" {
		t.Fatalf("%+v, %v", out, err)
	}
	want := map[string]string{
		"eks-cluster-arn": "arn:aws:eks:us-west-2:111122223333:cluster/c", "eks-cluster-name": "c", "kubernetes-namespace": "default",
		"kubernetes-service-account": "reader", "kubernetes-pod-name": "shell", "kubernetes-pod-uid": "p-1",
	}
	if got := w.asked[0]; !maps.Equal(got.Tags, want) || !regexp.MustCompile(`^eks-c-shell-[0-9a-f-]{36}$`).MatchString(got.Name) || got.Service != "pods.eks.amazonaws.com" {
		t.Errorf("%+v", got)
	}
	w.untags = true
	if _, err := w.ask(t, strings.Repeat("c", 100), w.token(t, nil)); err != nil {
		t.Fatal(err)
	}
	if got := w.asked[1]; got.Tags != nil || len(got.Name) != 64 {
		t.Errorf("%+v", got)
	}
}

func TestRefusals(t *testing.T) {
	w := play(t)
	kubernetes := func(of claims) claims { return claims{"kubernetes.io": of} }
	for name, c := range map[string]struct {
		token *string
		code  string
	}{
		"not a token":            {aws.String("a.b.c"), "InvalidTokenException"},
		"another audience":       {w.token(t, claims{"aud": "sts.amazonaws.com"}), "InvalidTokenException"},
		"another issuer":         {w.token(t, claims{"iss": issuer + "D"}), "InvalidTokenException"},
		"expired":                {w.token(t, claims{"exp": now.Unix()}), "ExpiredTokenException"},
		"of no service account":  {w.token(t, claims{"kubernetes.io": nil}), "InvalidTokenException"},
		"of no pod":              {w.token(t, kubernetes(claims{"namespace": "default", "serviceaccount": claims{"name": "reader"}})), "InvalidTokenException"},
		"of two minds":           {w.token(t, kubernetes(claims{"namespace": "other", "serviceaccount": claims{"name": "reader"}, "pod": claims{"name": "p", "uid": "u"}})), "InvalidTokenException"},
		"signed by another":      {play(t).token(t, nil), "InvalidTokenException"},
		"without an association": {w.token(t, claims{"sub": "system:serviceaccount:default:x", "kubernetes.io": claims{"namespace": "default", "serviceaccount": claims{"name": "x"}, "pod": claims{"name": "p", "uid": "u"}}}), "ResourceNotFoundException"},
	} {
		_, err := w.ask(t, "c", c.token)
		refused(t, name, err, c.code)
	}
	_, err := w.ask(t, "none", w.token(t, nil))
	refused(t, "no cluster", err, "ResourceNotFoundException")
	w.live = false
	_, err = w.ask(t, "c", w.token(t, nil))
	refused(t, "a pod that is gone", err, "InvalidTokenException")
	w.outage = errors.New("the API server is away")
	_, err = w.ask(t, "c", w.token(t, nil))
	refused(t, "nobody to ask", err, "ServiceUnavailableException")
	if len(w.asked) != 0 {
		t.Errorf("sessions were asked for: %+v", w.asked)
	}
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	var said interface{ ErrorCode() string }
	if !errors.As(err, &said) || said.ErrorCode() != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}
