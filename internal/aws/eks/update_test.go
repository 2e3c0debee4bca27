package eks

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

func enable(list ...types.LogType) *types.Logging {
	return &types.Logging{ClusterLogging: []types.LogSetup{{Enabled: aws.Bool(true), Types: list}}}
}

func change(name string, fn func(*eks.UpdateClusterConfigInput)) *eks.UpdateClusterConfigInput {
	in := &eks.UpdateClusterConfigInput{Name: &name}
	fn(in)
	return in
}

// update starts an update, lets it run and returns what the call answered.
func (w *world) update(t *testing.T, ctx context.Context, name string, fn func(*eks.UpdateClusterConfigInput)) *types.Update {
	t.Helper()
	out, err := w.UpdateClusterConfig(ctx, change(name, fn))
	if err != nil {
		t.Fatal(err)
	}
	settle()
	return out.Update
}

func (w *world) described(t *testing.T, ctx context.Context, name string, id *string) *types.Update {
	t.Helper()
	out, err := w.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: &name, UpdateId: id})
	if err != nil {
		t.Fatal(err)
	}
	return out.Update
}

func TestLoggingUpdate(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster", func(in *eks.CreateClusterInput) { in.Logging = enable("api") })
		hold := make(chan struct{})
		w.runtime.set(func(r *runtime) { r.hold = hold })
		u := w.update(t, ctx, "cluster", func(in *eks.UpdateClusterConfigInput) { in.Logging = enable("scheduler", "audit") })
		if u.Type != types.UpdateTypeLoggingUpdate || u.Status != types.UpdateStatusInProgress || len(u.Errors) != 0 {
			t.Errorf("update %+v", u)
		}
		if p := u.Params[0]; p.Type != types.UpdateParamTypeClusterLogging || *p.Value != `{"clusterLogging":[{"types":["scheduler","audit"],"enabled":true}]}` {
			t.Errorf("parameter %s %s", p.Type, *p.Value)
		}
		if c := w.describe(t, ctx, "cluster"); c.Status != types.ClusterStatusUpdating {
			t.Errorf("meanwhile the cluster is %s", c.Status)
		}
		_, err := w.UpdateClusterConfig(ctx, change("cluster", func(in *eks.UpdateClusterConfigInput) { in.Logging = enable("authenticator") }))
		wantError(t, err, "ResourceInUseException", "Cannot LoggingUpdate because cluster cluster currently has update "+*u.Id+" in progress")

		close(hold)
		settle()
		if u := w.described(t, ctx, "cluster", u.Id); u.Status != types.UpdateStatusSuccessful {
			t.Errorf("it ended %s", u.Status)
		}
		c, _ := w.Cluster("cluster")
		want := []string{"api", "audit", "scheduler"}
		if c.Status != Active || !slices.Equal(c.Logging, want) || !slices.Equal(w.runtime.running[c.ID].Logging, want) {
			t.Errorf("%s, recorded %v, running %v", c.Status, c.Logging, w.runtime.running[c.ID].Logging)
		}

		// Types that aren't named stay; those named false go.
		w.update(t, ctx, "cluster", func(in *eks.UpdateClusterConfigInput) {
			in.Logging = &types.Logging{ClusterLogging: []types.LogSetup{{Enabled: aws.Bool(false), Types: []types.LogType{"api", "controllerManager"}}}}
		})
		if c, _ := w.Cluster("cluster"); !slices.Equal(c.Logging, []string{"audit", "scheduler"}) {
			t.Errorf("after disabling: %v", c.Logging)
		}
		_, err = w.UpdateClusterConfig(ctx, change("cluster", func(in *eks.UpdateClusterConfigInput) { in.Logging = enable("audit") }))
		wantError(t, err, "InvalidParameterException", "No changes needed for the logging config provided")
	})
}

func TestFailedUpdate(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster")
		w.runtime.set(func(r *runtime) { r.logErr = errors.New("no space left") })
		u := w.update(t, ctx, "cluster", func(in *eks.UpdateClusterConfigInput) { in.Logging = enable("audit") })
		u = w.described(t, ctx, "cluster", u.Id)
		if u.Status != types.UpdateStatusFailed || u.Errors[0].ErrorCode != types.ErrorCodeUnknown || *u.Errors[0].ErrorMessage != "no space left" {
			t.Errorf("update %+v", u)
		}
		if c, _ := w.Cluster("cluster"); c.Status != Active || len(c.Logging) != 0 {
			t.Errorf("the cluster is %s and logs %v", c.Status, c.Logging)
		}
	})
}

func TestUpdatesOfTheRecord(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster")
		u := w.update(t, ctx, "cluster", func(in *eks.UpdateClusterConfigInput) { in.DeletionProtection = aws.Bool(true) })
		if u.Type != types.UpdateTypeDeletionProtectionUpdate || *u.Params[0].Value != "true" {
			t.Errorf("update %+v", u)
		}
		w.update(t, ctx, "cluster", func(in *eks.UpdateClusterConfigInput) {
			in.UpgradePolicy = &types.UpgradePolicyRequest{SupportType: "STANDARD"}
		})
		c := w.describe(t, ctx, "cluster")
		if c.Status != types.ClusterStatusActive || !*c.DeletionProtection || c.UpgradePolicy.SupportType != "STANDARD" {
			t.Errorf("%s, protection %t, support %s", c.Status, *c.DeletionProtection, c.UpgradePolicy.SupportType)
		}
	})
}

func TestUpdateRefuses(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster")
		yes, no := aws.Bool(true), aws.Bool(false)
		for _, test := range []struct {
			what    string
			change  func(*eks.UpdateClusterConfigInput)
			message string
		}{
			{"nothing", func(in *eks.UpdateClusterConfigInput) {}, "The type for cluster update was not provided."},
			{"two types", func(in *eks.UpdateClusterConfigInput) {
				in.Logging = enable("api")
				in.ResourcesVpcConfig = &types.VpcConfigRequest{EndpointPrivateAccess: yes}
			}, "Only one type of update can be allowed."},
			{"access and subnets", func(in *eks.UpdateClusterConfigInput) {
				in.ResourcesVpcConfig = &types.VpcConfigRequest{EndpointPrivateAccess: yes, SubnetIds: []string{"subnet-a1"}}
			}, "Only one type of update can be allowed."},
			{"what is", func(in *eks.UpdateClusterConfigInput) {
				in.ResourcesVpcConfig = &types.VpcConfigRequest{EndpointPrivateAccess: no, EndpointPublicAccess: yes}
			}, "Cluster is already at the desired configuration with endpointPrivateAccess: false , endpointPublicAccess: true, and Public Endpoint Restrictions: [0.0.0.0/0]"},
			{"no endpoint", func(in *eks.UpdateClusterConfigInput) {
				in.ResourcesVpcConfig = &types.VpcConfigRequest{EndpointPublicAccess: no}
			}, "Private and public endpoint access cannot be false"},
			{"subnets", func(in *eks.UpdateClusterConfigInput) {
				in.ResourcesVpcConfig = &types.VpcConfigRequest{SubnetIds: []string{"subnet-a2", "subnet-b"}}
			}, "VpcConfigUpdate is not supported by eksact: this part of a cluster can't be changed"},
			{"access entries", func(in *eks.UpdateClusterConfigInput) {
				in.AccessConfig = &types.UpdateAccessConfigRequest{AuthenticationMode: "API"}
			}, "Unsupported authentication mode update from CONFIG_MAP to API"},
			{"the mode there is", func(in *eks.UpdateClusterConfigInput) {
				in.AccessConfig = &types.UpdateAccessConfigRequest{AuthenticationMode: "CONFIG_MAP"}
			}, "Unsupported authentication mode update from CONFIG_MAP to CONFIG_MAP"},
			{"no mode", func(in *eks.UpdateClusterConfigInput) { in.AccessConfig = &types.UpdateAccessConfigRequest{} }, "Invalid authentication mode: "},
			{"an unknown log type", func(in *eks.UpdateClusterConfigInput) { in.Logging = enable("etcd") }, "Unknown cluster log type: etcd"},
			{"the protection there is", func(in *eks.UpdateClusterConfigInput) { in.DeletionProtection = no },
				"Cluster is already at the desired configuration with deletionProtection: false"},
		} {
			t.Log(test.what)
			_, err := w.UpdateClusterConfig(ctx, change("cluster", test.change))
			wantError(t, err, "InvalidParameterException", test.message)
		}
		if n := w.updates.Len(); n != 0 {
			t.Errorf("refused updates left %d records", n)
		}
		if c, _ := w.Cluster("cluster"); c.Status != Active {
			t.Errorf("refused updates left the cluster %s", c.Status)
		}
		_, err := w.UpdateClusterConfig(ctx, change("other", func(in *eks.UpdateClusterConfigInput) { in.Logging = enable("api") }))
		wantError(t, err, "ResourceNotFoundException", "No cluster found for name: other.")

		w.runtime.set(func(r *runtime) { r.hold = make(chan struct{}) })
		w.create(t, ctx, "new")
		_, err = w.UpdateClusterConfig(ctx, change("new", func(in *eks.UpdateClusterConfigInput) { in.Logging = enable("api") }))
		wantError(t, err, "InvalidRequestException", "Cannot LoggingUpdate because cluster new is CREATING")
	})
}

func TestUpdateToken(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster")
		ask := func(list ...types.LogType) func(*eks.UpdateClusterConfigInput) {
			return func(in *eks.UpdateClusterConfigInput) {
				in.Logging, in.ClientRequestToken = enable(list...), aws.String("t")
			}
		}
		first := w.update(t, ctx, "cluster", ask("api"))
		again := w.update(t, ctx, "cluster", ask("api"))
		if *first.Id != *again.Id || again.Status != types.UpdateStatusSuccessful {
			t.Errorf("the same request again made update %s, %s", *again.Id, again.Status)
		}
		_, err := w.UpdateClusterConfig(ctx, change("cluster", ask("audit")))
		wantError(t, err, "InvalidParameterException", "The clientRequestToken was already used by a request with different parameters.")
	})
}

func TestListUpdates(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		name := aws.String("cluster")
		w.create(t, ctx, "cluster")
		var want []string
		for _, on := range []bool{true, false, true} {
			time.Sleep(time.Second)
			want = append(want, *w.update(t, ctx, "cluster", func(in *eks.UpdateClusterConfigInput) { in.DeletionProtection = &on }).Id)
		}
		var got []string
		pages := eks.NewListUpdatesPaginator(lister{w.Service}, &eks.ListUpdatesInput{Name: name, MaxResults: aws.Int32(2)})
		for pages.HasMorePages() {
			out, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, out.UpdateIds...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		_, err := w.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: name, UpdateId: aws.String("x")})
		wantError(t, err, "ResourceNotFoundException", "No update found for ID: x")
		_, err = w.ListUpdates(ctx, &eks.ListUpdatesInput{Name: name, NodegroupName: aws.String("ng")})
		wantError(t, err, "ResourceNotFoundException", "No node group found for name: ng.")
	})
}

// lister lets the SDK's paginators call the handlers.
type lister struct{ s *Service }

func (l lister) ListUpdates(ctx context.Context, in *eks.ListUpdatesInput, _ ...func(*eks.Options)) (*eks.ListUpdatesOutput, error) {
	return l.s.ListUpdates(ctx, in)
}

func (l lister) ListClusters(ctx context.Context, in *eks.ListClustersInput, _ ...func(*eks.Options)) (*eks.ListClustersOutput, error) {
	return l.s.ListClusters(ctx, in)
}

func (l lister) DescribeClusterVersions(ctx context.Context, in *eks.DescribeClusterVersionsInput, _ ...func(*eks.Options)) (*eks.DescribeClusterVersionsOutput, error) {
	return l.s.DescribeClusterVersions(ctx, in)
}
