package eks

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/mapping"
	"github.com/eksact/eksact/internal/store"
)

// maxClusters is EKS's default quota per region.
const maxClusters = 100

// CreateCluster validates the request, writes the record and answers with a
// cluster that is CREATING. Its caller becomes the cluster's admin: hidden in mode
// CONFIG_MAP, by an access entry in the others.
func (s *Service) CreateCluster(ctx context.Context, in *eks.CreateClusterInput) (*eks.CreateClusterOutput, error) {
	name := aws.ToString(in.Name)
	if err := checkName("name", name); err != nil {
		return nil, err
	}
	digest := digestOf(withoutToken(in))
	if c, err := s.sameCreation(s.clusters.List(""), name, aws.ToString(in.ClientRequestToken), digest); c != nil || err != nil {
		return createOutput(s, c), err
	}
	c, err := s.draft(ctx, name, in)
	if err != nil {
		return nil, err
	}
	c.Digest = digest
	var repeated *Cluster
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		table := s.clusters.In(tx)
		var err error
		if repeated, err = s.sameCreation(table.List(""), name, c.Token, digest); repeated != nil || err != nil {
			return err
		}
		n := 0
		for range table.List("") {
			n++
		}
		if n >= maxClusters {
			return limitExceeded(name, "Cluster limit exceeded for account.")
		}
		table.Put(name, c)
		if e, ok := s.creatorEntry(c); ok && mapping.Mode(c.AuthenticationMode).AccessEntries() {
			s.putEntry(tx, e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if repeated != nil {
		return createOutput(s, repeated), nil
	}
	return createOutput(s, &c), nil
}

func createOutput(s *Service, c *Cluster) *eks.CreateClusterOutput {
	if c == nil {
		return nil
	}
	return &eks.CreateClusterOutput{Cluster: s.view(*c)}
}

// sameCreation finds the cluster that an earlier call with the same token made.
// A taken name, or a token that came with other parameters, is an error.
func (s *Service) sameCreation(clusters func(func(string, Cluster) bool), name, token, digest string) (*Cluster, error) {
	for _, c := range clusters {
		switch {
		case token != "" && c.Token == token && c.Digest == digest:
			return &c, nil
		case token != "" && c.Token == token:
			return nil, invalidParameter(name, "The clientRequestToken was already used by a request with different parameters.")
		case c.Name == name:
			return nil, inUse(name, "Cluster already exists with name: %s", name)
		}
	}
	return nil, nil
}

// draft is the record that the request asks for.
func (s *Service) draft(ctx context.Context, name string, in *eks.CreateClusterInput) (Cluster, error) {
	c := Cluster{
		Name:               name,
		ID:                 strings.ToUpper(randomHex(32)),
		Status:             Creating,
		CreatedAt:          s.Now(),
		RoleARN:            aws.ToString(in.RoleArn),
		Version:            aws.ToString(in.Version),
		DeletionProtection: aws.ToBool(in.DeletionProtection),
		Bare:               in.BootstrapSelfManagedAddons != nil && !*in.BootstrapSelfManagedAddons,
		Tags:               api.WithSystemTags(ctx, in.Tags),
		Token:              aws.ToString(in.ClientRequestToken),
	}
	c.Host, c.Issuer = s.host(c.ID), s.issuer(c.ID)

	caller := api.CallerFrom(ctx)
	if caller.Type == api.Anonymous {
		return c, &types.AccessDeniedException{Message: aws.String("A cluster can't be created anonymously.")}
	}
	c.Creator = Principal{ARN: caller.PrincipalARN, ID: caller.PrincipalID}

	if err := firstError(c.setParts(in), c.checkRuns(s.PatchVersions)); err != nil {
		return c, err
	}
	for _, check := range []func() error{
		func() error { return s.checkRole(ctx, name, c.RoleARN) },
		func() error { return s.setNetwork(ctx, &c, in.ResourcesVpcConfig) },
		func() error { return s.setServices(&c, in.KubernetesNetworkConfig) },
	} {
		if err := check(); err != nil {
			return c, err
		}
	}
	return c, nil
}

// checkRuns refuses versions that EKS has and that can't be run here.
func (c *Cluster) checkRuns(runs map[string]string) error {
	if runs[c.Version] != "" {
		return nil
	}
	return invalidParameter(c.Name, "unsupported Kubernetes version %s: eksact runs %s", c.Version, strings.Join(slices.Sorted(maps.Keys(runs)), ", "))
}

// setParts are those that can be judged without the account.
func (c *Cluster) setParts(in *eks.CreateClusterInput) error {
	if c.Version == "" {
		c.Version = DefaultVersion
	}
	if !Supported(c.Version) {
		return invalidParameter(c.Name, "unsupported Kubernetes version %s", c.Version)
	}
	for _, check := range []func() error{
		func() error { return refuseUnsupported(c.Name, in) },
		func() error { return checkTags(c.Name, in.Tags) },
		func() error { return c.setAccess(in.AccessConfig) },
		func() error { return c.setLogging(in.Logging) },
		func() error { return c.setSupport(in.UpgradePolicy) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// refuseUnsupported names the first thing asked for that isn't there.
func refuseUnsupported(name string, in *eks.CreateClusterInput) error {
	refused := func(parameter, why string) error { return unsupported(name, parameter, why) }
	switch {
	case in.OutpostConfig != nil:
		return refused("outpostConfig", "there are no Outposts on this machine")
	case in.RemoteNetworkConfig != nil:
		return refused("remoteNetworkConfig", "there are no hybrid nodes")
	case len(in.EncryptionConfig) > 0:
		return refused("encryptionConfig", "there are no KMS keys; secrets are always encrypted, with a key of the cluster's own")
	case in.ComputeConfig != nil && aws.ToBool(in.ComputeConfig.Enabled):
		return refused("computeConfig", "there is no Auto Mode")
	case in.StorageConfig != nil && in.StorageConfig.BlockStorage != nil && aws.ToBool(in.StorageConfig.BlockStorage.Enabled):
		return refused("storageConfig", "there is no Auto Mode")
	case in.ZonalShiftConfig != nil && aws.ToBool(in.ZonalShiftConfig.Enabled):
		return refused("zonalShiftConfig", "all zones are on this machine")
	case in.ControlPlaneScalingConfig != nil && in.ControlPlaneScalingConfig.Tier != types.ProvisionedControlPlaneTierStandard:
		return refused("controlPlaneScalingConfig", "control planes have one size, standard")
	case in.KubeApiServerConfig != nil:
		return refused("kubeApiServerConfig", "control planes have fixed settings")
	case in.KubeControllerManagerConfig != nil:
		return refused("kubeControllerManagerConfig", "control planes have fixed settings")
	case in.KubeSchedulerConfig != nil:
		return refused("kubeSchedulerConfig", "control planes have fixed settings")
	}
	return nil
}

func (s *Service) checkRole(ctx context.Context, name, role string) error {
	if role == "" {
		return invalidParameter(name, "The role ARN is required.")
	}
	if err := s.Roles.CheckPass(ctx, role, servicePrincipal); err != nil {
		return err
	}
	if !s.Roles.Assumable(ctx, role, servicePrincipal) {
		return invalidParameter(name, "Role with arn: %s, could not be assumed because it does not exist or the trusted entity is not correct", role)
	}
	return nil
}

func (c *Cluster) setAccess(in *types.CreateAccessConfigRequest) error {
	c.AuthenticationMode, c.CreatorAdmin = string(types.AuthenticationModeConfigMap), true
	if in == nil {
		return nil
	}
	if in.BootstrapClusterCreatorAdminPermissions != nil {
		c.CreatorAdmin = *in.BootstrapClusterCreatorAdminPermissions
	}
	switch in.AuthenticationMode {
	case "", types.AuthenticationModeConfigMap:
		if !c.CreatorAdmin {
			return invalidParameter(c.Name, "bootstrapClusterCreatorAdminPermissions must be true if cluster authentication mode is set to CONFIG_MAP")
		}
	case types.AuthenticationModeApiAndConfigMap, types.AuthenticationModeApi:
		c.AuthenticationMode = string(in.AuthenticationMode)
	default:
		return invalidParameter(c.Name, "Invalid authentication mode: %s", in.AuthenticationMode)
	}
	return nil
}

func (c *Cluster) setSupport(in *types.UpgradePolicyRequest) error {
	c.SupportType = string(types.SupportTypeExtended)
	if in == nil || in.SupportType == "" {
		return nil
	}
	return checkSupport(c.Name, in.SupportType, &c.SupportType)
}

func checkSupport(name string, in types.SupportType, to *string) error {
	switch in {
	case types.SupportTypeExtended, types.SupportTypeStandard:
		*to = string(in)
		return nil
	}
	return invalidParameter(name, "Invalid support type: %s", in)
}

// withoutToken is the request as far as it says what is wanted.
func withoutToken(in *eks.CreateClusterInput) eks.CreateClusterInput {
	wanted := *in
	wanted.ClientRequestToken = nil
	return wanted
}

// randomHex returns n hexadecimal digits.
func randomHex(n int) string {
	b := make([]byte, (n+1)/2)
	rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)[:n]
}
