package podgroups

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Resource is that of SecurityGroupPolicies.
var Resource = schema.GroupVersionResource{Group: "vpcresources.k8s.aws", Version: "v1beta1", Resource: "securitygrouppolicies"}

// policy is a SecurityGroupPolicy.
type policy struct {
	Spec struct {
		PodSelector            *metav1.LabelSelector `json:"podSelector"`
		ServiceAccountSelector *metav1.LabelSelector `json:"serviceAccountSelector"`
		SecurityGroups         struct {
			GroupIDs []string `json:"groupIds"`
		} `json:"securityGroups"`
	} `json:"spec"`
}

// groupsOf are the groups that policies give to a pod with these labels whose service
// account has those, each once. A policy with both selectors wants both to match, one
// with none selects nobody.
func groupsOf(policies []unstructured.Unstructured, pod, account map[string]string) ([]string, error) {
	var groups []string
	for _, object := range policies {
		var p policy
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &p); err != nil {
			return nil, fmt.Errorf("SecurityGroupPolicy %s: %w", object.GetName(), err)
		}
		if p.Spec.PodSelector == nil && p.Spec.ServiceAccountSelector == nil {
			continue
		}
		byPod, err := selects(p.Spec.PodSelector, pod)
		if err != nil {
			return nil, fmt.Errorf("SecurityGroupPolicy %s: podSelector: %w", object.GetName(), err)
		}
		byAccount, err := selects(p.Spec.ServiceAccountSelector, account)
		if err != nil {
			return nil, fmt.Errorf("SecurityGroupPolicy %s: serviceAccountSelector: %w", object.GetName(), err)
		}
		if !byPod || !byAccount {
			continue
		}
		for _, id := range p.Spec.SecurityGroups.GroupIDs {
			if !slices.Contains(groups, id) {
				groups = append(groups, id)
			}
		}
	}
	return groups, nil
}

// selects is whether a selector matches; one that isn't there does.
func selects(s *metav1.LabelSelector, set map[string]string) (bool, error) {
	if s == nil {
		return true, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(labels.Set(set)), err
}
