package eks

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// addonNamespace is where the software of all add-ons is.
const addonNamespace = "kube-system"

// Addon is the record of one add-on of a cluster.
type Addon struct {
	Cluster string
	Name    string
	ID      string // a UUID, the last part of its ARN
	Version string
	Status  string // a types.AddonStatus

	Configuration string // as it was given
	RoleARN       string `json:",omitempty"` // of its service account

	Identities []AddonIdentity `json:",omitempty"`
	CreatedAt  time.Time
	ModifiedAt time.Time
	Tags       map[string]string
	Issues     []Issue

	// Conflicts is how to deal with fields that others own, of a creation.
	Conflicts string
	// Update is the id of the update in progress while UPDATING.
	Update string
	// Preserve leaves the software in the cluster, of a deletion.
	Preserve bool

	Token  string // client request token of CreateAddon
	Digest string // of its parameters
}

// CreateAddon records an add-on that is CREATING; Run does the rest.
func (s *Service) CreateAddon(ctx context.Context, in *eks.CreateAddonInput) (*eks.CreateAddonOutput, error) {
	c, err := s.find(in.ClusterName)
	if err != nil {
		return nil, err
	}
	name := aws.ToString(in.AddonName)
	kind, version, err := offered(s.PatchVersions, c, name, aws.ToString(in.AddonVersion))
	if err != nil {
		return nil, err
	}
	if err := s.checkAddon(ctx, c.Name, kind, addonWishes{in.ConfigurationValues, in.ResolveConflicts, in.ServiceAccountRoleArn, in.PodIdentityAssociations, in.NamespaceConfig}); err != nil {
		return nil, err
	}
	if err := checkTags(c.Name, in.Tags); err != nil {
		return nil, err
	}
	asked := *in
	asked.ClientRequestToken = nil
	a := Addon{
		Cluster: c.Name, Name: name, ID: uuid.NewString(), Version: version, Status: string(types.AddonStatusCreating),
		Configuration: aws.ToString(in.ConfigurationValues), CreatedAt: s.Now(), ModifiedAt: s.Now(), Tags: api.WithSystemTags(ctx, in.Tags),
		Conflicts: string(in.ResolveConflicts), Token: aws.ToString(in.ClientRequestToken), Digest: digestOf(asked),
		RoleARN: aws.ToString(in.ServiceAccountRoleArn), Identities: identitiesOf(in.PodIdentityAssociations),
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if err := s.ready(tx, c.Name, "CreateAddon"); err != nil {
			return err
		}
		old, there := s.addons.In(tx).Get(addonKey(c.Name, name))
		switch {
		case there && a.Token != "" && old.Token == a.Token && old.Digest == a.Digest:
			a = old
			return nil
		case there:
			return &types.ResourceInUseException{ClusterName: named(c.Name), AddonName: named(name), Message: aws.String("Addon already exists.")}
		}
		if id, there := s.foreignIdentity(tx, a, a.Identities); there {
			return inUse(c.Name, "Association already exists: %s", id)
		}
		s.addons.In(tx).Put(addonKey(c.Name, name), a)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &eks.CreateAddonOutput{Addon: s.addonView(a)}, nil
}

// ready refuses to change the add-ons or access entries of a cluster that does not
// serve.
func (s *Service) ready(tx *store.Tx, cluster, doing string) error {
	c, ok := s.clusters.In(tx).Get(cluster)
	switch {
	case !ok:
		return noCluster(cluster)
	case c.Status != Active && c.Status != Updating:
		return invalidRequest(cluster, "Cannot %s because cluster %s is %s", doing, cluster, c.Status)
	}
	return nil
}

// addonWishes are the parameters that creation and update share.
type addonWishes struct {
	values     *string
	conflicts  types.ResolveConflicts
	role       *string
	identities []types.AddonPodIdentityAssociations
	namespace  *types.AddonNamespaceConfigRequest
}

func (s *Service) checkAddon(ctx context.Context, cluster string, a addon, w addonWishes) error {
	if err := checkWishes(cluster, a, w); err != nil {
		return err
	}
	return s.checkAddonRoles(ctx, cluster, a, w)
}

// checkWishes checks what can be said without the account's roles.
func checkWishes(cluster string, a addon, w addonWishes) error {
	switch w.conflicts {
	case "", types.ResolveConflictsNone, types.ResolveConflictsOverwrite, types.ResolveConflictsPreserve:
	default:
		return invalidAddon(cluster, a.name, "Invalid resolveConflicts: %s", w.conflicts)
	}
	if w.namespace != nil && aws.ToString(w.namespace.Namespace) != addonNamespace {
		return invalidAddon(cluster, a.name, "namespaceConfig is not supported by eksact: %s is in %s", a.name, addonNamespace)
	}
	if _, fault := a.schema.read(aws.ToString(w.values)); fault != "" {
		return invalidAddon(cluster, a.name, "ConfigurationValue provided in request is not supported: %s", fault)
	}
	return checkRoleParts(cluster, a, w)
}

// DescribeAddon shows one add-on.
func (s *Service) DescribeAddon(_ context.Context, in *eks.DescribeAddonInput) (*eks.DescribeAddonOutput, error) {
	a, err := s.findAddon(in.ClusterName, in.AddonName)
	if err != nil {
		return nil, err
	}
	return &eks.DescribeAddonOutput{Addon: s.addonView(a)}, nil
}

// ListAddons names a cluster's add-ons, in order.
func (s *Service) ListAddons(_ context.Context, in *eks.ListAddonsInput) (*eks.ListAddonsOutput, error) {
	c, err := s.find(in.ClusterName)
	if err != nil {
		return nil, err
	}
	var names []string
	for key := range s.addons.List(c.Name + "/") {
		names = append(names, strings.TrimPrefix(key, c.Name+"/"))
	}
	cut, next, err := page(names, digestOf([]any{"ListAddons", c.ID}), in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &eks.ListAddonsOutput{Addons: list(cut), NextToken: next}, nil
}

// UpdateAddon starts an update of an add-on; Run carries it out. What the request
// doesn't speak of stays.
func (s *Service) UpdateAddon(ctx context.Context, in *eks.UpdateAddonInput) (*eks.UpdateAddonOutput, error) {
	a, err := s.findAddon(in.ClusterName, in.AddonName)
	if err != nil {
		return nil, err
	}
	c, err := s.find(in.ClusterName)
	if err != nil {
		return nil, err
	}
	kind, version, err := offered(s.PatchVersions, c, a.Name, aws.ToString(in.AddonVersion))
	if err != nil {
		return nil, err
	}
	if err := s.checkAddon(ctx, c.Name, kind, addonWishes{in.ConfigurationValues, in.ResolveConflicts, in.ServiceAccountRoleArn, in.PodIdentityAssociations, nil}); err != nil {
		return nil, err
	}
	asked := *in
	asked.ClientRequestToken = nil
	u := Update{
		ID: uuid.NewString(), Cluster: c.Name, Addon: a.Name, Type: string(types.UpdateTypeAddonUpdate), Status: string(types.UpdateStatusInProgress),
		CreatedAt: s.Now(), Token: aws.ToString(in.ClientRequestToken), Digest: digestOf(asked),
		AddonVersion: version, Conflicts: string(in.ResolveConflicts), Params: addonParams(in),
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if err := s.ready(tx, c.Name, "UpdateAddon"); err != nil {
			return err
		}
		if old, err := repeated(s.updates.In(tx).List(c.Name+"/"), u); old != nil || err != nil {
			if old != nil {
				u = *old
			}
			return err
		}
		a, ok := s.addons.In(tx).Get(addonKey(c.Name, a.Name))
		switch types.AddonStatus(a.Status) {
		case types.AddonStatusCreating, types.AddonStatusUpdating, types.AddonStatusDeleting:
			return &types.ResourceInUseException{ClusterName: named(c.Name), AddonName: named(a.Name),
				Message: aws.String("Addon " + a.Name + " cannot be updated as it is currently in " + a.Status + " state")}
		}
		if !ok {
			return noAddon(c.Name, aws.ToString(in.AddonName))
		}
		u.Configuration = a.Configuration
		if in.ConfigurationValues != nil {
			u.Configuration = *in.ConfigurationValues
		}
		if u.RoleARN = a.RoleARN; in.ServiceAccountRoleArn != nil {
			u.RoleARN = *in.ServiceAccountRoleArn
		}
		if u.Identities = a.Identities; in.PodIdentityAssociations != nil {
			u.Identities = identitiesOf(in.PodIdentityAssociations)
		}
		if id, there := s.foreignIdentity(tx, a, u.Identities); there {
			return inUse(c.Name, "Association already exists: %s", id)
		}
		a.Status, a.Update = string(types.AddonStatusUpdating), u.ID
		s.addons.In(tx).Put(addonKey(c.Name, a.Name), a)
		s.updates.In(tx).Put(updateKey(c.Name, u.ID), u)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &eks.UpdateAddonOutput{Update: updateView(u)}, nil
}

// addonParams are the parameters of an update as DescribeUpdate shows them.
func addonParams(in *eks.UpdateAddonInput) []Param {
	var all []Param
	add := func(kind types.UpdateParamType, value string) {
		if value != "" {
			all = append(all, Param{string(kind), value})
		}
	}
	add(types.UpdateParamTypeAddonVersion, aws.ToString(in.AddonVersion))
	add(types.UpdateParamTypeResolveConflicts, string(in.ResolveConflicts))
	add(types.UpdateParamTypeConfigurationValues, aws.ToString(in.ConfigurationValues))
	add(types.UpdateParamTypeServiceAccountRoleArn, aws.ToString(in.ServiceAccountRoleArn))
	if in.PodIdentityAssociations != nil {
		data, _ := json.Marshal(in.PodIdentityAssociations) // plain data
		add(types.UpdateParamTypePodIdentityAssociations, string(data))
	}
	return all
}

// DeleteAddon marks the add-on DELETING; Run does the rest. Software that clusters
// can't be without is only taken out of EKS's hands, by preserve.
func (s *Service) DeleteAddon(ctx context.Context, in *eks.DeleteAddonInput) (*eks.DeleteAddonOutput, error) {
	a, err := s.findAddon(in.ClusterName, in.AddonName)
	if err != nil {
		return nil, err
	}
	for _, kind := range catalog {
		if kind.name == a.Name && kind.fixed != "" && !in.Preserve {
			return nil, invalidAddon(a.Cluster, a.Name, "deleting the software of %s is not supported by eksact: %s; use preserve", a.Name, kind.fixed)
		}
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if err := s.ready(tx, a.Cluster, "DeleteAddon"); err != nil {
			return err
		}
		var ok bool
		if a, ok = s.addons.In(tx).Get(addonKey(a.Cluster, a.Name)); !ok {
			return noAddon(*in.ClusterName, *in.AddonName)
		}
		switch types.AddonStatus(a.Status) {
		case types.AddonStatusCreating, types.AddonStatusUpdating:
			return &types.ResourceInUseException{ClusterName: named(a.Cluster), AddonName: named(a.Name),
				Message: aws.String("Addon " + a.Name + " cannot be deleted as it is currently in " + a.Status + " state")}
		}
		a.Status, a.Preserve = string(types.AddonStatusDeleting), in.Preserve
		s.addons.In(tx).Put(addonKey(a.Cluster, a.Name), a)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &eks.DeleteAddonOutput{Addon: s.addonView(a)}, nil
}

// findAddon returns the named add-on of the named cluster.
func (s *Service) findAddon(cluster, name *string) (Addon, error) {
	c, err := s.find(cluster)
	if err != nil {
		return Addon{}, err
	}
	a, ok := s.addons.Get(addonKey(c.Name, aws.ToString(name)))
	if !ok {
		return Addon{}, noAddon(c.Name, aws.ToString(name))
	}
	return a, nil
}

// addonView is the add-on as the API shows it.
func (s *Service) addonView(a Addon) *types.Addon {
	v := &types.Addon{
		AddonName: aws.String(a.Name), ClusterName: aws.String(a.Cluster), AddonVersion: aws.String(a.Version),
		AddonArn: aws.String(strings.TrimSuffix(s.addonARN(a.Cluster, a.Name), "*")), Status: types.AddonStatus(a.Status),
		CreatedAt: aws.Time(a.CreatedAt), ModifiedAt: aws.Time(a.ModifiedAt), Tags: map[string]string{},
		Health:          &types.AddonHealth{Issues: []types.AddonIssue{}},
		NamespaceConfig: &types.AddonNamespaceConfigResponse{Namespace: aws.String(addonNamespace)},
		Owner:           aws.String("aws"), Publisher: aws.String("eks"),
	}
	for k, t := range a.Tags {
		v.Tags[k] = t
	}
	if a.Configuration != "" {
		v.ConfigurationValues = aws.String(a.Configuration)
	}
	v.ServiceAccountRoleArn, v.PodIdentityAssociations = optional(a.RoleARN), s.identityARNs(a)
	for _, i := range a.Issues {
		v.Health.Issues = append(v.Health.Issues, types.AddonIssue{
			Code: types.AddonIssueCode(i.Code), Message: aws.String(i.Message), ResourceIds: list(i.ResourceIDs),
		})
	}
	return v
}
