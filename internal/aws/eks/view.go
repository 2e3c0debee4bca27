package eks

import (
	"encoding/base64"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

// view is the cluster as the API shows it. The endpoint, the CA and what else
// comes with a control plane appear when it has served, as on EKS.
func (s *Service) view(c Cluster) *types.Cluster {
	v := &types.Cluster{
		Name:               aws.String(c.Name),
		Arn:                aws.String(s.ARN(c.Name)),
		CreatedAt:          aws.Time(c.CreatedAt),
		Version:            aws.String(c.Version),
		RoleArn:            aws.String(c.RoleARN),
		Status:             types.ClusterStatus(c.Status),
		DeletionProtection: aws.Bool(c.DeletionProtection),
		UpgradePolicy:      &types.UpgradePolicyResponse{SupportType: types.SupportType(c.SupportType)},
		Logging:            loggingView(c.Logging),
		Tags:               map[string]string{},
		Health:             &types.ClusterHealth{Issues: []types.ClusterIssue{}},
		// An empty certificate is what EKS shows of a cluster without one.
		CertificateAuthority: &types.Certificate{},
		AccessConfig: &types.AccessConfigResponse{
			AuthenticationMode:                      types.AuthenticationMode(c.AuthenticationMode),
			BootstrapClusterCreatorAdminPermissions: aws.Bool(c.CreatorAdmin),
		},
		KubernetesNetworkConfig: &types.KubernetesNetworkConfigResponse{
			IpFamily:        types.IpFamilyIpv4,
			ServiceIpv4Cidr: aws.String(c.ServiceCIDR.String()),
		},
		ResourcesVpcConfig: &types.VpcConfigResponse{
			VpcId:                 aws.String(c.VPC),
			SubnetIds:             list(c.Subnets),
			SecurityGroupIds:      list(c.SecurityGroups),
			EndpointPublicAccess:  c.PublicAccess,
			EndpointPrivateAccess: c.PrivateAccess,
			PublicAccessCidrs:     list(c.PublicAccessCIDRs),
		},
		PlatformVersion: aws.String(platformVersion),
	}
	for k, t := range c.Tags {
		v.Tags[k] = t
	}
	if c.Token != "" {
		v.ClientRequestToken = aws.String(c.Token)
	}
	for _, i := range c.Issues {
		v.Health.Issues = append(v.Health.Issues, types.ClusterIssue{
			Code: types.ClusterIssueCode(i.Code), Message: aws.String(i.Message), ResourceIds: list(i.ResourceIDs),
		})
	}
	if f := c.Facts; f != nil {
		v.Endpoint = aws.String("https://" + c.Host)
		v.CertificateAuthority.Data = aws.String(base64.StdEncoding.EncodeToString(f.CertificateAuthority))
		v.Identity = &types.Identity{Oidc: &types.OIDC{Issuer: aws.String(c.Issuer)}}
		v.ResourcesVpcConfig.ClusterSecurityGroupId = aws.String(c.ClusterSecurityGroup)
		if f.PlatformVersion != "" {
			v.PlatformVersion = aws.String(f.PlatformVersion)
		}
	}
	return v
}

func updateView(u Update) *types.Update {
	v := &types.Update{
		Id:        aws.String(u.ID),
		Type:      types.UpdateType(u.Type),
		Status:    types.UpdateStatus(u.Status),
		CreatedAt: aws.Time(u.CreatedAt),
		Params:    []types.UpdateParam{},
		Errors:    []types.ErrorDetail{},
	}
	for _, p := range u.Params {
		v.Params = append(v.Params, types.UpdateParam{Type: types.UpdateParamType(p.Type), Value: aws.String(p.Value)})
	}
	for _, e := range u.Errors {
		v.Errors = append(v.Errors, types.ErrorDetail{ErrorCode: types.ErrorCode(e.Code), ErrorMessage: aws.String(e.Message)})
	}
	return v
}

// list keeps an empty list a list: the API shows [], not nothing.
func list(s []string) []string {
	return append([]string{}, s...)
}
