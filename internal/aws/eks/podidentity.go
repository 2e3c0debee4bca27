package eks

import (
	"context"
	"crypto/rand"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// PodPrincipal assumes the roles of pods.
const PodPrincipal = "pods.eks.amazonaws.com"

// PodRoles is what EKS asks of IAM about roles of pods.
type PodRoles interface {
	// NamesService says whether the role exists, and whether its trust policy allows
	// the service each of the actions, under whatever conditions.
	NamesService(roleARN, service string, actions ...string) (exists, names bool)
}

// Association is the record of a Pod Identity association: which role the pods of a
// service account have.
type Association struct {
	Cluster        string
	ID             string // a- and 17 letters and digits
	Namespace      string
	ServiceAccount string

	RoleARN       string
	TargetRoleARN string `json:",omitempty"` // assumed with the role, "" if none is
	ExternalID    string `json:",omitempty"` // for that, while there is a target
	NoSessionTags bool   `json:",omitempty"`
	Policy        string `json:",omitempty"` // a session policy

	CreatedAt  time.Time
	ModifiedAt time.Time
	Tags       map[string]string

	// Owner is the ARN of the add-on that it is of; "" of one by itself.
	Owner string `json:",omitempty"`

	Token  string // client request token of its creation
	Digest string // of the parameters
}

// mostAssociations is EKS's quota for a cluster.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html#pod-id-considerations
const mostAssociations = 5000

func (s *Service) addPodIdentity(svc *api.Service) {
	one := func(cluster, id *string) []string {
		if cluster == nil || id == nil {
			return nil
		}
		return []string{s.associationARN(*cluster, *id)}
	}
	api.Add(svc, "CreatePodIdentityAssociation", s.CreatePodIdentityAssociation, func(_ context.Context, in *eks.CreatePodIdentityAssociationInput) []string {
		return s.arns(in.ClusterName)
	})
	api.WithNeeds(svc, "CreatePodIdentityAssociation", func(_ context.Context, in *eks.CreatePodIdentityAssociationInput) []api.Need {
		if len(in.Tags) == 0 {
			return nil
		}
		return []api.Need{{Action: "eks:TagResource", Resources: one(in.ClusterName, aws.String("*"))}}
	})
	api.Add(svc, "DescribePodIdentityAssociation", s.DescribePodIdentityAssociation, func(_ context.Context, in *eks.DescribePodIdentityAssociationInput) []string {
		return one(in.ClusterName, in.AssociationId)
	})
	api.Add(svc, "ListPodIdentityAssociations", s.ListPodIdentityAssociations, func(_ context.Context, in *eks.ListPodIdentityAssociationsInput) []string {
		return s.arns(in.ClusterName)
	})
	api.Add(svc, "UpdatePodIdentityAssociation", s.UpdatePodIdentityAssociation, func(_ context.Context, in *eks.UpdatePodIdentityAssociationInput) []string {
		return one(in.ClusterName, in.AssociationId)
	})
	api.Add(svc, "DeletePodIdentityAssociation", s.DeletePodIdentityAssociation, func(_ context.Context, in *eks.DeletePodIdentityAssociationInput) []string {
		return one(in.ClusterName, in.AssociationId)
	})
}

// CreatePodIdentityAssociation gives a service account's pods a role. Neither needs to
// know the other: the account may be made later.
func (s *Service) CreatePodIdentityAssociation(ctx context.Context, in *eks.CreatePodIdentityAssociationInput) (*eks.CreatePodIdentityAssociationOutput, error) {
	c, err := s.find(in.ClusterName)
	if err != nil {
		return nil, err
	}
	asked := *in
	asked.ClientRequestToken = nil
	a := Association{
		Cluster: c.Name, ID: newAssociationID(), Namespace: aws.ToString(in.Namespace), ServiceAccount: aws.ToString(in.ServiceAccount),
		RoleARN: aws.ToString(in.RoleArn), TargetRoleARN: aws.ToString(in.TargetRoleArn), NoSessionTags: aws.ToBool(in.DisableSessionTags), Policy: aws.ToString(in.Policy),
		CreatedAt: s.Now(), ModifiedAt: s.Now(), Tags: api.WithSystemTags(ctx, in.Tags), Token: aws.ToString(in.ClientRequestToken), Digest: digestOf(asked),
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	if err := checkTags(c.Name, in.Tags); err != nil {
		return nil, err
	}
	if err := s.checkPodRole(ctx, &a); err != nil {
		return nil, err
	}
	s.nameTarget(&a)
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if err := s.ready(tx, c.Name, "CreatePodIdentityAssociation"); err != nil {
			return err
		}
		n := 0
		for _, old := range s.associations.In(tx).List(c.Name + "/") {
			n++
			switch {
			case a.Token != "" && old.Token == a.Token && old.Digest == a.Digest:
				a = old
				return nil
			case old.Namespace == a.Namespace && old.ServiceAccount == a.ServiceAccount:
				return inUse(c.Name, "Association already exists: %s", old.ID)
			}
		}
		if n >= mostAssociations {
			return limitExceeded(c.Name, "The cluster has %d Pod Identity associations, the most that it can have", n)
		}
		s.associations.In(tx).Put(associationKey(c.Name, a.ID), a)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &eks.CreatePodIdentityAssociationOutput{Association: s.associationView(a)}, nil
}

var (
	podRoleARN     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/[\x21-\x7e]+$`)
	podNamespace   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	serviceAccount = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
)

// check refuses parameters that no association can have.
func (a *Association) check() error {
	switch {
	case !podNamespace.MatchString(a.Namespace):
		return invalidParameter(a.Cluster, "Invalid namespace: %s", a.Namespace)
	case !serviceAccount.MatchString(a.ServiceAccount):
		return invalidParameter(a.Cluster, "Invalid service account: %s", a.ServiceAccount)
	case !podRoleARN.MatchString(a.RoleARN):
		return invalidParameter(a.Cluster, "Invalid Role Arn: %s", a.RoleARN)
	case a.TargetRoleARN != "" && !podRoleARN.MatchString(a.TargetRoleARN):
		return invalidParameter(a.Cluster, "Invalid Target Role Arn: %s", a.TargetRoleARN)
	case a.Policy != "" && !a.NoSessionTags:
		return invalidParameter(a.Cluster, "disableSessionTags must be true when a policy is given")
	}
	if a.Policy != "" {
		if _, err := policy.Parse(policy.Session, a.Policy); err != nil {
			return invalidParameter(a.Cluster, "Invalid policy: %s", err)
		}
	}
	return nil
}

// checkPodRole asks whether the caller may pass the role to pods, and whether it is one
// that pods can have.
func (s *Service) checkPodRole(ctx context.Context, a *Association) error {
	if err := s.Roles.CheckPass(ctx, a.RoleARN, PodPrincipal); err != nil {
		return err
	}
	switch exists, names := s.PodRoles.NamesService(a.RoleARN, PodPrincipal, "sts:AssumeRole", "sts:TagSession"); {
	case !exists:
		return invalidParameter(a.Cluster, "Role provided in the request does not exist.")
	case !names:
		return invalidParameter(a.Cluster, "Trust policy of the role provided is invalid. Follow the official documentation to resolve the issue.")
	}
	return nil
}

// nameTarget gives an association with a target role the external id by which that
// role knows it.
func (s *Service) nameTarget(a *Association) {
	a.ExternalID = ""
	if a.TargetRoleARN != "" {
		a.ExternalID = strings.Join([]string{s.Place.Region, s.Place.AccountID, a.Cluster, a.Namespace, a.ServiceAccount}, "/")
	}
}

// DescribePodIdentityAssociation shows one association.
func (s *Service) DescribePodIdentityAssociation(_ context.Context, in *eks.DescribePodIdentityAssociationInput) (*eks.DescribePodIdentityAssociationOutput, error) {
	a, err := s.findAssociation(in.ClusterName, in.AssociationId)
	if err != nil {
		return nil, err
	}
	return &eks.DescribePodIdentityAssociationOutput{Association: s.associationView(a)}, nil
}

// ListPodIdentityAssociations lists a cluster's associations, of one namespace or
// service account if they are asked for.
func (s *Service) ListPodIdentityAssociations(_ context.Context, in *eks.ListPodIdentityAssociationsInput) (*eks.ListPodIdentityAssociationsOutput, error) {
	c, err := s.find(in.ClusterName)
	if err != nil {
		return nil, err
	}
	found := map[string]types.PodIdentityAssociationSummary{}
	var keys []string
	for key, a := range s.associations.List(c.Name + "/") {
		if in.Namespace != nil && *in.Namespace != a.Namespace || in.ServiceAccount != nil && *in.ServiceAccount != a.ServiceAccount {
			continue
		}
		keys = append(keys, key)
		found[key] = types.PodIdentityAssociationSummary{
			ClusterName: aws.String(a.Cluster), Namespace: aws.String(a.Namespace), ServiceAccount: aws.String(a.ServiceAccount),
			AssociationArn: aws.String(s.associationARN(a.Cluster, a.ID)), AssociationId: aws.String(a.ID), OwnerArn: optional(a.Owner),
		}
	}
	cut, next, err := page(keys, digestOf([]any{"ListPodIdentityAssociations", c.ID, in.Namespace, in.ServiceAccount}), in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &eks.ListPodIdentityAssociationsOutput{Associations: []types.PodIdentityAssociationSummary{}, NextToken: next}
	for _, key := range cut {
		out.Associations = append(out.Associations, found[key])
	}
	return out, nil
}

// UpdatePodIdentityAssociation changes the roles, the tags or the policy. What the
// request doesn't speak of stays; an empty target role or policy takes it away.
func (s *Service) UpdatePodIdentityAssociation(ctx context.Context, in *eks.UpdatePodIdentityAssociationInput) (*eks.UpdatePodIdentityAssociationOutput, error) {
	a, err := s.findAssociation(in.ClusterName, in.AssociationId)
	if err != nil {
		return nil, err
	}
	change := func(a *Association) {
		for _, set := range []struct {
			to   *string
			from *string
		}{{&a.RoleARN, in.RoleArn}, {&a.TargetRoleARN, in.TargetRoleArn}, {&a.Policy, in.Policy}} {
			if set.from != nil {
				*set.to = *set.from
			}
		}
		if in.DisableSessionTags != nil {
			a.NoSessionTags = *in.DisableSessionTags
		}
		a.ModifiedAt = s.Now()
		s.nameTarget(a)
	}
	change(&a)
	if err := a.check(); err != nil {
		return nil, err
	}
	if in.RoleArn != nil {
		if err := s.checkPodRole(ctx, &a); err != nil {
			return nil, err
		}
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if err := s.ready(tx, a.Cluster, "UpdatePodIdentityAssociation"); err != nil {
			return err
		}
		var ok bool
		if a, ok = s.associations.In(tx).Get(associationKey(a.Cluster, a.ID)); !ok {
			return noAssociation(aws.ToString(in.ClusterName), aws.ToString(in.AssociationId))
		}
		if err := ownedByAddon(a); err != nil {
			return err
		}
		change(&a)
		if err := a.check(); err != nil { // another change may have come between
			return err
		}
		s.associations.In(tx).Put(associationKey(a.Cluster, a.ID), a)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &eks.UpdatePodIdentityAssociationOutput{Association: s.associationView(a)}, nil
}

// DeletePodIdentityAssociation takes the role away from pods made from now on;
// credentials that are out stay good until they end.
func (s *Service) DeletePodIdentityAssociation(ctx context.Context, in *eks.DeletePodIdentityAssociationInput) (*eks.DeletePodIdentityAssociationOutput, error) {
	a, err := s.findAssociation(in.ClusterName, in.AssociationId)
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if err := s.ready(tx, a.Cluster, "DeletePodIdentityAssociation"); err != nil {
			return err
		}
		if err := ownedByAddon(a); err != nil {
			return err
		}
		s.associations.In(tx).Delete(associationKey(a.Cluster, a.ID))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &eks.DeletePodIdentityAssociationOutput{Association: s.associationView(a)}, nil
}

// AssociationOf returns the association of a service account.
func (s *Service) AssociationOf(cluster, namespace, account string) (Association, bool) {
	for _, a := range s.associations.Shared(cluster + "/") {
		if a.Namespace == namespace && a.ServiceAccount == account {
			return *a, true
		}
	}
	return Association{}, false
}

func (s *Service) findAssociation(cluster, id *string) (Association, error) {
	c, err := s.find(cluster)
	if err != nil {
		return Association{}, err
	}
	a, ok := s.associations.Get(associationKey(c.Name, aws.ToString(id)))
	if !ok {
		return a, noAssociation(c.Name, aws.ToString(id))
	}
	return a, nil
}

func noAssociation(cluster, id string) error {
	return notFound(cluster, "No association found for associationId: %s, clusterName: %s", id, cluster)
}

// removeAssociations forgets those of a cluster that goes.
func (s *Service) removeAssociations(tx *store.Tx, cluster string) {
	for key := range s.associations.In(tx).List(cluster + "/") {
		s.associations.In(tx).Delete(key)
	}
}

func (s *Service) associationView(a Association) *types.PodIdentityAssociation {
	v := &types.PodIdentityAssociation{
		ClusterName: aws.String(a.Cluster), Namespace: aws.String(a.Namespace), ServiceAccount: aws.String(a.ServiceAccount),
		RoleArn: aws.String(a.RoleARN), AssociationArn: aws.String(s.associationARN(a.Cluster, a.ID)), AssociationId: aws.String(a.ID),
		CreatedAt: aws.Time(a.CreatedAt), ModifiedAt: aws.Time(a.ModifiedAt), Tags: map[string]string{}, DisableSessionTags: aws.Bool(a.NoSessionTags),
	}
	for k, t := range a.Tags {
		v.Tags[k] = t
	}
	for _, set := range []struct {
		to   **string
		from string
	}{{&v.OwnerArn, a.Owner}, {&v.TargetRoleArn, a.TargetRoleARN}, {&v.ExternalId, a.ExternalID}, {&v.Policy, a.Policy}} {
		if set.from != "" {
			*set.to = aws.String(set.from)
		}
	}
	return v
}

// AssociationARN is an association's.
func (s *Service) AssociationARN(a Association) string { return s.associationARN(a.Cluster, a.ID) }

func (s *Service) associationARN(cluster, id string) string {
	p := s.Place
	return fmt.Sprintf("arn:%s:eks:%s:%s:podidentityassociation/%s/%s", p.Partition, p.Region, p.AccountID, cluster, id)
}

func associationKey(cluster, id string) string { return cluster + "/" + id }

// newAssociationID draws an id as EKS's are: a- and 17 of these.
func newAssociationID() string {
	const of = "abcdefghijklmnopqrstuvwxyz0123456789"
	id := make([]byte, 17)
	rand.Read(id) // never fails
	for i := range id {
		id[i] = of[int(id[i])%len(of)]
	}
	return "a-" + string(id)
}
