package eks

import (
	"context"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// The condition keys of EKS, from the service authorization reference:
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelastickubernetesservice.html
// A key has a value if the request has the parameter: EKS's defaults are not in
// the request.

// addKeys registers what the operations' condition keys are.
func (s *Service) addKeys(svc *api.Service) {
	api.WithKeys(svc, "CreateCluster", func(_ context.Context, in *eks.CreateClusterInput, key string) policy.Values {
		return creationKey(in, key)
	})
	api.WithKeys(svc, "UpdateClusterConfig", func(_ context.Context, in *eks.UpdateClusterConfigInput, key string) policy.Values {
		return changeKey(in, key)
	})
	s.addEntryKeys(svc)
	// Tags at creation need the permission to tag.
	// https://docs.aws.amazon.com/eks/latest/userguide/eks-using-tags.html
	api.WithNeeds(svc, "CreateCluster", func(_ context.Context, in *eks.CreateClusterInput) []api.Need {
		if len(in.Tags) == 0 {
			return nil
		}
		return []api.Need{{Action: "eks:TagResource", Resources: s.arns(in.Name)}}
	})
	api.WithNeeds(svc, "CreateAddon", func(_ context.Context, in *eks.CreateAddonInput) []api.Need {
		if len(in.Tags) == 0 {
			return nil
		}
		return []api.Need{{Action: "eks:TagResource", Resources: s.addonARNs(in.ClusterName, in.AddonName)}}
	})
}

func creationKey(in *eks.CreateClusterInput, key string) policy.Values {
	switch key {
	case "eks:authenticationmode":
		if in.AccessConfig != nil {
			return stated(string(in.AccessConfig.AuthenticationMode))
		}
	case "eks:bootstrapclustercreatoradminpermissions":
		if in.AccessConfig != nil {
			return flag(in.AccessConfig.BootstrapClusterCreatorAdminPermissions)
		}
	case "eks:bootstrapselfmanagedaddons":
		return flag(in.BootstrapSelfManagedAddons)
	case "eks:kubernetesversion":
		return stated(aws.ToString(in.Version))
	case "eks:encryptionconfigproviderkeyarns":
		return keyARNs(in.EncryptionConfig)
	default:
		return settings{in.ResourcesVpcConfig, in.Logging, in.UpgradePolicy, in.ComputeConfig, in.StorageConfig, in.KubernetesNetworkConfig,
			in.ZonalShiftConfig, in.ControlPlaneScalingConfig, in.DeletionProtection,
			in.KubeApiServerConfig != nil, in.KubeControllerManagerConfig != nil, in.KubeSchedulerConfig != nil}.key(key)
	}
	return policy.Values{}
}

func changeKey(in *eks.UpdateClusterConfigInput, key string) policy.Values {
	if key == "eks:authenticationmode" {
		if in.AccessConfig != nil {
			return stated(string(in.AccessConfig.AuthenticationMode))
		}
		return policy.Values{}
	}
	return settings{in.ResourcesVpcConfig, in.Logging, in.UpgradePolicy, in.ComputeConfig, in.StorageConfig, in.KubernetesNetworkConfig,
		in.ZonalShiftConfig, in.ControlPlaneScalingConfig, in.DeletionProtection,
		in.KubeApiServerConfig != nil, in.KubeControllerManagerConfig != nil, in.KubeSchedulerConfig != nil}.key(key)
}

// settings are the parameters that a cluster is created and changed with.
type settings struct {
	vpc        *types.VpcConfigRequest
	logging    *types.Logging
	upgrade    *types.UpgradePolicyRequest
	compute    *types.ComputeConfigRequest
	storage    *types.StorageConfigRequest
	network    *types.KubernetesNetworkConfigRequest
	shift      *types.ZonalShiftConfigRequest
	scaling    *types.ControlPlaneScalingConfig
	protection *bool

	apiServer, controllers, scheduler bool // are in the request
}

func (s settings) key(key string) policy.Values {
	if kind, ok := strings.CutPrefix(key, "eks:loggingtype/"); ok {
		return s.logged(kind)
	}
	switch key {
	case "eks:deletionprotection":
		return flag(s.protection)
	case "eks:kubeapiserverconfig":
		return flag(&s.apiServer)
	case "eks:kubecontrollermanagerconfig":
		return flag(&s.controllers)
	case "eks:kubeschedulerconfig":
		return flag(&s.scheduler)
	}
	switch {
	case key == "eks:endpointprivateaccess" && s.vpc != nil:
		return flag(s.vpc.EndpointPrivateAccess)
	case key == "eks:endpointpublicaccess" && s.vpc != nil:
		return flag(s.vpc.EndpointPublicAccess)
	case key == "eks:controlplaneegressmode" && s.vpc != nil:
		return stated(string(s.vpc.ControlPlaneEgressMode))
	case key == "eks:supporttype" && s.upgrade != nil:
		return stated(string(s.upgrade.SupportType))
	case key == "eks:computeconfigenabled" && s.compute != nil:
		return flag(s.compute.Enabled)
	case key == "eks:blockstorageenabled" && s.storage != nil && s.storage.BlockStorage != nil:
		return flag(s.storage.BlockStorage.Enabled)
	case key == "eks:elasticloadbalancingenabled" && s.network != nil && s.network.ElasticLoadBalancing != nil:
		return flag(s.network.ElasticLoadBalancing.Enabled)
	case key == "eks:zonalshiftenabled" && s.shift != nil:
		return flag(s.shift.Enabled)
	case key == "eks:controlplanescalingtier" && s.scaling != nil:
		return stated(string(s.scaling.Tier))
	}
	return policy.Values{}
}

// logged says whether a log type is to be on, if the request speaks of it.
func (s settings) logged(kind string) policy.Values {
	if s.logging == nil {
		return policy.Values{}
	}
	for _, set := range s.logging.ClusterLogging {
		for _, t := range set.Types {
			if strings.EqualFold(string(t), kind) {
				return flag(set.Enabled)
			}
		}
	}
	return policy.Values{}
}

func flag(v *bool) policy.Values {
	if v == nil {
		return policy.Values{}
	}
	return policy.One(strconv.FormatBool(*v))
}

func stated(v string) policy.Values {
	if v == "" {
		return policy.Values{}
	}
	return policy.One(v)
}

func keyARNs(list []types.EncryptionConfig) policy.Values {
	var arns []string
	for _, c := range list {
		if c.Provider != nil && c.Provider.KeyArn != nil {
			arns = append(arns, *c.Provider.KeyArn)
		}
	}
	return policy.Many(arns)
}

// ofResource answers for the condition keys of a cluster, add-on or access entry: its
// tags, and what an entry says of its principal.
func (s *Service) ofResource(arn, key string) policy.Values {
	tag, isTag := strings.CutPrefix(key, "aws:resourcetag/")
	r, err := s.resourceOf(&arn)
	if err != nil {
		return policy.Values{}
	}
	if !isTag {
		return s.ofEntry(r, key)
	}
	tags, _ := r.tags(s)
	return api.TagValue(tags, tag)
}
