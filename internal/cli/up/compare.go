package up

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/renameio/v2"

	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/engine/clusterconfig"
	"github.com/eksact/eksact/internal/hint"
)

// compare refuses a file that says other than what is there. What users have changed
// since the file was made whole is theirs: it is noted, to be told, and stays.
func (a account) compare(ctx context.Context, m *manifest, c daemon.Config) error {
	have, created, err := a.have(ctx, m)
	if err != nil {
		return err
	}
	m.before, m.have = remembered(m, c, created), have
	return m.refuse(have)
}

// refuse tells what of the things that are there is other than the file says.
func (m *manifest) refuse(have map[string]string) error {
	var refused []string
	for _, d := range differences(m, m.before, have) {
		if d.users {
			m.warnings = append(m.warnings, d.text)
		} else {
			refused = append(refused, d.text)
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return hint.Wrap(&fileError{errors.New(strings.Join(refused, "\n"))},
		"what is there is not changed by a file: aws eks update-cluster-config, update-cluster-version, update-nodegroup-config, update-addon, update-access-entry, and aws iam do that",
		"or say in the file what is there",
		"eksact down --purge removes the account with everything in it, for a fresh start")
}

// record is kept of a file of which everything was made.
type record struct {
	Created time.Time // the cluster
	File    string
}

func recordOf(m *manifest, c daemon.Config) string {
	return filepath.Join(c.StateDir, "manifests", m.Name+".json")
}

// remember keeps a file that is now made.
func (m *manifest) remember(ctx context.Context, client *control.Client, o options) error {
	var created time.Time
	err := asAdmin(ctx, client, o, func(a account) error {
		out, err := a.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &m.Name})
		if err == nil {
			created = aws.ToTime(out.Cluster.CreatedAt)
		}
		return err
	})
	if err != nil {
		return err
	}
	return keep(m, o.config, created)
}

func keep(m *manifest, c daemon.Config, created time.Time) error {
	data, err := json.Marshal(record{created, string(m.data)})
	if err != nil {
		return err
	}
	path := recordOf(m, c)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return renameio.WriteFile(path, data, 0o600)
}

// remembered is the file that the cluster which was created then was made of, or nil.
func remembered(m *manifest, c daemon.Config, created time.Time) *manifest {
	var r record
	data, err := os.ReadFile(recordOf(m, c))
	if err != nil || json.Unmarshal(data, &r) != nil || !r.Created.Equal(created) {
		return nil
	}
	before, err := clusterconfig.Parse([]byte(r.File))
	if err != nil {
		return nil
	}
	return &manifest{Config: before, judge: m.judge, data: []byte(r.File)}
}

// have is what is there of the things that a file names, by the keys of settings.
func (a account) have(ctx context.Context, m *manifest) (map[string]string, time.Time, error) {
	all := map[string]string{}
	created, err := a.haveCluster(ctx, m, all)
	if err != nil {
		return nil, created, err
	}
	for _, look := range []func(context.Context, *manifest, map[string]string) error{a.haveAddons, a.haveNodegroups, a.haveEntries, a.haveAssociations, a.haveRoles} {
		if err := look(ctx, m, all); err != nil {
			return nil, created, err
		}
	}
	return all, created, nil
}

func (a account) haveCluster(ctx context.Context, m *manifest, all map[string]string) (time.Time, error) {
	out, err := a.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &m.Name})
	if err != nil {
		return time.Time{}, err
	}
	c := out.Cluster
	all["version"] = aws.ToString(c.Version)
	for key := range m.Tags {
		all["tag/"+key] = cmp.Or(c.Tags[key], none)
	}
	vpc := c.ResourcesVpcConfig
	all["publicAccess"], all["privateAccess"] = fmt.Sprint(vpc.EndpointPublicAccess), fmt.Sprint(vpc.EndpointPrivateAccess)
	all["publicCIDRs"] = joined(vpc.PublicAccessCidrs)
	var logs []string
	for _, setup := range c.Logging.ClusterLogging {
		for _, t := range setup.Types {
			if aws.ToBool(setup.Enabled) {
				logs = append(logs, string(t))
			}
		}
	}
	all["logging"], all["mode"] = joined(logs), string(c.AccessConfig.AuthenticationMode)
	return aws.ToTime(c.CreatedAt), nil
}

// absent says that what was asked for is not there.
func absent(err error) bool { return has(err, "ResourceNotFoundException", "NoSuchEntity") }

func (a account) haveAddons(ctx context.Context, m *manifest, all map[string]string) error {
	for _, x := range m.Addons {
		out, err := a.eks.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: &m.Name, AddonName: &x.Name})
		if absent(err) {
			continue
		}
		if err != nil {
			return m.located(x.Path, err)
		}
		key := "addon/" + x.Name + "/"
		all[key+"version"], all[key+"role"] = aws.ToString(out.Addon.AddonVersion), aws.ToString(out.Addon.ServiceAccountRoleArn)
		all[key+"values"] = canonical(aws.ToString(out.Addon.ConfigurationValues))
	}
	return nil
}

func (a account) haveNodegroups(ctx context.Context, m *manifest, all map[string]string) error {
	inside, err := a.subnets(ctx, ec2types.Filter{Name: aws.String("tag:kubernetes.io/role/internal-elb"), Values: []string{"1"}})
	if err != nil {
		return err
	}
	for _, n := range m.Nodegroups {
		out, err := a.eks.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &m.Name, NodegroupName: &n.Name})
		if absent(err) {
			continue
		}
		if err != nil {
			return m.located(n.Path, err)
		}
		g, key := out.Nodegroup, "nodegroup/"+n.Name+"/"
		number := func(name string, v *int32) { all[key+name] = fmt.Sprint(aws.ToInt32(v)) }
		number("min", g.ScalingConfig.MinSize)
		number("max", g.ScalingConfig.MaxSize)
		number("desired", g.ScalingConfig.DesiredSize)
		number("disk", g.DiskSize)
		number("unavailable", g.UpdateConfig.MaxUnavailable)
		number("unavailablePercent", g.UpdateConfig.MaxUnavailablePercentage)
		all[key+"types"], all[key+"role"] = strings.Join(g.InstanceTypes, ", "), aws.ToString(g.NodeRole)
		all[key+"private"] = fmt.Sprint(slices.ContainsFunc(g.Subnets, func(id string) bool { return slices.Contains(inside, id) }))
		for k := range n.Labels {
			all[key+"label/"+k] = cmp.Or(g.Labels[k], none)
		}
		for k := range n.Tags {
			all[key+"tag/"+k] = cmp.Or(g.Tags[k], none)
		}
		var taints []clusterconfig.Taint
		for effect, name := range taintEffects {
			for _, t := range g.Taints {
				if t.Effect == name {
					taints = append(taints, clusterconfig.Taint{Key: aws.ToString(t.Key), Value: aws.ToString(t.Value), Effect: effect})
				}
			}
		}
		all[key+"taints"] = joined(taintTexts(taints))
	}
	return nil
}

func (a account) haveEntries(ctx context.Context, m *manifest, all map[string]string) error {
	if all["mode"] == string(ekstypes.AuthenticationModeConfigMap) {
		return nil // none counts, which a difference of the mode tells
	}
	admin := "arn:aws:iam::" + m.judge.Place.AccountID + ":user/admin"
	policies, err := a.policiesOf(ctx, m.Name, admin)
	if err != nil && !absent(err) {
		return err
	}
	_, isAdmin := policies["arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"]
	all["creatorAdmin"] = fmt.Sprint(isAdmin)
	for _, e := range m.AccessEntries {
		out, err := a.eks.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: &m.Name, PrincipalArn: aws.String(e.Principal)})
		if absent(err) {
			continue
		}
		if err != nil {
			return m.located(e.Path, err)
		}
		key := "entry/" + e.Principal + "/"
		all[key+"type"], all[key+"username"], all[key+"groups"] = aws.ToString(out.AccessEntry.Type), aws.ToString(out.AccessEntry.Username), joined(out.AccessEntry.KubernetesGroups)
		if e.Type != "" && e.Type != "STANDARD" {
			continue
		}
		policies, err := a.policiesOf(ctx, m.Name, e.Principal)
		if err != nil {
			return m.located(e.Path, err)
		}
		for arn, scope := range policies {
			all[key+"policy/"+arn] = scope
		}
	}
	return nil
}

// policiesOf are the access policies of an entry, with their scopes, by ARN.
func (a account) policiesOf(ctx context.Context, cluster, principal string) (map[string]string, error) {
	all := map[string]string{}
	pages := eks.NewListAssociatedAccessPoliciesPaginator(a.eks, &eks.ListAssociatedAccessPoliciesInput{ClusterName: &cluster, PrincipalArn: &principal})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range out.AssociatedAccessPolicies {
			all[aws.ToString(p.PolicyArn)] = scopeText(string(p.AccessScope.Type), p.AccessScope.Namespaces)
		}
	}
	return all, nil
}

func (a account) haveAssociations(ctx context.Context, m *manifest, all map[string]string) error {
	for _, x := range m.Associations {
		list, err := a.eks.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: &m.Name, Namespace: &x.Namespace, ServiceAccount: &x.Account})
		if err != nil {
			return m.located(x.Path, err)
		}
		for _, found := range list.Associations {
			out, err := a.eks.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: &m.Name, AssociationId: found.AssociationId})
			if err != nil {
				return m.located(x.Path, err)
			}
			_, all["association/"+x.Namespace+"/"+x.Account+"/role"] = lastOf(aws.ToString(out.Association.RoleArn))
		}
	}
	return nil
}

// haveRoles looks at the policies of the roles that the file makes.
func (a account) haveRoles(ctx context.Context, m *manifest, all map[string]string) error {
	for _, r := range m.roles() {
		names := map[string]bool{}
		managed := iam.NewListAttachedRolePoliciesPaginator(a.iam, &iam.ListAttachedRolePoliciesInput{RoleName: &r.name})
		for managed.HasMorePages() {
			out, err := managed.NextPage(ctx)
			if absent(err) {
				break
			}
			if err != nil {
				return m.located(r.path, err)
			}
			for _, p := range out.AttachedPolicies {
				names[aws.ToString(p.PolicyArn)] = true
			}
		}
		inline, err := a.iam.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &r.name})
		if err != nil && !absent(err) {
			return m.located(r.path, err)
		}
		if err == nil {
			for _, name := range inline.PolicyNames {
				names[name] = true
			}
		}
		for name := range names {
			all["role/"+r.name+"/policy/"+name] = attached
		}
	}
	return nil
}
