package eks

import (
	"context"
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

// The texts are EKS's, as its users report them and as they were measured for
// https://github.com/badmintoncryer/cdk-preflight (rules/eks/pf-eks-accessentry-…);
// what has no such source is listed in docs/LIMITS.md. What can be said of a request
// without its cluster is checked first, as there.

// CreateAccessEntry records an entry, which counts when the call returns.
func (s *Service) CreateAccessEntry(ctx context.Context, in *eks.CreateAccessEntryInput) (*eks.CreateAccessEntryOutput, error) {
	cluster, arn := aws.ToString(in.ClusterName), aws.ToString(in.PrincipalArn)
	kind, err := checkEntry(s.Place, cluster, arn, in)
	if err != nil {
		return nil, err
	}
	if _, err = s.findForEntries(in.ClusterName); err != nil {
		return nil, err
	}
	p := Principal{ARN: arn}
	if parsed, _ := parsePrincipal(arn); parsed.account == s.Place.AccountID {
		var ok bool
		if p.ID, ok = s.Roles.PrincipalID(arn); !ok {
			return nil, invalidPrincipal(cluster)
		}
	}
	if kind.name == "EC2_LINUX" || kind.name == "EC2_WINDOWS" {
		if err := s.Roles.CheckPass(ctx, arn, servicePrincipal); err != nil {
			return nil, err
		}
	}
	asked := *in
	asked.ClientRequestToken = nil
	e := s.newEntry(cluster, p, kind)
	e.Tags, e.Token, e.Digest = api.WithSystemTags(ctx, in.Tags), aws.ToString(in.ClientRequestToken), digestOf(asked)
	if kind.name == standard {
		e.Groups = in.KubernetesGroups
		if in.Username != nil && *in.Username != "" {
			e.Username = *in.Username
		}
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if err := s.ready(tx, cluster, "CreateAccessEntry"); err != nil {
			return err
		}
		entries, key := s.entries.In(tx), entryKey(cluster, arn)
		old, there := entries.Get(key)
		switch {
		case there && e.Token != "" && old.Token == e.Token && old.Digest == e.Digest:
			e = old
			return nil
		case there && e.Token != "" && old.Token == e.Token:
			return tokenReused(cluster)
		case there:
			return inUse(cluster, "The specified access entry resource is already in use on this cluster.")
		}
		if s.countEntries(cluster) >= maxEntries {
			return limitExceeded(cluster, "Access entry limit exceeded for cluster.")
		}
		entries.Put(key, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &eks.CreateAccessEntryOutput{AccessEntry: s.entryView(e)}, nil
}

// checkEntry checks what can be said of a new entry without its cluster.
func checkEntry(place api.Place, cluster, arn string, in *eks.CreateAccessEntryInput) (entryType, error) {
	kind, ok := entryTypeNamed(standard)
	if in.Type != nil && *in.Type != "" {
		kind, ok = entryTypeNamed(*in.Type)
	}
	if !ok {
		return kind, invalidParameter(cluster, "AccessEntry type must be one of [%s]", strings.Join(entryTypeNames(), ", "))
	}
	p, ok := parsePrincipal(arn)
	if !ok || p.partition != place.Partition {
		return kind, invalidPrincipal(cluster)
	}
	if p.linked {
		return kind, invalidParameter(cluster, "The caller is not allowed to modify access entries with a principalArn value of a Service Linked Role")
	}
	const ofNodes = "when using types [EC2_LINUX, EC2_WINDOWS, FARGATE_LINUX, HYBRID_LINUX, EC2]"
	switch {
	case kind.name == standard:
		if err := checkUsername(cluster, aws.ToString(in.Username)); err != nil {
			return kind, err
		}
		return kind, firstError(checkGroups(cluster, in.KubernetesGroups), checkTags(cluster, in.Tags))
	case p.kind != "role":
		return kind, invalidParameter(cluster, "AccessEntry principalArn must be IAM role %s", ofNodes)
	case p.account != place.AccountID:
		return kind, invalidParameter(cluster, "AccessEntry principalArn must be from the same account as the cluster %s", ofNodes)
	case aws.ToString(in.Username) != "":
		return kind, invalidParameter(cluster, "The specified username is invalid: setting username is not allowed when the type is %q", kind.name)
	case len(in.KubernetesGroups) > 0:
		return kind, invalidParameter(cluster, "The specified kubernetesGroups is invalid: setting kubernetesGroups is not allowed when the type is %q", kind.name)
	}
	return kind, checkTags(cluster, in.Tags)
}

// entryTypeNames are sorted, as in the text that https://github.com/aws/aws-cdk/pull/31146
// reports, of when there were four.
func entryTypeNames() []string {
	var names []string
	for _, t := range entryTypes {
		names = append(names, t.name)
	}
	slices.Sort(names)
	return names
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// reserved are what usernames and groups of STANDARD entries can't begin with.
var reserved = []string{"system:", "eks:", "aws:", "amazon:", "iam:"}

func checkUsername(cluster, name string) error {
	for _, prefix := range reserved {
		if strings.HasPrefix(name, prefix) {
			return invalidParameter(cluster, "The username must not begin with %s", prefix)
		}
	}
	for _, template := range []string{"{{SessionName}}", "{{SessionNameRaw}}"} {
		if before, _, found := strings.Cut(name, template); found && !strings.Contains(before, ":") {
			return invalidParameter(cluster, "The username must contain a colon before %s", template)
		}
	}
	return nil
}

func checkGroups(cluster string, groups []string) error {
	for _, g := range groups {
		if g == "" {
			return invalidParameter(cluster, "A kubernetes group name can't be empty")
		}
		for _, prefix := range reserved {
			if strings.HasPrefix(g, prefix) {
				return invalidParameter(cluster, "The kubernetes group name %s is invalid, it cannot start with %s", g, prefix)
			}
		}
	}
	return nil
}

// findForEntries finds a cluster whose mode counts access entries.
func (s *Service) findForEntries(name *string) (Cluster, error) {
	c, err := s.find(name)
	if err == nil && !mapping.Mode(c.AuthenticationMode).AccessEntries() {
		err = invalidRequest(c.Name, "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.")
	}
	return c, err
}

// findEntry finds the entry of a principal in a cluster.
func (s *Service) findEntry(cluster, principal *string) (AccessEntry, error) {
	c, err := s.findForEntries(cluster)
	if err != nil {
		return AccessEntry{}, err
	}
	e, ok := s.entries.Get(entryKey(c.Name, aws.ToString(principal)))
	if !ok {
		return e, noEntry(c.Name)
	}
	return e, nil
}

// DescribeAccessEntry shows one entry.
func (s *Service) DescribeAccessEntry(_ context.Context, in *eks.DescribeAccessEntryInput) (*eks.DescribeAccessEntryOutput, error) {
	e, err := s.findEntry(in.ClusterName, in.PrincipalArn)
	if err != nil {
		return nil, err
	}
	return &eks.DescribeAccessEntryOutput{AccessEntry: s.entryView(e)}, nil
}

// ListAccessEntries names the principals that have an entry, in order.
func (s *Service) ListAccessEntries(_ context.Context, in *eks.ListAccessEntriesInput) (*eks.ListAccessEntriesOutput, error) {
	var policy string
	if in.AssociatedPolicyArn != nil {
		var err error
		if policy, err = policyNamed(s.Place, aws.ToString(in.ClusterName), *in.AssociatedPolicyArn); err != nil {
			return nil, err
		}
	}
	c, err := s.findForEntries(in.ClusterName)
	if err != nil {
		return nil, err
	}
	var principals []string
	for _, e := range s.entries.List(c.Name + "/") {
		if policy == "" || e.association(policy) >= 0 {
			principals = append(principals, e.Principal.ARN)
		}
	}
	cut, next, err := page(principals, digestOf([]any{"ListAccessEntries", c.ID, policy}), in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &eks.ListAccessEntriesOutput{AccessEntries: list(cut), NextToken: next}, nil
}

// UpdateAccessEntry changes username and groups of a STANDARD entry; what the request
// doesn't speak of stays.
func (s *Service) UpdateAccessEntry(ctx context.Context, in *eks.UpdateAccessEntryInput) (*eks.UpdateAccessEntryOutput, error) {
	cluster := aws.ToString(in.ClusterName)
	if err := firstError(checkUsername(cluster, aws.ToString(in.Username)), checkGroups(cluster, in.KubernetesGroups)); err != nil {
		return nil, err
	}
	asked := *in
	asked.ClientRequestToken = nil
	token, digest := aws.ToString(in.ClientRequestToken), digestOf(asked)
	e, err := s.changeEntry(ctx, in.ClusterName, in.PrincipalArn, "UpdateAccessEntry", func(e *AccessEntry) error {
		switch {
		case token != "" && e.UpdateToken == token && e.UpdateDigest == digest:
			return nil
		case token != "" && e.UpdateToken == token:
			return tokenReused(cluster)
		case e.Type != standard:
			return notStandard(cluster)
		}
		if in.KubernetesGroups != nil {
			e.Groups = slices.Clone(in.KubernetesGroups)
		}
		if aws.ToString(in.Username) != "" {
			e.Username = *in.Username
		}
		e.ModifiedAt, e.UpdateToken, e.UpdateDigest = s.Now(), token, digest
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &eks.UpdateAccessEntryOutput{AccessEntry: s.entryView(e)}, nil
}

// changeEntry rewrites an entry.
func (s *Service) changeEntry(ctx context.Context, cluster, principal *string, doing string, fn func(*AccessEntry) error) (e AccessEntry, err error) {
	if e, err = s.findEntry(cluster, principal); err != nil {
		return e, err
	}
	key := entryKey(e.Cluster, e.Principal.ARN)
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if err := s.ready(tx, e.Cluster, doing); err != nil {
			return err
		}
		now, ok := s.entries.In(tx).Get(key)
		if !ok {
			return noEntry(e.Cluster)
		}
		now.Policies = slices.Clone(now.Policies)
		if err := fn(&now); err != nil {
			return err
		}
		e = now
		s.entries.In(tx).Put(key, now)
		return nil
	})
	return e, err
}

// DeleteAccessEntry removes an entry and the associations of its policies.
func (s *Service) DeleteAccessEntry(ctx context.Context, in *eks.DeleteAccessEntryInput) (*eks.DeleteAccessEntryOutput, error) {
	e, err := s.findEntry(in.ClusterName, in.PrincipalArn)
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if err := s.ready(tx, e.Cluster, "DeleteAccessEntry"); err != nil {
			return err
		}
		key := entryKey(e.Cluster, e.Principal.ARN)
		if _, ok := s.entries.In(tx).Get(key); !ok {
			return noEntry(e.Cluster)
		}
		s.entries.In(tx).Delete(key)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &eks.DeleteAccessEntryOutput{}, nil
}

// entryView is the entry as the API shows it.
func (s *Service) entryView(e AccessEntry) *types.AccessEntry {
	v := &types.AccessEntry{
		ClusterName: aws.String(e.Cluster), PrincipalArn: aws.String(e.Principal.ARN), Type: aws.String(e.Type),
		AccessEntryArn: aws.String(strings.TrimSuffix(s.entryARN(e.Cluster, e.Principal.ARN), "*")),
		Username:       aws.String(e.Username), KubernetesGroups: list(e.Groups),
		CreatedAt: aws.Time(e.CreatedAt), ModifiedAt: aws.Time(e.ModifiedAt), Tags: map[string]string{},
	}
	maps.Copy(v.Tags, e.Tags)
	return v
}

func invalidPrincipal(cluster string) error {
	return invalidParameter(cluster, "The specified principalArn is invalid: invalid principal.")
}

func noEntry(cluster string) error {
	return notFound(cluster, "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.")
}

func notStandard(cluster string) error {
	return invalidParameter(cluster, `This operation can only be performed on Access Entries with a type of "STANDARD".`)
}

func tokenReused(cluster string) error {
	return invalidParameter(cluster, "The clientRequestToken was already used by a request with different parameters.")
}
