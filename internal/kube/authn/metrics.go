package authn

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Results of a TokenReview, as label values; upstream's, spelling included.
const (
	resultSuccess   = "success"
	resultMalformed = "malformed_request"
	resultInvalid   = "invalid_token"
	resultSTS       = "sts_error"
	resultUnknown   = "uknown_user"
	resultOutage    = "outage" // ours
)

// Metrics counts the TokenReviews of all clusters and times them.
type Metrics struct{ latency *prometheus.HistogramVec }

// NewMetrics registers aws_iam_authenticator_authenticate_latency_seconds with
// the labels cluster and result.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "aws_iam_authenticator",
		Name:      "authenticate_latency_seconds",
		Help:      "Authenticate call latency",
		Buckets:   prometheus.ExponentialBuckets(25e-6, 2, 16), // 25 µs to 0.8 s
	}, []string{"cluster", "result"})}
	return m, reg.Register(m.latency)
}

// observe is cheap, and nothing at all on nil.
func (m *Metrics) observe(cluster, result string, took time.Duration) {
	if m != nil {
		m.latency.WithLabelValues(cluster, result).Observe(took.Seconds())
	}
}
