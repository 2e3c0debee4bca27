package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/eksact/eksact/internal/engine/token"
)

// kubeCallers is how many calls of the Kubernetes API are under way at once.
const kubeCallers = 6

// The two APIs that are called.
const (
	awsAPI  = "AWS"
	kubeAPI = "Kubernetes"
)

// call is one call as its caller saw it, after what its client library did.
type call struct {
	api, what string
	began     time.Time
	took      time.Duration
	err       error
}

// attempt is one HTTP exchange below a call.
type attempt struct {
	api   string
	began time.Time
	ended time.Time
	err   error // without an answer
}

// callers call both APIs without a pause, write down every answer, and remember
// what was acknowledged.
type callers struct {
	iam   *iam.Client
	sts   *sts.Client
	kube  kubernetes.Interface
	admin string // the ARN that GetCallerIdentity is to answer
	mark  string // begins the names of what is written

	mu         sync.Mutex
	calls      []call
	attempts   []attempt
	roles      []string // acknowledged
	configMaps []string

	stop context.CancelFunc
	done sync.WaitGroup
}

// newCallers makes clients from what `eksact env -o json` says.
func newCallers(m *machine, mark string) *callers {
	m.t.Helper()
	out, _ := m.eksact("env", "-o", "json")
	vars := map[string]string{}
	if err := json.Unmarshal([]byte(out), &vars); err != nil {
		m.t.Fatal(err)
	}
	c := &callers{mark: mark}
	cfg := aws.Config{
		Region:       vars["AWS_REGION"],
		BaseEndpoint: aws.String(vars["AWS_ENDPOINT_URL"]),
		Credentials:  credentials.NewStaticCredentialsProvider(vars["AWS_ACCESS_KEY_ID"], vars["AWS_SECRET_ACCESS_KEY"], ""),
		HTTPClient:   &http.Client{Transport: observed{c, awsAPI, http.DefaultTransport.(*http.Transport).Clone()}},
	}
	c.iam, c.sts = iam.NewFromConfig(cfg), sts.NewFromConfig(cfg)
	who, err := c.sts.GetCallerIdentity(m.t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		m.t.Fatal(err)
	}
	c.admin = aws.ToString(who.Arn)
	keys := token.Credentials{AccessKeyID: vars["AWS_ACCESS_KEY_ID"], SecretAccessKey: vars["AWS_SECRET_ACCESS_KEY"]}
	config, err := clientcmd.BuildConfigFromFlags("", vars["KUBECONFIG"])
	if err != nil {
		m.t.Fatal(err)
	}
	config.ExecProvider, config.QPS = nil, -1
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return observed{c, kubeAPI, tokens{keys, vars["AWS_REGION"], next}}
	})
	if c.kube, err = kubernetes.NewForConfig(config); err != nil {
		m.t.Fatal(err)
	}
	return c
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

// start lets the callers call until halt.
func (c *callers) start(ctx context.Context) {
	ctx, c.stop = context.WithCancel(ctx)
	for _, caller := range []struct {
		api, what string
		count     int
		rest      time.Duration // between two calls
		fn        func(context.Context, string) error
	}{
		{awsAPI, "CreateRole", 3, 10 * time.Millisecond, c.createRole},
		{awsAPI, "GetCallerIdentity", 2, 10 * time.Millisecond, c.identify},
		{awsAPI, "ListRoles", 1, time.Second, c.listRoles},
		{kubeAPI, "create ConfigMap", 3, 10 * time.Millisecond, c.createConfigMap},
		{kubeAPI, "get ConfigMap", 2, 10 * time.Millisecond, c.getConfigMap},
		{kubeAPI, "list ConfigMaps", 1, time.Second, c.listConfigMaps},
	} {
		for i := range caller.count {
			c.done.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					began := time.Now()
					// A call under way when the load ends is not cut off: its answer counts.
					err := caller.fn(context.WithoutCancel(ctx), fmt.Sprintf("%s-%d-%05d", c.mark, i, n))
					c.mu.Lock()
					c.calls = append(c.calls, call{caller.api, caller.what, began, time.Since(began), err})
					c.mu.Unlock()
					time.Sleep(caller.rest)
				}
			})
		}
	}
}

func (c *callers) halt() {
	c.stop()
	c.done.Wait()
}

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

func (c *callers) createRole(ctx context.Context, name string) error {
	_, err := c.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trust)})
	// The SDK sends a call again whose answer was lost. That the role exists then
	// is AWS's answer too, and an acknowledgement.
	var exists *iamtypes.EntityAlreadyExistsException
	if err != nil && !errors.As(err, &exists) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roles = append(c.roles, name)
	return nil
}

func (c *callers) identify(ctx context.Context, _ string) error {
	out, err := c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err == nil && aws.ToString(out.Arn) != c.admin {
		return fmt.Errorf("wrong answer: %s", aws.ToString(out.Arn))
	}
	return err
}

// listRoles wants to see every role acknowledged before it asked.
func (c *callers) listRoles(ctx context.Context, _ string) error {
	c.mu.Lock()
	want := c.roles[:len(c.roles):len(c.roles)]
	c.mu.Unlock()
	have := map[string]bool{}
	for pages := iam.NewListRolesPaginator(c.iam, &iam.ListRolesInput{MaxItems: aws.Int32(1000)}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, r := range page.Roles {
			have[aws.ToString(r.RoleName)] = true
		}
	}
	return lacks(have, want)
}

func (c *callers) createConfigMap(ctx context.Context, name string) error {
	_, err := c.kube.CoreV1().ConfigMaps("default").Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"crash": c.mark}}, Data: map[string]string{"n": name},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.configMaps = append(c.configMaps, name)
	return nil
}

// getConfigMap reads one that was acknowledged, the newest as a rule.
func (c *callers) getConfigMap(ctx context.Context, _ string) error {
	c.mu.Lock()
	name := ""
	if n := len(c.configMaps); n > 0 {
		name = c.configMaps[n-1]
	}
	c.mu.Unlock()
	if name == "" {
		return nil
	}
	got, err := c.kube.CoreV1().ConfigMaps("default").Get(ctx, name, metav1.GetOptions{})
	if err == nil && got.Data["n"] != name {
		return fmt.Errorf("wrong answer: ConfigMap %s holds %v", name, got.Data)
	}
	return err
}

// listConfigMaps wants to see every ConfigMap acknowledged before it asked.
func (c *callers) listConfigMaps(ctx context.Context, _ string) error {
	c.mu.Lock()
	want := c.configMaps[:len(c.configMaps):len(c.configMaps)]
	c.mu.Unlock()
	list, err := c.kube.CoreV1().ConfigMaps("default").List(ctx, metav1.ListOptions{LabelSelector: "crash=" + c.mark})
	if err != nil {
		return err
	}
	have := map[string]bool{}
	for _, i := range list.Items {
		have[i.Name] = true
	}
	return lacks(have, want)
}

func lacks(have map[string]bool, want []string) error {
	var missing []string
	for _, name := range want {
		if !have[name] {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("wrong answer: %d of %d acknowledged are missing: %v", len(missing), len(want), missing[:min(5, len(missing))])
	}
	return nil
}

// seen is what callers of one API saw in a stretch of time.
type seen struct {
	calls    int
	silence  time.Duration  // the longest without any answer
	longest  call           // what its client library repeated included
	failures map[string]int // calls that failed, by kind
	broken   map[string]int // exchanges without an answer that clients repeated
}

// between sums up the calls that were under way between two moments.
func (c *callers) between(api string, from, to time.Time) seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := seen{failures: map[string]int{}, broken: map[string]int{}}
	for _, k := range c.calls {
		if k.api != api || k.began.Add(k.took).Before(from) || k.began.After(to) {
			continue
		}
		s.calls++
		if k.took > s.longest.took {
			s.longest = k
		}
		if k.err != nil {
			s.failures[kind(k.err)+" ("+k.what+")"]++
		}
	}
	last := from
	for _, a := range c.attempts { // in the order of their ends
		if a.api != api || a.ended.Before(from) || a.ended.After(to) {
			continue
		}
		if a.err != nil {
			s.broken[kind(a.err)]++
			continue
		}
		s.silence = max(s.silence, a.ended.Sub(last))
		last = a.ended
	}
	s.silence = max(s.silence, to.Sub(last))
	return s
}

func (s seen) String() string {
	text := fmt.Sprintf("%4d calls, silent for %4d ms, longest call %4d ms (%s)", s.calls, s.silence.Milliseconds(), s.longest.took.Milliseconds(), s.longest.what)
	if len(s.broken) > 0 {
		text += fmt.Sprintf(", exchanges cut: %v", s.broken)
	}
	if len(s.failures) > 0 {
		text += fmt.Sprintf(", FAILED: %v", s.failures)
	}
	return text
}

// cut begins the kind of an error that means: the connection broke while the
// call was under way.
const cut = "connection cut"

// kind puts an error into few words.
func kind(err error) string {
	var status apierrors.APIStatus
	var netErr net.Error
	text := err.Error()
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), strings.Contains(text, "connection refused"):
		return "REFUSED"
	case errors.As(err, &status):
		return fmt.Sprintf("%d %.100s", status.Status().Code, status.Status().Message)
	case strings.Contains(text, "EOF"), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), strings.Contains(text, "connection reset"),
		strings.Contains(text, "client connection lost"), strings.Contains(text, "stopped serving"), strings.Contains(text, "broken pipe"):
		return cut
	case errors.As(err, &netErr) && netErr.Timeout():
		return "timeout"
	}
	return fmt.Sprintf("%.160s", text)
}
