package eks

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

// Names of the add-ons that are there.
const (
	VPCCNI    = "vpc-cni"
	CoreDNS   = "coredns"
	KubeProxy = "kube-proxy"
	// MetricsServer says what nodes and pods use.
	MetricsServer = "metrics-server"
	// PodIdentityAgent gives pods their credentials on every node.
	PodIdentityAgent = "eks-pod-identity-agent"
)

// addon is an add-on that clusters can have.
type addon struct {
	name string
	// version is the add-on's for a cluster of that minor, or "". Patches are the
	// releases of Kubernetes, by minor.
	version func(patches map[string]string, minor string) string
	schema  schema
	kind    string // what the API says it is for; "" is networking
	// account is the service account of its software that can have a role, and policy
	// what EKS recommends for it; "" of software that calls no AWS API.
	account, policy string
	// fixed says why its software can't be taken away; "" when it can.
	fixed string
}

// catalog lists the add-ons by name. A version names the software as EKS would:
// CoreDNS's and Kubernetes' own, of which there is one each. That of vpc-cni is the
// release of Amazon's add-on whose network policies those here are like.
var catalog = []addon{
	{
		name:    CoreDNS,
		version: func(_ map[string]string, minor string) string { return ifSupported(minor, "v1.15.0-eksbuild.1") },
		schema: schema{title: "Coredns", settings: map[string]setting{
			"corefile":     {kind: "string", description: "Entire corefile contents to use with installation"},
			"replicaCount": {kind: "integer", atLeast: 1},
		}},
	},
	{
		name:    PodIdentityAgent,
		version: func(_ map[string]string, minor string) string { return ifSupported(minor, "v1.3.8-eksbuild.2") },
		schema:  schema{title: "EksPodIdentityAgent"},
		kind:    "security",
	},
	{
		name: KubeProxy,
		version: func(patches map[string]string, minor string) string {
			if patch := patches[minor]; patch != "" {
				return "v" + patch + "-eksbuild.1"
			}
			return ""
		},
		schema: schema{title: "KubeProxy"},
		fixed:  "nodes always run kube-proxy",
	},
	{
		name:    MetricsServer,
		version: func(_ map[string]string, minor string) string { return ifSupported(minor, "v0.9.0-eksbuild.1") },
		schema:  schema{title: "MetricsServer", settings: map[string]setting{"replicas": {kind: "integer", atLeast: 1}}},
		kind:    "observability",
	},
	{
		name:    VPCCNI,
		version: func(_ map[string]string, minor string) string { return ifSupported(minor, "v1.21.1-eksbuild.1") },
		schema: schema{title: "VpcCni", settings: map[string]setting{
			"enableNetworkPolicy": {kind: "string", format: "boolean", enum: []string{"true", "false"}},
		}},
		account: "aws-node", policy: "AmazonEKS_CNI_Policy",
		fixed: "pods get their addresses by it",
	},
}

// absent are add-ons of EKS that aren't there; any other name is none of EKS's
// either. From https://docs.aws.amazon.com/eks/latest/userguide/workloads-add-ons-available-eks.html
// and community-addons.html beside it.
var absent = []string{
	"adot", "amazon-cloudwatch-observability", "amazon-sagemaker-hyperpod-taskgovernance", "amazon-sagemaker-hyperpod-training-operator",
	"aws-ebs-csi-driver", "aws-efs-csi-driver", "aws-fsx-csi-driver", "aws-guardduty-agent", "aws-mountpoint-s3-csi-driver",
	"aws-network-flow-monitoring-agent", "aws-privateca-connector-for-kubernetes", "aws-secrets-store-csi-driver-provider", "cert-manager",
	"eks-node-monitoring-agent", "external-dns", "fluent-bit", "kube-state-metrics",
	"prometheus-node-exporter", "snapshot-controller",
}

func ifSupported(minor, version string) string {
	if Supported(minor) {
		return version
	}
	return ""
}

// offered returns an add-on that a cluster can have, or the error that EKS has for
// the name or the version.
func offered(patches map[string]string, c Cluster, name, version string) (addon, string, error) {
	i := slices.IndexFunc(catalog, func(a addon) bool { return a.name == name })
	switch {
	case name == "":
		return addon{}, "", invalidAddon(c.Name, name, "The parameter addonName is required.")
	case i < 0 && slices.Contains(absent, name):
		return addon{}, "", invalidAddon(c.Name, name, "addonName %s is not supported by eksact: there are %s, %s, %s, %s and %s", name, VPCCNI, CoreDNS, KubeProxy, MetricsServer, PodIdentityAgent)
	case i < 0 || catalog[i].version(patches, c.Version) == "":
		return addon{}, "", invalidAddon(c.Name, name, "Addon %s specified is not supported in %s kubernetes version", name, c.Version)
	}
	there := catalog[i].version(patches, c.Version)
	if version != "" && version != there {
		return addon{}, "", invalidAddon(c.Name, name, "Addon version specified is not supported")
	}
	return catalog[i], there, nil
}

// DescribeAddonVersions lists the add-ons that clusters can have.
func (s *Service) DescribeAddonVersions(_ context.Context, in *eks.DescribeAddonVersionsInput) (*eks.DescribeAddonVersionsOutput, error) {
	found := map[string]types.AddonInfo{}
	var names []string
	for _, a := range catalog {
		info := s.addonInfo(a, aws.ToString(in.KubernetesVersion))
		switch {
		case in.AddonName != nil && *in.AddonName != a.name,
			len(info.AddonVersions) == 0,
			!wanted(in.Types, *info.Type), !wanted(in.Owners, *info.Owner), !wanted(in.Publishers, *info.Publisher):
			continue
		}
		names = append(names, a.name)
		found[a.name] = info
	}
	filter := *in
	filter.MaxResults, filter.NextToken = nil, nil
	cut, next, err := page(names, digestOf([]any{"DescribeAddonVersions", filter}), in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &eks.DescribeAddonVersionsOutput{Addons: []types.AddonInfo{}, NextToken: next}
	for _, name := range cut {
		out.Addons = append(out.Addons, found[name])
	}
	return out, nil
}

func wanted(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }

// addonInfo shows an add-on's versions for a minor, or for all if it is empty.
func (s *Service) addonInfo(a addon, minor string) types.AddonInfo {
	info := types.AddonInfo{
		AddonName: aws.String(a.name), Type: aws.String(cmp.Or(a.kind, "networking")), Owner: aws.String("aws"), Publisher: aws.String("eks"),
		DefaultNamespace: aws.String(addonNamespace),
	}
	for _, v := range versions {
		version := a.version(s.PatchVersions, v.minor)
		if version == "" || minor != "" && minor != v.minor {
			continue
		}
		fits := types.Compatibility{ClusterVersion: aws.String(v.minor), DefaultVersion: true, PlatformVersions: []string{"*"}}
		i := slices.IndexFunc(info.AddonVersions, func(have types.AddonVersionInfo) bool { return *have.AddonVersion == version })
		if i < 0 {
			i = len(info.AddonVersions)
			info.AddonVersions = append(info.AddonVersions, types.AddonVersionInfo{
				AddonVersion: aws.String(version), Architecture: []string{"amd64", "arm64"}, ComputeTypes: []string{"ec2"},
				RequiresConfiguration: false, RequiresIamPermissions: a.account != "",
			})
		}
		info.AddonVersions[i].Compatibilities = append(info.AddonVersions[i].Compatibilities, fits)
	}
	return info
}

// DescribeAddonConfiguration shows the schema of an add-on's configuration: what
// can be set here.
func (s *Service) DescribeAddonConfiguration(_ context.Context, in *eks.DescribeAddonConfigurationInput) (*eks.DescribeAddonConfigurationOutput, error) {
	name, version := aws.ToString(in.AddonName), aws.ToString(in.AddonVersion)
	for _, v := range slices.Backward(versions) {
		i := slices.IndexFunc(catalog, func(a addon) bool {
			return a.name == name && version != "" && a.version(s.PatchVersions, v.minor) == version
		})
		if i >= 0 {
			return &eks.DescribeAddonConfigurationOutput{
				AddonName: in.AddonName, AddonVersion: in.AddonVersion, ConfigurationSchema: aws.String(catalog[i].schema.text()),
				PodIdentityConfiguration: s.recommended(catalog[i]),
			}, nil
		}
	}
	if _, _, err := offered(s.PatchVersions, Cluster{Version: DefaultVersion}, name, version); err != nil {
		return nil, err
	}
	return nil, invalidAddon("", name, "The parameter addonVersion is required.")
}

// recommended is what EKS says about the roles of an add-on's service accounts.
func (s *Service) recommended(a addon) []types.AddonPodIdentityConfiguration {
	if a.account == "" {
		return nil
	}
	return []types.AddonPodIdentityConfiguration{{
		ServiceAccount: aws.String(a.account), RecommendedManagedPolicies: []string{"arn:" + s.Place.Partition + ":iam::aws:policy/" + a.policy},
	}}
}

// NetworkPolicyEnabled says whether a cluster's NetworkPolicies are to be enforced:
// unless its vpc-cni was configured not to.
func (s *Service) NetworkPolicyEnabled(cluster string) bool {
	c, ok := s.clusters.Get(cluster)
	return ok && !c.NetworkPolicyOff
}

// addonARN is an add-on's, or a pattern for one that is not there.
func (s *Service) addonARN(cluster, name string) string {
	a, _ := s.addons.Get(addonKey(cluster, name))
	return s.arnOf("addon/" + addonKey(cluster, name) + "/" + cmp.Or(a.ID, "*"))
}

func addonKey(cluster, name string) string { return cluster + "/" + name }
