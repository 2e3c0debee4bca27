package eks

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/store"
)

// AddonIdentity is a Pod Identity association that an add-on owns: the role of one of its
// service accounts.
type AddonIdentity struct{ ServiceAccount, RoleARN string }

func identitiesOf(in []types.AddonPodIdentityAssociations) (all []AddonIdentity) {
	for _, a := range in {
		all = append(all, AddonIdentity{aws.ToString(a.ServiceAccount), aws.ToString(a.RoleArn)})
	}
	return all
}

// checkRoleParts refuses roles for add-ons whose software calls no AWS API.
func checkRoleParts(cluster string, a addon, w addonWishes) error {
	role := aws.ToString(w.role)
	switch {
	case role == "" && len(w.identities) == 0:
		return nil
	case role != "" && a.account == "":
		return invalidAddon(cluster, a.name, "serviceAccountRoleArn is not supported by eksact: %s calls no AWS API", a.name)
	case a.account == "":
		return invalidAddon(cluster, a.name, "podIdentityAssociations is not supported by eksact: %s calls no AWS API", a.name)
	case role != "" && len(w.identities) > 0:
		return invalidAddon(cluster, a.name, "serviceAccountRoleArn and podIdentityAssociations can't be given together")
	case role != "" && !podRoleARN.MatchString(role):
		return invalidAddon(cluster, a.name, "Invalid Role Arn: %s", role)
	}
	return nil
}

// checkAddonRoles refuses roles that the caller may not pass, or that pods can't have.
func (s *Service) checkAddonRoles(ctx context.Context, cluster string, a addon, w addonWishes) error {
	role := aws.ToString(w.role)
	if role != "" {
		if err := s.Roles.CheckPass(ctx, role, servicePrincipal); err != nil {
			return err
		}
		if _, ok := s.Roles.PrincipalID(role); !ok {
			return invalidAddon(cluster, a.name, "Role provided in the request does not exist.")
		}
	}
	for _, i := range identitiesOf(w.identities) {
		if i.ServiceAccount != a.account {
			return invalidAddon(cluster, a.name, "Service account %s is not one of add-on %s, which has %s", i.ServiceAccount, a.name, a.account)
		}
		association := Association{Cluster: cluster, Namespace: addonNamespace, ServiceAccount: i.ServiceAccount, RoleARN: i.RoleARN}
		if err := association.check(); err != nil {
			return err
		}
		if err := s.checkPodRole(ctx, &association); err != nil {
			return err
		}
	}
	return nil
}

// foreignIdentity finds an association of the add-on's service accounts that somebody else
// made, which would have to go.
func (s *Service) foreignIdentity(tx *store.Tx, a Addon, wanted []AddonIdentity) (string, bool) {
	for _, old := range s.associations.In(tx).List(a.Cluster + "/") {
		if old.Namespace == addonNamespace && old.Owner != s.ownerOf(a) && slices.ContainsFunc(wanted, func(i AddonIdentity) bool { return i.ServiceAccount == old.ServiceAccount }) {
			return old.ID, true
		}
	}
	return "", false
}

func (s *Service) ownerOf(a Addon) string {
	return strings.TrimSuffix(s.addonARN(a.Cluster, a.Name), "*")
}

// syncIdentities makes the associations that an add-on owns those that it is to have.
func (s *Service) syncIdentities(tx *store.Tx, a Addon, wanted []AddonIdentity) {
	table, owner := s.associations.In(tx), s.ownerOf(a)
	have := map[string]bool{}
	for key, old := range table.List(a.Cluster + "/") {
		if old.Owner != owner {
			continue
		}
		at := slices.IndexFunc(wanted, func(i AddonIdentity) bool { return i.ServiceAccount == old.ServiceAccount })
		if at < 0 {
			table.Delete(key)
			continue
		}
		have[old.ServiceAccount] = true
		if old.RoleARN != wanted[at].RoleARN {
			old.RoleARN, old.ModifiedAt = wanted[at].RoleARN, s.Now()
			table.Put(key, old)
		}
	}
	for _, i := range wanted {
		if !have[i.ServiceAccount] {
			n := Association{
				Cluster: a.Cluster, ID: newAssociationID(), Namespace: addonNamespace, ServiceAccount: i.ServiceAccount, RoleARN: i.RoleARN,
				CreatedAt: s.Now(), ModifiedAt: s.Now(), Owner: owner,
			}
			table.Put(associationKey(n.Cluster, n.ID), n)
		}
	}
}

// identityARNs are the associations that an add-on owns.
func (s *Service) identityARNs(a Addon) (arns []string) {
	owner := s.ownerOf(a)
	for _, n := range s.associations.List(a.Cluster + "/") {
		if n.Owner == owner {
			arns = append(arns, s.AssociationARN(n))
		}
	}
	return arns
}

// ownedByAddon refuses to change by hand what an add-on owns.
func ownedByAddon(a Association) error {
	if a.Owner == "" {
		return nil
	}
	return invalidRequest(a.Cluster, "Association %s is owned by an add-on, %s: change it with UpdateAddon", a.ID, a.Owner)
}
