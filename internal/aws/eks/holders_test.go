package eks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/mapping"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// What counts is bound to the principal's unique id, to the cluster's mode, and gone
// with the entry or the cluster when the call has returned.
func TestWhatCounts(t *testing.T) {
	inMode(t, "CONFIG_MAP", func(t *testing.T, ctx context.Context, w *world) {
		counts := func(id string) bool {
			_, ok := w.Holder("cluster", id)
			return ok
		}
		mode := func(want mapping.Mode) {
			t.Helper()
			if got := w.Mode("cluster"); got != want {
				t.Errorf("mode %s, want %s", got, want)
			}
		}
		if mode("CONFIG_MAP"); counts("AIDAALICE") {
			t.Error("the creator has an entry in mode CONFIG_MAP")
		}
		to := func(mode types.AuthenticationMode) *types.Update {
			return w.update(t, ctx, "cluster", func(in *eks.UpdateClusterConfigInput) {
				in.AccessConfig = &types.UpdateAccessConfigRequest{AuthenticationMode: mode}
			})
		}
		u := to("API_AND_CONFIG_MAP")
		if u.Type != types.UpdateTypeAccessConfigUpdate || u.Params[0].Type != types.UpdateParamTypeAuthenticationMode || *u.Params[0].Value != "API_AND_CONFIG_MAP" {
			t.Errorf("update %+v", u)
		}
		if u := w.described(t, ctx, "cluster", u.Id); u.Status != types.UpdateStatusSuccessful {
			t.Errorf("it ended %s: %+v", u.Status, u.Errors)
		}
		mode("API_AND_CONFIG_MAP")
		h, ok := w.Holder("cluster", "AIDAALICE")
		if !ok || h.Entry.Username != alice || !slices.Equal(h.Policies, []string{policies + "AmazonEKSClusterAdminPolicy"}) {
			t.Errorf("the creator: %+v", h)
		}

		w.enter(t, ctx, entryOf(devRole))
		w.enter(t, ctx, entryOf(foreign))
		if !counts("AROADEV") || counts("") || counts("AROAOTHER") {
			t.Error("the entry of dev counts for the wrong")
		}
		w.roles.principals[devRole] = "AROADEV2" // made again
		if counts("AROADEV2") {
			t.Error("a role made again has its namesake's access")
		}
		if _, err := w.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: aws.String("cluster"), PrincipalArn: aws.String(devRole)}); err != nil {
			t.Fatal(err)
		}
		if counts("AROADEV") {
			t.Error("an entry that is gone counts")
		}
		if w.enter(t, ctx, entryOf(devRole)); !counts("AROADEV2") || counts("AROADEV") {
			t.Error("made again, the entry is not the new role's")
		}

		to("API")
		mode("API")
		for _, back := range []types.AuthenticationMode{"API_AND_CONFIG_MAP", "CONFIG_MAP", "API"} {
			_, err := w.UpdateClusterConfig(ctx, change("cluster", func(in *eks.UpdateClusterConfigInput) {
				in.AccessConfig = &types.UpdateAccessConfigRequest{AuthenticationMode: back}
			}))
			wantError(t, err, "InvalidParameterException", "Unsupported authentication mode update from API to "+string(back))
		}
		if _, err := w.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: aws.String("cluster"), PrincipalArn: aws.String(alice)}); err != nil || counts("AIDAALICE") {
			t.Errorf("the creator can't be removed: %v", err)
		}
		if _, err := w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: aws.String("cluster")}); err != nil {
			t.Fatal(err)
		}
		settle()
		if n := w.entries.Len(); n != 0 || counts("AROADEV2") {
			t.Errorf("%d entries outlive their cluster", n)
		}
	})
}

func TestCreatorsEntry(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.roles.principals = map[string]string{devRole: "AROADEV"}
		access := func(admin *bool) func(*eks.CreateClusterInput) {
			return func(in *eks.CreateClusterInput) {
				in.AccessConfig = &types.CreateAccessConfigRequest{AuthenticationMode: "API", BootstrapClusterCreatorAdminPermissions: admin}
			}
		}
		session := api.WithCaller(ctx, &api.Caller{Type: api.AssumedRole, ARN: "arn:aws:sts::111122223333:assumed-role/dev/ann", PrincipalARN: devRole, PrincipalID: "AROADEV"})
		c := w.create(t, session, "cluster", access(nil))
		if c.AccessConfig.AuthenticationMode != "API" || !*c.AccessConfig.BootstrapClusterCreatorAdminPermissions {
			t.Errorf("%+v", c.AccessConfig)
		}
		e, err := w.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: aws.String("cluster"), PrincipalArn: aws.String(devRole)})
		if err != nil || *e.AccessEntry.Username != "arn:aws:sts::111122223333:assumed-role/dev/{{SessionName}}" {
			t.Errorf("%+v, %v", e, err)
		}
		list, err := w.ListAssociatedAccessPolicies(ctx, &eks.ListAssociatedAccessPoliciesInput{ClusterName: aws.String("cluster"), PrincipalArn: aws.String(devRole)})
		if err != nil || len(list.AssociatedAccessPolicies) != 1 || list.AssociatedAccessPolicies[0].AccessScope.Type != "cluster" {
			t.Errorf("%+v, %v", list, err)
		}
		w.create(t, session, "bare", access(aws.Bool(false)))
		if n := w.countEntries("bare"); n != 0 {
			t.Errorf("a cluster whose creator is to have no access has %d entries", n)
		}
	})
}

func TestEnsureNodeEntry(t *testing.T) {
	inMode(t, "API_AND_CONFIG_MAP", func(t *testing.T, ctx context.Context, w *world) {
		for range 2 {
			if counts, err := w.EnsureNodeEntry(ctx, "cluster", nodeRole); !counts || err != nil {
				t.Fatalf("%t, %v", counts, err)
			}
		}
		if h, ok := w.Holder("cluster", "AROANODE"); !ok || h.Entry.Username != "system:node:{{EC2PrivateDNSName}}" {
			t.Errorf("%+v", h)
		}
		if counts, err := w.EnsureNodeEntry(ctx, "cluster", "arn:aws:iam::111122223333:role/gone"); !counts || err == nil {
			t.Errorf("a role that is not there: %t, %v", counts, err)
		}
	})
	inMode(t, "CONFIG_MAP", func(t *testing.T, ctx context.Context, w *world) {
		if counts, err := w.EnsureNodeEntry(ctx, "cluster", nodeRole); counts || err != nil || w.entries.Len() != 0 {
			t.Errorf("in mode CONFIG_MAP: %t, %v", counts, err)
		}
	})
}

func TestEntryTagsAndKeys(t *testing.T) {
	inMode(t, "API", func(t *testing.T, ctx context.Context, w *world) {
		e := w.enter(t, ctx, entryOf(devRole, func(in *eks.CreateAccessEntryInput) {
			in.Tags, in.KubernetesGroups = map[string]string{"team": "x"}, []string{"a", "b"}
		}))
		if _, err := w.TagResource(ctx, &eks.TagResourceInput{ResourceArn: e.AccessEntryArn, Tags: map[string]string{"k": "v"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.UntagResource(ctx, &eks.UntagResourceInput{ResourceArn: e.AccessEntryArn, TagKeys: []string{"team"}}); err != nil {
			t.Fatal(err)
		}
		tags, err := w.ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: e.AccessEntryArn})
		if err != nil || !cmp.Equal(tags.Tags, map[string]string{"k": "v"}) {
			t.Errorf("%+v, %v", tags, err)
		}
		for key, want := range map[string]policy.Values{
			"aws:resourcetag/k": policy.One("v"), "eks:principalarn": policy.One(devRole), "eks:accessentrytype": policy.One("STANDARD"), "eks:clustername": policy.One("cluster"),
			"eks:kubernetesgroups": policy.Many([]string{"a", "b"}), "eks:username": policy.One("arn:aws:sts::111122223333:assumed-role/dev/{{SessionName}}"), "eks:policyarn": {},
		} {
			if got := w.ofResource(*e.AccessEntryArn, key); !cmp.Equal(got, want, cmp.AllowUnexported(policy.Values{})) {
				t.Errorf("%s: %+v", key, got)
			}
		}
		other := strings.TrimSuffix(*e.AccessEntryArn, (*e.AccessEntryArn)[len(*e.AccessEntryArn)-1:]) + "_"
		_, err = w.ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: &other})
		wantError(t, err, "NotFoundException", "The specified resource could not be found: "+other)
	})
}

func TestManyEntries(t *testing.T) {
	inMode(t, "API", func(t *testing.T, ctx context.Context, w *world) {
		arn := func(i int) string { return fmt.Sprintf("arn:aws:iam::111122223333:role/r%d", i) }
		if err := w.Store.Update(ctx, func(tx *store.Tx) error {
			for i := range maxEntries - 2 { // alice has one
				w.putEntry(tx, w.newEntry("cluster", Principal{ARN: arn(i), ID: fmt.Sprintf("AROA%d", i)}, entryTypes[0]))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		w.enter(t, ctx, entryOf(devRole))
		_, err := w.CreateAccessEntry(ctx, entryOf(bob))
		wantError(t, err, "ResourceLimitExceededException", "Access entry limit exceeded for cluster.")
		if h, ok := w.Holder("cluster", "AROA1234"); !ok || h.ARN != arn(1234) {
			t.Errorf("%+v", h)
		}
		if _, err := w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: aws.String("cluster")}); err != nil {
			t.Fatal(err)
		}
		for n := 0; w.entries.Len() > 0; n++ {
			if settle(); n > 100 {
				t.Fatalf("%d entries outlive their cluster", w.entries.Len())
			}
		}
		if _, ok := w.Holder("cluster", "AROA1234"); ok {
			t.Error("an entry of a cluster that is gone counts")
		}
	})
}

// FuzzPrincipal: what is read of an ARN is in it, and a principal's username can't be
// one that is reserved.
func FuzzPrincipal(f *testing.F) {
	f.Add(devRole)
	f.Add(root)
	f.Fuzz(func(t *testing.T, arn string) {
		p, ok := parsePrincipal(arn)
		if !ok {
			return
		}
		if !strings.HasPrefix(arn, "arn:"+p.partition+":iam::"+p.account+":"+p.kind) || !strings.HasSuffix(arn, p.name) {
			t.Errorf("%q: %+v", arn, p)
		}
		if err := checkUsername("c", Principal{ARN: arn}.username()); err != nil {
			t.Errorf("%q: %v", arn, err)
		}
	})
}
