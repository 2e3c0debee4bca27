package crash

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/eksact/eksact/internal/aws/client"
	"github.com/eksact/eksact/internal/engine/token"
	"github.com/eksact/eksact/test/lab"
)

// newCallers makes clients from what `eksact env -o json` says.
func newCallers(m *machine, mark string) *callers {
	m.t.Helper()
	out := m.Eksact(m.t, "env", "-o", "json")
	vars := map[string]string{}
	if err := json.Unmarshal([]byte(out), &vars); err != nil {
		m.t.Fatal(err)
	}
	c := &callers{mark: mark}
	cfg := aws.Config{
		Region:       vars["AWS_REGION"],
		BaseEndpoint: aws.String(lab.Plain(vars["AWS_ENDPOINT_URL"])),
		Credentials:  credentials.NewStaticCredentialsProvider(vars["AWS_ACCESS_KEY_ID"], vars["AWS_SECRET_ACCESS_KEY"], ""),
		HTTPClient:   &http.Client{Transport: observed{c, awsAPI, client.New(nil).Transport}},
	}
	c.config = cfg
	c.iam, c.sts = iam.NewFromConfig(cfg), sts.NewFromConfig(cfg)
	who, err := c.sts.GetCallerIdentity(m.t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		m.t.Fatal(err)
	}
	c.admin = aws.ToString(who.Arn)
	c.kube = c.client(m, vars, vars["AWS_ACCESS_KEY_ID"], vars["AWS_SECRET_ACCESS_KEY"])
	c.user = c.mappedUser(m, vars)
	return c
}

// client speaks to the Kubernetes API with tokens of an access key.
func (c *callers) client(m *machine, vars map[string]string, id, secret string) kubernetes.Interface {
	m.t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", vars["KUBECONFIG"])
	if err != nil {
		m.t.Fatal(err)
	}
	config.ExecProvider, config.QPS = nil, -1
	trust, err := rest.TLSConfigFor(config)
	if err != nil {
		m.t.Fatal(err)
	}
	// client-go's own gives a handshake ten seconds, which an API server's start may take.
	config.TLSClientConfig = rest.TLSClientConfig{}
	config.Transport = &http.Transport{TLSClientConfig: trust, ForceAttemptHTTP2: true, TLSHandshakeTimeout: time.Minute}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return observed{c, kubeAPI, tokens{token.Credentials{AccessKeyID: id, SecretAccessKey: secret}, vars["AWS_REGION"], next}}
	})
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		m.t.Fatal(err)
	}
	return client
}

// mappedUser makes an IAM user, maps it in aws-auth and lets its group read
// ConfigMaps, by RBAC.
func (c *callers) mappedUser(m *machine, vars map[string]string) kubernetes.Interface {
	m.t.Helper()
	ctx, name := m.t.Context(), aws.String("reader")
	user, err := c.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: name})
	if err != nil {
		m.t.Fatal(err)
	}
	keys, err := c.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name})
	if err != nil {
		m.t.Fatal(err)
	}
	_, err = c.kube.RbacV1().Roles("default").Create(ctx, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		m.t.Fatal(err)
	}
	_, err = c.kube.RbacV1().RoleBindings("default").Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "reader"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "readers"}},
	}, metav1.CreateOptions{})
	if err != nil {
		m.t.Fatal(err)
	}
	auth := c.kube.CoreV1().ConfigMaps("kube-system")
	cm, err := auth.Get(ctx, "aws-auth", metav1.GetOptions{})
	if err != nil {
		m.t.Fatal(err)
	}
	cm.Data["mapUsers"] = fmt.Sprintf("- userarn: %s\n  username: reader\n  groups: [readers]\n", aws.ToString(user.User.Arn))
	if _, err := auth.Update(ctx, cm, metav1.UpdateOptions{}); err != nil {
		m.t.Fatal(err)
	}
	return c.client(m, vars, aws.ToString(keys.AccessKey.AccessKeyId), aws.ToString(keys.AccessKey.SecretAccessKey))
}

// tokens gives every request a token that the API server has not seen yet (it
// remembers those it has for ten seconds), so that the daemon reviews each. Tokens
// of one second differ by the region they are signed for, which is not compared.
type tokens struct {
	keys   token.Credentials
	region string
	next   http.RoundTripper
}

func (t tokens) RoundTrip(r *http.Request) (*http.Response, error) {
	signed := fmt.Sprintf("%s-%d", t.region, rand.Uint32())
	text, err := token.New(t.keys, "https://sts."+t.region+".amazonaws.com", signed, "cluster", time.Now())
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+text.Value)
	return t.next.RoundTrip(r)
}

// observed writes down every HTTP exchange.
type observed struct {
	c    *callers
	api  string
	next http.RoundTripper
}

func (o observed) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := o.next.RoundTrip(r)
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	o.c.attempts = append(o.c.attempts, attempt{o.api, began, time.Now(), err})
	return resp, err
}
