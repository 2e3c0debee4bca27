package eks

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/smithy-go"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

const (
	role  = "arn:aws:iam::111122223333:role/eks-cluster"
	alice = "arn:aws:iam::111122223333:user/alice"
)

// world is a service with everything around it played.
type world struct {
	*Service
	runtime *runtime
	roles   *roles
	network *network
}

// inWorld runs a test in a bubble of virtual time, where the clusters are driven
// and nothing may be left running.
func inWorld(t *testing.T, test func(t *testing.T, ctx context.Context, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		defer w.Store.Close()
		ctx, stop := context.WithCancel(caller(alice, "AIDAALICE"))
		done := make(chan struct{})
		defer func() { stop(); <-done }()
		go func() { w.Run(ctx); close(done) }()
		test(t, ctx, w)
	})
}

// settle returns when nothing moves any more. A moment must pass: the store
// pauses for some milliseconds before it runs a transaction again.
func settle() {
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
}

func newWorld() *world {
	w := &world{
		runtime: &runtime{running: map[string]Cluster{}, addons: map[string]AddonWish{}},
		roles:   &roles{},
		network: &network{groups: map[string]string{"sg-mine": "vpc-1", "sg-other": "vpc-2"}},
	}
	w.Service = New(Deps{
		Store:         store.NewMemory(),
		Place:         api.Place{Partition: "aws", AccountID: "111122223333", Region: "us-west-2"},
		Runtime:       w.runtime,
		Roles:         w.roles,
		Network:       w.network,
		PodRoles:      w.roles,
		Now:           time.Now,
		PatchVersions: map[string]string{"1.35": "1.35.9", "1.37": "1.37.2"},
	})
	return w
}

func caller(arn, id string) context.Context {
	return api.WithCaller(context.Background(), &api.Caller{Type: api.User, ARN: arn, PrincipalARN: arn, PrincipalID: id, RequestID: "req-1"})
}

// runtime starts clusters in no time, or as told.
type runtime struct {
	mu        sync.Mutex
	running   map[string]Cluster // by ID
	calls     []string
	startErr  error
	logErr    error
	accessErr error
	addons    map[string]AddonWish // by CLUSTER/NAME
	addonErr  error
	stopErr   error
	hold      chan struct{} // Start and SetLogging wait for it to be closed
}

func (r *runtime) note(call string) (hold chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, call)
	return r.hold
}

func (r *runtime) wait(ctx context.Context, hold chan struct{}) error {
	if hold == nil {
		return nil
	}
	select {
	case <-hold:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *runtime) Start(ctx context.Context, c Cluster) (Facts, error) {
	if err := r.wait(ctx, r.note("start "+c.Name)); err != nil {
		return Facts{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.startErr != nil {
		return Facts{}, r.startErr
	}
	r.running[c.ID] = c
	return Facts{CertificateAuthority: []byte("pem of " + c.Name), PlatformVersion: "eks.1"}, nil
}

func (r *runtime) SetLogging(ctx context.Context, c Cluster, types []string) error {
	if err := r.wait(ctx, r.note("logging "+c.Name)); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.logErr == nil {
		c.Logging = types
		r.running[c.ID] = c
	}
	return r.logErr
}

func (r *runtime) SetAccess(ctx context.Context, c Cluster, a Access) error {
	if err := r.wait(ctx, r.note("access "+c.Name)); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.accessErr == nil {
		c.setAccessTo(a)
		r.running[c.ID] = c
	}
	return r.accessErr
}

func (r *runtime) SetAddon(ctx context.Context, c Cluster, a AddonWish) error {
	if err := r.wait(ctx, r.note("addon "+a.Name+" of "+c.Name)); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.addonErr == nil {
		r.addons[c.Name+"/"+a.Name] = a
	}
	return r.addonErr
}

func (r *runtime) RemoveAddon(ctx context.Context, c Cluster, name string) error {
	if err := r.wait(ctx, r.note("remove "+name+" of "+c.Name)); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.addonErr == nil {
		delete(r.addons, c.Name+"/"+name)
	}
	return r.addonErr
}

func (r *runtime) Stop(_ context.Context, c Cluster) error {
	r.note("stop " + c.Name)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopErr == nil {
		delete(r.running, c.ID)
	}
	return r.stopErr
}

func (r *runtime) set(fn func(*runtime)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn(r)
}

func (r *runtime) seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.calls...)
}

type roles struct {
	passErr    error
	principals map[string]string // ARN → id, beside alice
}

func (r *roles) PrincipalID(arn string) (string, bool) {
	if arn == alice {
		return "AIDAALICE", true
	}
	id, ok := r.principals[arn]
	return id, ok
}

func (r *roles) Assumable(_ context.Context, arn, service string) bool {
	return arn == role && service == "eks.amazonaws.com"
}
func (r *roles) CheckPass(context.Context, string, string) error { return r.passErr }

func (r *roles) NamesService(arn, _ string, _ ...string) (exists, names bool) {
	return strings.Contains(arn, ":role/pod") || arn == role, strings.Contains(arn, ":role/pod")
}

// network has a VPC with subnets a1, a2 and b in two zones and another VPC.
type network struct {
	mu     sync.Mutex
	groups map[string]string // id → VPC
}

func (n *network) SubnetPlace(id string) (vpc, zone string, ok bool) {
	switch id {
	case "subnet-a1", "subnet-a2":
		return "vpc-1", "us-west-2a", true
	case "subnet-b":
		return "vpc-1", "us-west-2b", true
	case "subnet-x":
		return "vpc-2", "us-west-2b", true
	case "subnet-c", "subnet-d":
		return "vpc-3", "us-west-2" + id[len(id)-1:], true
	}
	return "", "", false
}

func (n *network) VPCRanges(id string) ([]netip.Prefix, bool) {
	switch id {
	case "vpc-1":
		return []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}, true
	case "vpc-3":
		return []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")}, true
	}
	return nil, false
}

func (n *network) SecurityGroupVPC(id string) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	vpc, ok := n.groups[id]
	return vpc, ok
}

func (n *network) PutSecurityGroup(_ context.Context, id, vpc, _, _ string, _ map[string]string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.groups[id] = vpc
	return nil
}

func (n *network) RemoveSecurityGroup(_ context.Context, id string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.groups, id)
	return nil
}

// request is a CreateCluster that succeeds.
func request(name string, change ...func(*eks.CreateClusterInput)) *eks.CreateClusterInput {
	in := &eks.CreateClusterInput{
		Name:               aws.String(name),
		RoleArn:            aws.String(role),
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: []string{"subnet-a1", "subnet-b"}},
	}
	for _, fn := range change {
		fn(in)
	}
	return in
}

// create makes a cluster and waits until nothing moves any more.
func (w *world) create(t *testing.T, ctx context.Context, name string, change ...func(*eks.CreateClusterInput)) *types.Cluster {
	t.Helper()
	if _, err := w.CreateCluster(ctx, request(name, change...)); err != nil {
		t.Fatal(err)
	}
	settle()
	return w.describe(t, ctx, name)
}

func (w *world) describe(t *testing.T, ctx context.Context, name string) *types.Cluster {
	t.Helper()
	out, err := w.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	return out.Cluster
}

// wantError checks an API error's code and exact text.
func wantError(t *testing.T, err error, code, message string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("got error %v, want %s", err, code)
	}
	if api.ErrorCode() != code || api.ErrorMessage() != message {
		t.Errorf("got  %s: %s\nwant %s: %s", api.ErrorCode(), api.ErrorMessage(), code, message)
	}
}
