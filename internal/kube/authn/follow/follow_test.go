package follow_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/eksact/eksact/internal/kube/authn/follow"
)

func object(name, version string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: version}}
}

// server plays an API server by script: each call takes the next answer.
type server struct {
	lists   []func() (runtime.Object, error)
	watches []func() (watch.Interface, error)
	said    chan string // what the follower did and was told, in order
}

func (s *server) feed() follow.Feed {
	return follow.Feed{
		FieldSelector: "metadata.name=x",
		List: func(_ context.Context, o metav1.ListOptions) (runtime.Object, error) {
			s.said <- "list " + o.FieldSelector
			next := s.lists[0]
			s.lists = s.lists[1:]
			return next()
		},
		Watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			s.said <- "watch " + o.ResourceVersion
			if len(s.watches) == 0 { // the script is over: wait for the end
				return watch.NewFake(), nil
			}
			next := s.watches[0]
			s.watches = s.watches[1:]
			return next()
		},
		Reset: func(all []runtime.Object) {
			names := "reset"
			for _, o := range all {
				names += " " + o.(*corev1.ConfigMap).Name
			}
			s.said <- names
		},
		Changed: func(kind watch.EventType, o runtime.Object) {
			s.said <- fmt.Sprintf("%s %s", kind, o.(*corev1.ConfigMap).Name)
		},
		Failed: func(err error) { s.said <- "failed: " + err.Error() },
	}
}

func listed(version string, names ...string) func() (runtime.Object, error) {
	l := &corev1.ConfigMapList{ListMeta: metav1.ListMeta{ResourceVersion: version}}
	for _, n := range names {
		l.Items = append(l.Items, *object(n, version))
	}
	return func() (runtime.Object, error) { return l, nil }
}

// watched is a watch that delivers events and then ends.
func watched(events ...watch.Event) func() (watch.Interface, error) {
	ch := make(chan watch.Event, len(events))
	for _, e := range events {
		ch <- e
	}
	close(ch)
	return func() (watch.Interface, error) { return watch.NewProxyWatcher(ch), nil }
}

func TestRun(t *testing.T) {
	expired := apierrors.NewResourceExpired("too old").Status()
	broken := metav1.Status{Status: metav1.StatusFailure, Code: http.StatusInternalServerError, Message: "etcd is away"}
	for _, tt := range []struct {
		name string
		s    server
		want []string
	}{
		{
			name: "a list, changes, and a watch resumed from the last of them",
			s: server{
				lists: []func() (runtime.Object, error){listed("5", "a", "b")},
				watches: []func() (watch.Interface, error){watched(
					watch.Event{Type: watch.Modified, Object: object("a", "6")},
					watch.Event{Type: watch.Deleted, Object: object("b", "7")},
					watch.Event{Type: watch.Bookmark, Object: object("", "9")},
				)},
			},
			want: []string{"list metadata.name=x", "reset a b", "watch 5", "MODIFIED a", "DELETED b", "failed: watch ended at once", "watch 9"},
		},
		{
			name: "an API server that is away at first",
			s: server{lists: []func() (runtime.Object, error){
				func() (runtime.Object, error) { return nil, errors.New("connection refused") },
				listed("1"),
			}},
			want: []string{"list metadata.name=x", "failed: list: connection refused", "list metadata.name=x", "reset", "watch 1"},
		},
		{
			name: "an API server that goes away: nothing is forgotten",
			s: server{
				lists:   []func() (runtime.Object, error){listed("3", "a")},
				watches: []func() (watch.Interface, error){func() (watch.Interface, error) { return nil, errors.New("connection refused") }},
			},
			want: []string{"list metadata.name=x", "reset a", "watch 3", "failed: watch: connection refused", "watch 3"},
		},
		{
			name: "a version forgotten while connected",
			s: server{
				lists:   []func() (runtime.Object, error){listed("3", "a"), listed("8", "b")},
				watches: []func() (watch.Interface, error){watched(watch.Event{Type: watch.Error, Object: &expired})},
			},
			want: []string{"list metadata.name=x", "reset a", "watch 3", "list metadata.name=x", "reset b", "watch 8"},
		},
		{
			name: "a version forgotten while away",
			s: server{
				lists:   []func() (runtime.Object, error){listed("3", "a"), listed("8")},
				watches: []func() (watch.Interface, error){func() (watch.Interface, error) { return nil, apierrors.NewResourceExpired("gone") }},
			},
			want: []string{"list metadata.name=x", "reset a", "watch 3", "list metadata.name=x", "reset", "watch 8"},
		},
		{
			name: "any other error of a watch",
			s: server{
				lists:   []func() (runtime.Object, error){listed("3"), listed("4")},
				watches: []func() (watch.Interface, error){watched(watch.Event{Type: watch.Error, Object: &broken})},
			},
			want: []string{"list metadata.name=x", "reset", "watch 3", "failed: watch: etcd is away", "list metadata.name=x", "reset", "watch 4"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			s := tt.s
			s.said = make(chan string)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan struct{})
			go func() { defer close(done); s.feed().Run(ctx) }()

			var got []string
			for range tt.want {
				select {
				case line := <-s.said:
					got = append(got, line)
				case <-time.After(60 * time.Second):
					t.Fatalf("stuck after %q", got)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			cancel()
			<-done
		})
	}
}
