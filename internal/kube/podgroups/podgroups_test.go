package podgroups

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"
)

func policyOf(t *testing.T, text string) unstructured.Unstructured {
	t.Helper()
	object := unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "vpcresources.k8s.aws/v1beta1", "kind": "SecurityGroupPolicy", "metadata": map[string]any{"name": "p", "namespace": "shop"},
	}}
	var spec map[string]any
	if err := yaml.Unmarshal([]byte(text), &spec); err != nil {
		t.Fatal(err)
	}
	object.Object["spec"] = spec
	return object
}

func TestGroupsOf(t *testing.T) {
	pod, account := map[string]string{"app": "web", "tier": "front"}, map[string]string{"team": "a"}
	for _, test := range []struct {
		policies []string
		want     string
	}{
		{nil, "[]"},
		{[]string{`{podSelector: {matchLabels: {app: web}}, securityGroups: {groupIds: [sg-1]}}`}, "[sg-1]"},
		{[]string{`{podSelector: {matchLabels: {app: db}}, securityGroups: {groupIds: [sg-1]}}`}, "[]"},
		{[]string{`{podSelector: {}, securityGroups: {groupIds: [sg-1]}}`}, "[sg-1]"},
		{[]string{`{securityGroups: {groupIds: [sg-1]}}`}, "[]"},
		{[]string{`{serviceAccountSelector: {matchLabels: {team: a}}, securityGroups: {groupIds: [sg-1]}}`}, "[sg-1]"},
		{[]string{`{podSelector: {matchLabels: {app: web}}, serviceAccountSelector: {matchLabels: {team: b}}, securityGroups: {groupIds: [sg-1]}}`}, "[]"},
		{[]string{`{podSelector: {matchExpressions: [{key: tier, operator: In, values: [front, back]}]}, securityGroups: {groupIds: [sg-2, sg-1]}}`,
			`{podSelector: {matchLabels: {app: web}}, securityGroups: {groupIds: [sg-1, sg-3]}}`}, "[sg-2 sg-1 sg-3]"},
		{[]string{`{podSelector: {}}`}, "[]"},
	} {
		var all []unstructured.Unstructured
		for _, text := range test.policies {
			all = append(all, policyOf(t, text))
		}
		got, err := groupsOf(all, pod, account)
		if err != nil || fmt.Sprint(got) != test.want {
			t.Errorf("%v: %v, %v; want %s", test.policies, got, err, test.want)
		}
	}
	if _, err := groupsOf([]unstructured.Unstructured{policyOf(t, `{podSelector: {matchExpressions: [{key: tier, operator: Is}]}, securityGroups: {groupIds: [sg-1]}}`)}, pod, account); err == nil {
		t.Error("a selector that can't be read was taken as none")
	}
}

// made are the interfaces of a test.
type made struct {
	groups map[string][]string // by pod
	leased map[string]bool     // pods that have a network
	fail   error
}

func (m *made) Attach(_ context.Context, p Pod, groups []string) (Branch, error) {
	if m.fail != nil {
		return Branch{}, m.fail
	}
	delete(m.groups, p.UID)
	if len(groups) > 0 {
		m.groups[p.UID] = groups
	}
	return Branch{ID: "eni-1", MAC: "02:00:00:00:00:01", Address: p.Address.String(), VLAN: 1, SubnetCIDR: "10.0.0.0/19"}, nil
}

func (m *made) Detach(_ context.Context, pod string, _ netip.Addr) error {
	delete(m.groups, pod)
	return nil
}

func (m *made) attached() (all []string) { return slices.Sorted(maps.Keys(m.groups)) }

func (m *made) Idle() ([]string, error) {
	return slices.DeleteFunc(m.attached(), func(uid string) bool { return m.leased[uid] }), nil
}

func controller(t *testing.T, objects ...runtime.Object) (*Controller, *made) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "u-1", Labels: map[string]string{"app": "web"}}, Spec: corev1.PodSpec{NodeName: "node-1", ServiceAccountName: "default"}}
	plain := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "plain", UID: "u-2"}, Spec: corev1.PodSpec{NodeName: "node-1", ServiceAccountName: "default"}}
	kinds := map[schema.GroupVersionResource]string{Resource: "SecurityGroupPolicyList", definitions: "CustomResourceDefinitionList"}
	m := &made{groups: map[string][]string{}}
	return &Controller{
		Client: fake.NewClientset(pod, plain), Objects: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, objects...),
		Interfaces: m, Log: slog.New(slog.DiscardHandler),
	}, m
}

func TestAdmit(t *testing.T) {
	p := policyOf(t, `{podSelector: {matchLabels: {app: web}}, securityGroups: {groupIds: [sg-1]}}`)
	c, m := controller(t, &p)
	ctx := t.Context()
	web := Pod{Namespace: "shop", Name: "web", UID: "u-1", Address: netip.MustParseAddr("10.0.1.5")}
	if err := c.Admit(ctx, web); err != nil {
		t.Fatal(err)
	}
	pod, err := c.Client.CoreV1().Pods("shop").Get(ctx, "web", metav1.GetOptions{})
	if want := `[{"eniId":"eni-1","ifAddress":"02:00:00:00:00:01","privateIp":"10.0.1.5","vlanId":1,"subnetCidr":"10.0.0.0/19"}]`; err != nil || pod.Annotations[Annotation] != want {
		t.Errorf("%v, %v", pod.Annotations, err)
	}
	if err := c.Admit(ctx, Pod{Namespace: "shop", Name: "plain", UID: "u-2"}); err != nil || fmt.Sprint(m.attached()) != "[u-1]" {
		t.Errorf("%v: %v", m.attached(), err)
	}
	// Whose groups can't be enforced, who isn't there or is another, gets no network.
	for name, p := range map[string]Pod{"gone": {Namespace: "shop", Name: "gone", UID: "u-3"}, "another": {Namespace: "shop", Name: "web", UID: "u-9"}} {
		if err := c.Admit(ctx, p); err == nil {
			t.Errorf("%s was admitted", name)
		}
	}
	m.fail = errors.New("no room")
	if err := c.Admit(ctx, web); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("%v", err)
	}
}

func TestSweep(t *testing.T) {
	c, m := controller(t)
	ctx := t.Context()
	m.groups = map[string][]string{"u-1": {"sg-1"}, "u-2": {"sg-1"}, "u-7": {"sg-1"}, "u-8": {"sg-1"}}
	m.leased = map[string]bool{"u-1": true, "u-8": true}
	done := []byte(`{"status":{"phase":"Succeeded"}}`)
	if _, err := c.Client.CoreV1().Pods("shop").Patch(ctx, "plain", types.MergePatchType, done, metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	if err := c.sweep(ctx); err != nil || fmt.Sprint(m.attached()) != "[u-1 u-8]" { // u-8 was deleted by force
		t.Errorf("%v: %v", m.attached(), err)
	}
}

func TestDefinition(t *testing.T) {
	c, _ := controller(t)
	for range 2 {
		if err := c.define(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	object, err := c.Objects.Resource(definitions).Get(t.Context(), "securitygrouppolicies.vpcresources.k8s.aws", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if versions, _, _ := unstructured.NestedSlice(object.Object, "spec", "versions"); len(versions) != 1 {
		t.Errorf("%v", object.Object)
	}
}
