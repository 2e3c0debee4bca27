package eks

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	"github.com/eksact/eksact/internal/aws/api"
)

// Precheck judges requests as their calls do, with the same errors, as far as that can be
// done without an account: for those who want to know before they make anything.
type Precheck struct {
	Place         api.Place
	PatchVersions map[string]string // releases of Kubernetes, by minor
	Arch          string            // the machine's, as EC2 names it
	TypeArch      func(instanceType string) (arch string, ok bool)
}

// Cluster judges a cluster without its role and subnets.
func (p Precheck) Cluster(in *eks.CreateClusterInput) error {
	c := Cluster{Name: aws.ToString(in.Name), Version: aws.ToString(in.Version)}
	if err := firstError(checkName("name", c.Name), c.setParts(in), c.checkRuns(p.PatchVersions)); err != nil || in.ResourcesVpcConfig == nil {
		return err
	}
	_, err := endpointAccess(c.Name, defaultAccess(), in.ResourcesVpcConfig)
	return err
}

// Addon judges an add-on of a cluster of a version, "" being the default. Whether its role
// exists is not asked.
func (p Precheck) Addon(version string, in *eks.CreateAddonInput) error {
	c := Cluster{Name: aws.ToString(in.ClusterName), Version: version}
	if version == "" {
		c.Version = DefaultVersion
	}
	kind, _, err := offered(p.PatchVersions, c, aws.ToString(in.AddonName), aws.ToString(in.AddonVersion))
	if err != nil {
		return err
	}
	return firstError(checkTags(c.Name, in.Tags),
		checkWishes(c.Name, kind, addonWishes{in.ConfigurationValues, in.ResolveConflicts, in.ServiceAccountRoleArn, in.PodIdentityAssociations, in.NamespaceConfig}))
}

// Nodegroup judges a node group without its role, subnets and launch template.
func (p Precheck) Nodegroup(in *eks.CreateNodegroupInput) error {
	n := Nodegroup{Cluster: aws.ToString(in.ClusterName), Name: aws.ToString(in.NodegroupName), Min: 1, Max: 2, Desired: 2}
	if err := n.setParts(in); err != nil || len(in.InstanceTypes) == 0 {
		return err
	}
	arch, err := archOf(p.TypeArch, n, in.InstanceTypes)
	if err != nil {
		return err
	}
	n.AMIType = string(amiTypes[arch])
	return checkImage(n, in.InstanceTypes, arch, p.Arch)
}

// AccessEntry judges an entry without its principal's existence.
func (p Precheck) AccessEntry(in *eks.CreateAccessEntryInput) error {
	_, err := checkEntry(p.Place, aws.ToString(in.ClusterName), aws.ToString(in.PrincipalArn), in)
	return err
}

// AccessPolicy judges a policy of an entry of the given type, "" being STANDARD.
func (p Precheck) AccessPolicy(kind string, in *eks.AssociateAccessPolicyInput) error {
	cluster := aws.ToString(in.ClusterName)
	if kind == "" {
		kind = standard
	}
	if k, known := entryTypeNamed(kind); known && !k.policies {
		return notStandard(cluster)
	}
	_, scope := scopeOf(cluster, in.AccessScope)
	_, err := policyNamed(p.Place, cluster, aws.ToString(in.PolicyArn))
	return firstError(err, scope)
}

// PodIdentity judges an association without its role's existence.
func (p Precheck) PodIdentity(in *eks.CreatePodIdentityAssociationInput) error {
	a := Association{Cluster: aws.ToString(in.ClusterName), Namespace: aws.ToString(in.Namespace), ServiceAccount: aws.ToString(in.ServiceAccount), RoleARN: aws.ToString(in.RoleArn)}
	return firstError(a.check(), checkTags(a.Cluster, in.Tags))
}
