package accesspolicy

import (
	"maps"
	"slices"
	"strings"
)

// Rule allows each of its verbs on each of its resources in each of its API groups,
// or, of a rule with URLs, on those. A star is every verb, group, resource or URL;
// "*/scale" is that subresource of every resource. Subresources are named
// "pods/log"; the core API group is "".
type Rule struct {
	Groups    []string
	Resources []string
	URLs      []string
	Verbs     []string
}

// Policy is one of AWS's access policies.
type Policy struct {
	Name  string
	Rules []Rule
	table table
}

// Named returns a policy by its name, "AmazonEKSViewPolicy".
func Named(name string) (*Policy, bool) {
	p, ok := policies[name]
	return p, ok
}

// Names lists the policies that can be granted, in order.
func Names() []string { return slices.Sorted(maps.Keys(policies)) }

// Unpublished are AWS's policies that can't be granted here, with the reason: AWS
// does not publish their rules, or keeps the policy for its own roles. Names from
// ListAccessPolicies (https://docs.aws.amazon.com/eks/latest/userguide/access-policies.html
// and the guide's page above).
func Unpublished(name string) (why string, ok bool) {
	switch {
	case slices.Contains(ownRoles, name):
		return "it is for roles of AWS's services alone", true
	case slices.Contains(unpublished, name):
		return "AWS does not publish its rules", true
	}
	return "", false
}

var (
	ownRoles = []string{
		"AmazonEKSBlockStorageClusterPolicy", "AmazonEKSBlockStoragePolicy", "AmazonEKSClusterInsightsPolicy", "AmazonEKSComputeClusterPolicy",
		"AmazonEKSComputePolicy", "AmazonEKSHybridPolicy",
	}
	unpublished = []string{
		"AIDevOpsAgentAccessPolicy", "AmazonAIOpsAssistantPolicy", "AmazonEKSACKPolicy", "AmazonEKSArgoCDClusterPolicy", "AmazonEKSArgoCDPolicy",
		"AmazonEKSAutoNodePolicy", "AmazonEKSEventPolicy", "AmazonEKSKROPolicy", "AmazonEKSLoadBalancingClusterPolicy", "AmazonEKSLoadBalancingPolicy",
		"AmazonEKSNetworkingClusterPolicy", "AmazonEKSNetworkingPolicy", "AmazonEKSPodIdentityPolicy", "AmazonEMRJobPolicy",
		"AmazonSagemakerHyperpodClusterPolicy", "AmazonSagemakerHyperpodControllerPolicy", "AmazonSagemakerHyperpodSpacePolicy",
		"AmazonSagemakerHyperpodSpaceTemplatePolicy", "AmazonSagemakerHyperpodSystemNamespacePolicy", "AmazonSagemakerHyperpodUserClusterPolicy",
	}
)

const core = ""

// list reads names with spaces between them.
func list(names string) []string { return strings.Fields(names) }

func rule(group, resources string, verbs []string) Rule {
	return Rule{Groups: []string{group}, Resources: list(resources), Verbs: verbs}
}

var (
	every = []string{"*"}
	read  = list("get list watch")
	write = list("create delete deletecollection patch update")
)

// view are the rules of AmazonEKSViewPolicy.
var view = []Rule{
	rule("apps", "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status", read),
	rule("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", read),
	rule("batch", "cronjobs cronjobs/status jobs jobs/status", read),
	rule("discovery.k8s.io", "endpointslices", read),
	rule("extensions", "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status networkpolicies replicasets replicasets/scale replicasets/status replicationcontrollers/scale", read),
	rule("networking.k8s.io", "ingresses ingresses/status networkpolicies", read),
	rule("policy", "poddisruptionbudgets poddisruptionbudgets/status", read),
	rule(core, "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status", read),
	rule(core, "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status", read),
	rule(core, "namespaces", read),
}

// edit is what AmazonEKSEditPolicy has beside them.
var edit = []Rule{
	rule("apps", "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale", write),
	rule("autoscaling", "horizontalpodautoscalers", write),
	rule("batch", "cronjobs jobs", write),
	rule("extensions", "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets replicasets/scale replicationcontrollers/scale", write),
	rule("networking.k8s.io", "ingresses networkpolicies", write),
	rule("policy", "poddisruptionbudgets", write),
	rule(core, "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy", read),
	rule(core, "serviceaccounts", list("impersonate")),
	rule(core, "pods pods/attach pods/exec pods/portforward pods/proxy", write),
	rule(core, "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy", write),
}

// admin is what AmazonEKSAdminPolicy has beside those.
var admin = []Rule{
	rule("authorization.k8s.io", "localsubjectaccessreviews", list("create")),
	rule("rbac.authorization.k8s.io", "rolebindings roles", slices.Concat(write, read)),
}

var policies = index(
	// https://docs.aws.amazon.com/r53recovery/latest/dg/eks-resource-scaling-block.html
	&Policy{Name: "AmazonARCRegionSwitchScalingPolicy", Rules: []Rule{
		rule("*", "*/scale", list("get update")),
		rule("*", "*/status", list("get")),
		rule("autoscaling", "horizontalpodautoscalers", list("get patch")),
	}},
	&Policy{Name: "AmazonEKSAdminPolicy", Rules: slices.Concat(view, edit, admin)},
	&Policy{Name: "AmazonEKSAdminViewPolicy", Rules: []Rule{rule("*", "*", read)}},
	&Policy{Name: "AmazonEKSClusterAdminPolicy", Rules: []Rule{
		rule("*", "*", every),
		{URLs: every, Verbs: every},
	}},
	&Policy{Name: "AmazonEKSEditPolicy", Rules: slices.Concat(view, edit)},
	&Policy{Name: "AmazonEKSSecretReaderPolicy", Rules: []Rule{rule(core, "secrets", read)}},
	&Policy{Name: "AmazonEKSViewPolicy", Rules: view},
)

func index(all ...*Policy) map[string]*Policy {
	m := make(map[string]*Policy, len(all))
	for _, p := range all {
		p.table = compile(p.Rules)
		m[p.Name] = p
	}
	return m
}
