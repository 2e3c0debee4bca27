package daemon

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata/fake"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/engine/oidc"
	"github.com/eksact/eksact/internal/kube/podidentity"
	"github.com/eksact/eksact/internal/store"
)

// slow is a runtime whose clusters take a while to start, and have one pod each.
type slow struct {
	eks.Runtime
	d     *Daemon
	takes time.Duration
}

func (s *slow) Start(ctx context.Context, c eks.Cluster) (eks.Facts, error) {
	select {
	case <-ctx.Done():
		return eks.Facts{}, ctx.Err()
	case <-time.After(s.takes):
	}
	object := func(kind, name string) *metav1.PartialObjectMetadata {
		return &metav1.PartialObjectMetadata{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: kind},
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("uid-of-" + name)},
		}
	}
	scheme := fake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		return eks.Facts{}, err
	}
	objects, err := podidentity.NewObjects(fake.NewSimpleMetadataClient(scheme, object("ServiceAccount", "reader"), object("Pod", "shell")), time.Now)
	if err != nil {
		return eks.Facts{}, err
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.d.clusters[c.Name] = &cluster{record: c, identities: objects}
	return eks.Facts{}, nil
}

// plain is what clusters ask of IAM and EC2.
type plain struct{}

func (plain) Assumable(context.Context, string, string) bool  { return true }
func (plain) CheckPass(context.Context, string, string) error { return nil }
func (plain) PrincipalID(string) (string, bool)               { return "", false }
func (plain) SubnetPlace(id string) (string, string, bool) {
	return "vpc-1", "us-west-2" + id[len(id)-1:], true
}
func (plain) VPCRanges(string) ([]netip.Prefix, bool) {
	return []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}, true
}
func (plain) SecurityGroupVPC(string) (string, bool)            { return "vpc-1", true }
func (plain) RemoveSecurityGroup(context.Context, string) error { return nil }
func (plain) PutSecurityGroup(_ context.Context, _, _, _, _ string, _ map[string]string) error {
	return nil
}

// restarted is a daemon that comes back to a cluster "cluster", which takes so long to
// start.
func restarted(t *testing.T, takes time.Duration) *Daemon {
	t.Helper()
	st := store.NewMemory()
	t.Cleanup(st.Close)
	d := &Daemon{}
	slowly := &slow{d: d}
	d.eks = eks.New(eks.Deps{
		Store: st, Place: Default("", "").Place(), Runtime: slowly, Roles: plain{}, Network: plain{}, Now: time.Now, PatchVersions: patchVersions,
	})
	run := func(takes time.Duration) (stop func()) {
		d.clusters, slowly.takes = map[string]*cluster{}, takes
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); d.eks.Run(ctx) }()
		return func() { cancel(); <-done }
	}
	stop := run(0)
	ctx := api.WithCaller(t.Context(), &api.Caller{Type: api.User, PrincipalID: "AIDA", ARN: "arn:aws:iam::111122223333:user/alice"})
	_, err := d.eks.CreateCluster(ctx, &awseks.CreateClusterInput{
		Name: aws.String("cluster"), RoleArn: aws.String("arn:aws:iam::111122223333:role/plane"),
		ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: []string{"subnet-a", "subnet-b"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.eks.WaitServing(t.Context(), "cluster"); err != nil {
		t.Fatal(err)
	}
	stop()
	t.Cleanup(run(takes))
	return d
}

// A pod's token waits for a cluster that comes back after a restart, for as long as the
// node's agent waits, and for no other.
func TestAPodsTokenWaitsForItsCluster(t *testing.T) {
	bound := oidc.Bound{Namespace: "default", ServiceAccount: "reader", ServiceAccountUID: "uid-of-reader", Pod: "shell", PodUID: "uid-of-shell"}
	gone := bound
	gone.PodUID = "another"
	for name, tc := range map[string]struct {
		takes, least, most time.Duration
		cluster            string
		token              oidc.Bound
		live               bool
		fails              string
	}{
		"there":                          {0, 0, 0, "cluster", bound, true, ""},
		"back after a while":             {3 * time.Second, 2 * time.Second, 3 * time.Second, "cluster", bound, true, ""},
		"back, and the pod is another's": {3 * time.Second, 2 * time.Second, 3 * time.Second, "cluster", gone, false, ""},
		"not back in time":               {time.Hour, comebackTime, comebackTime, "cluster", bound, false, `no cluster "cluster" runs here`},
		"never there":                    {0, 0, 0, "none", bound, false, `no cluster "none" runs here`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := restarted(t, tc.takes)
				began := time.Now()
				live, err := d.podLives(t.Context(), tc.cluster, tc.token)
				if live != tc.live || (err == nil) != (tc.fails == "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
					t.Errorf("%v, %v; want %v, %q", live, err, tc.live, tc.fails)
				}
				if took := time.Since(began); took < tc.least || took > tc.most+100*time.Millisecond {
					t.Errorf("answered after %s", took)
				}
			})
		})
	}
}
