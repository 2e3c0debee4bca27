package eks

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/accesspolicy"
)

// policyARN is the ARN of an access policy of that name.
func policyARN(place api.Place, name string) string {
	return "arn:" + place.Partition + ":eks::aws:cluster-access-policy/" + name
}

// policyNamed reads the ARN of an access policy that can be granted.
func policyNamed(place api.Place, cluster, arn string) (name string, err error) {
	if parts := strings.SplitN(arn, ":", 4); len(parts) != 4 || parts[0] != "arn" || parts[2] != "eks" {
		return "", invalidParameter(cluster, "The policyArn parameter format is not valid")
	}
	name, ok := strings.CutPrefix(arn, policyARN(place, ""))
	if why, known := accesspolicy.Unpublished(name); ok && known {
		return "", unsupported(cluster, "access policy "+name, why)
	}
	if _, there := accesspolicy.Named(name); !ok || !there {
		return "", notFound(cluster, "The specified policyArn could not be found.")
	}
	return name, nil
}

// ListAccessPolicies lists the policies that can be associated.
func (s *Service) ListAccessPolicies(_ context.Context, in *eks.ListAccessPoliciesInput) (*eks.ListAccessPoliciesOutput, error) {
	cut, next, err := page(accesspolicy.Names(), digestOf("ListAccessPolicies"), in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &eks.ListAccessPoliciesOutput{AccessPolicies: []types.AccessPolicy{}, NextToken: next}
	for _, name := range cut {
		out.AccessPolicies = append(out.AccessPolicies, types.AccessPolicy{Name: aws.String(name), Arn: aws.String(policyARN(s.Place, name))})
	}
	return out, nil
}

// AssociateAccessPolicy gives an entry a policy, or one that it has another scope. It
// holds when the call returns.
func (s *Service) AssociateAccessPolicy(ctx context.Context, in *eks.AssociateAccessPolicyInput) (*eks.AssociateAccessPolicyOutput, error) {
	cluster := aws.ToString(in.ClusterName)
	namespaces, err := scopeOf(cluster, in.AccessScope)
	if err != nil {
		return nil, err
	}
	name, err := policyNamed(s.Place, cluster, aws.ToString(in.PolicyArn))
	if err != nil {
		return nil, err
	}
	now := s.Now()
	a := AssociatedPolicy{Policy: name, Namespaces: namespaces, AssociatedAt: now, ModifiedAt: now}
	e, err := s.changeEntry(ctx, in.ClusterName, in.PrincipalArn, "AssociateAccessPolicy", func(e *AccessEntry) error {
		if kind, _ := entryTypeNamed(e.Type); !kind.policies {
			return notStandard(cluster)
		}
		if i := e.association(name); i >= 0 {
			a.AssociatedAt = e.Policies[i].AssociatedAt
			e.Policies[i] = a
			return nil
		}
		i, _ := slices.BinarySearchFunc(e.Policies, name, func(a AssociatedPolicy, name string) int { return strings.Compare(a.Policy, name) })
		e.Policies = slices.Insert(e.Policies, i, a)
		return nil
	})
	if err != nil {
		return nil, err
	}
	view := s.associatedView(a)
	return &eks.AssociateAccessPolicyOutput{AssociatedAccessPolicy: &view, ClusterName: aws.String(e.Cluster), PrincipalArn: aws.String(e.Principal.ARN)}, nil
}

// scopeOf reads the namespaces of a scope; the whole cluster's are none.
func scopeOf(cluster string, scope *types.AccessScope) ([]string, error) {
	switch {
	case scope == nil || scope.Type == "":
		return nil, invalidParameter(cluster, "The parameter accessScope is required.")
	case scope.Type == types.AccessScopeTypeCluster && len(scope.Namespaces) > 0:
		return nil, invalidParameter(cluster, "accessScope should not include namespaces if the type is not set as namespace")
	case scope.Type == types.AccessScopeTypeCluster:
		return nil, nil
	case scope.Type != types.AccessScopeTypeNamespace:
		return nil, invalidParameter(cluster, "Invalid accessScope type: %s", scope.Type)
	case len(scope.Namespaces) == 0:
		return nil, invalidParameter(cluster, "At least 1 namespace must be provided if the type is set as namespace")
	}
	for _, n := range scope.Namespaces {
		if !accesspolicy.ValidNamespace(n) {
			return nil, invalidParameter(cluster, "Invalid namespace: %s", n)
		}
	}
	return scope.Namespaces, nil
}

// DisassociateAccessPolicy takes a policy from an entry. It no longer holds when the
// call returns.
func (s *Service) DisassociateAccessPolicy(ctx context.Context, in *eks.DisassociateAccessPolicyInput) (*eks.DisassociateAccessPolicyOutput, error) {
	cluster := aws.ToString(in.ClusterName)
	name, err := policyNamed(s.Place, cluster, aws.ToString(in.PolicyArn))
	if err != nil {
		return nil, err
	}
	_, err = s.changeEntry(ctx, in.ClusterName, in.PrincipalArn, "DisassociateAccessPolicy", func(e *AccessEntry) error {
		i := e.association(name)
		if i < 0 {
			return notFound(cluster, "The specified policyArn could not be found.")
		}
		e.Policies = slices.Delete(e.Policies, i, i+1)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &eks.DisassociateAccessPolicyOutput{}, nil
}

// ListAssociatedAccessPolicies shows an entry's policies, in order.
func (s *Service) ListAssociatedAccessPolicies(_ context.Context, in *eks.ListAssociatedAccessPoliciesInput) (*eks.ListAssociatedAccessPoliciesOutput, error) {
	e, err := s.findEntry(in.ClusterName, in.PrincipalArn)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, a := range e.Policies {
		names = append(names, a.Policy)
	}
	cut, next, err := page(names, digestOf([]any{"ListAssociatedAccessPolicies", e.ID}), in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &eks.ListAssociatedAccessPoliciesOutput{
		ClusterName: aws.String(e.Cluster), PrincipalArn: aws.String(e.Principal.ARN), AssociatedAccessPolicies: []types.AssociatedAccessPolicy{}, NextToken: next,
	}
	for _, name := range cut {
		out.AssociatedAccessPolicies = append(out.AssociatedAccessPolicies, s.associatedView(e.Policies[e.association(name)]))
	}
	return out, nil
}

// association is the position of a policy among the entry's; -1 if it has it not.
func (e *AccessEntry) association(policy string) int {
	return slices.IndexFunc(e.Policies, func(a AssociatedPolicy) bool { return a.Policy == policy })
}

func (s *Service) associatedView(a AssociatedPolicy) types.AssociatedAccessPolicy {
	scope := &types.AccessScope{Type: types.AccessScopeTypeCluster, Namespaces: list(a.Namespaces)}
	if len(a.Namespaces) > 0 {
		scope.Type = types.AccessScopeTypeNamespace
	}
	return types.AssociatedAccessPolicy{
		PolicyArn: aws.String(policyARN(s.Place, a.Policy)), AccessScope: scope, AssociatedAt: aws.Time(a.AssociatedAt), ModifiedAt: aws.Time(a.ModifiedAt),
	}
}
