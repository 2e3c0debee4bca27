package crash

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// kubeCallers is how many calls of the Kubernetes API are under way at once.
const kubeCallers = 7

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
	config aws.Config
	iam    *iam.Client
	sts    *sts.Client
	kube   kubernetes.Interface // as the admin, who made the cluster
	user   kubernetes.Interface // as one whom aws-auth and RBAC let in
	admin  string               // the ARN that GetCallerIdentity is to answer
	mark   string               // begins the names of what is written

	mu         sync.Mutex
	calls      []call
	attempts   []attempt
	roles      []string // acknowledged
	configMaps []string

	stop context.CancelFunc
	done sync.WaitGroup
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
		{kubeAPI, "get ConfigMap", 1, 10 * time.Millisecond, c.getConfigMap(c.kube)},
		{kubeAPI, "get ConfigMap as a mapped user", 2, 10 * time.Millisecond, c.getConfigMap(c.user)},
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
	for pages := iam.NewListRolesPaginator(c.iam, &iam.ListRolesInput{}); pages.HasMorePages(); {
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

// getConfigMap reads the one that was acknowledged last.
func (c *callers) getConfigMap(as kubernetes.Interface) func(context.Context, string) error {
	return func(ctx context.Context, _ string) error {
		c.mu.Lock()
		name := ""
		if n := len(c.configMaps); n > 0 {
			name = c.configMaps[n-1]
		}
		c.mu.Unlock()
		if name == "" {
			return nil
		}
		got, err := as.CoreV1().ConfigMaps("default").Get(ctx, name, metav1.GetOptions{})
		if err == nil && got.Data["n"] != name {
			return fmt.Errorf("wrong answer: ConfigMap %s holds %v", name, got.Data)
		}
		return err
	}
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
