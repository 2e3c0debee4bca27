package eks

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/store"
)

// AddonWish is what an add-on's software is to be.
type AddonWish struct {
	Name string
	// Settings are the configuration values, as the add-on's schema takes them.
	Settings map[string]any
	// Role is that of the add-on's service account; "" is none.
	Role string
	// Conflicts says what becomes of fields that others than EKS have set: NONE
	// fails with a ConflictError, OVERWRITE takes them, PRESERVE leaves them.
	Conflicts string
}

// ConflictError are fields of an add-on's objects that others have set.
type ConflictError struct {
	Fields []string // "Deployment.apps coredns - .spec.replicas"
}

func (e *ConflictError) Error() string {
	return "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. Conflicts:\n" + strings.Join(e.Fields, "\n")
}

// addons carries out what a serving cluster's add-ons wait for. What fails is not
// tried again, as on EKS: the record says why.
func (d *driver) addons(ctx context.Context, c Cluster) error {
	var failed error
	for _, a := range d.s.addons.List(c.Name + "/") {
		switch types.AddonStatus(a.Status) {
		case types.AddonStatusCreating:
			failed = errors.Join(failed, d.setAddon(ctx, c, a, Update{Configuration: a.Configuration, Conflicts: a.Conflicts, AddonVersion: a.Version, RoleARN: a.RoleARN, Identities: a.Identities}))
		case types.AddonStatusUpdating:
			u, ok, err := d.addonUpdate(ctx, a)
			if err == nil && ok {
				err = d.setAddon(ctx, c, a, u)
			}
			failed = errors.Join(failed, err)
		case types.AddonStatusDeleting:
			failed = errors.Join(failed, d.deleteAddon(ctx, c, a))
		}
	}
	return failed
}

// addonUpdate reads the update in progress, in a transaction as wanted does.
func (d *driver) addonUpdate(ctx context.Context, a Addon) (u Update, ok bool, err error) {
	err = d.s.Store.Update(ctx, func(tx *store.Tx) error {
		u, ok = d.s.updates.In(tx).Get(updateKey(a.Cluster, a.Update))
		return nil
	})
	return u, ok, err
}

// setAddon makes the software as u says, and records how that ended.
func (d *driver) setAddon(ctx context.Context, c Cluster, a Addon, u Update) error {
	failure := d.s.Runtime.SetAddon(d.live, c, AddonWish{Name: a.Name, Settings: settingsOf(a.Name, u.Configuration), Role: u.RoleARN, Conflicts: u.Conflicts})
	if d.live.Err() != nil {
		return nil // the daemon stops: to be done again
	}
	return d.changeAddon(ctx, a, func(tx *store.Tx, a *Addon) {
		status, failed := types.AddonStatusActive, types.AddonStatusCreateFailed
		if a.Update != "" {
			failed = types.AddonStatusUpdateFailed
		}
		a.Update, a.Issues, a.ModifiedAt = "", nil, d.s.Now()
		u.Status = string(types.UpdateStatusSuccessful)
		if failure != nil {
			issue := addonIssue(a.Name, failure)
			status, a.Issues = failed, []Issue{issue}
			u.Status, u.Errors = string(types.UpdateStatusFailed), []UpdateError{{issue.Code, issue.Message}}
		} else {
			a.Configuration, a.Version, a.RoleARN, a.Identities = u.Configuration, u.AddonVersion, u.RoleARN, u.Identities
			d.s.syncIdentities(tx, *a, a.Identities)
			d.noteNetworkPolicy(tx, *a)
			d.notePodIdentityAgent(tx, *a, true)
		}
		a.Status = string(status)
		if u.ID != "" {
			d.s.updates.In(tx).Put(updateKey(a.Cluster, u.ID), u)
		}
	})
}

// noteNetworkPolicy keeps what vpc-cni was told with the cluster, where it stays
// when the add-on is given up with preserve.
func (d *driver) noteNetworkPolicy(tx *store.Tx, a Addon) {
	off := settingsOf(a.Name, a.Configuration)["enableNetworkPolicy"] == "false"
	c, ok := d.s.clusters.In(tx).Get(a.Cluster)
	if ok && a.Name == VPCCNI && c.NetworkPolicyOff != off {
		c.NetworkPolicyOff = off
		d.s.clusters.In(tx).Put(c.Name, c)
	}
}

// notePodIdentityAgent keeps with the cluster whether its nodes run the agent.
func (d *driver) notePodIdentityAgent(tx *store.Tx, a Addon, runs bool) {
	c, ok := d.s.clusters.In(tx).Get(a.Cluster)
	if ok && a.Name == PodIdentityAgent && c.PodIdentityAgent != runs {
		c.PodIdentityAgent = runs
		d.s.clusters.In(tx).Put(c.Name, c)
	}
}

func (d *driver) deleteAddon(ctx context.Context, c Cluster, a Addon) error {
	var failure error
	if !a.Preserve {
		failure = d.s.Runtime.RemoveAddon(d.live, c, a.Name)
	}
	if d.live.Err() != nil {
		return nil
	}
	if failure != nil {
		return d.changeAddon(ctx, a, func(_ *store.Tx, a *Addon) {
			a.Status, a.Issues = string(types.AddonStatusDeleteFailed), []Issue{addonIssue(a.Name, failure)}
		})
	}
	return d.s.Store.Update(ctx, func(tx *store.Tx) error {
		for key, u := range d.s.updates.In(tx).List(a.Cluster + "/") {
			if u.Addon == a.Name {
				d.s.updates.In(tx).Delete(key)
			}
		}
		if !a.Preserve {
			d.notePodIdentityAgent(tx, a, false)
		}
		if !a.Preserve {
			d.s.syncIdentities(tx, a, nil)
		}
		d.s.addons.In(tx).Delete(addonKey(a.Cluster, a.Name))
		return nil
	})
}

// changeAddon rewrites an add-on's record, if it is still the one that was seen.
func (d *driver) changeAddon(ctx context.Context, seen Addon, fn func(*store.Tx, *Addon)) error {
	return d.s.Store.Update(ctx, func(tx *store.Tx) error {
		a, ok := d.s.addons.In(tx).Get(addonKey(seen.Cluster, seen.Name))
		if !ok || a.ID != seen.ID || a.Status != seen.Status || a.Update != seen.Update {
			return nil
		}
		fn(tx, &a)
		d.s.addons.In(tx).Put(addonKey(a.Cluster, a.Name), a)
		return nil
	})
}

// settingsOf reads configuration values that were checked when they came.
func settingsOf(name, values string) map[string]any {
	for _, a := range catalog {
		if a.name == name {
			set, _ := a.schema.read(values)
			return set
		}
	}
	return nil
}

func addonIssue(name string, failure error) Issue {
	code := types.AddonIssueCodeInternalFailure
	var conflict *ConflictError
	if errors.As(failure, &conflict) {
		code = types.AddonIssueCodeConfigurationConflict
	}
	return Issue{Code: string(code), Message: failure.Error(), ResourceIDs: []string{name}}
}
