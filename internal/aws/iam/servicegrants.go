package iam

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/engine/policy"
)

// ListPoliciesGrantingServiceAccess lists, service by service, which of an
// entity's policies allow an action of the service. Boundaries, denies and
// conditions do not count.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPoliciesGrantingServiceAccess.html
func (i *IAM) ListPoliciesGrantingServiceAccess(_ context.Context, in *iam.ListPoliciesGrantingServiceAccessInput) (*iam.ListPoliciesGrantingServiceAccessOutput, error) {
	e, err := i.entityByARN(value(in.Arn))
	if err != nil {
		return nil, err
	}
	l := newListing(in.Marker, nil)
	l.of = e.id
	namespace := func(name string) string { return name }
	page, err := pageOf(l, byKey(in.ServiceNamespaces, namespace), always(e.granting))
	if err != nil {
		return nil, err
	}
	return &iam.ListPoliciesGrantingServiceAccessOutput{PoliciesGrantingServiceAccess: page.items, Marker: page.marker, IsTruncated: page.more}, nil
}

// granting are the policies that allow something in a service.
func (e *entity) granting(namespace string) types.ListPoliciesGrantingServiceAccessEntry {
	entry := types.ListPoliciesGrantingServiceAccessEntry{ServiceNamespace: &namespace, Policies: []types.PolicyGrantingServiceAccess{}}
	for _, h := range e.policies {
		if !grants(h.policy.Document(), namespace) {
			continue
		}
		shown := types.PolicyGrantingServiceAccess{PolicyName: &h.name, PolicyType: types.PolicyTypeManaged}
		if h.arn != "" {
			shown.PolicyArn = &h.arn
		} else {
			shown.PolicyType, shown.EntityType, shown.EntityName = types.PolicyTypeInline, h.ownerType(), &h.owner
		}
		entry.Policies = append(entry.Policies, shown)
	}
	return entry
}

// grants says whether a statement allows an action of a service.
func grants(doc *policy.Document, namespace string) bool {
	for _, s := range doc.Statements {
		if s.Effect != policy.Allow {
			continue
		}
		some, all := covered(s.Actions, namespace)
		if !s.NotAction && some || s.NotAction && !all {
			return true
		}
	}
	return false
}

// covered says whether a list of action patterns has some or all actions of a
// service.
func covered(actions []policy.Text, namespace string) (some, all bool) {
	for _, a := range actions {
		service, name, _ := strings.Cut(a.Value, ":")
		if a.Value == "*" || strings.EqualFold(service, namespace) {
			some = true
			all = all || a.Value == "*" || name == "*"
		}
	}
	return some, all
}
