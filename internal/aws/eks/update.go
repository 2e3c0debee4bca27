package eks

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/engine/mapping"
	"github.com/eksact/eksact/internal/store"
)

// UpdateClusterConfig starts one update of one type; Run carries it out. Types
// that aren't there are refused by name, after the checks that EKS would make.
func (s *Service) UpdateClusterConfig(ctx context.Context, in *eks.UpdateClusterConfigInput) (*eks.UpdateClusterConfigOutput, error) {
	c, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	kind, err := updateType(c.Name, in)
	if err != nil {
		return nil, err
	}
	wanted := *in
	wanted.ClientRequestToken = nil
	u := Update{
		ID:        uuid.NewString(),
		Cluster:   c.Name,
		Type:      string(kind),
		Status:    string(types.UpdateStatusInProgress),
		CreatedAt: s.Now(),
		Token:     aws.ToString(in.ClientRequestToken),
		Digest:    digestOf(wanted),
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		clusters, updates := s.clusters.In(tx), s.updates.In(tx)
		c, ok := clusters.Get(c.Name)
		if !ok {
			return noCluster(c.Name)
		}
		if old, err := repeated(updates.List(c.Name+"/"), u); old != nil || err != nil {
			if old != nil {
				u = *old
			}
			return err
		}
		switch c.Status {
		case Active:
		case Updating:
			return inUse(c.Name, "Cannot %s because cluster %s currently has update %s in progress", kind, c.Name, c.Update)
		default:
			return invalidRequest(c.Name, "Cannot %s because cluster %s is %s", kind, c.Name, c.Status)
		}
		if err := u.plan(c, in); err != nil {
			return err
		}
		c.Status, c.Update = Updating, u.ID
		clusters.Put(c.Name, c)
		updates.Put(updateKey(c.Name, u.ID), u)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &eks.UpdateClusterConfigOutput{Update: updateView(u)}, nil
}

// repeated finds the update that an earlier call with u's token started. A token
// that came with other parameters is an error.
func repeated(updates iter.Seq2[string, Update], u Update) (*Update, error) {
	for _, old := range updates {
		if u.Token == "" || old.Token != u.Token {
			continue
		}
		if old.Digest != u.Digest {
			return nil, invalidParameter(u.Cluster, "The clientRequestToken was already used by a request with different parameters.")
		}
		return &old, nil
	}
	return nil, nil
}

// updateType is the one type of update that the request asks for.
func updateType(cluster string, in *eks.UpdateClusterConfigInput) (types.UpdateType, error) {
	vpc := in.ResourcesVpcConfig
	if vpc == nil {
		vpc = &types.VpcConfigRequest{}
	}
	var asked []types.UpdateType
	for _, t := range []struct {
		kind  types.UpdateType
		asked bool
	}{
		{types.UpdateTypeLoggingUpdate, in.Logging != nil},
		{types.UpdateTypeEndpointAccessUpdate, asksAccess(vpc)},
		{types.UpdateTypeVpcConfigUpdate, len(vpc.SubnetIds) > 0 || len(vpc.SecurityGroupIds) > 0},
		{types.UpdateTypeControlPlaneEgressUpdate, vpc.ControlPlaneEgressMode != ""},
		{types.UpdateTypeAccessConfigUpdate, in.AccessConfig != nil},
		{types.UpdateTypeUpgradePolicyUpdate, in.UpgradePolicy != nil},
		{types.UpdateTypeZonalShiftConfigUpdate, in.ZonalShiftConfig != nil},
		{types.UpdateTypeAutoModeUpdate, in.ComputeConfig != nil || in.StorageConfig != nil || in.KubernetesNetworkConfig != nil},
		{types.UpdateTypeRemoteNetworkConfigUpdate, in.RemoteNetworkConfig != nil},
		{types.UpdateTypeDeletionProtectionUpdate, in.DeletionProtection != nil},
		{types.UpdateTypeControlPlaneScalingConfigUpdate, in.ControlPlaneScalingConfig != nil},
		{types.UpdateTypeControlPlaneComponentConfigUpdate, in.KubeApiServerConfig != nil || in.KubeControllerManagerConfig != nil || in.KubeSchedulerConfig != nil},
	} {
		if t.asked {
			asked = append(asked, t.kind)
		}
	}
	switch len(asked) {
	case 0:
		return "", invalidParameter(cluster, "The type for cluster update was not provided.")
	case 1:
		return asked[0], nil
	}
	return "", invalidParameter(cluster, "Only one type of update can be allowed.")
}

// plan writes into u what the request wants of c.
func (u *Update) plan(c Cluster, in *eks.UpdateClusterConfigInput) error {
	switch types.UpdateType(u.Type) {
	case types.UpdateTypeLoggingUpdate:
		return u.planLogging(c, in.Logging)
	case types.UpdateTypeDeletionProtectionUpdate:
		u.DeletionProtection = *in.DeletionProtection
		u.Params = []Param{{string(types.UpdateParamTypeDeletionProtection), strconv.FormatBool(u.DeletionProtection)}}
		if u.DeletionProtection == c.DeletionProtection {
			return invalidParameter(c.Name, "Cluster is already at the desired configuration with deletionProtection: %t", c.DeletionProtection)
		}
		return nil
	case types.UpdateTypeUpgradePolicyUpdate:
		return u.planSupport(c, in.UpgradePolicy)
	case types.UpdateTypeEndpointAccessUpdate:
		return u.planAccess(c, in.ResourcesVpcConfig)
	case types.UpdateTypeAccessConfigUpdate:
		return u.planMode(c, in.AccessConfig)
	}
	return unsupported(c.Name, u.Type, "this part of a cluster can't be changed")
}

func (u *Update) planLogging(c Cluster, in *types.Logging) error {
	var err error
	if u.Logging, err = loggingAfter(c.Name, c.Logging, in); err != nil {
		return err
	}
	if slices.Equal(u.Logging, c.Logging) {
		return invalidParameter(c.Name, "No changes needed for the logging config provided")
	}
	p, err := loggingParam(in)
	u.Params = []Param{p}
	return err
}

func (u *Update) planSupport(c Cluster, in *types.UpgradePolicyRequest) error {
	if err := checkSupport(c.Name, in.SupportType, &u.SupportType); err != nil {
		return err
	}
	if u.SupportType == c.SupportType {
		return invalidParameter(c.Name, "Cluster is already at the desired configuration with supportType: %s", c.SupportType)
	}
	u.Params = []Param{{string(types.UpdateParamTypeUpgradePolicy), fmt.Sprintf(`{"supportType":%q}`, u.SupportType)}}
	return nil
}

func (u *Update) planAccess(c Cluster, in *types.VpcConfigRequest) error {
	now := c.Access()
	want, err := endpointAccess(c.Name, now, in)
	if err != nil {
		return err
	}
	if want.equal(now) {
		return invalidParameter(c.Name, "Cluster is already at the desired configuration with endpointPrivateAccess: %t , endpointPublicAccess: %t, and Public Endpoint Restrictions: [%s]",
			now.Private, now.Public, strings.Join(now.CIDRs, ", "))
	}
	u.Access, u.Params = &want, accessParams(want, in)
	return nil
}

// nextMode is the one mode that a cluster of another can go to.
var nextMode = map[mapping.Mode]mapping.Mode{
	mapping.ModeConfigMap:       mapping.ModeAPIAndConfigMap,
	mapping.ModeAPIAndConfigMap: mapping.ModeAPI,
}

func (u *Update) planMode(c Cluster, in *types.UpdateAccessConfigRequest) error {
	u.AuthenticationMode = string(in.AuthenticationMode)
	u.Params = []Param{{string(types.UpdateParamTypeAuthenticationMode), u.AuthenticationMode}}
	switch {
	case !slices.Contains(in.AuthenticationMode.Values(), in.AuthenticationMode):
		return invalidParameter(c.Name, "Invalid authentication mode: %s", u.AuthenticationMode)
	case nextMode[mapping.Mode(c.AuthenticationMode)] != mapping.Mode(u.AuthenticationMode):
		return invalidParameter(c.Name, "Unsupported authentication mode update from %s to %s", c.AuthenticationMode, u.AuthenticationMode)
	}
	return nil
}
