package irsa

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/eksact/eksact/internal/kube/podidentity"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/test/lab"
)

// A pod meets one of three: no webhook, ours, or the least that a webhook can be.
var sorts = []struct {
	name, webhook string
	labels        map[string]string
}{
	{"opts out", "", map[string]string{skipLabel: ""}},
	{"has a role", "iam-for-pods.amazonaws.com", nil},
	{"the floor", "floor.example.com", map[string]string{skipLabel: "", floorLabel: ""}},
}

const (
	skipLabel    = "eks.amazonaws.com/skip-pod-identity-webhook"
	floorLabel   = "example.com/floor"
	floorAddress = "127.0.0.1:23444"
)

// scales weigh what a webhook adds to a pod's creation.
type scales struct {
	*plane
	client  kubernetes.Interface
	traces  *traces
	taps    map[string]*tap // by webhook
	created [3][]float64    // ms as the client sees it, of each sort
	turn    int
}

// newScales has an API server that asks our webhook as it is, and the floor.
func newScales(t testing.TB) *scales {
	t.Helper()
	s := &scales{plane: newMachine(t).prepare(t, "weighed", "us-west-2"), taps: map[string]*tap{}}
	var open func() kubernetes.Interface
	s.traces, open = s.plane.traced(t)
	s.start(t)
	s.client = open()
	must(t, s.api.Bootstrap(t.Context(), nil))
	s.account(t, "default", "reader", map[string]string{"eks.amazonaws.com/role-arn": role})

	objects := s.objects(t)
	handler := s.handler(objects.Account, func(string, string) bool { return false })
	like, err := s.create(t.Context(), sorts[0].labels)
	must(t, err)
	s.serve(t, sorts[1].webhook, s.IdentityWebhook, func(ctx context.Context, l *tap) { handler.Serve(ctx, l, s.pki.WebhookTLS(false)) })
	least := floor(patchOf(t, handler, like))
	s.serve(t, sorts[2].webhook, floorAddress, func(ctx context.Context, l *tap) {
		server := &http.Server{Handler: least}
		context.AfterFunc(ctx, func() { server.Close() })
		server.Serve(tls.NewListener(l, s.pki.WebhookTLS(false)))
	})
	s.registerFloor(t)
	s.settle(t)
	return s
}

// serve runs a webhook in the control plane's namespace until the test ends.
func (s *scales) serve(t testing.TB, name, address string, run func(context.Context, *tap)) {
	t.Helper()
	l, err := netns.Listen(s.NetNS, "tcp", address)
	must(t, err)
	s.taps[name] = &tap{Listener: l}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); run(ctx, s.taps[name]) }()
	t.Cleanup(func() { cancel(); <-ended })
}

// patchOf is what our webhook answers for a pod.
func patchOf(t testing.TB, h *podidentity.Handler, pod *corev1.Pod) []byte {
	t.Helper()
	object, err := json.Marshal(pod)
	must(t, err)
	review := `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","namespace":"default","object":` + string(object) + `}}`
	r := httptest.NewRequest(http.MethodPost, "/mutate", strings.NewReader(review))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var out admissionv1.AdmissionReview
	must(t, json.Unmarshal(w.Body.Bytes(), &out))
	if out.Response == nil || len(out.Response.Patch) == 0 {
		t.Fatalf("the webhook patches nothing: %s", w.Body)
	}
	return out.Response.Patch
}

// floor answers every review with the same patch, and reads nothing of it but its uid: no
// webhook that changes pods can do less.
func floor(patch []byte) http.Handler {
	text, _ := json.Marshal(patch)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		body.Grow(int(r.ContentLength) + bytes.MinRead)
		body.ReadFrom(r.Body)
		_, uid, _ := bytes.Cut(body.Bytes(), []byte(`"request":{"uid":"`))
		uid, _, _ = bytes.Cut(uid, []byte(`"`))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":%q,"allowed":true,"patch":%s,"patchType":"JSONPatch"}}`, uid, text)
	})
}

// registerFloor makes the floor known as our webhook is, but for the pods that meet it.
func (s *scales) registerFloor(t testing.TB) {
	t.Helper()
	configurations := s.client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	ours, err := configurations.Get(t.Context(), "pod-identity-webhook", metav1.GetOptions{})
	must(t, err)
	ours.ObjectMeta = metav1.ObjectMeta{Name: "floor"}
	url := "https://" + floorAddress + "/mutate"
	ours.Webhooks[0].Name, ours.Webhooks[0].ClientConfig.URL = sorts[2].webhook, &url
	ours.Webhooks[0].ObjectSelector.MatchExpressions[0] = metav1.LabelSelectorRequirement{Key: floorLabel, Operator: metav1.LabelSelectorOpExists}
	_, err = configurations.Create(t.Context(), ours, metav1.CreateOptions{})
	must(t, err)
}

// settle returns when pods of each sort become what they should.
func (s *scales) settle(t testing.TB) {
	t.Helper()
	for i, sort := range sorts {
		for end := time.Now().Add(10 * time.Second); ; {
			pod, err := s.create(t.Context(), sort.labels)
			must(t, err)
			if strings.Contains(variables(pod), "AWS_ROLE_ARN") == (i > 0) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("a pod that %s has %q", sort.name, variables(pod))
			}
		}
	}
}

// create asks for a pod that is not kept: all of admission is done, and nothing is written.
func (s *scales) create(ctx context.Context, labels map[string]string) (*corev1.Pod, error) {
	return s.client.CoreV1().Pods("default").Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "my-shell", Labels: labels},
		Spec:       corev1.PodSpec{ServiceAccountName: "reader", Containers: []corev1.Container{{Name: "my-shell", Image: "amazonlinux"}}},
	}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
}

// round makes a pod of each sort, beginning with another one each time.
func (s *scales) round(t testing.TB, one func(sort int)) {
	t.Helper()
	s.turn++
	for i := range sorts {
		one((s.turn + i) % len(sorts))
	}
}

// timed makes a pod, and notes how long the client waits.
func (s *scales) timed(t testing.TB) func(sort int) {
	return func(sort int) {
		began := time.Now()
		_, err := s.create(t.Context(), sorts[sort].labels)
		must(t, err)
		s.created[sort] = append(s.created[sort], ms(time.Since(began)))
	}
}

// trace makes n pods of each sort that the API server tells of, does before each what it is
// given, and returns the ids of their traces.
func (s *scales) trace(t testing.TB, n int, before func(sort int)) (ids [3][]string) {
	t.Helper()
	asked := time.Now()
	for range n {
		s.round(t, func(sort int) {
			before(sort)
			ctx, id := s.traces.ask(t.Context())
			_, err := s.create(ctx, sorts[sort].labels)
			must(t, err)
			ids[sort] = append(ids[sort], id)
		})
		if time.Since(asked) > spansEvery*3/4 {
			s.traces.await(t)
			asked = time.Now()
		}
	}
	s.traces.await(t)
	return ids
}

// toConnect ends the connection to a webhook first.
func (s *scales) toConnect(sort int) {
	if tap := s.taps[sorts[sort].webhook]; tap != nil {
		tap.hangUp()
		time.Sleep(20 * time.Millisecond) // until the API server has noticed
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// weigh makes pods of each sort as fast as one client can, n of them for the client's clock,
// and n for the API server's; then half as many with pauses, and few whose webhook it has to
// connect to. It returns how long our webhook's calls took.
func (s *scales) weigh(t testing.TB, n int) []float64 {
	t.Helper()
	atOnce := s.trace(t, n, func(int) {})
	paused := s.trace(t, n/2, func(int) { time.Sleep(10 * time.Millisecond) })
	anew := s.trace(t, n/10, s.toConnect)
	t.Logf("as the client sees it, %d pods of each sort:", len(s.created[0]))
	for i, sort := range sorts {
		t.Logf("  %-28s %s", sort.name, quantiles(s.created[i]))
		if i > 0 {
			t.Logf("  %-28s %s", "  more than opting out", differences(s.created[0], s.created[i]))
		}
	}
	t.Logf("  %-28s %s", "a role more than the floor", differences(s.created[2], s.created[1]))
	calls := s.report(t, "as fast as it can", atOnce)
	s.report(t, "with 10 ms before each", paused)
	s.report(t, "when it has to connect", anew)
	return calls
}

// report tells where the time of pods went, and returns how long our webhook's calls took.
func (s *scales) report(t testing.TB, how string, ids [3][]string) []float64 {
	t.Helper()
	t.Logf("as the API server sees it, %s, %d pods of each sort:", how, len(ids[0]))
	var calls [3][]float64
	for i := range sorts {
		calls[i] = s.reportTraces(t, i, s.of(t, i, ids[i]))
	}
	t.Logf("  %-28s %s", "a role more than the floor", differences(calls[2], calls[1]))
	return calls[1]
}

// of are the traces of one sort's pods, each of which was shown to its webhook, once.
func (s *scales) of(t testing.TB, i int, ids []string) []*trace {
	t.Helper()
	var all []*trace
	for _, id := range ids {
		tr := s.traces.all[id]
		var called []string
		for _, c := range tr.calls {
			called = append(called, c.webhook)
		}
		if got := strings.Join(called, ", "); got != sorts[i].webhook {
			t.Fatalf("a pod that is %q was shown to %q, want %q", sorts[i].name, got, sorts[i].webhook)
		}
		all = append(all, tr)
	}
	return all
}

// reportTraces tells where the time of one sort's requests went, and returns how long its
// calls of the webhook took.
func (s *scales) reportTraces(t testing.TB, i int, all []*trace) []float64 {
	t.Helper()
	var whole, calls, trips, own, patching []float64
	for _, tr := range all {
		whole = append(whole, ms(tr.whole.took()))
		for _, c := range tr.calls {
			calls, trips = append(calls, ms(c.took())), append(trips, ms(spell{c.from, c.answered}.took()))
			patching, own = append(patching, ms(spell{c.answered, c.to}.took())), append(own, ms(s.taps[c.webhook].within(c)))
		}
	}
	t.Logf("  %-28s %s", sorts[i].name+": the request", quantiles(whole))
	for _, part := range []struct {
		name string
		took []float64
	}{{"  the webhook's call", calls}, {"    until it has answered", trips}, {"      its own side", own}, {"    patch applied", patching}} {
		if len(part.took) > 0 {
			t.Logf("  %-28s %s", part.name, quantiles(part.took))
		}
	}
	return calls
}

// BenchmarkWebhook weighs what the webhook adds to the creation of b.N pods.
func BenchmarkWebhook(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(200)) // as the daemon is started
	s := newScales(b)
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); { // until the API server's collector is as it stays
		s.round(b, s.timed(b))
	}
	s.created = [3][]float64{}
	for b.Loop() {
		s.round(b, s.timed(b))
	}
	s.weigh(b, b.N)
}

// TestWhatTheWebhookAdds weighs few: a busy machine's figures say little.
func TestWhatTheWebhookAdds(t *testing.T) {
	s := newScales(t)
	for range 100 {
		s.round(t, s.timed(t))
	}
	calls := s.weigh(t, 100)
	lab.Figure(t, "half of the calls of the webhook", time.Duration(quantile(calls, 0.5)*float64(time.Millisecond)), 2*time.Millisecond)
}
