package irsa

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"k8s.io/client-go/util/keyutil"

	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/test/lab"
	"github.com/eksact/eksact/test/sdks"
)

// How long credentials last that are made here: an hour, or the six of Pod Identity, but
// STS's clock is so much behind that what is left of them is this. The agent hands out
// none that end within 15 seconds.
const (
	leftOfWeb  = 8 * time.Second
	leftOfPods = 20 * time.Second
)

// SDKs call, wait until their first credentials have ended, and call again: they have
// found others by then.
func TestSDKsRenewTheirCredentials(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	p := m.cluster(t, "mine", "us-west-2")
	p.account(t, "default", "reader", nil)
	programs := map[string]string{"Go": sdks.Go(t)}
	if exec.Command("python3", "-c", "import boto3").Run() == nil {
		programs["Python"] = "python3 " + sdks.Python(t)
	} else {
		t.Log("without boto3 the SDK for Python is not tried")
	}
	if bundle := sdks.JS(t); bundle != "" {
		programs["JavaScript"] = "node " + bundle
	}
	renew := func(t *testing.T, x inside, role string, left time.Duration, variables ...string) {
		t.Helper()
		var parts []lab.Part
		for language, program := range programs {
			parts = append(parts, lab.Part{Name: language, Test: func(t *testing.T) {
				out, err := x.run(t, program+" "+bucket+" 2 "+strconv.Itoa(int(left/time.Second)+1), variables...)
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				renewed(t, sdks.Read(t, out), role)
			}})
		}
		lab.Together(t, parts...)
	}
	byWeb := func(t *testing.T) {
		a := openAccount(t, p, nil)
		a.later.Store(-int64((time.Hour - leftOfWeb) / time.Second))
		provider := a.provider(t, p, strings.Repeat("0", 40))
		arn := a.role(t, "reader", provider, p, "system:serviceaccount:default:reader")
		readsBuckets(t, a.Door, "reader")
		file := filepath.Join(t.TempDir(), "token")
		must(t, os.WriteFile(file, []byte(aged(t, p, p.token(t, "default", "reader", forSTS, nil), time.Hour)), 0o600))
		renew(t, m.inside(t, a.Handler), "reader", leftOfWeb, "AWS_ROLE_ARN="+arn, "AWS_WEB_IDENTITY_TOKEN_FILE="+file)
	}
	byPods := func(t *testing.T) {
		a := openAuth(t, p)
		a.sessions.Store(-int64((6*time.Hour - leftOfPods) / time.Second))
		_, token := p.shell(t, "my-shell", "reader")
		a.all["default/reader"] = eks.Association{Cluster: "mine", ID: "a-1", Namespace: "default", ServiceAccount: "reader", RoleARN: a.trusted(t, "pods", pods, both, "")}
		readsBuckets(t, a.Door, "pods")
		x := m.inside(t, a.Handler)
		renew(t, x, "pods", leftOfPods, x.identified(t, a, token(forPods))...)
	}
	lab.Together(t, lab.Part{Name: "IRSA", Test: byWeb}, lab.Part{Name: "Pod Identity", Test: byPods})
}

// renewed checks what a program said before and after its first credentials ended.
func renewed(t *testing.T, said []sdks.Said, role string) {
	t.Helper()
	if len(said) != 2 {
		t.Fatalf("%d rounds: %+v", len(said), said)
	}
	for _, s := range said {
		if !strings.HasPrefix(s.ARN, sessionRole+role+"/") || !slices.Equal(s.Buckets, []string{bucket}) || s.Put != "AccessDenied" {
			t.Errorf("%+v", s)
		}
	}
	if said[1].Old != "ExpiredToken" || said[1].Key == said[0].Key {
		t.Errorf("the first credentials, %s, are answered %q; those after them are %s", said[0].Key, said[1].Old, said[1].Key)
	}
}

// aged is a token as the cluster made it some time ago: signed with its key, for the
// machine's clock can't be set.
func aged(t *testing.T, p *plane, token string, by time.Duration) string {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	must(t, err)
	var claims map[string]any
	must(t, parsed.UnsafeClaimsWithoutVerification(&claims))
	for _, name := range []string{"iat", "nbf"} {
		claims[name] = int64(claims[name].(float64)) - int64(by/time.Second)
	}
	claims["exp"] = int64(claims["exp"].(float64))
	text, err := os.ReadFile(p.pki.ServiceAccount)
	must(t, err)
	key, err := keyutil.ParsePrivateKeyPEM(text)
	must(t, err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: parsed.Headers[0].KeyID}}, nil)
	must(t, err)
	out, err := jwt.Signed(signer).Claims(claims).Serialize()
	must(t, err)
	return out
}
