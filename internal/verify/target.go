package verify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/eksact/eksact/internal/engine/mapping"
	"github.com/eksact/eksact/internal/engine/token"
)

// Target is the cluster to be tried and the credentials to do it with: those of
// an administrator of the account and the cluster.
type Target struct {
	Cluster string
	Region  string
	// AWS has the administrator's credentials and, away from AWS, BaseEndpoint.
	AWS aws.Config
	// Server is the API server's URL, ServerName its name in TLS, if another.
	Server, ServerName string
	CA                 []byte // PEM
	// Dial connects to a load balancer's name from outside the VPC.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Session is one run against a target.
type Session struct {
	Target
	Account   string // its number
	Partition string // "aws"
	IAM       *iam.Client
	STS       *sts.Client
	EKS       *eks.Client
	Admin     kubernetes.Interface

	guest    *Guest
	removals []func(context.Context) error
	evidence []Exchange
}

// Open begins a run. Close it.
func Open(ctx context.Context, t Target) (*Session, error) {
	s := &Session{Target: t, IAM: iam.NewFromConfig(t.AWS), STS: sts.NewFromConfig(t.AWS), EKS: eks.NewFromConfig(t.AWS)}
	who, err := s.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, err
	}
	s.Account = aws.ToString(who.Account)
	_, arn, _ := strings.Cut(aws.ToString(who.Arn), ":")
	s.Partition, _, _ = strings.Cut(arn, ":")
	s.Admin, err = s.client(ctx, t.AWS.Credentials)
	return s, err
}

// OnClose has something that was made removed at the end of the run, before what was
// made earlier.
func (s *Session) OnClose(remove func(context.Context) error) {
	s.removals = append(s.removals, remove)
}

// Close removes what the run made, all that can be.
func (s *Session) Close(ctx context.Context) error {
	var failed error
	for _, remove := range slices.Backward(s.removals) {
		failed = errors.Join(failed, remove(ctx))
	}
	s.removals = nil
	return failed
}

// Described is the cluster as EKS describes it now.
func (s *Session) Described(ctx context.Context) (*types.Cluster, error) {
	out, err := s.EKS.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &s.Cluster})
	if err != nil {
		return nil, err
	}
	return out.Cluster, nil
}

// Mode says who is mapped in the cluster.
func (s *Session) Mode(ctx context.Context) (mapping.Mode, error) {
	c, err := s.Described(ctx)
	if err != nil {
		return "", err
	}
	mode := mapping.ModeConfigMap // what a cluster of before access entries doesn't say
	if c.AccessConfig != nil && c.AccessConfig.AuthenticationMode != "" {
		mode = mapping.Mode(c.AccessConfig.AuthenticationMode)
	}
	s.Note("eks DescribeCluster "+s.Cluster, "authentication mode %s", mode)
	return mode, nil
}

// Note keeps an exchange as evidence; one that only repeats the last is not kept.
func (s *Session) Note(probe, format string, args ...any) {
	e := Exchange{probe, fmt.Sprintf(format, args...)}
	if n := len(s.evidence); n == 0 || s.evidence[n-1] != e {
		s.evidence = append(s.evidence, e)
	}
}

// client speaks to the cluster with a token signed now by an identity of AWS.
func (s *Session) client(ctx context.Context, provider aws.CredentialsProvider) (kubernetes.Interface, error) {
	keys, err := provider.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	signed, err := token.New(token.Credentials{
		AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey, SessionToken: keys.SessionToken,
	}, "https://sts."+s.Region+".amazonaws.com", s.Region, s.Cluster, time.Now())
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(&rest.Config{
		Host: s.Server, BearerToken: signed.Value, UserAgent: "eksact-verify",
		TLSClientConfig: rest.TLSClientConfig{ServerName: s.ServerName, CAData: s.CA},
		WrapTransport:   func(next http.RoundTripper) http.RoundTripper { return recorder{s, next} },
		Timeout:         30 * time.Second,
		QPS:             50, Burst: 100,
	})
}

// recorder keeps what is asked of the cluster as evidence.
type recorder struct {
	s    *Session
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (r recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	probe := q.Method + " " + strings.TrimPrefix(q.URL.String(), r.s.Server)
	resp, err := r.next.RoundTrip(q)
	if err != nil {
		r.s.Note(probe, "%v", err)
		return nil, err
	}
	r.s.Note(probe, "%s", resp.Status)
	return resp, nil
}
