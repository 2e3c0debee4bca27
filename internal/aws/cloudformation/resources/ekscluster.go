package resources

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/engine/template"
)

// How long EKS may take.
const (
	clusterLimit = 40 * time.Minute
	addonLimit   = 20 * time.Minute
)

// clusterParts are the properties that CreateCluster takes as they are.
var clusterParts = []string{
	"Name", "RoleArn", "Version", "AccessConfig", "BootstrapSelfManagedAddons", "ComputeConfig", "DeletionProtection", "EncryptionConfig",
	"KubernetesNetworkConfig", "OutpostConfig", "RemoteNetworkConfig", "ResourcesVpcConfig", "StorageConfig", "UpgradePolicy", "ZonalShiftConfig",
}

func createCluster(ctx context.Context, j *Job) (Made, error) {
	p, name := j.Properties, j.name("Name")
	if j.PhysicalID == "" {
		in := &eks.CreateClusterInput{Tags: eksTags(p), Logging: logging(p, nil)}
		if err := into(in, p, clusterParts...); err != nil {
			return Made{}, err
		}
		in.Name = &name
		_, err := call[eks.CreateClusterOutput](ctx, j, "eks", "CreateCluster", in)
		if err != nil {
			found, e := cluster(ctx, j, name)
			if !exists(err) || e != nil || !j.mine(found.CreatedAt) {
				return Made{}, err
			}
		}
		j.initiated(name)
	}
	var c *types.Cluster
	err := until(ctx, clusterLimit, func() (done bool, err error) {
		if c, err = cluster(ctx, j, name); err != nil {
			return false, err
		}
		if c.Status == types.ClusterStatusFailed {
			return false, errors.New("the cluster failed: " + clusterHealth(c))
		}
		return c.Status == types.ClusterStatusActive, nil
	})
	if err != nil {
		return Made{ID: name}, err
	}
	return Made{name, clusterAttributes(c)}, nil
}

func cluster(ctx context.Context, j *Job, name string) (*types.Cluster, error) {
	out, err := call[eks.DescribeClusterOutput](ctx, j, "eks", "DescribeCluster", &eks.DescribeClusterInput{Name: &name})
	if err != nil {
		return nil, err
	}
	return out.Cluster, nil
}

func clusterHealth(c *types.Cluster) string {
	var said []string
	if c.Health != nil {
		for _, i := range c.Health.Issues {
			said = append(said, aws.ToString(i.Message))
		}
	}
	return strings.Join(said, "; ")
}

func clusterAttributes(c *types.Cluster) map[string]any {
	a := map[string]any{"Arn": aws.ToString(c.Arn), "Endpoint": aws.ToString(c.Endpoint), "Id": aws.ToString(c.Id), "EncryptionConfigKeyArn": ""}
	if c.CertificateAuthority != nil {
		a["CertificateAuthorityData"] = aws.ToString(c.CertificateAuthority.Data)
		a["CertificateAuthority.Data"] = a["CertificateAuthorityData"]
	}
	if c.ResourcesVpcConfig != nil {
		a["ClusterSecurityGroupId"] = aws.ToString(c.ResourcesVpcConfig.ClusterSecurityGroupId)
	}
	if c.Identity != nil && c.Identity.Oidc != nil {
		a["OpenIdConnectIssuerUrl"] = aws.ToString(c.Identity.Oidc.Issuer)
	}
	if n := c.KubernetesNetworkConfig; n != nil && n.ServiceIpv6Cidr != nil {
		a["KubernetesNetworkConfig.ServiceIpv6Cidr"] = *n.ServiceIpv6Cidr
	}
	return a
}

// logging is what the property Logging says, as the API does; types that before has on
// and p has not are turned off. Nil where neither says anything.
func logging(p, before map[string]any) *types.Logging {
	on, was := logTypes(p), logTypes(before)
	var setups []types.LogSetup
	add := func(names []string, enabled bool) {
		if len(names) == 0 {
			return
		}
		s := types.LogSetup{Enabled: &enabled}
		for _, n := range names {
			s.Types = append(s.Types, types.LogType(n))
		}
		setups = append(setups, s)
	}
	add(on, true)
	add(dropped(was, on), false)
	if setups == nil {
		return nil
	}
	return &types.Logging{ClusterLogging: setups}
}

func logTypes(p map[string]any) (names []string) {
	for _, x := range objects(object(object(p, "Logging"), "ClusterLogging"), "EnabledTypes") {
		names = append(names, text(x, "Type"))
	}
	return names
}

// updateCluster makes one update after the other, as EKS wants it.
func updateCluster(ctx context.Context, j *Job) (Made, error) {
	p, name := j.Properties, j.PhysicalID
	differs := func(property string) bool { return !template.Equal(j.Old[property], p[property]) }
	if differs("Version") {
		version := text(p, "Version")
		c, err := cluster(ctx, j, name)
		if err != nil {
			return Made{}, err
		}
		if aws.ToString(c.Version) != version {
			if err := do(ctx, j, "eks", step{"UpdateClusterVersion", &eks.UpdateClusterVersionInput{Name: &name, Version: &version}}); err != nil {
				return Made{}, err
			}
		}
	}
	var updates []*eks.UpdateClusterConfigInput
	if differs("Logging") {
		updates = append(updates, &eks.UpdateClusterConfigInput{Name: &name, Logging: logging(p, j.Old)})
	}
	for _, part := range []string{"ResourcesVpcConfig", "AccessConfig", "DeletionProtection", "ComputeConfig", "StorageConfig", "UpgradePolicy", "ZonalShiftConfig", "RemoteNetworkConfig"} {
		if !differs(part) {
			continue
		}
		in := &eks.UpdateClusterConfigInput{}
		if err := into(in, p, part); err != nil {
			return Made{}, err
		}
		if in.Name = &name; in.ResourcesVpcConfig != nil {
			in.ResourcesVpcConfig.SubnetIds, in.ResourcesVpcConfig.SecurityGroupIds = nil, nil // changes of these replace
		}
		updates = append(updates, in)
	}
	for _, in := range updates {
		out, err := call[eks.UpdateClusterConfigOutput](ctx, j, "eks", "UpdateClusterConfig", in)
		if j.settled(err) {
			continue
		}
		if err != nil {
			return Made{}, err
		}
		if err := updated(ctx, j, name, nil, out.Update.Id); err != nil {
			return Made{}, err
		}
	}
	if err := retag(ctx, j, text(j.After.Attributes, "Arn")); err != nil {
		return Made{}, err
	}
	c, err := cluster(ctx, j, name)
	if err != nil {
		return Made{}, err
	}
	return Made{Attributes: clusterAttributes(c)}, nil
}

// settled says whether EKS refuses an update for having been done, by one that the stack
// does not know to have ended.
func (j *Job) settled(err error) bool {
	return err != nil && j.May != nil && (strings.Contains(err.Error(), "already at the desired configuration") || strings.Contains(err.Error(), "No changes needed"))
}

// updated waits for an update of a cluster or its add-on.
func updated(ctx context.Context, j *Job, name string, addon, id *string) error {
	return awaitUpdate(ctx, j, clusterLimit, &eks.DescribeUpdateInput{Name: &name, AddonName: addon, UpdateId: id})
}

// awaitUpdate waits for an update, of whatever the request asks for.
func awaitUpdate(ctx context.Context, j *Job, limit time.Duration, in *eks.DescribeUpdateInput) error {
	return until(ctx, limit, func() (bool, error) {
		out, err := call[eks.DescribeUpdateOutput](ctx, j, "eks", "DescribeUpdate", in)
		if err != nil {
			return false, err
		}
		switch out.Update.Status {
		case types.UpdateStatusSuccessful:
			return true, nil
		case types.UpdateStatusFailed, types.UpdateStatusCancelled:
			var said []string
			for _, e := range out.Update.Errors {
				said = append(said, aws.ToString(e.ErrorMessage))
			}
			return false, fmt.Errorf("the update is %s: %s", out.Update.Status, strings.Join(said, "; "))
		}
		return false, nil
	})
}

func deleteCluster(ctx context.Context, j *Job) error {
	if err := do(ctx, j, "eks", step{"DeleteCluster", &eks.DeleteClusterInput{Name: &j.PhysicalID}}); err != nil {
		return err
	}
	return until(ctx, clusterLimit, func() (bool, error) {
		_, err := cluster(ctx, j, j.PhysicalID)
		if gone(err) {
			return true, nil
		}
		return false, err
	})
}

func createAddon(ctx context.Context, j *Job) (Made, error) {
	p := j.Properties
	id := text(p, "ClusterName") + "|" + text(p, "AddonName")
	if j.PhysicalID == "" {
		in := &eks.CreateAddonInput{Tags: eksTags(p)}
		err := into(in, p, "ClusterName", "AddonName", "AddonVersion", "ConfigurationValues", "NamespaceConfig", "PodIdentityAssociations", "ResolveConflicts", "ServiceAccountRoleArn")
		if err != nil {
			return Made{}, err
		}
		if _, err = call[eks.CreateAddonOutput](ctx, j, "eks", "CreateAddon", in); err != nil {
			found, e := addon(ctx, j)
			if !exists(err) || e != nil || !j.mine(found.CreatedAt) {
				return Made{}, err
			}
		}
		j.initiated(id)
	}
	a, err := activeAddon(ctx, j)
	if err != nil {
		return Made{ID: id}, err
	}
	return Made{id, map[string]any{"Arn": aws.ToString(a.AddonArn)}}, nil
}

func addon(ctx context.Context, j *Job) (*types.Addon, error) {
	p := j.Properties
	if p == nil {
		p = j.Old
	}
	out, err := call[eks.DescribeAddonOutput](ctx, j, "eks", "DescribeAddon", &eks.DescribeAddonInput{ClusterName: ptr(p, "ClusterName"), AddonName: ptr(p, "AddonName")})
	if err != nil {
		return nil, err
	}
	return out.Addon, nil
}

// activeAddon waits until an add-on is there.
func activeAddon(ctx context.Context, j *Job) (a *types.Addon, err error) {
	err = until(ctx, addonLimit, func() (bool, error) {
		if a, err = addon(ctx, j); err != nil {
			return false, err
		}
		if a.Status == types.AddonStatusCreateFailed || a.Status == types.AddonStatusUpdateFailed {
			var said []string
			if a.Health != nil {
				for _, i := range a.Health.Issues {
					said = append(said, aws.ToString(i.Message))
				}
			}
			return false, fmt.Errorf("the add-on is %s: %s", a.Status, strings.Join(said, "; "))
		}
		return a.Status == types.AddonStatusActive || a.Status == types.AddonStatusDegraded, nil
	})
	return a, err
}

func updateAddon(ctx context.Context, j *Job) (Made, error) {
	in := &eks.UpdateAddonInput{}
	err := into(in, j.Properties, "ClusterName", "AddonName", "AddonVersion", "ConfigurationValues", "PodIdentityAssociations", "ResolveConflicts", "ServiceAccountRoleArn")
	if err != nil {
		return Made{}, err
	}
	out, err := call[eks.UpdateAddonOutput](ctx, j, "eks", "UpdateAddon", in)
	if err != nil {
		return Made{}, err
	}
	if err := updated(ctx, j, *in.ClusterName, in.AddonName, out.Update.Id); err != nil {
		return Made{}, err
	}
	return Made{}, retag(ctx, j, text(j.After.Attributes, "Arn"))
}

func deleteAddon(ctx context.Context, j *Job) error {
	p := j.Old
	in := &eks.DeleteAddonInput{ClusterName: ptr(p, "ClusterName"), AddonName: ptr(p, "AddonName"), Preserve: aws.ToBool(flag(p, "PreserveOnDelete"))}
	if err := do(ctx, j, "eks", step{"DeleteAddon", in}); err != nil {
		return err
	}
	return until(ctx, addonLimit, func() (bool, error) {
		_, err := addon(ctx, j)
		if gone(err) {
			return true, nil
		}
		return false, err
	})
}
