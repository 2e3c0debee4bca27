package eks

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

func TestAddonsRoles(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		const cni, pod, other = "arn:aws:iam::111122223333:role/cni", "arn:aws:iam::111122223333:role/pod-cni", "arn:aws:iam::111122223333:role/pod-other"
		w.roles.principals = map[string]string{cni: "AROACNI"}
		w.create(t, ctx, "c")
		cluster, name := aws.String("c"), aws.String(VPCCNI)
		identity := func(role string) []types.AddonPodIdentityAssociations {
			return []types.AddonPodIdentityAssociations{{ServiceAccount: aws.String("aws-node"), RoleArn: &role}}
		}
		for _, test := range []struct {
			in   eks.CreateAddonInput
			text string
		}{
			{eks.CreateAddonInput{ServiceAccountRoleArn: aws.String("x")}, "Invalid Role Arn: x"},
			{eks.CreateAddonInput{ServiceAccountRoleArn: aws.String(pod)}, "Role provided in the request does not exist."},
			{eks.CreateAddonInput{ServiceAccountRoleArn: aws.String(cni), PodIdentityAssociations: identity(pod)}, "serviceAccountRoleArn and podIdentityAssociations can't be given together"},
			{eks.CreateAddonInput{PodIdentityAssociations: []types.AddonPodIdentityAssociations{{ServiceAccount: aws.String("x"), RoleArn: aws.String(pod)}}}, "Service account x is not one of add-on vpc-cni, which has aws-node"},
			{eks.CreateAddonInput{PodIdentityAssociations: identity(cni)}, "Role provided in the request does not exist."},
		} {
			test.in.ClusterName, test.in.AddonName = cluster, name
			_, err := w.CreateAddon(ctx, &test.in)
			wantError(t, err, "InvalidParameterException", test.text)
		}
		show := func() *types.Addon {
			t.Helper()
			settle()
			out, err := w.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: cluster, AddonName: name})
			if err != nil || out.Addon.Status != types.AddonStatusActive {
				t.Fatalf("%s %+v %+v, %v", out.Addon.Status, out.Addon, out.Addon.Health, err)
			}
			return out.Addon
		}
		update := func(in eks.UpdateAddonInput) *types.Addon {
			t.Helper()
			in.ClusterName, in.AddonName = cluster, name
			if _, err := w.UpdateAddon(ctx, &in); err != nil {
				t.Fatal(err)
			}
			return show()
		}
		if _, err := w.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: cluster, AddonName: name, ServiceAccountRoleArn: aws.String(cni)}); err != nil {
			t.Fatal(err)
		}
		if a := show(); *a.ServiceAccountRoleArn != cni || w.runtime.addons["c/vpc-cni"].Role != cni {
			t.Errorf("%+v; done is %+v", a, w.runtime.addons)
		}
		a := update(eks.UpdateAddonInput{ServiceAccountRoleArn: aws.String(""), PodIdentityAssociations: identity(pod)})
		if a.ServiceAccountRoleArn != nil || len(a.PodIdentityAssociations) != 1 || w.runtime.addons["c/vpc-cni"].Role != "" {
			t.Errorf("%+v", a)
		}
		held, ok := w.AssociationOf("c", "kube-system", "aws-node")
		if !ok || held.RoleARN != pod || held.Owner != *a.AddonArn {
			t.Errorf("%+v", held)
		}
		_, err := w.DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{ClusterName: cluster, AssociationId: &held.ID})
		wantError(t, err, "InvalidRequestException", "Association "+held.ID+" is owned by an add-on, "+held.Owner+": change it with UpdateAddon")
		update(eks.UpdateAddonInput{PodIdentityAssociations: identity(other)})
		if again, _ := w.AssociationOf("c", "kube-system", "aws-node"); again.ID != held.ID || again.RoleARN != other {
			t.Errorf("%+v", again)
		}
		if a := update(eks.UpdateAddonInput{ConfigurationValues: aws.String(`{"enableNetworkPolicy":"true"}`)}); len(a.PodIdentityAssociations) != 1 {
			t.Errorf("what the request doesn't speak of went: %+v", a)
		}
		if a := update(eks.UpdateAddonInput{PodIdentityAssociations: []types.AddonPodIdentityAssociations{}}); len(a.PodIdentityAssociations) != 0 {
			t.Errorf("%+v", a)
		}
		if _, ok := w.AssociationOf("c", "kube-system", "aws-node"); ok {
			t.Error("the association is left")
		}
		made, err := w.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{ClusterName: cluster, Namespace: aws.String("kube-system"), ServiceAccount: aws.String("aws-node"), RoleArn: aws.String(pod)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.UpdateAddon(ctx, &eks.UpdateAddonInput{ClusterName: cluster, AddonName: name, PodIdentityAssociations: identity(pod)})
		wantError(t, err, "ResourceInUseException", "Association already exists: "+*made.Association.AssociationId)
		config, err := w.DescribeAddonConfiguration(ctx, &eks.DescribeAddonConfigurationInput{AddonName: name, AddonVersion: aws.String("v1.21.1-eksbuild.1")})
		if err != nil || *config.PodIdentityConfiguration[0].ServiceAccount != "aws-node" || config.PodIdentityConfiguration[0].RecommendedManagedPolicies[0] != "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy" {
			t.Errorf("%+v, %v", config, err)
		}
	})
}
