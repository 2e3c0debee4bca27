package up

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/eksact/eksact/internal/engine/clusterconfig"
)

// setting is one thing that a file says of what it names.
type setting struct{ key, path, want string }

// settings are what a file says, thing by thing, in its words. What it leaves open is
// none.
func settings(m *clusterconfig.Config) (all []setting) {
	add := func(key, path, want string) {
		if want != "" && m.Given(path) {
			all = append(all, setting{key, path, want})
		}
	}
	flag := func(key, path string, want *bool) {
		if want != nil {
			add(key, path, strconv.FormatBool(*want))
		}
	}
	number := func(key, path string, want *int32) {
		if want != nil {
			add(key, path, fmt.Sprint(*want))
		}
	}
	texts := func(key, path string, want map[string]string) {
		for k, v := range want {
			add(key+"/"+k, path+"."+k, cmp.Or(v, none))
		}
	}
	add("version", "metadata.version", m.Version)
	texts("tag", "metadata.tags", m.Tags)
	flag("publicAccess", "vpc.clusterEndpoints.publicAccess", m.Public)
	flag("privateAccess", "vpc.clusterEndpoints.privateAccess", m.Private)
	add("publicCIDRs", "vpc.publicAccessCIDRs", joined(m.PublicCIDRs))
	add("logging", "cloudWatch.clusterLogging.enableTypes", joined(m.LogTypes))
	add("mode", "accessConfig.authenticationMode", m.Mode)
	flag("creatorAdmin", "accessConfig.bootstrapClusterCreatorAdminPermissions", m.CreatorAdmin)
	for _, x := range m.Addons {
		key := "addon/" + x.Name + "/"
		if x.Version != "latest" {
			add(key+"version", x.Path+".version", x.Version)
		}
		add(key+"values", x.Path+".configurationValues", canonical(x.Values))
		add(key+"role", x.Path+".serviceAccountRoleARN", x.RoleARN)
	}
	for _, n := range m.Nodegroups {
		key := "nodegroup/" + n.Name + "/"
		add(key+"types", n.Path+".instanceType", strings.Join(n.Types, ", "))
		add(key+"types", n.Path+".instanceTypes", strings.Join(n.Types, ", "))
		number(key+"min", n.Path+".minSize", n.Min)
		number(key+"max", n.Path+".maxSize", n.Max)
		number(key+"desired", n.Path+".desiredCapacity", n.Desired)
		number(key+"disk", n.Path+".volumeSize", &n.Disk)
		number(key+"unavailable", n.Path+".updateConfig.maxUnavailable", n.Unavailable)
		number(key+"unavailablePercent", n.Path+".updateConfig.maxUnavailablePercentage", n.UnavailablePercent)
		flag(key+"private", n.Path+".privateNetworking", &n.Private)
		texts(key+"label", n.Path+".labels", n.Labels)
		texts(key+"tag", n.Path+".tags", n.Tags)
		add(key+"taints", n.Path+".taints", joined(taintTexts(n.Taints)))
		add(key+"role", n.Path+".iam.instanceRoleARN", n.RoleARN)
	}
	for _, e := range m.AccessEntries {
		key := "entry/" + e.Principal + "/"
		add(key+"type", e.Path+".type", e.Type)
		add(key+"username", e.Path+".kubernetesUsername", e.Username)
		add(key+"groups", e.Path+".kubernetesGroups", joined(e.Groups))
		for _, p := range e.Policies {
			add(key+"policy/"+p.ARN, p.Path, scopeText(p.Scope, p.Namespaces))
		}
	}
	for _, x := range m.Associations {
		_, role := lastOf(cmp.Or(x.RoleARN, "role/"+associationRole(m, x)))
		add("association/"+x.Namespace+"/"+x.Account+"/role", x.Path, role)
	}
	for _, x := range m.Accounts {
		_, role := lastOf(cmp.Or(x.RoleARN, "role/"+accountRole(m, x)))
		add(accountKey(x)+"/role", x.Path, role)
	}
	return all
}

func accountKey(x clusterconfig.ServiceAccount) string {
	return "account/" + cmp.Or(x.Namespace, "default") + "/" + x.Name
}

// none stands for a value that is empty.
const none = `""`

func joined(texts []string) string { return strings.Join(slices.Sorted(slices.Values(texts)), ", ") }

func taintTexts(taints []clusterconfig.Taint) (all []string) {
	for _, t := range taints {
		all = append(all, t.Key+"="+t.Value+":"+t.Effect)
	}
	return all
}

func scopeText(kind string, namespaces []string) string {
	if kind == "namespace" {
		return "for " + joined(namespaces)
	}
	return "for the cluster"
}

// canonical is a configuration, JSON or YAML, so that equal ones are equal texts.
func canonical(values string) string {
	var doc any
	if yaml.Unmarshal([]byte(values), &doc) != nil {
		return values
	}
	data, err := json.Marshal(doc)
	if err != nil {
		return values
	}
	return string(data)
}

// extra is what a thing has many of, by the beginning of their keys: one that is there
// and not in the file is a difference too.
type extra struct{ prefix, path, what string }

func extras(m *manifest) (all []extra) {
	for _, e := range m.AccessEntries {
		all = append(all, extra{"entry/" + e.Principal + "/policy/", e.Path, "access policy"})
	}
	for _, r := range m.roles() {
		all = append(all, extra{"role/" + r.name + "/policy/", r.path, "role " + r.name + ": policy"})
	}
	return all
}

// difference is what is there and not as the file says.
type difference struct {
	text string
	// users says that the file has not changed there since all of it was made: calls of
	// the account's users have.
	users bool
}

// differences compares what is there, by the keys of settings, with a file, and with
// what was made of one before; that may be nil.
func differences(m, before *manifest, have map[string]string) (all []difference) {
	was := map[string]string{}
	if before != nil {
		for _, s := range before.wants() {
			was[s.key] = s.want
		}
	}
	wanted := map[string]bool{}
	for _, s := range m.wants() {
		wanted[s.key] = true
		if is, there := have[s.key]; there && is != s.want {
			all = append(all, difference{fmt.Sprintf("%s: %s: the file says %s, and there is %s", m.where(s.path), s.path, s.want, cmp.Or(is, "none")), was[s.key] == s.want})
		}
	}
	for _, x := range extras(m) {
		for key := range have {
			name, ok := strings.CutPrefix(key, x.prefix)
			if ok && !wanted[key] {
				_, named := was[key]
				all = append(all, difference{fmt.Sprintf("%s: %s: the file doesn't name what is there: %s %s", m.where(x.path), x.path, x.what, name), before != nil && !named})
			}
		}
	}
	slices.SortFunc(all, func(a, b difference) int { return strings.Compare(a.text, b.text) })
	return all
}

// wants are a file's settings, and the policies of the roles that it makes.
func (m *manifest) wants() []setting {
	all := settings(m.Config)
	for _, r := range m.roles() {
		for _, arn := range r.policies {
			all = append(all, setting{"role/" + r.name + "/policy/" + arn, r.path, attached})
		}
		if r.inline {
			all = append(all, setting{"role/" + r.name + "/policy/" + inlineName, r.path, attached})
		}
	}
	return all
}

const (
	attached   = "attached"
	inlineName = "Policy1" // the inline policy of the file, in a role that it makes
)
