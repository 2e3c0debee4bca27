package authn_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/eksact/eksact/internal/engine/mapping"
	"github.com/eksact/eksact/internal/kube/authn"
)

// safeBuffer is a log that several goroutines write and read.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func configMap(name, mapRoles string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: name}, Data: map[string]string{"mapRoles": mapRoles}}
}

// cluster is an API server that can be made to fail.
type cluster struct {
	client  *fake.Clientset
	down    atomic.Bool
	watches atomic.Int32 // begun so far

	mu      sync.Mutex
	current watch.Interface
}

func newCluster(objects ...runtime.Object) *cluster {
	c := &cluster{client: fake.NewClientset(objects...)}
	c.client.PrependReactor("list", "configmaps", func(k8stesting.Action) (bool, runtime.Object, error) {
		if c.down.Load() {
			return true, nil, errors.New("connection refused")
		}
		return false, nil, nil
	})
	c.client.PrependWatchReactor("configmaps", func(action k8stesting.Action) (bool, watch.Interface, error) {
		if c.down.Load() {
			return true, nil, errors.New("connection refused")
		}
		w, err := c.client.Tracker().Watch(action.GetResource(), action.GetNamespace())
		c.mu.Lock()
		c.current = w
		c.mu.Unlock()
		c.watches.Add(1)
		return true, w, err
	})
	return c
}

// stop breaks the connection, and refuses new ones.
func (c *cluster) stop() {
	c.down.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current.Stop()
}

// eventually waits for a condition, and says how long that took.
func eventually(t *testing.T, what string, limit time.Duration, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > limit {
			t.Fatalf("%s: not within %v", what, limit)
		}
		time.Sleep(100 * time.Microsecond)
	}
	return time.Since(began)
}

// follower runs an AWSAuth against a cluster until the test ends.
func follower(t *testing.T, c *cluster) (*authn.AWSAuth, *safeBuffer) {
	t.Helper()
	log := &safeBuffer{}
	a := authn.NewAWSAuth(c.client.CoreV1().ConfigMaps("kube-system"), authn.NewLog(log, time.Now))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return a, log
}

func caller(t *testing.T, k key) mapping.Caller {
	t.Helper()
	c, err := mapping.NewCaller(k.who.ARN, k.who.AccountID, k.who.UserID, k.creds.AccessKeyID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAWSAuthFollowsTheConfigMap(t *testing.T) {
	defer goleak.VerifyNone(t)
	t.Run("", func(t *testing.T) {
		ctx := t.Context()
		c := newCluster(configMap("aws-auth", awsAuth), configMap("coredns", "- rolearn: [")) // the latter is none of its business
		a, log := follower(t, c)
		mapped := func() string {
			id, err := a.Identify(ctx, caller(t, user1), nil)
			if err != nil {
				return err.Error()
			}
			return id.Username
		}
		if got := mapped(); got != "user1" { // waits for the first list
			t.Fatalf("at first: %s", got)
		}
		eventually(t, "a watch", 5*time.Second, func() bool { return c.watches.Load() == 1 })

		// A write is in force within 100 ms.
		maps := c.client.CoreV1().ConfigMaps("kube-system")
		within := func(what, want string, write func() error) {
			t.Helper()
			if err := write(); err != nil {
				t.Fatal(err)
			}
			took := eventually(t, what+" → "+want, 100*time.Millisecond, func() bool { return mapped() == want })
			t.Logf("%s: in force after %v", what, took)
		}
		update := func(text string) func() error {
			return func() error {
				_, err := maps.Update(ctx, configMap("aws-auth", text), metav1.UpdateOptions{})
				return err
			}
		}
		const none = "identity is not mapped"
		within("renamed", "user2", update(strings.ReplaceAll(awsAuth, "username: user1", "username: user2")))
		within("deleted", none, func() error { return maps.Delete(ctx, "aws-auth", metav1.DeleteOptions{}) })
		within("made again", "user1", func() error {
			_, err := maps.Create(ctx, configMap("aws-auth", awsAuth), metav1.CreateOptions{})
			return err
		})
		within("another entry broken", "user1", update("- rolearn: arn:aws:iam::111122223333:role/x\n  username: y\n"+awsAuth))
		eventually(t, "the broken entry in the log", 5*time.Second, func() bool {
			return strings.Contains(log.String(), `level=error msg="There was an error parsing the config maps.  Only saving data that was good, error parsing config map: [mapRoles entry 1: `)
		})
		within("no YAML", none, update("- rolearn: ["))
		within("mended", "user1", update(awsAuth))

		// The API server goes: the last map stays. It comes back changed.
		c.stop()
		eventually(t, "the failure in the log", 5*time.Second, func() bool { return strings.Contains(log.String(), "connection refused") })
		if got := mapped(); got != "user1" {
			t.Errorf("while the API server is away: %s", got)
		}
		if err := update(strings.ReplaceAll(awsAuth, "username: user1", "username: user3"))(); err != nil {
			t.Fatal(err)
		}
		c.down.Store(false)
		eventually(t, "another watch", 5*time.Second, func() bool { return c.watches.Load() == 2 })
		within("changed again", "user4", update(strings.ReplaceAll(awsAuth, "username: user1", "username: user4")))
	})
}

// Until aws-auth was read, whoever needs it waits, and the creator does not.
func TestFirstTokensWaitForTheMap(t *testing.T) {
	c := newCluster(configMap("aws-auth", awsAuth))
	c.down.Store(true)
	a, log := follower(t, c)
	eventually(t, "a failed list", 5*time.Second, func() bool { return strings.Contains(log.String(), "connection refused") })
	f := newFixture(t, a)

	code, got, _ := f.ask(t, body(t, "v1", bearer(t, admin.creds, regional, "cluster")))
	if code != http.StatusOK || got.Status.User.Username != "kubernetes-admin" {
		t.Fatalf("the creator: %d %+v", code, got)
	}
	select {
	case <-a.Loaded():
		t.Fatal("loaded from an API server that is away")
	default:
	}

	answered := make(chan string)
	go func() {
		code, got, _ := f.ask(t, body(t, "v1", bearer(t, node.creds, regional, "cluster")))
		answered <- http.StatusText(code) + " " + got.Status.User.Username
	}()
	select {
	case early := <-answered:
		t.Fatalf("a node was answered without a map: %s", early)
	case <-time.After(50 * time.Millisecond): // nothing must happen
	}
	c.down.Store(false)
	if got := <-answered; got != "OK system:node:ip-10-0-64-10.us-west-2.compute.internal" {
		t.Errorf("the node: %s", got)
	}
}

// A wait that ends without a map is an outage, not a refusal.
func TestWaitEndsAsOutage(t *testing.T) {
	c := newCluster()
	c.down.Store(true)
	a, _ := follower(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Identify(ctx, caller(t, user1), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that is gone: %v", err)
	}
	f := newFixture(t, notReady{})
	if code, _, _ := f.ask(t, body(t, "v1", bearer(t, node.creds, regional, "cluster"))); code != http.StatusInternalServerError {
		t.Errorf("no map: %d", code)
	}
}

type notReady struct{}

func (notReady) Identify(context.Context, mapping.Caller, mapping.InstanceName) (mapping.Identity, error) {
	return mapping.Identity{}, authn.ErrNotReady
}
