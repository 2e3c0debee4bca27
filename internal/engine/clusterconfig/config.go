package clusterconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Config is what a file asks for. Zero values are not given.
type Config struct {
	places map[string]string // "line:column" by path

	Name, Region, Version string
	Tags                  map[string]string

	VPC           netip.Prefix
	Public        *bool // access to the endpoint
	Private       *bool
	PublicCIDRs   []string
	LogTypes      []string // as the EKS API spells them
	Mode          string   // of authentication: "API_AND_CONFIG_MAP"
	CreatorAdmin  *bool
	AccessEntries []AccessEntry
	OIDC          bool
	Accounts      []ServiceAccount
	Associations  []Association
	Addons        []Addon
	Nodegroups    []Nodegroup
}

// Item is one of a list's: Path says which, as in "managedNodeGroups[0]".
type Item struct{ Path string }

func (i *Item) setPath(path string) { i.Path = path }

// AccessEntry is one of accessConfig.accessEntries.
type AccessEntry struct {
	Item
	Principal, Type, Username string
	Groups                    []string
	Policies                  []AccessPolicy
	Tags                      map[string]string
}

// AccessPolicy is a policy of an access entry, for the cluster or for namespaces.
type AccessPolicy struct {
	Item
	ARN, Scope string
	Namespaces []string
}

// ServiceAccount is one of iam.serviceAccounts: an account, and a role for its pods.
type ServiceAccount struct {
	Item
	Name, Namespace     string
	Labels, Annotations map[string]string
	Policies            []string // ARNs to be attached to a role of its own
	Inline              string   // a policy of the role's own, JSON
	RoleName, RoleARN   string   // what the role is to be called; one that is there
	RoleOnly            bool     // no account is made
	Tags                map[string]string
}

// Association is one of iam.podIdentityAssociations.
type Association struct {
	Item
	Namespace, Account string
	RoleARN, RoleName  string
	Policies           []string
	Inline             string
	CreateAccount      bool
	Tags               map[string]string
}

// Addon is one of addons.
type Addon struct {
	Item
	Name, Version, Values, Conflicts string
	RoleARN                          string
	Tags                             map[string]string
}

// Nodegroup is one of nodeGroups or managedNodeGroups.
type Nodegroup struct {
	Item
	Name               string
	Managed            bool
	Types              []string
	Desired, Min, Max  *int32
	Labels, Tags       map[string]string
	Taints             []Taint
	Private            bool // in private subnets
	Disk               int32
	RoleARN            string
	Policies           []string // ARNs to be attached to the role
	Unavailable        *int32
	UnavailablePercent *int32
}

// Taint is one of a node group's.
type Taint struct{ Key, Value, Effect string } // the effect as Kubernetes spells it

const (
	apiVersion = "eksctl.io/v1alpha5"
	kind       = "ClusterConfig"
)

// Parse reads a file. Its error tells everything that is wrong, a line each, by
// "line:column".
func Parse(data []byte) (*Config, error) {
	doc, err := document(data)
	if err != nil {
		return nil, err
	}
	c := &Config{places: map[string]string{}}
	r := &reader{places: c.places}
	r.object(doc, "", c.fields(r))
	if len(r.faults) == 0 {
		r.faults = c.check()
	}
	return c, errors.Join(r.faults...)
}

// document is the one that a file holds.
func document(data []byte) (*yaml.Node, error) {
	var doc, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && doc.Content[0].Tag == "!!null":
		return nil, errors.New("1:1: the file is empty")
	case err != nil:
		return nil, notYAML(err)
	}
	switch err := decoder.Decode(&more); {
	case err == nil:
		return nil, fmt.Errorf("%d:%d: a second document: a file is one cluster's", more.Content[0].Line, more.Content[0].Column)
	case !errors.Is(err, io.EOF):
		return nil, notYAML(err)
	}
	return doc.Content[0], nil
}

// notYAML is an error of the YAML library's, which knows lines only, and counts those of
// its parser (not its scanner) from zero.
func notYAML(err error) error {
	line, why := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if number, text, ok := strings.Cut(strings.TrimPrefix(why, "line "), ": "); ok {
		if n, err := strconv.Atoi(number); err == nil {
			line, why = n, text
		}
		if parserFault.MatchString(why) {
			line++
		}
	}
	return fmt.Errorf("%d:1: this is not YAML: %s", line, why)
}

var parserFault = regexp.MustCompile(`^did not find expected (node content|key|'-' indicator|',' or|<)`)

// At is where a field stands, as "line:column"; of one that isn't there, where the
// next larger part does.
func (c *Config) At(path string) string {
	for {
		if at, ok := c.places[path]; ok || path == "" {
			return at
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
}

// Given says whether a field is in the file.
func (c *Config) Given(path string) bool { return c.places[path] != "" }

// Fault is what is wrong with a field, with its place.
func (c *Config) Fault(path, format string, args ...any) error {
	return fmt.Errorf("%s: %s", c.At(path), strings.TrimPrefix(path+": ", ": ")+fmt.Sprintf(format, args...))
}

// fields are the members of an object: what reads each.
type fields map[string]func(*yaml.Node, string)

func (c *Config) fields(r *reader) fields {
	return fields{
		"apiVersion": r.fixed(apiVersion), "kind": r.fixed(kind),
		"metadata": r.members(fields{"name": r.text(&c.Name), "region": r.text(&c.Region), "version": r.text(&c.Version), "tags": r.texts(&c.Tags)}),
		"vpc": r.members(fields{
			"cidr":              r.prefix(&c.VPC),
			"clusterEndpoints":  r.members(fields{"publicAccess": r.flag(&c.Public), "privateAccess": r.flag(&c.Private)}),
			"publicAccessCIDRs": r.list(&c.PublicCIDRs),
			"nat":               r.members(fields{"gateway": r.fixed("Single")}),
		}),
		"cloudWatch": r.members(fields{"clusterLogging": r.members(fields{"enableTypes": r.logTypes(&c.LogTypes)})}),
		"accessConfig": r.members(fields{
			"authenticationMode": r.oneOf(&c.Mode, "API", "API_AND_CONFIG_MAP", "CONFIG_MAP"), "bootstrapClusterCreatorAdminPermissions": r.flag(&c.CreatorAdmin),
			"accessEntries": each(r, &c.AccessEntries, (*AccessEntry).fields),
		}),
		"iam": r.members(fields{
			"withOIDC": r.plainFlag(&c.OIDC), "serviceAccounts": each(r, &c.Accounts, (*ServiceAccount).fields),
			"podIdentityAssociations": each(r, &c.Associations, (*Association).fields),
		}),
		"addons":     each(r, &c.Addons, (*Addon).fields),
		"nodeGroups": each(r, &c.Nodegroups, (*Nodegroup).fields),
		"managedNodeGroups": func(at *yaml.Node, path string) {
			from := len(c.Nodegroups)
			each(r, &c.Nodegroups, (*Nodegroup).fields)(at, path)
			for i := from; i < len(c.Nodegroups); i++ {
				c.Nodegroups[i].Managed = true
			}
		},
	}
}

func (e *AccessEntry) fields(r *reader) fields {
	return fields{
		"principalARN": r.text(&e.Principal), "type": r.text(&e.Type), "kubernetesUsername": r.text(&e.Username), "kubernetesGroups": r.list(&e.Groups), "tags": r.texts(&e.Tags),
		"accessPolicies": each(r, &e.Policies, func(p *AccessPolicy, r *reader) fields {
			return fields{"policyARN": r.text(&p.ARN), "accessScope": r.members(fields{"type": r.oneOf(&p.Scope, "cluster", "namespace"), "namespaces": r.list(&p.Namespaces)})}
		}),
	}
}

func (a *ServiceAccount) fields(r *reader) fields {
	return fields{
		"metadata": r.members(fields{
			"name": r.text(&a.Name), "namespace": r.text(&a.Namespace), "labels": r.texts(&a.Labels), "annotations": r.texts(&a.Annotations),
		}),
		"attachPolicyARNs": r.list(&a.Policies), "attachPolicy": r.document(&a.Inline), "attachRoleARN": r.text(&a.RoleARN), "roleName": r.text(&a.RoleName),
		"roleOnly": r.plainFlag(&a.RoleOnly), "tags": r.texts(&a.Tags),
	}
}

func (a *Association) fields(r *reader) fields {
	return fields{
		"namespace": r.text(&a.Namespace), "serviceAccountName": r.text(&a.Account), "roleARN": r.text(&a.RoleARN), "roleName": r.text(&a.RoleName),
		"permissionPolicyARNs": r.list(&a.Policies), "permissionPolicy": r.document(&a.Inline), "createServiceAccount": r.plainFlag(&a.CreateAccount), "tags": r.texts(&a.Tags),
	}
}

func (a *Addon) fields(r *reader) fields {
	return fields{
		"name": r.text(&a.Name), "version": r.text(&a.Version), "configurationValues": r.text(&a.Values), "serviceAccountRoleARN": r.text(&a.RoleARN), "tags": r.texts(&a.Tags),
		"resolveConflicts": func(at *yaml.Node, path string) {
			r.oneOf(&a.Conflicts, "none", "overwrite", "preserve")(at, path)
			a.Conflicts = strings.ToUpper(a.Conflicts)
		},
	}
}

func (n *Nodegroup) fields(r *reader) fields {
	one := ""
	return fields{
		"name": r.text(&n.Name), "instanceTypes": r.list(&n.Types), "desiredCapacity": r.number(&n.Desired), "minSize": r.number(&n.Min), "maxSize": r.number(&n.Max),
		"instanceType": func(at *yaml.Node, path string) {
			r.text(&one)(at, path)
			n.Types = append([]string{one}, n.Types...)
		},
		"labels": r.texts(&n.Labels), "tags": r.texts(&n.Tags), "taints": r.taints(&n.Taints), "privateNetworking": r.plainFlag(&n.Private),
		"volumeSize": func(at *yaml.Node, path string) {
			var size *int32
			if r.number(&size)(at, path); size != nil {
				n.Disk = *size
			}
		},
		"amiFamily":    r.fixed("AmazonLinux2023"),
		"iam":          r.members(fields{"instanceRoleARN": r.text(&n.RoleARN), "attachPolicyARNs": r.list(&n.Policies)}),
		"updateConfig": r.members(fields{"maxUnavailable": r.number(&n.Unavailable), "maxUnavailablePercentage": r.number(&n.UnavailablePercent)}),
	}
}

// logTypes are EKS's log types, by eksctl's words: "*" and "all" are all.
func (r *reader) logTypes(to *[]string) func(*yaml.Node, string) {
	all := []string{"api", "audit", "authenticator", "controllerManager", "scheduler"}
	return func(at *yaml.Node, path string) {
		var given []string
		r.list(&given)(at, path)
		for i, t := range given {
			switch {
			case t == "*" || t == "all":
				*to = all
			case slices.Contains(all, t):
				*to = append(*to, t)
			default:
				r.fault(at, "%s[%d]: %q is none of %s", path, i, t, strings.Join(all, ", "))
			}
		}
	}
}

// taints come as a map, key: value:Effect, or as a list.
func (r *reader) taints(to *[]Taint) func(*yaml.Node, string) {
	return func(at *yaml.Node, path string) {
		if at.Kind == yaml.MappingNode {
			var all map[string]string
			r.texts(&all)(at, path)
			for i := 0; i+1 < len(at.Content); i += 2 {
				value, effect, ok := strings.Cut(at.Content[i+1].Value, ":")
				if !ok {
					value, effect = "", value
				}
				*to = append(*to, Taint{at.Content[i].Value, value, effect})
			}
		} else {
			each(r, to, func(t *Taint, r *reader) fields {
				return fields{"key": r.text(&t.Key), "value": r.text(&t.Value), "effect": r.text(&t.Effect)}
			})(at, path)
		}
		for _, t := range *to {
			if t.Key == "" || !slices.Contains([]string{"NoSchedule", "PreferNoSchedule", "NoExecute"}, t.Effect) {
				r.fault(at, "%s: %q is no taint", path, fmt.Sprintf("%s=%s:%s", t.Key, t.Value, t.Effect))
			}
		}
	}
}
