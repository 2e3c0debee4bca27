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
	traced  [3][]string     // ids of traces
	anew    [3][]string     // those of pods whose webhook had no connection
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
	s.serve(t, sorts[2].webhook, floorAddress, func(ctx context.Context, l *tap) {
		server := &http.Server{Handler: floor(patchOf(t, handler, like))}
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

// settle returns when pods of each sort become what they should, and the API server's
// collector is as it stays.
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
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); {
		s.round(t, nil)
	}
	s.created = [3][]float64{}
}

// create asks for a pod that is not kept: all of admission is done, and nothing is written.
func (s *scales) create(ctx context.Context, labels map[string]string) (*corev1.Pod, error) {
	return s.client.CoreV1().Pods("default").Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "my-shell", Labels: labels},
		Spec:       corev1.PodSpec{ServiceAccountName: "reader", Containers: []corev1.Container{{Name: "my-shell", Image: "amazonlinux"}}},
	}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
}

// round makes a pod of each sort, beginning with another one each time. With a trace its
// time is the API server's to tell.
func (s *scales) round(t testing.TB, trace func(context.Context) (context.Context, string)) {
	t.Helper()
	s.turn++
	for i := range sorts {
		sort := (s.turn + i) % len(sorts)
		ctx, id := t.Context(), ""
		if trace != nil {
			ctx, id = trace(ctx)
			s.traced[sort] = append(s.traced[sort], id)
		}
		began := time.Now()
		_, err := s.create(ctx, sorts[sort].labels)
		must(t, err)
		if trace == nil {
			s.created[sort] = append(s.created[sort], ms(time.Since(began)))
		}
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// traceRounds makes n pods of each sort that the API server tells of, and fewer whose webhook
// it has to connect to first.
func (s *scales) traceRounds(t testing.TB, n int) {
	t.Helper()
	for i := range n {
		s.round(t, s.traces.ask)
		if i%10 == 9 { // 0.1 s
			s.traces.await(t)
		}
	}
	for range n / 10 {
		for i, sort := range sorts {
			if sort.webhook == "" {
				continue
			}
			s.taps[sort.webhook].hangUp()
			time.Sleep(20 * time.Millisecond) // until the API server has noticed
			ctx, id := s.traces.ask(t.Context())
			_, err := s.create(ctx, sort.labels)
			must(t, err)
			s.anew[i] = append(s.anew[i], id)
		}
	}
	s.traces.await(t)
}

// report tells what was weighed, and returns how long calls of our webhook took.
func (s *scales) report(t testing.TB) []float64 {
	t.Helper()
	t.Logf("as the client sees it, %d pods of each sort:", len(s.created[0]))
	for i, sort := range sorts {
		t.Logf("  %-28s %s", sort.name, quantiles(s.created[i]))
		if i > 0 {
			t.Logf("  %-28s %s", "  more than opting out", differences(s.created[0], s.created[i]))
		}
	}
	t.Logf("  %-28s %s", "a role more than the floor", differences(s.created[2], s.created[1]))
	t.Logf("as the API server sees it, %d pods of each sort:", len(s.traced[0]))
	var calls [3][]float64
	for i := range sorts {
		calls[i] = s.reportTraces(t, i)
	}
	t.Logf("  %-28s %s", "a role more than the floor", differences(calls[2], calls[1]))
	t.Logf("as the API server sees it, when it has to connect, %d pods of each sort:", len(s.anew[1]))
	for i, sort := range sorts {
		if sort.webhook != "" {
			var took []float64
			for _, tr := range s.of(t, i, s.anew[i]) {
				took = append(took, ms(tr.calls[0].took()))
			}
			t.Logf("  %-28s %s", sort.name+": the call", quantiles(took))
		}
	}
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
func (s *scales) reportTraces(t testing.TB, i int) []float64 {
	t.Helper()
	var whole, calls, trips, own, patching []float64
	for _, tr := range s.of(t, i, s.traced[i]) {
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
	for b.Loop() {
		s.round(b, nil)
	}
	s.traceRounds(b, b.N)
	s.report(b)
}

// TestWhatTheWebhookAdds weighs few: a busy machine's figures say little.
func TestWhatTheWebhookAdds(t *testing.T) {
	s := newScales(t)
	for range 200 {
		s.round(t, nil)
	}
	s.traceRounds(t, 200)
	lab.Figure(t, "half of the calls of the webhook", time.Duration(quantile(s.report(t), 0.5)*float64(time.Millisecond)), 2*time.Millisecond)
}
