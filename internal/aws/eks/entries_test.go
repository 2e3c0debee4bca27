package eks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	"github.com/eksact/eksact/internal/engine/accesspolicy"
)

const (
	devRole  = "arn:aws:iam::111122223333:role/team/dev"
	nodeRole = "arn:aws:iam::111122223333:role/node"
	bob      = "arn:aws:iam::111122223333:user/ops/bob"
	root     = "arn:aws:iam::111122223333:root"
	foreign  = "arn:aws:iam::444455556666:role/partner"
	policies = "arn:aws:eks::aws:cluster-access-policy/"
)

// inMode runs a test with a cluster of a mode, which alice has made.
func inMode(t *testing.T, mode types.AuthenticationMode, test func(t *testing.T, ctx context.Context, w *world)) {
	t.Helper()
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.roles.principals = map[string]string{devRole: "AROADEV", nodeRole: "AROANODE", bob: "AIDABOB", root: "111122223333"}
		w.create(t, ctx, "cluster", func(in *eks.CreateClusterInput) {
			in.AccessConfig = &types.CreateAccessConfigRequest{AuthenticationMode: mode}
		})
		test(t, ctx, w)
	})
}

func entryOf(arn string, fns ...func(*eks.CreateAccessEntryInput)) *eks.CreateAccessEntryInput {
	in := &eks.CreateAccessEntryInput{ClusterName: aws.String("cluster"), PrincipalArn: &arn}
	for _, fn := range fns {
		fn(in)
	}
	return in
}

func (w *world) enter(t *testing.T, ctx context.Context, in *eks.CreateAccessEntryInput) *types.AccessEntry {
	t.Helper()
	out, err := w.CreateAccessEntry(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	return out.AccessEntry
}

func (w *world) associate(t *testing.T, ctx context.Context, arn, name string, namespaces ...string) *types.AssociatedAccessPolicy {
	t.Helper()
	scope := &types.AccessScope{Type: "cluster"}
	if len(namespaces) > 0 {
		scope = &types.AccessScope{Type: "namespace", Namespaces: namespaces}
	}
	out, err := w.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{
		ClusterName: aws.String("cluster"), PrincipalArn: &arn, PolicyArn: aws.String(policies + name), AccessScope: scope,
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.AssociatedAccessPolicy
}

func (w *world) principals(t *testing.T, ctx context.Context, associated string) []string {
	t.Helper()
	in := &eks.ListAccessEntriesInput{ClusterName: aws.String("cluster")}
	if associated != "" {
		in.AssociatedPolicyArn = aws.String(policies + associated)
	}
	out, err := w.ListAccessEntries(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	return out.AccessEntries
}

func TestEntriesOfEachKind(t *testing.T) {
	inMode(t, "API_AND_CONFIG_MAP", func(t *testing.T, ctx context.Context, w *world) {
		now := time.Now()
		for _, tt := range []struct {
			in   *eks.CreateAccessEntryInput
			want types.AccessEntry
			arn  string // after access-entry/cluster/, without the id
		}{
			{entryOf(devRole), types.AccessEntry{Type: aws.String("STANDARD"), Username: aws.String("arn:aws:sts::111122223333:assumed-role/dev/{{SessionName}}")}, "role/111122223333/dev"},
			{entryOf(bob, func(in *eks.CreateAccessEntryInput) { in.KubernetesGroups = []string{"ops", "all"} }),
				types.AccessEntry{Type: aws.String("STANDARD"), Username: aws.String(bob), KubernetesGroups: []string{"ops", "all"}}, "user/111122223333/bob"},
			{entryOf(root, func(in *eks.CreateAccessEntryInput) {
				in.Username, in.Tags = aws.String("the-owner"), map[string]string{"team": "x"}
			}), types.AccessEntry{Type: aws.String("STANDARD"), Username: aws.String("the-owner"), Tags: map[string]string{"team": "x"}}, "root/111122223333/root"},
			{entryOf(foreign, func(in *eks.CreateAccessEntryInput) { in.Username = aws.String("partner:{{SessionNameRaw}}") }),
				types.AccessEntry{Type: aws.String("STANDARD"), Username: aws.String("partner:{{SessionNameRaw}}")}, "role/444455556666/partner"},
			{entryOf(nodeRole, func(in *eks.CreateAccessEntryInput) { in.Type = aws.String("EC2_LINUX") }),
				types.AccessEntry{Type: aws.String("EC2_LINUX"), Username: aws.String("system:node:{{EC2PrivateDNSName}}"), KubernetesGroups: []string{"system:nodes"}}, "role/111122223333/node"},
		} {
			got := w.enter(t, ctx, tt.in)
			want := tt.want
			want.ClusterName, want.PrincipalArn, want.CreatedAt, want.ModifiedAt = aws.String("cluster"), tt.in.PrincipalArn, &now, &now
			if want.Tags == nil {
				want.Tags = map[string]string{}
			}
			if want.KubernetesGroups == nil {
				want.KubernetesGroups = []string{}
			}
			e, _ := w.entries.Get(entryKey("cluster", *tt.in.PrincipalArn))
			want.AccessEntryArn = aws.String("arn:aws:eks:us-west-2:111122223333:access-entry/cluster/" + tt.arn + "/" + e.ID)
			if diff := cmp.Diff(&want, got, cmp.AllowUnexported(types.AccessEntry{}), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".noSmithyDocumentSerde" }, cmp.Ignore())); diff != "" {
				t.Error(diff)
			}
			described, err := w.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: aws.String("cluster"), PrincipalArn: tt.in.PrincipalArn})
			if err != nil || *described.AccessEntry.AccessEntryArn != *got.AccessEntryArn {
				t.Errorf("described: %+v, %v", described, err)
			}
			tags, err := w.ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: got.AccessEntryArn})
			if err != nil || len(tags.Tags) != len(tt.in.Tags) {
				t.Errorf("tags: %+v, %v", tags, err)
			}
		}
		if got, want := w.principals(t, ctx, ""), []string{root, devRole, nodeRole, alice, bob, foreign}; !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			t.Errorf("listed %v", got)
		}
		for _, kind := range entryTypes {
			if kind.name == standard {
				continue
			}
			if _, err := w.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: aws.String("cluster"), PrincipalArn: aws.String(nodeRole)}); err != nil {
				t.Fatal(err)
			}
			got := w.enter(t, ctx, entryOf(nodeRole, func(in *eks.CreateAccessEntryInput) { in.Type = aws.String(kind.name) }))
			if *got.Type != kind.name || !strings.HasPrefix(*got.Username, "system:node:{{") || !slices.Contains(got.KubernetesGroups, "system:nodes") {
				t.Errorf("%s: %s, %v", kind.name, *got.Username, got.KubernetesGroups)
			}
		}
	})
}

func TestEntryRefusals(t *testing.T) {
	type change = func(*eks.CreateAccessEntryInput)
	kind := func(name string, more ...change) change {
		return func(in *eks.CreateAccessEntryInput) {
			in.Type = &name
			for _, fn := range more {
				fn(in)
			}
		}
	}
	username := func(name string) change {
		return func(in *eks.CreateAccessEntryInput) { in.Username = &name }
	}
	groups := func(names ...string) change {
		return func(in *eks.CreateAccessEntryInput) { in.KubernetesGroups = names }
	}
	const (
		invalid = "The specified principalArn is invalid: invalid principal."
		ofNodes = "when using types [EC2_LINUX, EC2_WINDOWS, FARGATE_LINUX, HYBRID_LINUX, EC2]"
	)
	inMode(t, "API", func(t *testing.T, ctx context.Context, w *world) {
		for _, tt := range []struct {
			arn     string
			change  change
			message string
		}{
			{"", nil, invalid},
			{"arn:aws:iam::111122223333:role/gone", nil, invalid},
			{"arn:aws:iam::111122223333:role/dev", nil, invalid}, // without its path
			{"arn:aws:iam::111122223333:role/", nil, invalid},
			{"arn:aws:iam::111122223333:group/all", nil, invalid},
			{"arn:aws:sts::111122223333:assumed-role/dev/ann", nil, invalid},
			{"arn:aws-cn:iam::111122223333:role/team/dev", nil, invalid},
			{"arn:aws:iam::1111:role/team/dev", nil, invalid},
			{"arn:aws:iam::111122223333:role/*", nil, invalid},
			{"arn:aws:iam::111122223333:role/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch", nil,
				"The caller is not allowed to modify access entries with a principalArn value of a Service Linked Role"},
			{devRole, kind("EC2_MACOS"), "AccessEntry type must be one of [EC2, EC2_LINUX, EC2_WINDOWS, FARGATE_LINUX, HYBRID_LINUX, HYPERPOD_LINUX, STANDARD]"},
			{bob, kind("EC2_LINUX"), "AccessEntry principalArn must be IAM role " + ofNodes},
			{foreign, kind("HYBRID_LINUX"), "AccessEntry principalArn must be from the same account as the cluster " + ofNodes},
			{nodeRole, kind("EC2_LINUX", username("system:node:x")), `The specified username is invalid: setting username is not allowed when the type is "EC2_LINUX"`},
			{nodeRole, kind("EC2_WINDOWS", groups("g")), `The specified kubernetesGroups is invalid: setting kubernetesGroups is not allowed when the type is "EC2_WINDOWS"`},
			{devRole, username("system:masters"), "The username must not begin with system:"},
			{devRole, username("eks:x"), "The username must not begin with eks:"},
			{devRole, username("aws:x"), "The username must not begin with aws:"},
			{devRole, username("amazon:x"), "The username must not begin with amazon:"},
			{devRole, username("iam:x"), "The username must not begin with iam:"},
			{devRole, username("john{{SessionName}}"), "The username must contain a colon before {{SessionName}}"},
			{devRole, username("{{SessionNameRaw}}:x"), "The username must contain a colon before {{SessionNameRaw}}"},
			{devRole, groups("ok", "system:masters"), "The kubernetes group name system:masters is invalid, it cannot start with system:"},
			{devRole, groups("iam:x"), "The kubernetes group name iam:x is invalid, it cannot start with iam:"},
			{devRole, groups(""), "A kubernetes group name can't be empty"},
			{devRole, func(in *eks.CreateAccessEntryInput) { in.Tags = map[string]string{"aws:x": ""} }, "Tag keys that begin with aws: are reserved: aws:x"},
		} {
			if tt.change == nil {
				tt.change = func(*eks.CreateAccessEntryInput) {}
			}
			_, err := w.CreateAccessEntry(ctx, entryOf(tt.arn, tt.change))
			wantError(t, err, "InvalidParameterException", tt.message)
		}
		for _, name := range []string{":john{{SessionName}}", "jo:hn{{SessionName}}", "sts:x", "kubernetes-admin"} {
			w.enter(t, ctx, entryOf(devRole, username(name)))
			if _, err := w.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: aws.String("cluster"), PrincipalArn: aws.String(devRole)}); err != nil {
				t.Fatal(err)
			}
		}
		w.enter(t, ctx, entryOf(devRole))
		_, err := w.CreateAccessEntry(ctx, entryOf(devRole))
		wantError(t, err, "ResourceInUseException", "The specified access entry resource is already in use on this cluster.")
		w.roles.passErr = &types.AccessDeniedException{Message: aws.String("no iam:PassRole")}
		_, err = w.CreateAccessEntry(ctx, entryOf(nodeRole, kind("EC2_LINUX")))
		wantError(t, err, "AccessDeniedException", "no iam:PassRole")
		if got := w.principals(t, ctx, ""); !slices.Equal(got, []string{devRole, alice}) {
			t.Errorf("there are %v", got)
		}

		_, err = w.CreateAccessEntry(ctx, entryOf(bob, func(in *eks.CreateAccessEntryInput) { in.ClusterName = aws.String("other") }))
		wantError(t, err, "ResourceNotFoundException", "No cluster found for name: other.")
		const noEntry = "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'."
		name, arn := aws.String("cluster"), aws.String(bob)
		_, err = w.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: name, PrincipalArn: arn})
		wantError(t, err, "ResourceNotFoundException", noEntry)
		_, err = w.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: name, PrincipalArn: arn})
		wantError(t, err, "ResourceNotFoundException", noEntry)
		_, err = w.UpdateAccessEntry(ctx, &eks.UpdateAccessEntryInput{ClusterName: name, PrincipalArn: arn})
		wantError(t, err, "ResourceNotFoundException", noEntry)
		_, err = w.ListAssociatedAccessPolicies(ctx, &eks.ListAssociatedAccessPoliciesInput{ClusterName: name, PrincipalArn: arn})
		wantError(t, err, "ResourceNotFoundException", noEntry)
	})
	inMode(t, "CONFIG_MAP", func(t *testing.T, ctx context.Context, w *world) {
		const wrongMode = "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation."
		_, err := w.CreateAccessEntry(ctx, entryOf(devRole))
		wantError(t, err, "InvalidRequestException", wrongMode)
		_, err = w.ListAccessEntries(ctx, &eks.ListAccessEntriesInput{ClusterName: aws.String("cluster")})
		wantError(t, err, "InvalidRequestException", wrongMode)
		if n := w.entries.Len(); n != 0 {
			t.Errorf("%d entries of a cluster that counts none", n)
		}
		w.runtime.set(func(r *runtime) { r.hold = make(chan struct{}) })
		w.create(t, ctx, "new", func(in *eks.CreateClusterInput) {
			in.AccessConfig = &types.CreateAccessConfigRequest{AuthenticationMode: "API"}
		})
		_, err = w.CreateAccessEntry(ctx, entryOf(devRole, func(in *eks.CreateAccessEntryInput) { in.ClusterName = aws.String("new") }))
		wantError(t, err, "InvalidRequestException", "Cannot CreateAccessEntry because cluster new is CREATING")
	})
}

func TestEntryTokens(t *testing.T) {
	inMode(t, "API", func(t *testing.T, ctx context.Context, w *world) {
		ask := func(groups ...string) *eks.CreateAccessEntryInput {
			return entryOf(devRole, func(in *eks.CreateAccessEntryInput) {
				in.KubernetesGroups, in.ClientRequestToken = groups, aws.String("t")
			})
		}
		first, again := w.enter(t, ctx, ask("a")), w.enter(t, ctx, ask("a"))
		if *first.AccessEntryArn != *again.AccessEntryArn {
			t.Error("the same request again made another entry")
		}
		_, err := w.CreateAccessEntry(ctx, ask("b"))
		const reused = "The clientRequestToken was already used by a request with different parameters."
		wantError(t, err, "InvalidParameterException", reused)

		update := func(groups ...string) *eks.UpdateAccessEntryInput {
			return &eks.UpdateAccessEntryInput{ClusterName: aws.String("cluster"), PrincipalArn: aws.String(devRole), KubernetesGroups: groups, ClientRequestToken: aws.String("u")}
		}
		var changed [2]time.Time
		for i := range changed {
			out, err := w.UpdateAccessEntry(ctx, update("b"))
			if err != nil {
				t.Fatal(err)
			}
			changed[i] = *out.AccessEntry.ModifiedAt
			time.Sleep(time.Minute)
		}
		if !changed[0].Equal(changed[1]) {
			t.Error("the same update again changed the entry")
		}
		_, err = w.UpdateAccessEntry(ctx, update("c"))
		wantError(t, err, "InvalidParameterException", reused)
	})
}

func TestUpdateEntry(t *testing.T) {
	inMode(t, "API", func(t *testing.T, ctx context.Context, w *world) {
		w.enter(t, ctx, entryOf(devRole, func(in *eks.CreateAccessEntryInput) { in.KubernetesGroups = []string{"a"} }))
		w.enter(t, ctx, entryOf(nodeRole, func(in *eks.CreateAccessEntryInput) { in.Type = aws.String("EC2_LINUX") }))
		time.Sleep(time.Hour)
		update := func(arn, username string, groups []string) (*types.AccessEntry, error) {
			in := &eks.UpdateAccessEntryInput{ClusterName: aws.String("cluster"), PrincipalArn: &arn, KubernetesGroups: groups}
			if username != "" {
				in.Username = &username
			}
			out, err := w.UpdateAccessEntry(ctx, in)
			if err != nil {
				return nil, err
			}
			return out.AccessEntry, nil
		}
		e, err := update(devRole, "dev", nil)
		if err != nil || *e.Username != "dev" || !slices.Equal(e.KubernetesGroups, []string{"a"}) || !e.ModifiedAt.After(*e.CreatedAt) {
			t.Errorf("username: %+v, %v", e, err)
		}
		e, err = update(devRole, "", []string{"b", "c"})
		if err != nil || *e.Username != "dev" || !slices.Equal(e.KubernetesGroups, []string{"b", "c"}) {
			t.Errorf("groups: %+v, %v", e, err)
		}
		e, err = update(devRole, "", []string{})
		if err != nil || len(e.KubernetesGroups) != 0 {
			t.Errorf("no groups: %+v, %v", e, err)
		}
		_, err = update(devRole, "system:x", nil)
		wantError(t, err, "InvalidParameterException", "The username must not begin with system:")
		_, err = update(devRole, "", []string{"eks:x"})
		wantError(t, err, "InvalidParameterException", "The kubernetes group name eks:x is invalid, it cannot start with eks:")
		_, err = update(nodeRole, "", []string{"a"})
		wantError(t, err, "InvalidParameterException", `This operation can only be performed on Access Entries with a type of "STANDARD".`)
		h, _ := w.Holder("cluster", "AROADEV")
		if h.Entry.Username != "dev" || len(h.Entry.Groups) != 0 {
			t.Errorf("what counts: %+v", h.Entry)
		}
	})
}

func TestAssociations(t *testing.T) {
	inMode(t, "API", func(t *testing.T, ctx context.Context, w *world) {
		name, arn := aws.String("cluster"), aws.String(devRole)
		w.enter(t, ctx, entryOf(devRole))
		w.enter(t, ctx, entryOf(nodeRole, func(in *eks.CreateAccessEntryInput) { in.Type = aws.String("EC2_LINUX") }))
		first := w.associate(t, ctx, devRole, "AmazonEKSViewPolicy")
		w.associate(t, ctx, devRole, "AmazonEKSEditPolicy", "dev-*", "test")
		time.Sleep(time.Hour)
		again := w.associate(t, ctx, devRole, "AmazonEKSViewPolicy", "default")
		if !again.AssociatedAt.Equal(*first.AssociatedAt) || !again.ModifiedAt.After(*first.ModifiedAt) || again.AccessScope.Type != "namespace" {
			t.Errorf("associated again: %+v", again)
		}
		out, err := w.ListAssociatedAccessPolicies(ctx, &eks.ListAssociatedAccessPoliciesInput{ClusterName: name, PrincipalArn: arn})
		if err != nil || *out.PrincipalArn != devRole || *out.ClusterName != "cluster" || len(out.AssociatedAccessPolicies) != 2 {
			t.Fatalf("%+v, %v", out, err)
		}
		if p := out.AssociatedAccessPolicies[0]; *p.PolicyArn != policies+"AmazonEKSEditPolicy" || !slices.Equal(p.AccessScope.Namespaces, []string{"dev-*", "test"}) {
			t.Errorf("%+v", p)
		}
		if got := w.principals(t, ctx, "AmazonEKSViewPolicy"); !slices.Equal(got, []string{devRole}) {
			t.Errorf("with the view policy: %v", got)
		}
		if got := w.principals(t, ctx, "AmazonEKSClusterAdminPolicy"); !slices.Equal(got, []string{alice}) {
			t.Errorf("with the admin policy: %v", got)
		}

		h, _ := w.Holder("cluster", "AROADEV")
		allows := func(verb, namespace string) bool {
			_, ok := h.Grants.Allows(accesspolicy.Request{Verb: verb, Resource: "pods", Namespace: namespace})
			return ok
		}
		if !allows("get", "default") || allows("create", "default") || !allows("create", "dev-1") || allows("get", "prod") {
			t.Errorf("what counts: %+v", h)
		}
		if _, err := w.DisassociateAccessPolicy(ctx, &eks.DisassociateAccessPolicyInput{ClusterName: name, PrincipalArn: arn, PolicyArn: aws.String(policies + "AmazonEKSEditPolicy")}); err != nil {
			t.Fatal(err)
		}
		if h, _ = w.Holder("cluster", "AROADEV"); allows("create", "dev-1") || !allows("get", "default") {
			t.Errorf("after the edit policy is gone: %+v", h)
		}

		cluster := &types.AccessScope{Type: "cluster"}
		for _, tt := range []struct {
			principal, policy string
			scope             *types.AccessScope
			code, message     string
		}{
			{devRole, policies + "AmazonEKSViewPolicy", nil, "InvalidParameterException", "The parameter accessScope is required."},
			{devRole, policies + "AmazonEKSViewPolicy", &types.AccessScope{Type: "cluster", Namespaces: []string{"a"}}, "InvalidParameterException", "accessScope should not include namespaces if the type is not set as namespace"},
			{devRole, policies + "AmazonEKSViewPolicy", &types.AccessScope{Type: "namespace"}, "InvalidParameterException", "At least 1 namespace must be provided if the type is set as namespace"},
			{devRole, policies + "AmazonEKSViewPolicy", &types.AccessScope{Type: "namespace", Namespaces: []string{"a", "B"}}, "InvalidParameterException", "Invalid namespace: B"},
			{devRole, policies + "AmazonEKSViewPolicy", &types.AccessScope{Type: "node"}, "InvalidParameterException", "Invalid accessScope type: node"},
			{devRole, "arn:aws:iam::aws:policy/AdministratorAccess", cluster, "InvalidParameterException", "The policyArn parameter format is not valid"},
			{devRole, "AmazonEKSViewPolicy", cluster, "InvalidParameterException", "The policyArn parameter format is not valid"},
			{devRole, "arn:aws:eks:aws:cluster-access-policy/AmazonEKSViewPolicy", cluster, "ResourceNotFoundException", "The specified policyArn could not be found."},
			{devRole, "arn:aws-cn:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", cluster, "ResourceNotFoundException", "The specified policyArn could not be found."},
			{devRole, policies + "AmazonEKSMadeUpPolicy", cluster, "ResourceNotFoundException", "The specified policyArn could not be found."},
			{devRole, policies + "AmazonEKSAutoNodePolicy", cluster, "InvalidParameterException", "access policy AmazonEKSAutoNodePolicy is not supported by eksact: AWS does not publish its rules"},
			{devRole, policies + "AmazonEKSHybridPolicy", cluster, "InvalidParameterException", "access policy AmazonEKSHybridPolicy is not supported by eksact: it is for roles of AWS's services alone"},
			{nodeRole, policies + "AmazonEKSViewPolicy", cluster, "InvalidParameterException", `This operation can only be performed on Access Entries with a type of "STANDARD".`},
			{bob, policies + "AmazonEKSViewPolicy", cluster, "ResourceNotFoundException", "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'."},
		} {
			_, err := w.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{ClusterName: name, PrincipalArn: &tt.principal, PolicyArn: &tt.policy, AccessScope: tt.scope})
			wantError(t, err, tt.code, tt.message)
		}
		_, err = w.DisassociateAccessPolicy(ctx, &eks.DisassociateAccessPolicyInput{ClusterName: name, PrincipalArn: arn, PolicyArn: aws.String(policies + "AmazonEKSEditPolicy")})
		wantError(t, err, "ResourceNotFoundException", "The specified policyArn could not be found.")

		list, err := w.ListAccessPolicies(ctx, &eks.ListAccessPoliciesInput{})
		if err != nil || len(list.AccessPolicies) != len(accesspolicy.Names()) || *list.AccessPolicies[1].Arn != policies+*list.AccessPolicies[1].Name {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func TestEntryPages(t *testing.T) {
	inMode(t, "API", func(t *testing.T, ctx context.Context, w *world) {
		want := []string{alice}
		for i := range 5 {
			arn := fmt.Sprintf("arn:aws:iam::444455556666:role/r%d", i)
			w.enter(t, ctx, entryOf(arn))
			want = append(want, arn)
		}
		var got []string
		in := &eks.ListAccessEntriesInput{ClusterName: aws.String("cluster"), MaxResults: aws.Int32(2)}
		for {
			out, err := w.ListAccessEntries(ctx, in)
			if err != nil || len(out.AccessEntries) > 2 {
				t.Fatalf("%+v, %v", out, err)
			}
			got = append(got, out.AccessEntries...)
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("listed %v", got)
		}
		out, err := w.ListAccessPolicies(ctx, &eks.ListAccessPoliciesInput{MaxResults: aws.Int32(1)})
		if err != nil || len(out.AccessPolicies) != 1 || out.NextToken == nil {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

func TestPrincipals(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:iam::111122223333:user/bob":             "arn:aws:iam::111122223333:user/bob",
		"arn:aws:iam::111122223333:user/ops/bob":         "arn:aws:iam::111122223333:user/ops/bob",
		"arn:aws-cn:iam::111122223333:role/a/b/dev":      "arn:aws-cn:sts::111122223333:assumed-role/dev/{{SessionName}}",
		"arn:aws:iam::111122223333:root":                 "arn:aws:iam::111122223333:root",
		"arn:aws:iam::111122223333:role/aws-reserved/x+": "arn:aws:sts::111122223333:assumed-role/x+/{{SessionName}}",
	} {
		if got := (Principal{ARN: arn}).username(); got != want {
			t.Errorf("%s: %s", arn, got)
		}
	}
	for _, arn := range []string{"", "arn", "arn:aws:iam::111122223333:", "arn:aws:iam::111122223333:root/x", "arn:aws:iam:us-west-2:111122223333:user/x", "arn::iam::111122223333:user/x", "arn:aws:iam::11112222333x:user/x", "arn:aws:iam::111122223333:user/a b"} {
		if p, ok := parsePrincipal(arn); ok {
			t.Errorf("%q: %+v", arn, p)
		}
	}
}
