package podidentity

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/eksact/eksact/internal/engine/oidc"
)

func object(kind, name, uid string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: kind}, ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(uid)}}
}

// played is a cluster that counts how often it is asked for one object.
type played struct {
	*Objects
	t      *testing.T
	client *fake.FakeMetadataClient
	asked  atomic.Int32
	away   atomic.Bool
	now    time.Time
}

func play(t *testing.T, objects ...runtime.Object) *played {
	t.Helper()
	scheme := fake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	p := &played{t: t, client: fake.NewSimpleMetadataClient(scheme, objects...), now: time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)}
	p.client.PrependReactor("get", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
		p.asked.Add(1)
		return p.away.Load(), nil, errors.New("the cluster is away")
	})
	var err error
	if p.Objects, err = NewObjects(p.client, func() time.Time { return p.now }); err != nil {
		t.Fatal(err)
	}
	return p
}

// run follows until the test ends.
func (p *played) run() {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); p.Run(ctx) }()
	p.t.Cleanup(func() { cancel(); <-ended })
	p.await(func() bool { return p.accounts.known() && p.pods.known() })
}

func (p *played) await(done func() bool) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatal("it did not come to that")
		}
	}
}

// is checks an answer, and how often it took asking the cluster.
func (p *played) is(what string, b oidc.Bound, want bool, asked int32) {
	p.t.Helper()
	before := p.asked.Load()
	got, err := p.Live(p.t.Context(), b)
	if err != nil || got != want || p.asked.Load()-before != asked {
		p.t.Errorf("%s: %v, %v, asked %d times; want %v, %d times", what, got, err, p.asked.Load()-before, want, asked)
	}
}

var shell = oidc.Bound{Namespace: "default", ServiceAccount: "reader", ServiceAccountUID: "s-1", Pod: "shell", PodUID: "p-1"}

func TestTokensLiveAsLongAsTheirObjects(t *testing.T) {
	p := play(t, object("ServiceAccount", "reader", "s-1"), object("Pod", "shell", "p-1"))
	p.is("before all are known", shell, true, 2)
	p.run()
	p.is("known", shell, true, 0)
	for what, change := range map[string]func(*oidc.Bound){
		"another pod of the name":     func(b *oidc.Bound) { b.PodUID = "p-0" },
		"another account of the name": func(b *oidc.Bound) { b.ServiceAccountUID = "s-0" },
		"no such pod":                 func(b *oidc.Bound) { b.Pod = "none" },
		"no such account":             func(b *oidc.Bound) { b.ServiceAccount = "none" },
		"another namespace":           func(b *oidc.Bound) { b.Namespace = "elsewhere" },
		"no id of the account":        func(b *oidc.Bound) { b.ServiceAccountUID = "" },
		"no id of the pod":            func(b *oidc.Bound) { b.PodUID = "" },
	} {
		b := shell
		change(&b)
		p.is(what, b, false, 1)
	}

	// One that is ending is good for a minute after its grace period.
	pods := p.client.Resource(podKind).Namespace("default").(fake.MetadataClient)
	ending := object("Pod", "shell", "p-1")
	ending.DeletionTimestamp = &metav1.Time{Time: p.now.Add(30 * time.Second)}
	if _, err := pods.UpdateFake(ending, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	p.await(func() bool {
		m, _ := p.pods.find(t.Context(), "default", "shell", func(*metav1.PartialObjectMetadata) bool { return true })
		return m.DeletionTimestamp != nil
	})
	p.is("ending", shell, true, 0)
	p.now = p.now.Add(90 * time.Second)
	p.is("ending, at the end of its minute", shell, true, 0)
	p.now = p.now.Add(time.Second)
	p.is("ending too long", shell, false, 1)
	p.now = p.now.Add(-time.Hour)
	if err := pods.Delete(t.Context(), "shell", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	p.await(func() bool { good, err := p.Live(t.Context(), shell); return err == nil && !good })

	// Made anew, and not heard of yet.
	if _, err := pods.CreateFake(object("Pod", "shell", "p-2"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	again := shell
	again.PodUID = "p-2"
	if good, err := p.Live(t.Context(), again); !good {
		t.Errorf("made a moment ago: %v, %v", good, err)
	}
}

// Without a watch nothing that is remembered counts.
func TestWithoutAWatchTheClusterIsAsked(t *testing.T) {
	p := play(t, object("ServiceAccount", "reader", "s-1"), object("Pod", "shell", "p-1"))
	watches := make(chan *watch.FakeWatcher, 1)
	var refused atomic.Bool
	p.client.PrependWatchReactor("pods", func(clienttesting.Action) (bool, watch.Interface, error) {
		if refused.Load() {
			return true, nil, errors.New("no watch")
		}
		w := watch.NewFake()
		watches <- w
		return true, w, nil
	})
	p.run()
	p.is("with a watch", shell, true, 0)
	refused.Store(true)
	(<-watches).Stop()
	p.await(func() bool { return !p.pods.known() })
	p.is("without", shell, true, 1)
	p.away.Store(true)
	if good, err := p.Live(t.Context(), shell); good || err == nil {
		t.Errorf("nobody to ask: %v, %v", good, err)
	}
}

func TestAccountsAreFollowed(t *testing.T) {
	account := func(role string) *metav1.PartialObjectMetadata {
		a := object("ServiceAccount", "reader", "s-1")
		a.Annotations = map[string]string{"eks.amazonaws.com/role-arn": role}
		return a
	}
	p := play(t, account("one"))
	if got, err := p.Account(t.Context(), "default", "reader"); err != nil || got.RoleARN != "one" {
		t.Errorf("before all are known: %+v, %v", got, err)
	}
	p.run()
	if _, err := p.client.Resource(accountKind).Namespace("default").(fake.MetadataClient).UpdateFake(account("two"), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	p.await(func() bool {
		got, err := p.Account(t.Context(), "default", "reader")
		return err == nil && got.RoleARN == "two"
	})
	if got, err := p.Account(t.Context(), "default", "nobody"); err != nil || got.RoleARN != "" {
		t.Errorf("nobody: %+v, %v", got, err)
	}
	if n := p.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want once before all were known, once for nobody", n)
	}
}
