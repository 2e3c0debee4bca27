package eks

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

const (
	podRole = "arn:aws:iam::111122223333:role/pod"
	target  = "arn:aws:iam::111122223333:role/target"
)

func (w *world) associatePod(t *testing.T, ctx context.Context, in eks.CreatePodIdentityAssociationInput) *types.PodIdentityAssociation {
	t.Helper()
	out, err := w.CreatePodIdentityAssociation(ctx, &in)
	if err != nil {
		t.Fatal(err)
	}
	return out.Association
}

func asked(namespace, account string) eks.CreatePodIdentityAssociationInput {
	return eks.CreatePodIdentityAssociationInput{ClusterName: aws.String("cluster"), Namespace: &namespace, ServiceAccount: &account, RoleArn: aws.String(podRole)}
}

func TestAnAssociationsLife(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster")
		in := asked("default", "reader")
		in.Tags, in.ClientRequestToken = map[string]string{"team": "red"}, aws.String("once")
		a := w.associatePod(t, ctx, in)
		if !regexp.MustCompile(`^a-[a-z0-9]{17}$`).MatchString(*a.AssociationId) ||
			*a.AssociationArn != "arn:aws:eks:us-west-2:111122223333:podidentityassociation/cluster/"+*a.AssociationId {
			t.Errorf("%s, %s", *a.AssociationId, *a.AssociationArn)
		}
		if *a.DisableSessionTags || a.TargetRoleArn != nil || a.ExternalId != nil || a.Policy != nil || a.Tags["team"] != "red" {
			t.Errorf("%+v", a)
		}
		if again := w.associatePod(t, ctx, in); *again.AssociationId != *a.AssociationId {
			t.Error("the same request twice makes two")
		}
		found, ok := w.AssociationOf("cluster", "default", "reader")
		if _, other := w.AssociationOf("cluster", "elsewhere", "reader"); !ok || other || found.RoleARN != podRole || w.AssociationARN(found) != *a.AssociationArn {
			t.Errorf("%+v, %t", found, ok)
		}

		update := func(in eks.UpdatePodIdentityAssociationInput) *types.PodIdentityAssociation {
			t.Helper()
			in.ClusterName, in.AssociationId = aws.String("cluster"), a.AssociationId
			out, err := w.UpdatePodIdentityAssociation(ctx, &in)
			if err != nil {
				t.Fatal(err)
			}
			return out.Association
		}
		if got := update(eks.UpdatePodIdentityAssociationInput{TargetRoleArn: aws.String(target)}); *got.ExternalId != "us-west-2/111122223333/cluster/default/reader" || *got.TargetRoleArn != target || *got.RoleArn != podRole {
			t.Errorf("with a target role: %+v", got)
		}
		const document = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`
		if got := update(eks.UpdatePodIdentityAssociationInput{DisableSessionTags: aws.Bool(true), Policy: aws.String(document)}); *got.Policy != document || !*got.DisableSessionTags || *got.TargetRoleArn != target {
			t.Errorf("with a policy: %+v", got)
		}
		if got := update(eks.UpdatePodIdentityAssociationInput{TargetRoleArn: aws.String(""), Policy: aws.String("")}); got.TargetRoleArn != nil || got.ExternalId != nil || got.Policy != nil || !*got.DisableSessionTags {
			t.Errorf("without: %+v", got)
		}
		described, err := w.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: aws.String("cluster"), AssociationId: a.AssociationId})
		if err != nil || !*described.Association.DisableSessionTags {
			t.Errorf("%+v, %v", described, err)
		}
		arn := a.AssociationArn
		if _, err := w.TagResource(ctx, &eks.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"cost": "7"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.UntagResource(ctx, &eks.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"team"}}); err != nil {
			t.Fatal(err)
		}
		tags, err := w.ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: arn})
		if err != nil || !reflect.DeepEqual(tags.Tags, map[string]string{"cost": "7"}) {
			t.Errorf("%+v, %v", tags, err)
		}
		if v := w.ofResource(*arn, "aws:resourcetag/cost"); v.Len() != 1 {
			t.Error("its tags are no condition keys")
		}
		if _, err := w.DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{ClusterName: aws.String("cluster"), AssociationId: a.AssociationId}); err != nil {
			t.Fatal(err)
		}
		_, err = w.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: aws.String("cluster"), AssociationId: a.AssociationId})
		wantError(t, err, "ResourceNotFoundException", "No association found for associationId: "+*a.AssociationId+", clusterName: cluster")
		if _, ok := w.AssociationOf("cluster", "default", "reader"); ok {
			t.Error("it is gone, and found")
		}
	})
}

func TestAssociationsRefused(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster")
		first := w.associatePod(t, ctx, asked("default", "taken"))
		for _, c := range []struct {
			name          string
			change        func(*eks.CreatePodIdentityAssociationInput)
			code, message string
		}{
			{"no cluster", func(in *eks.CreatePodIdentityAssociationInput) { in.ClusterName = aws.String("other") }, "ResourceNotFoundException", "No cluster found for name: other."},
			{"taken", func(in *eks.CreatePodIdentityAssociationInput) { in.ServiceAccount = aws.String("taken") }, "ResourceInUseException", "Association already exists: " + *first.AssociationId},
			{"namespace", func(in *eks.CreatePodIdentityAssociationInput) { in.Namespace = aws.String("Default") }, "InvalidParameterException", "Invalid namespace: Default"},
			{"account", func(in *eks.CreatePodIdentityAssociationInput) { in.ServiceAccount = aws.String("*") }, "InvalidParameterException", "Invalid service account: *"},
			{"ARN", func(in *eks.CreatePodIdentityAssociationInput) { in.RoleArn = aws.String("pod") }, "InvalidParameterException", "Invalid Role Arn: pod"},
			{"target's ARN", func(in *eks.CreatePodIdentityAssociationInput) { in.TargetRoleArn = aws.String("pod") }, "InvalidParameterException", "Invalid Target Role Arn: pod"},
			{"no role", func(in *eks.CreatePodIdentityAssociationInput) {
				in.RoleArn = aws.String("arn:aws:iam::111122223333:role/none")
			}, "InvalidParameterException", "Role provided in the request does not exist."},
			{"trust", func(in *eks.CreatePodIdentityAssociationInput) { in.RoleArn = aws.String(role) }, "InvalidParameterException", "Trust policy of the role provided is invalid. Follow the official documentation to resolve the issue."},
			{"policy with tags", func(in *eks.CreatePodIdentityAssociationInput) { in.Policy = aws.String("{}") }, "InvalidParameterException", "disableSessionTags must be true when a policy is given"},
			{"bad policy", func(in *eks.CreatePodIdentityAssociationInput) {
				in.Policy, in.DisableSessionTags = aws.String("{"), aws.Bool(true)
			}, "InvalidParameterException", "Invalid policy: …"},
			{"tag", func(in *eks.CreatePodIdentityAssociationInput) { in.Tags = map[string]string{"aws:x": "y"} }, "InvalidParameterException", "Tag keys that begin with aws: are reserved: aws:x"},
		} {
			in := asked("default", "free")
			c.change(&in)
			_, err := w.CreatePodIdentityAssociation(ctx, &in)
			if head, cut := strings.CutSuffix(c.message, "…"); cut {
				if err == nil || !strings.Contains(err.Error(), head) {
					t.Errorf("%s: %v", c.name, err)
				}
				continue
			}
			wantError(t, err, c.code, c.message)
		}
		w.roles.passErr = errors.New("not passed")
		in := asked("default", "free")
		if _, err := w.CreatePodIdentityAssociation(ctx, &in); !errors.Is(err, w.roles.passErr) {
			t.Errorf("a role that may not be passed: %v", err)
		}
		// A change that leaves the role alone needs no right to pass it.
		if _, err := w.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{ClusterName: aws.String("cluster"), AssociationId: first.AssociationId, DisableSessionTags: aws.Bool(true)}); err != nil {
			t.Error(err)
		}
		if _, err := w.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{ClusterName: aws.String("cluster"), AssociationId: first.AssociationId, RoleArn: aws.String(podRole)}); !errors.Is(err, w.roles.passErr) {
			t.Errorf("a change to a role that may not be passed: %v", err)
		}
		if n := w.associations.Len(); n != 1 {
			t.Errorf("%d associations, want the first alone", n)
		}
	})
}

func TestAssociationsAreListedAndGoWithTheirCluster(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster")
		for i := range 5 {
			w.associatePod(t, ctx, asked(fmt.Sprintf("n%d", i%2), fmt.Sprintf("a%d", i)))
		}
		count := func(in eks.ListPodIdentityAssociationsInput) (n int) {
			t.Helper()
			in.ClusterName = aws.String("cluster")
			for {
				out, err := w.ListPodIdentityAssociations(ctx, &in)
				if err != nil {
					t.Fatal(err)
				}
				n += len(out.Associations)
				if in.NextToken = out.NextToken; in.NextToken == nil {
					return n
				}
			}
		}
		for want, in := range map[int]eks.ListPodIdentityAssociationsInput{
			5: {MaxResults: aws.Int32(2)}, 3: {Namespace: aws.String("n0")}, 1: {Namespace: aws.String("n0"), ServiceAccount: aws.String("a2")}, 0: {ServiceAccount: aws.String("none")},
		} {
			if got := count(in); got != want {
				t.Errorf("%+v: %d, want %d", in, got, want)
			}
		}
		if _, err := w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: aws.String("cluster")}); err != nil {
			t.Fatal(err)
		}
		settle()
		if n := w.associations.Len(); n != 0 {
			t.Errorf("%d associations of a cluster that is gone", n)
		}
	})
}

func TestTheAgentsAddonIsRemembered(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster")
		runs := func() bool { c, _ := w.Cluster("cluster"); return c.PodIdentityAgent }
		install := func() {
			t.Helper()
			if _, err := w.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: aws.String("cluster"), AddonName: aws.String(PodIdentityAgent)}); err != nil {
				t.Fatal(err)
			}
			settle()
		}
		remove := func(preserve bool) {
			t.Helper()
			if _, err := w.DeleteAddon(ctx, &eks.DeleteAddonInput{ClusterName: aws.String("cluster"), AddonName: aws.String(PodIdentityAgent), Preserve: preserve}); err != nil {
				t.Fatal(err)
			}
			settle()
		}
		if runs() {
			t.Error("it runs without its add-on")
		}
		install()
		if !runs() {
			t.Error("it does not run with its add-on")
		}
		remove(true)
		if !runs() {
			t.Error("preserved, it does not run")
		}
		install()
		remove(false)
		if runs() {
			t.Error("it runs after its add-on was deleted")
		}
	})
}
