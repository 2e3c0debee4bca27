package eks

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

func access(v *types.VpcConfigRequest) func(*eks.UpdateClusterConfigInput) {
	return func(in *eks.UpdateClusterConfigInput) { in.ResourcesVpcConfig = v }
}

func TestEndpointAccessUpdate(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster")
		yes, no := aws.Bool(true), aws.Bool(false)
		for _, step := range []struct {
			what            string
			in              *types.VpcConfigRequest
			params          []Param
			public, private bool
			cidrs           []string
		}{
			{"private too", &types.VpcConfigRequest{EndpointPrivateAccess: yes},
				[]Param{{"EndpointPublicAccess", "true"}, {"EndpointPrivateAccess", "true"}}, true, true, []string{"0.0.0.0/0"}},
			{"for some", &types.VpcConfigRequest{PublicAccessCidrs: []string{"198.18.0.1/32", "4.4.4.0/24"}},
				[]Param{{"EndpointPublicAccess", "true"}, {"EndpointPrivateAccess", "true"}, {"PublicAccessCidrs", `["198.18.0.1/32","4.4.4.0/24"]`}}, true, true, []string{"198.18.0.1/32", "4.4.4.0/24"}},
			{"not public: the ranges stay", &types.VpcConfigRequest{EndpointPublicAccess: no},
				[]Param{{"EndpointPublicAccess", "false"}, {"EndpointPrivateAccess", "true"}}, false, true, []string{"198.18.0.1/32", "4.4.4.0/24"}},
			{"public alone, for all", &types.VpcConfigRequest{EndpointPublicAccess: yes, EndpointPrivateAccess: no, PublicAccessCidrs: []string{}},
				[]Param{{"EndpointPublicAccess", "true"}, {"EndpointPrivateAccess", "false"}, {"PublicAccessCidrs", `["0.0.0.0/0"]`}}, true, false, []string{"0.0.0.0/0"}},
		} {
			u := w.update(t, ctx, "cluster", access(step.in))
			if u.Type != types.UpdateTypeEndpointAccessUpdate || u.Status != types.UpdateStatusInProgress {
				t.Errorf("%s: %+v", step.what, u)
			}
			var params []Param
			for _, p := range u.Params {
				params = append(params, Param{string(p.Type), *p.Value})
			}
			if !slices.Equal(params, step.params) {
				t.Errorf("%s: parameters %v", step.what, params)
			}
			if u := w.described(t, ctx, "cluster", u.Id); u.Status != types.UpdateStatusSuccessful {
				t.Errorf("%s: it ended %s", step.what, u.Status)
			}
			v := w.describe(t, ctx, "cluster").ResourcesVpcConfig
			if v.EndpointPublicAccess != step.public || v.EndpointPrivateAccess != step.private || !slices.Equal(v.PublicAccessCidrs, step.cidrs) {
				t.Errorf("%s: shown as %t, %t, %v", step.what, v.EndpointPublicAccess, v.EndpointPrivateAccess, v.PublicAccessCidrs)
			}
			c, _ := w.Cluster("cluster")
			if running := w.runtime.running[c.ID].Access(); !reflect.DeepEqual(running, c.Access()) {
				t.Errorf("%s: the runtime has %+v", step.what, running)
			}
		}
		_, err := w.UpdateClusterConfig(ctx, change("cluster", access(&types.VpcConfigRequest{EndpointPublicAccess: yes})))
		wantError(t, err, "InvalidParameterException", "Cluster is already at the desired configuration with endpointPrivateAccess: false , endpointPublicAccess: true, and Public Endpoint Restrictions: [0.0.0.0/0]")
	})
}

func TestEndpointAccessUpdateInProgressAndFailed(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster")
		hold := make(chan struct{})
		w.runtime.set(func(r *runtime) { r.hold, r.accessErr = hold, errors.New("no rules") })
		private := access(&types.VpcConfigRequest{EndpointPrivateAccess: aws.Bool(true)})
		u := w.update(t, ctx, "cluster", private)
		_, err := w.UpdateClusterConfig(ctx, change("cluster", private))
		wantError(t, err, "ResourceInUseException", "Cannot EndpointAccessUpdate because cluster cluster currently has update "+*u.Id+" in progress")
		close(hold)
		settle()
		if u := w.described(t, ctx, "cluster", u.Id); u.Status != types.UpdateStatusFailed || *u.Errors[0].ErrorMessage != "no rules" {
			t.Errorf("%+v", u)
		}
		if c, _ := w.Cluster("cluster"); c.PrivateAccess || c.Status != Active {
			t.Errorf("after the failure: %+v, %s", c.Access(), c.Status)
		}
	})
}

func TestClustersAreCreatedWithAccess(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "private", func(in *eks.CreateClusterInput) {
			in.ResourcesVpcConfig.EndpointPublicAccess, in.ResourcesVpcConfig.EndpointPrivateAccess = aws.Bool(false), aws.Bool(true)
		})
		c, _ := w.Cluster("private")
		if v := w.describe(t, ctx, "private").ResourcesVpcConfig; v.EndpointPublicAccess || !v.EndpointPrivateAccess || len(v.PublicAccessCidrs) != 0 || len(c.Access().Sources()) != 0 {
			t.Errorf("%+v", v)
		}
		w.create(t, ctx, "both", func(in *eks.CreateClusterInput) {
			in.ResourcesVpcConfig.EndpointPrivateAccess, in.ResourcesVpcConfig.PublicAccessCidrs = aws.Bool(true), []string{"4.4.4.4/30"}
		})
		c, _ = w.Cluster("both")
		if got := c.Access().Sources(); !slices.Equal(got, []netip.Prefix{netip.MustParsePrefix("4.4.4.4/30")}) || !c.PrivateAccess {
			t.Errorf("%v, %+v", got, c.Access())
		}
	})
}
