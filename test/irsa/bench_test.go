package irsa

import (
	"slices"
	"sync"
	"testing"
	"time"

	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/eksact/eksact/internal/aws/eks"
)

// measure calls from so many clients at once, and reports calls per second and how
// long half and all but a hundredth of them took.
func measure(b *testing.B, clients int, call func() error) {
	b.Helper()
	if err := call(); err != nil {
		b.Fatal(err)
	}
	took := make([][]time.Duration, clients)
	b.ResetTimer()
	began := time.Now()
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for range b.N/clients + 1 {
				at := time.Now()
				if err := call(); err != nil {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(at))
			}
		})
	}
	all.Wait()
	whole := time.Since(began)
	every := slices.Concat(took...)
	slices.Sort(every)
	b.ReportMetric(float64(len(every))/whole.Seconds(), "calls/s")
	b.ReportMetric(float64(every[len(every)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(every[len(every)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkIdentities makes credentials by tokens of a real API server, through the
// front door over HTTP, with the SDK's clients in the same process. Beside them the
// cheapest call there is.
func BenchmarkIdentities(b *testing.B) {
	m := newMachine(b)
	p := m.cluster(b, "mine", "us-west-2")
	p.account(b, "default", "reader", nil)
	web := openAccount(b, p, nil)
	provider := web.provider(b, p, "0000000000000000000000000000000000000000")
	role := web.role(b, "reader", provider, p, "system:serviceaccount:default:reader")
	token := p.token(b, "default", "reader", forSTS, nil)
	pod := openAuth(b, p)
	_, tokens := p.shell(b, "my-shell", "reader")
	podToken := tokens(forPods)
	pod.all["default/reader"] = eks.Association{Cluster: "mine", ID: "a-1", Namespace: "default", ServiceAccount: "reader", RoleARN: pod.trusted(b, "pods", pods, both, "")}
	for name, call := range map[string]func() error{
		"GetCallerIdentity": func() error {
			_, err := awssts.NewFromConfig(web.Admin).GetCallerIdentity(b.Context(), &awssts.GetCallerIdentityInput{})
			return err
		},
		"AssumeRoleWithWebIdentity": func() error { _, err := web.assume(b, role, token); return err },
		"AssumeRoleForPodIdentity":  func() error { _, err := pod.assume(b, pod.node, "mine", podToken); return err },
	} {
		b.Run(name+"/1", func(b *testing.B) { measure(b, 1, call) })
		b.Run(name+"/16", func(b *testing.B) { measure(b, 16, call) })
	}
}
