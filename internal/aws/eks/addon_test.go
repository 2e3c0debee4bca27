package eks

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

func (w *world) addon(t *testing.T, ctx context.Context, name string) *types.Addon {
	t.Helper()
	out, err := w.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: aws.String("cluster"), AddonName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return out.Addon
}

func (w *world) createAddon(t *testing.T, ctx context.Context, name, values string) *types.Addon {
	t.Helper()
	in := &eks.CreateAddonInput{ClusterName: aws.String("cluster"), AddonName: &name}
	if values != "" {
		in.ConfigurationValues = &values
	}
	out, err := w.CreateAddon(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	settle()
	return out.Addon
}

func TestAddonLife(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster")
		cluster := aws.String("cluster")
		if !w.NetworkPolicyEnabled("cluster") {
			t.Error("network policies are off in a new cluster")
		}
		a := w.createAddon(t, ctx, VPCCNI, `{"enableNetworkPolicy":"false"}`)
		if a.Status != types.AddonStatusCreating || *a.AddonVersion != "v1.21.1-eksbuild.1" {
			t.Errorf("answered %+v", a)
		}
		if a = w.addon(t, ctx, VPCCNI); a.Status != types.AddonStatusActive || len(a.Health.Issues) != 0 {
			t.Errorf("became %+v", a)
		}
		if w.NetworkPolicyEnabled("cluster") {
			t.Error("network policies are on after false")
		}
		_, err := w.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: cluster, AddonName: aws.String(VPCCNI)})
		wantError(t, err, "ResourceInUseException", "Addon already exists.")

		hold := make(chan struct{})
		w.runtime.set(func(r *runtime) { r.hold = hold })
		out, err := w.UpdateAddon(ctx, &eks.UpdateAddonInput{ClusterName: cluster, AddonName: aws.String(VPCCNI),
			ConfigurationValues: aws.String("enableNetworkPolicy: 'true'"), ResolveConflicts: types.ResolveConflictsPreserve})
		if err != nil {
			t.Fatal(err)
		}
		settle()
		if u := out.Update; u.Type != types.UpdateTypeAddonUpdate || u.Status != types.UpdateStatusInProgress || len(u.Params) != 2 ||
			u.Params[0].Type != types.UpdateParamTypeResolveConflicts || *u.Params[1].Value != "enableNetworkPolicy: 'true'" {
			t.Errorf("update %+v", u)
		}
		if a = w.addon(t, ctx, VPCCNI); a.Status != types.AddonStatusUpdating || w.NetworkPolicyEnabled("cluster") {
			t.Errorf("before the update is done: %s, enabled %t", a.Status, w.NetworkPolicyEnabled("cluster"))
		}
		_, err = w.UpdateAddon(ctx, &eks.UpdateAddonInput{ClusterName: cluster, AddonName: aws.String(VPCCNI)})
		wantError(t, err, "ResourceInUseException", "Addon vpc-cni cannot be updated as it is currently in UPDATING state")
		close(hold)
		settle()
		described, err := w.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: cluster, AddonName: aws.String(VPCCNI), UpdateId: out.Update.Id})
		if err != nil || described.Update.Status != types.UpdateStatusSuccessful || !w.NetworkPolicyEnabled("cluster") {
			t.Errorf("%+v, %v, enabled %t", described, err, w.NetworkPolicyEnabled("cluster"))
		}
		if wish := w.runtime.addons["cluster/vpc-cni"]; wish.Settings["enableNetworkPolicy"] != "true" || wish.Conflicts != "PRESERVE" {
			t.Errorf("the runtime was asked for %+v", wish)
		}
		// The cluster's own updates are others.
		_, err = w.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: cluster, UpdateId: out.Update.Id})
		wantError(t, err, "ResourceNotFoundException", "No update found for ID: "+*out.Update.Id)
		updates, err := w.ListUpdates(ctx, &eks.ListUpdatesInput{Name: cluster, AddonName: aws.String(VPCCNI)})
		if err != nil || !slices.Equal(updates.UpdateIds, []string{*out.Update.Id}) {
			t.Errorf("%+v, %v", updates, err)
		}
	})
}

func TestAddonIsDeleted(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster")
		cluster := aws.String("cluster")
		w.createAddon(t, ctx, CoreDNS, `{"replicaCount":3,"corefile":".:53 {\n}\n"}`)
		w.createAddon(t, ctx, KubeProxy, "")
		w.createAddon(t, ctx, VPCCNI, `{"enableNetworkPolicy":"false"}`)
		listed, err := w.ListAddons(ctx, &eks.ListAddonsInput{ClusterName: cluster})
		if err != nil || !slices.Equal(listed.Addons, []string{CoreDNS, KubeProxy, VPCCNI}) {
			t.Errorf("%v, %v", listed, err)
		}
		if wish := w.runtime.addons["cluster/coredns"]; !reflect.DeepEqual(wish.Settings, map[string]any{"replicaCount": 3.0, "corefile": ".:53 {\n}\n"}) {
			t.Errorf("the runtime was asked for %+v", wish)
		}
		_, err = w.DeleteAddon(ctx, &eks.DeleteAddonInput{ClusterName: cluster, AddonName: aws.String(KubeProxy)})
		wantError(t, err, "InvalidParameterException", "deleting the software of kube-proxy is not supported by eksact: nodes always run kube-proxy; use preserve")
		for name, preserve := range map[string]bool{CoreDNS: false, KubeProxy: true, VPCCNI: true} {
			out, err := w.DeleteAddon(ctx, &eks.DeleteAddonInput{ClusterName: cluster, AddonName: &name, Preserve: preserve})
			if err != nil || out.Addon.Status != types.AddonStatusDeleting {
				t.Fatalf("%s: %+v, %v", name, out, err)
			}
		}
		settle()
		if len(w.runtime.addons) != 2 || w.runtime.addons["cluster/coredns"].Name != "" {
			t.Errorf("software left: %v", w.runtime.addons)
		}
		if w.NetworkPolicyEnabled("cluster") {
			t.Error("preserve did not preserve what vpc-cni was told")
		}
		_, err = w.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: cluster, AddonName: aws.String(CoreDNS)})
		wantError(t, err, "ResourceNotFoundException", "No addon: coredns found in cluster: cluster")
		w.createAddon(t, ctx, VPCCNI, "")
		if !w.NetworkPolicyEnabled("cluster") {
			t.Error("an add-on without configuration did not bring the default back")
		}
		if _, err := w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: cluster}); err != nil {
			t.Fatal(err)
		}
		settle()
		if w.addons.Len() != 0 || w.updates.Len() != 0 {
			t.Errorf("a deleted cluster left %d add-ons", w.addons.Len())
		}
	})
}

func TestAddonFails(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster")
		w.runtime.set(func(r *runtime) { r.addonErr = &ConflictError{[]string{"Deployment.apps coredns - .spec.replicas"}} })
		w.createAddon(t, ctx, CoreDNS, "")
		a := w.addon(t, ctx, CoreDNS)
		want := "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. Conflicts:\nDeployment.apps coredns - .spec.replicas"
		if a.Status != types.AddonStatusCreateFailed || len(a.Health.Issues) != 1 || a.Health.Issues[0].Code != types.AddonIssueCodeConfigurationConflict || *a.Health.Issues[0].Message != want {
			t.Errorf("%+v", a)
		}
		w.runtime.set(func(r *runtime) { r.addonErr = errors.New("no space left") })
		out, err := w.UpdateAddon(ctx, &eks.UpdateAddonInput{ClusterName: aws.String("cluster"), AddonName: aws.String(CoreDNS), ConfigurationValues: aws.String(`{"replicaCount":1}`)})
		if err != nil {
			t.Fatal(err)
		}
		settle()
		u, err := w.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: aws.String("cluster"), AddonName: aws.String(CoreDNS), UpdateId: out.Update.Id})
		if err != nil || u.Update.Status != types.UpdateStatusFailed || *u.Update.Errors[0].ErrorMessage != "no space left" {
			t.Errorf("%+v, %v", u, err)
		}
		if a := w.addon(t, ctx, CoreDNS); a.Status != types.AddonStatusUpdateFailed || a.ConfigurationValues != nil {
			t.Errorf("%+v", a)
		}
	})
}

func TestAddonRefuses(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster")
		const unsupported = "ConfigurationValue provided in request is not supported: Json schema validation failed with error: "
		for _, test := range []struct{ name, version, values, message string }{
			{"vpc-cni1", "", "", "Addon vpc-cni1 specified is not supported in 1.37 kubernetes version"},
			{"aws-ebs-csi-driver", "", "", "addonName aws-ebs-csi-driver is not supported by eksact: there are vpc-cni, coredns, kube-proxy, metrics-server and eks-pod-identity-agent"},
			{MetricsServer, "", `{"replicas":0}`, unsupported + "[$.replicas: must have a minimum value of 1]"},
			{PodIdentityAgent, "", `{"agent":{}}`, unsupported + "[$.agent: is not defined in the schema and the schema does not allow additional properties]"},
			{VPCCNI, "v1.0.0-eksbuild.1", "", "Addon version specified is not supported"},
			{VPCCNI, "", `{"enableNetworkPolicy":true}`, unsupported + "[$.enableNetworkPolicy: boolean found, string expected]"},
			{VPCCNI, "", `{"enableNetworkPolicy":"yes"}`, unsupported + "[$.enableNetworkPolicy: does not have a value in the enumeration [true, false]]"},
			{VPCCNI, "", `{"env":{"ENABLE_PREFIX_DELEGATION":"true"},"a":1}`, unsupported +
				"[$.a: is not defined in the schema and the schema does not allow additional properties, $.env: is not defined in the schema and the schema does not allow additional properties]"},
			{CoreDNS, "", `{"replicaCount":0}`, unsupported + "[$.replicaCount: must have a minimum value of 1]"},
			{CoreDNS, "", `{"replicaCount":1.5}`, unsupported + "[$.replicaCount: number found, integer expected]"},
			{CoreDNS, "", `["replicaCount"]`, unsupported + "[$: array found, object expected]"},
			{KubeProxy, "", `{"mode":"ipvs"}`, unsupported + "[$.mode: is not defined in the schema and the schema does not allow additional properties]"},
			{KubeProxy, "", `{"mode`, "ConfigurationValue provided in request is not supported: The value is neither JSON nor YAML"},
		} {
			in := &eks.CreateAddonInput{ClusterName: aws.String("cluster"), AddonName: &test.name}
			if test.version != "" {
				in.AddonVersion = &test.version
			}
			if test.values != "" {
				in.ConfigurationValues = &test.values
			}
			_, err := w.CreateAddon(ctx, in)
			wantError(t, err, "InvalidParameterException", test.message)
		}
		_, err := w.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: aws.String("cluster"), AddonName: aws.String(CoreDNS), ServiceAccountRoleArn: aws.String(role)})
		wantError(t, err, "InvalidParameterException", "serviceAccountRoleArn is not supported by eksact: coredns calls no AWS API")
		if w.addons.Len() != 0 {
			t.Errorf("refused add-ons left %d records", w.addons.Len())
		}
		w.runtime.set(func(r *runtime) { r.hold = make(chan struct{}) })
		w.create(t, ctx, "new")
		_, err = w.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: aws.String("new"), AddonName: aws.String(CoreDNS)})
		wantError(t, err, "InvalidRequestException", "Cannot CreateAddon because cluster new is CREATING")
	})
}

func TestAddonCatalog(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		out, err := w.DescribeAddonVersions(ctx, &eks.DescribeAddonVersionsInput{KubernetesVersion: aws.String("1.37")})
		if err != nil || len(out.Addons) != 5 {
			t.Fatalf("%+v, %v", out, err)
		}
		for _, a := range out.Addons {
			v := a.AddonVersions[0]
			if len(a.AddonVersions) != 1 || !v.Compatibilities[0].DefaultVersion || *v.Compatibilities[0].ClusterVersion != "1.37" {
				t.Errorf("%+v", a)
			}
			c, err := w.DescribeAddonConfiguration(ctx, &eks.DescribeAddonConfigurationInput{AddonName: a.AddonName, AddonVersion: v.AddonVersion})
			var schema struct {
				Definitions map[string]struct{ Properties map[string]any }
			}
			if err != nil || json.Unmarshal([]byte(*c.ConfigurationSchema), &schema) != nil || len(schema.Definitions) != 1 {
				t.Errorf("%s: %+v, %v", *a.AddonName, c, err)
			}
		}
		none, err := w.DescribeAddonVersions(ctx, &eks.DescribeAddonVersionsInput{Types: []string{"storage"}})
		if err != nil || len(none.Addons) != 0 {
			t.Errorf("%+v, %v", none, err)
		}
		_, err = w.DescribeAddonConfiguration(ctx, &eks.DescribeAddonConfigurationInput{AddonName: aws.String(CoreDNS), AddonVersion: aws.String("v0")})
		wantError(t, err, "InvalidParameterException", "Addon version specified is not supported")
	})
}

func TestAddonTags(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster")
		a := w.createAddon(t, ctx, KubeProxy, "")
		if _, err := w.TagResource(ctx, &eks.TagResourceInput{ResourceArn: a.AddonArn, Tags: map[string]string{"team": "net"}}); err != nil {
			t.Fatal(err)
		}
		out, err := w.ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: a.AddonArn})
		if err != nil || out.Tags["team"] != "net" || w.addon(t, ctx, KubeProxy).Tags["team"] != "net" {
			t.Errorf("%+v, %v", out, err)
		}
		if v := w.ofResource(*a.AddonArn, "aws:resourcetag/team"); v.Len() != 1 {
			t.Errorf("the condition key has %d values", v.Len())
		}
		other := *a.AddonArn + "0"
		_, err = w.ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: &other})
		wantError(t, err, "NotFoundException", "The specified resource could not be found: "+other)
	})
}

// Whatever configuration values are given, they are read or refused in one line.
func FuzzSchema(f *testing.F) {
	for _, seed := range []string{`{"replicaCount":1}`, "corefile: |\n  .:53 {\n  }\n", "[1]", "{", "a: &a [*a]", `{"replicaCount":1e99}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, values string) {
		for _, a := range catalog {
			set, fault := a.schema.read(values)
			if fault != "" && set != nil {
				t.Errorf("%s: %q is refused (%s) and read as %v", a.name, values, fault, set)
			}
			for name := range set {
				if _, ok := a.schema.settings[name]; !ok {
					t.Errorf("%s: %q sets %s", a.name, values, name)
				}
			}
		}
	})
}
