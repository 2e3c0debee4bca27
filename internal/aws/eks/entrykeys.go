package eks

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// addEntryKeys registers what the condition keys of access entries' operations are.
func (s *Service) addEntryKeys(svc *api.Service) {
	api.WithKeys(svc, "CreateAccessEntry", func(_ context.Context, in *eks.CreateAccessEntryInput, key string) policy.Values {
		return principalKey(key, aws.ToString(in.PrincipalArn), aws.ToString(in.Type), aws.ToString(in.Username), in.KubernetesGroups)
	})
	api.WithKeys(svc, "AssociateAccessPolicy", func(_ context.Context, in *eks.AssociateAccessPolicyInput, key string) policy.Values {
		switch {
		case key == "eks:policyarn":
			return stated(aws.ToString(in.PolicyArn))
		case key == "eks:accessscope" && in.AccessScope != nil:
			return stated(string(in.AccessScope.Type))
		case key == "eks:namespaces" && in.AccessScope != nil:
			return policy.Many(in.AccessScope.Namespaces)
		}
		return policy.Values{}
	})
	api.WithKeys(svc, "DisassociateAccessPolicy", func(_ context.Context, in *eks.DisassociateAccessPolicyInput, key string) policy.Values {
		if key == "eks:policyarn" {
			return stated(aws.ToString(in.PolicyArn))
		}
		return policy.Values{}
	})
	api.WithNeeds(svc, "CreateAccessEntry", func(_ context.Context, in *eks.CreateAccessEntryInput) []api.Need {
		if len(in.Tags) == 0 {
			return nil
		}
		return []api.Need{{Action: "eks:TagResource", Resources: s.entryARNs(in.ClusterName, in.PrincipalArn)}}
	})
}

// principalKey are the keys of an entry, whether it is being made or there.
func principalKey(key, arn, kind, username string, groups []string) policy.Values {
	switch key {
	case "eks:principalarn":
		return stated(arn)
	case "eks:accessentrytype":
		return stated(kind)
	case "eks:username":
		return stated(username)
	case "eks:kubernetesgroups":
		return policy.Many(groups)
	}
	return policy.Values{}
}

// ofEntry answers for the condition keys of an entry that is there.
func (s *Service) ofEntry(r resource, key string) policy.Values {
	e, ok := s.entries.Get(entryKey(r.cluster, r.entry))
	switch {
	case r.entry == "" || !ok:
		return policy.Values{}
	case key == "eks:clustername":
		return stated(e.Cluster)
	}
	return principalKey(key, e.Principal.ARN, e.Type, e.Username, e.Groups)
}
