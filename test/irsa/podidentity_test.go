package irsa

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awseksauth "github.com/aws/aws-sdk-go-v2/service/eksauth"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/go-jose/go-jose/v4"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/aws/eksauth"
	"github.com/eksact/eksact/internal/engine/oidc"
	"github.com/eksact/eksact/internal/node/podagent"
	"github.com/eksact/eksact/test/lab"
)

// associations are a cluster's, as EKS's API would have them.
type associations struct {
	p   *plane
	all map[string]eks.Association // by namespace/account
}

func (a *associations) ARN(name string) string {
	return "arn:aws:eks:us-west-2:111122223333:cluster/" + name
}

func (a *associations) Cluster(name string) (eks.Cluster, bool) {
	return eks.Cluster{Name: name, ID: "ID", Issuer: a.p.Issuer}, name == a.p.Name
}

func (a *associations) AssociationOf(_, namespace, account string) (eks.Association, bool) {
	found, ok := a.all[namespace+"/"+account]
	return found, ok
}

func (a *associations) AssociationARN(x eks.Association) string {
	return "arn:aws:eks:us-west-2:111122223333:podidentityassociation/" + x.Cluster + "/" + x.ID
}

// auth is an account with EKS Auth, for one cluster.
type auth struct {
	*doortest.Door
	*associations
	later    atomic.Int64 // seconds that its clock is ahead
	sessions atomic.Int64 // and STS's
	node     aws.Config   // a node's credentials
}

func openAuth(t testing.TB, p *plane) *auth {
	t.Helper()
	a := &auth{associations: &associations{p, map[string]eks.Association{}}}
	ahead := func(by *atomic.Int64) func() time.Time {
		return func() time.Time { return time.Now().Add(time.Duration(by.Load()) * time.Second) }
	}
	account, keys, objects := doortest.NewAt(t, time.Now, ahead(&a.sessions)), keptKeys(t, p), p.objects(t)
	service := eksauth.New(eksauth.Deps{
		Clusters: a.associations, Sessions: account.STS, Log: slog.New(slog.DiscardHandler),
		Now:  ahead(&a.later),
		Keys: func(id string) (jose.JSONWebKeySet, bool) { return keys(), id == "ID" },
		Live: func(ctx context.Context, _ string, b oidc.Bound) (bool, error) { return objects.Live(ctx, b) },
	})
	a.Door = account.Open(t, service.Service(), bucketsOf(t, account))
	a.node = a.User(t, "node", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks-auth:AssumeRoleForPodIdentity","Resource":"`+a.ARN(p.Name)+`"}]}`)
	return a
}

// trusted makes a role that trusts pods for the actions under a condition.
func (a *auth) trusted(t testing.TB, name, principal, actions, condition string) string {
	t.Helper()
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":[` + actions + `],"Condition":{` + condition + `}}]}`
	out, err := awsiam.NewFromConfig(a.Admin).CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
	must(t, err)
	return *out.Role.Arn
}

func (a *auth) assume(t testing.TB, as aws.Config, cluster, token string) (*awseksauth.AssumeRoleForPodIdentityOutput, error) {
	t.Helper()
	return awseksauth.NewFromConfig(as).AssumeRoleForPodIdentity(t.Context(), &awseksauth.AssumeRoleForPodIdentityInput{ClusterName: &cluster, Token: &token})
}

func (a *auth) refused(t *testing.T, what string, err error, code, text string) {
	t.Helper()
	var said interface {
		ErrorCode() string
		ErrorMessage() string
	}
	if !errors.As(err, &said) || said.ErrorCode() != code || !strings.Contains(said.ErrorMessage(), text) {
		t.Errorf("%s: %v; want %s: %s", what, err, code, text)
	}
}

const (
	pods        = `{"Service":"pods.eks.amazonaws.com"}`
	both        = `"sts:AssumeRole","sts:TagSession"`
	noRole      = "Unauthorized Exception! EKS does not have permissions to assume the associated role."
	forPods     = eks.PodPrincipal
	invalid     = "InvalidTokenException"
	notAllowed  = "AccessDeniedException"
	sessionRole = "arn:aws:sts::111122223333:assumed-role/"
)

// shell makes a pod that stays, and a token that is bound to it.
func (p *plane) shell(t testing.TB, name, account string) (*corev1.Pod, func(audience string) string) {
	t.Helper()
	no := false
	pod, err := p.client.CoreV1().Pods("default").Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.PodSpec{ServiceAccountName: account, AutomountServiceAccountToken: &no, Containers: []corev1.Container{{Name: "a", Image: "amazonlinux"}}},
	}, metav1.CreateOptions{})
	must(t, err)
	return pod, func(audience string) string {
		return p.token(t, "default", account, audience, &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID})
	}
}

// promptly is how soon the token of a pod that is gone is to be refused.
const promptly = time.Second

func TestPodIdentity(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	p, other := m.cluster(t, "mine", "us-west-2"), m.cluster(t, "theirs", "us-west-2")
	for _, c := range []*plane{p, other} {
		c.account(t, "default", "reader", nil)
	}
	p.account(t, "default", "nobody", nil)
	a := openAuth(t, p)
	pod, token := p.shell(t, "my-shell", "reader")
	role := a.trusted(t, "pods", pods, both, `"StringEquals":{"aws:RequestTag/kubernetes-namespace":"default","aws:RequestTag/kubernetes-service-account":"reader","aws:RequestTag/eks-cluster-arn":"`+a.ARN("mine")+`","aws:SourceAccount":"111122223333"}`)
	of := func(change func(*eks.Association)) {
		x := eks.Association{Cluster: "mine", ID: "a-1", Namespace: "default", ServiceAccount: "reader", RoleARN: role}
		change(&x)
		a.all["default/reader"] = x
	}
	of(func(*eks.Association) {})

	out, err := a.assume(t, a.node, "mine", token(forPods))
	must(t, err)
	name := strings.TrimPrefix(*out.AssumedRoleUser.Arn, sessionRole+"pods/")
	if !strings.HasPrefix(name, "eks-mine-my-shell-") || len(name) != len("eks-mine-my-shell-")+36 || *out.Audience != forPods || *out.Subject.Namespace != "default" ||
		*out.Subject.ServiceAccount != "reader" || *out.PodIdentityAssociation.AssociationId != "a-1" || !strings.HasSuffix(*out.AssumedRoleUser.AssumeRoleId, ":"+name) {
		t.Errorf("%+v, %+v", out, out.AssumedRoleUser)
	}
	if left := time.Until(*out.Credentials.Expiration); left > 6*time.Hour || left < 6*time.Hour-time.Minute {
		t.Errorf("the credentials last %v", left)
	}
	c := out.Credentials
	tagged(t, a, a.Config(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken), "pods", string(pod.UID))

	for what, x := range map[string]struct{ token, cluster, code, text string }{
		"no such cluster":              {token(forPods), "none", "ResourceNotFoundException", "No cluster found for name: none."},
		"another audience":             {token(forSTS), "mine", invalid, "not meant for"},
		"the API server's audience":    {token(""), "mine", invalid, "not meant for"},
		"bound to no pod":              {p.token(t, "default", "reader", forPods, nil), "mine", invalid, "bound to no pod"},
		"another cluster's":            {other.token(t, "default", "reader", forPods, nil), "mine", invalid, "not issued by cluster mine"},
		"another cluster's, as if not": {tampered(t, other.token(t, "default", "reader", forPods, nil), other.Issuer, p.Issuer), "mine", invalid, "no such key"},
		"tampered":                     {tampered(t, token(forPods), "my-shell", "my-shelf"), "mine", invalid, "signature is not its issuer's"},
		"without association":          {second(p.shell(t, "other-shell", "nobody"))(forPods), "mine", "ResourceNotFoundException", "No association found for namespace: default, serviceAccount: nobody in cluster mine"},
	} {
		as := a.node
		if x.cluster != "mine" {
			as = a.Admin
		}
		_, err := a.assume(t, as, x.cluster, x.token)
		a.refused(t, what, err, x.code, x.text)
	}
	_, err = a.assume(t, a.User(t, "bob", ""), "mine", token(forPods))
	a.refused(t, "a caller without permission", err, notAllowed, "is not authorized to perform: eks-auth:AssumeRoleForPodIdentity on resource: "+a.ARN("mine"))
	a.later.Store(601)
	_, err = a.assume(t, a.node, "mine", token(forPods))
	a.refused(t, "expired", err, "ExpiredTokenException", "Token expired")
	a.later.Store(0)

	t.Run("trust", func(t *testing.T) {
		of(func(x *eks.Association) {
			x.RoleARN = a.trusted(t, "elsewhere", pods, both, `"StringEquals":{"aws:RequestTag/kubernetes-namespace":"elsewhere"}`)
		})
		_, err := a.assume(t, a.node, "mine", token(forPods))
		a.refused(t, "a role of another namespace", err, notAllowed, noRole)
		untagged := a.trusted(t, "untagged", pods, `"sts:AssumeRole"`, "")
		of(func(x *eks.Association) { x.RoleARN = untagged })
		_, err = a.assume(t, a.node, "mine", token(forPods))
		a.refused(t, "a role that may not be tagged", err, notAllowed, noRole)
		of(func(x *eks.Association) { x.RoleARN, x.NoSessionTags = untagged, true })
		_, err = a.assume(t, a.node, "mine", token(forPods))
		must(t, err)
		of(func(x *eks.Association) { x.RoleARN = "arn:aws:iam::111122223333:role/gone" })
		_, err = a.assume(t, a.node, "mine", token(forPods))
		a.refused(t, "a role that is gone", err, notAllowed, noRole)
	})
	t.Run("target role", func(t *testing.T) {
		const id = "us-west-2/111122223333/mine/default/reader"
		target := a.trusted(t, "target", `{"AWS":"`+role+`"}`, both, `"StringEquals":{"sts:ExternalId":"`+id+`","aws:RequestTag/kubernetes-service-account":"reader"}`)
		of(func(x *eks.Association) { x.TargetRoleARN, x.ExternalID = target, id })
		out, err := a.assume(t, a.node, "mine", token(forPods))
		must(t, err)
		if left := time.Until(*out.Credentials.Expiration); !strings.HasPrefix(*out.AssumedRoleUser.Arn, sessionRole+"target/eks-mine-my-shell-") || left > 59*time.Minute {
			t.Errorf("%s for %v", *out.AssumedRoleUser.Arn, left)
		}
		c := out.Credentials
		tagged(t, a, a.Config(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken), "target", string(pod.UID))
		of(func(x *eks.Association) { x.TargetRoleARN, x.ExternalID = target, "another" })
		_, err = a.assume(t, a.node, "mine", token(forPods))
		a.refused(t, "another external id", err, notAllowed, noRole)
	})
	t.Run("session policy", func(t *testing.T) { sessionPolicy(t, a, token(forPods), of) })
	t.Run("the agent", func(t *testing.T) {
		of(func(*eks.Association) {})
		agent(t, a, token(forPods))
	})
	t.Run("the pod is gone", func(t *testing.T) {
		of(func(*eks.Association) {})
		kept := token(forPods)
		zero := int64(0)
		must(t, p.client.CoreV1().Pods("default").Delete(t.Context(), "my-shell", metav1.DeleteOptions{GracePeriodSeconds: &zero}))
		gone := time.Now()
		for {
			_, err := a.assume(t, a.node, "mine", kept)
			if err != nil || time.Since(gone) > 10*promptly {
				a.refused(t, "its token", err, invalid, "pod or service account is gone")
				lab.Figure(t, "from the pod's deletion to the refusal", time.Since(gone), promptly)
				break
			}
		}
	})
}

// sessionPolicy limits a session to what its association's policy allows too; with a
// target role, that one's.
func sessionPolicy(t *testing.T, a *auth, token string, of func(func(*eks.Association))) {
	iam := awsiam.NewFromConfig(a.Admin)
	wide := a.trusted(t, "wide", pods, both, "")
	target := a.trusted(t, "wide-target", `{"AWS":"`+wide+`"}`, both, "")
	for _, name := range []string{"wide", "wide-target"} {
		_, err := iam.PutRolePolicy(t.Context(), &awsiam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("p"),
			PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:List*","Resource":"*"}]}`)})
		must(t, err)
	}
	for _, to := range []string{"", target} {
		of(func(x *eks.Association) {
			x.RoleARN, x.TargetRoleARN, x.NoSessionTags = wide, to, true
			x.Policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:ListRoles","Resource":"*"}]}`
		})
		out, err := a.assume(t, a.node, "mine", token)
		must(t, err)
		c := out.Credentials
		session := awsiam.NewFromConfig(a.Config(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken))
		if _, err := session.ListRoles(t.Context(), &awsiam.ListRolesInput{}); err != nil {
			t.Errorf("target %q: what both allow: %v", to, err)
		}
		_, err = session.ListUsers(t.Context(), &awsiam.ListUsersInput{})
		a.refused(t, "target "+to+": what the policy does not allow", err, "AccessDenied", "because no session policy allows the iam:ListUsers action")
	}
}

func second[A, B any](_ A, b B) B { return b }

// tagged checks that a session has the tags of its pod: a policy asks for them.
func tagged(t *testing.T, a *auth, session aws.Config, role, uid string) {
	t.Helper()
	iam := awsiam.NewFromConfig(a.Admin)
	try := func(uid string) error {
		_, err := iam.PutRolePolicy(t.Context(), &awsiam.PutRolePolicyInput{RoleName: &role, PolicyName: aws.String("p"), PolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:ListUsers","Resource":"*","Condition":{"StringEquals":{` +
				`"aws:PrincipalTag/kubernetes-namespace":"default","aws:PrincipalTag/kubernetes-service-account":"reader","aws:PrincipalTag/kubernetes-pod-name":"my-shell",` +
				`"aws:PrincipalTag/eks-cluster-name":"mine","aws:PrincipalTag/eks-cluster-arn":"` + a.ARN("mine") + `","aws:PrincipalTag/kubernetes-pod-uid":"` + uid + `"}}}]}`)})
		must(t, err)
		_, err = awsiam.NewFromConfig(session).ListUsers(t.Context(), &awsiam.ListUsersInput{})
		return err
	}
	if err := try("another"); err == nil {
		t.Error("a policy for another pod's tag lets it in")
	}
	if err := try(uid); err != nil {
		t.Errorf("a policy for its tags: %v", err)
	}
}

// agent asks by the agent of a node.
func agent(t *testing.T, a *auth, token string) {
	keys, err := a.node.Credentials.Retrieve(t.Context())
	must(t, err)
	client := &podagent.Client{Cluster: "mine", Region: "us-west-2", URL: a.URL, HTTP: a.Client, Keys: func(context.Context) (aws.Credentials, error) { return keys, nil }}
	server := httptest.NewServer(&podagent.Agent{Fetch: client.Fetch, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	defer server.Close()
	ask := func(token string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/v1/credentials", nil)
		must(t, err)
		r.Host = agentAddress
		r.Header.Set("Authorization", token)
		answer, err := http.DefaultClient.Do(r)
		must(t, err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		must(t, err)
		return answer.StatusCode, string(body)
	}
	code, body := ask(token)
	var got struct{ AccessKeyId, SecretAccessKey, Token, AccountId, Expiration string }
	if err := json.Unmarshal([]byte(body), &got); err != nil || code != 200 || got.AccountId != "111122223333" {
		t.Fatalf("%d %s: %v", code, body, err)
	}
	who, err := awssts.NewFromConfig(a.Config(got.AccessKeyId, got.SecretAccessKey, got.Token)).GetCallerIdentity(t.Context(), &awssts.GetCallerIdentityInput{})
	if err != nil || !strings.HasPrefix(*who.Arn, sessionRole+"pods/eks-mine-my-shell-") {
		t.Errorf("%+v, %v", who, err)
	}
	if code, body := ask(tampered(t, token, "my-shell", "my-shelf")); code != 400 || !strings.Contains(body, "(InvalidTokenException): ") || !strings.Contains(body, ", fault: client") {
		t.Errorf("a bad token: %d %s", code, body)
	}
}
