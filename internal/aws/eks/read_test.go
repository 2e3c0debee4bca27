package eks

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

func TestListClusters(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		if out, err := w.ListClusters(ctx, &eks.ListClustersInput{}); err != nil || out.Clusters == nil || len(out.Clusters) != 0 {
			t.Errorf("without clusters: %v, %v", out, err)
		}
		var want []string
		for i := range 5 {
			name := fmt.Sprint("c", i)
			w.create(t, ctx, name)
			want = append(want, name)
		}
		var got []string
		pages := eks.NewListClustersPaginator(lister{w.Service}, &eks.ListClustersInput{MaxResults: aws.Int32(2)})
		for pages.HasMorePages() {
			out, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, out.Clusters...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages give %v", got)
		}

		first, err := w.ListClusters(ctx, &eks.ListClustersInput{MaxResults: aws.Int32(2)})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(*first.NextToken, "c1") {
			t.Errorf("the token is not opaque: %s", *first.NextToken)
		}
		// A cluster that goes between two pages is no error.
		if _, err := w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: aws.String("c1")}); err != nil {
			t.Fatal(err)
		}
		second, err := w.ListClusters(ctx, &eks.ListClustersInput{NextToken: first.NextToken})
		if err != nil || !slices.Equal(second.Clusters, []string{"c2", "c3", "c4"}) || second.NextToken != nil {
			t.Errorf("the second page: %+v, %v", second, err)
		}
		for _, in := range []*eks.ListClustersInput{
			{NextToken: aws.String("!")},
			{NextToken: first.NextToken, Include: []string{"all"}},
			{NextToken: aws.String(writeToken(token{"other", "c1"}))},
		} {
			_, err := w.ListClusters(ctx, in)
			wantError(t, err, "InvalidParameterException", "The nextToken is not valid for this request.")
		}
		for _, n := range []int32{0, 101, -1} {
			_, err := w.ListClusters(ctx, &eks.ListClustersInput{MaxResults: &n})
			wantError(t, err, "InvalidParameterException", "maxResults must be between 1 and 100.")
		}
	})
}

func TestTags(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster", func(in *eks.CreateClusterInput) { in.Tags = map[string]string{"a": "1", "b": "2"} })
		arn := aws.String(w.ARN("cluster"))
		tags := func() map[string]string {
			out, err := w.ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: arn})
			if err != nil {
				t.Fatal(err)
			}
			return out.Tags
		}
		if _, err := w.TagResource(ctx, &eks.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"b": "3", "c": "4"}}); err != nil {
			t.Fatal(err)
		}
		if want := map[string]string{"a": "1", "b": "3", "c": "4"}; !maps.Equal(tags(), want) {
			t.Errorf("got %v", tags())
		}
		if _, err := w.UntagResource(ctx, &eks.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a", "b", "z"}}); err != nil {
			t.Fatal(err)
		}
		if want := map[string]string{"c": "4"}; !maps.Equal(tags(), want) || !maps.Equal(w.describe(t, ctx, "cluster").Tags, want) {
			t.Errorf("got %v", tags())
		}
		many := map[string]string{}
		for i := range 50 {
			many[fmt.Sprint(i)] = ""
		}
		for _, test := range []struct {
			arn, code, message string
			tags               map[string]string
		}{
			{*arn, "BadRequestException", "A resource can't have more than 50 tags.", many},
			{*arn, "BadRequestException", "At least one tag must be given.", nil},
			{*arn, "BadRequestException", "Tag keys that begin with aws: are reserved: AWS:x", map[string]string{"AWS:x": ""}},
			{*arn, "BadRequestException", "A tag key must have between 1 and 128 characters.", map[string]string{"": ""}},
			{w.ARN("gone"), "NotFoundException", "The specified resource could not be found: " + w.ARN("gone"), map[string]string{"a": ""}},
			{"arn:aws:eks:us-west-2:111122223333:nodegroup/c/ng/1", "NotFoundException",
				"The specified resource could not be found: arn:aws:eks:us-west-2:111122223333:nodegroup/c/ng/1", map[string]string{"a": ""}},
			{"arn:aws:eks:us-west-2:999999999999:cluster/cluster", "BadRequestException",
				"Invalid resourceArn: arn:aws:eks:us-west-2:999999999999:cluster/cluster", map[string]string{"a": ""}},
		} {
			_, err := w.TagResource(ctx, &eks.TagResourceInput{ResourceArn: &test.arn, Tags: test.tags})
			wantError(t, err, test.code, test.message)
		}
	})
}

func TestDescribeClusterVersions(t *testing.T) {
	w := newWorld()
	defer w.Store.Close()
	w.Now = func() time.Time { return time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC) }
	ask := func(in *eks.DescribeClusterVersionsInput) []string {
		out, err := w.DescribeClusterVersions(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		var minors []string
		for _, v := range out.ClusterVersions {
			minors = append(minors, *v.ClusterVersion)
		}
		return minors
	}
	for _, test := range []struct {
		what string
		in   eks.DescribeClusterVersionsInput
		want string
	}{
		{"all", eks.DescribeClusterVersionsInput{}, "1.37 1.36 1.35 1.34 1.14"},
		{"the default", eks.DescribeClusterVersionsInput{DefaultOnly: aws.Bool(true)}, "1.37"},
		{"some", eks.DescribeClusterVersionsInput{ClusterVersions: []string{"1.34", "1.36", "1.2"}}, "1.36 1.34"},
		{"in extended support", eks.DescribeClusterVersionsInput{VersionStatus: types.VersionStatusExtendedSupport}, "1.34"},
		//lint:ignore SA1019 old clients still send it
		{"in standard support", eks.DescribeClusterVersionsInput{Status: types.ClusterVersionStatusStandardSupport}, "1.37 1.36 1.35"},
		{"out of support", eks.DescribeClusterVersionsInput{VersionStatus: types.VersionStatusUnsupported}, "1.14"},
		{"of another kind", eks.DescribeClusterVersionsInput{ClusterType: aws.String("eks-local")}, ""},
	} {
		if got := strings.Join(ask(&test.in), " "); got != test.want {
			t.Errorf("%s: %s, want %s", test.what, got, test.want)
		}
	}
	out, err := w.DescribeClusterVersions(t.Context(), &eks.DescribeClusterVersionsInput{ClusterVersions: []string{"1.37"}})
	if err != nil {
		t.Fatal(err)
	}
	v := out.ClusterVersions[0]
	if !v.DefaultVersion || *v.KubernetesPatchVersion != "1.37.2" || v.Status != "standard-support" || v.VersionStatus != "STANDARD_SUPPORT" ||
		*v.DefaultPlatformVersion != "eks.1" || v.ReleaseDate.Format(time.DateOnly) != "2026-10-02" {
		t.Errorf("1.37 is %+v", v)
	}
	// eksctl 0.230 takes a version of this status for one that can be named.
	out, _ = w.DescribeClusterVersions(t.Context(), &eks.DescribeClusterVersionsInput{ClusterVersions: []string{"1.14"}})
	if v := out.ClusterVersions[0]; v.Status == "UNSUPPORTED" || v.VersionStatus != types.VersionStatusUnsupported {
		t.Errorf("1.14 is %s, %s", v.Status, v.VersionStatus)
	}
	_, err = w.DescribeClusterVersions(t.Context(), &eks.DescribeClusterVersionsInput{VersionStatus: "NEW"})
	wantError(t, err, "InvalidParameterException", "Invalid version status: NEW")

	var got []string
	pages := eks.NewDescribeClusterVersionsPaginator(lister{w.Service}, &eks.DescribeClusterVersionsInput{MaxResults: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.ClusterVersions {
			got = append(got, *v.ClusterVersion)
		}
	}
	if !slices.Equal(got, []string{"1.37", "1.36", "1.35", "1.34", "1.14"}) {
		t.Errorf("pages give %v", got)
	}
}

func TestResourcesOfOperations(t *testing.T) {
	w := newWorld()
	defer w.Store.Close()
	svc := w.Service.Service()
	cluster := []string{"arn:aws:eks:us-west-2:111122223333:cluster/c"}
	addon := []string{"arn:aws:eks:us-west-2:111122223333:addon/c/a/*"}
	entry := []string{"arn:aws:eks:us-west-2:111122223333:access-entry/c/role/111122223333/dev/*"}
	nodegroup := []string{"arn:aws:eks:us-west-2:111122223333:nodegroup/c/ng/*"}
	association := []string{"arn:aws:eks:us-west-2:111122223333:podidentityassociation/c/a-1"}
	name, arn, principal := aws.String("c"), aws.String("arn:x"), aws.String(devRole)
	for op, test := range map[string]struct {
		in   any
		want []string
	}{
		"CreateCluster":              {&eks.CreateClusterInput{Name: name}, cluster},
		"DescribeCluster":            {&eks.DescribeClusterInput{Name: name}, cluster},
		"DeleteCluster":              {&eks.DeleteClusterInput{Name: name}, cluster},
		"UpdateClusterConfig":        {&eks.UpdateClusterConfigInput{Name: name}, cluster},
		"DescribeUpdate":             {&eks.DescribeUpdateInput{Name: name}, cluster},
		"ListUpdates":                {&eks.ListUpdatesInput{Name: name}, cluster},
		"TagResource":                {&eks.TagResourceInput{ResourceArn: arn}, []string{"arn:x"}},
		"UntagResource":              {&eks.UntagResourceInput{ResourceArn: arn}, []string{"arn:x"}},
		"ListTagsForResource":        {&eks.ListTagsForResourceInput{ResourceArn: arn}, []string{"arn:x"}},
		"ListClusters":               {&eks.ListClustersInput{}, []string{"arn:aws:eks:us-west-2:111122223333:cluster/*"}},
		"DescribeClusterVersions":    {&eks.DescribeClusterVersionsInput{}, []string{"arn:aws:eks:us-west-2:111122223333:*"}},
		"CreateAddon":                {&eks.CreateAddonInput{ClusterName: name, AddonName: aws.String("a")}, cluster},
		"ListAddons":                 {&eks.ListAddonsInput{ClusterName: name}, cluster},
		"DescribeAddon":              {&eks.DescribeAddonInput{ClusterName: name, AddonName: aws.String("a")}, addon},
		"UpdateAddon":                {&eks.UpdateAddonInput{ClusterName: name, AddonName: aws.String("a")}, addon},
		"DeleteAddon":                {&eks.DeleteAddonInput{ClusterName: name, AddonName: aws.String("a")}, addon},
		"DescribeAddonVersions":      {&eks.DescribeAddonVersionsInput{}, nil},
		"DescribeAddonConfiguration": {&eks.DescribeAddonConfigurationInput{}, nil},

		"CreateAccessEntry":              {&eks.CreateAccessEntryInput{ClusterName: name, PrincipalArn: principal}, cluster},
		"ListAccessEntries":              {&eks.ListAccessEntriesInput{ClusterName: name}, cluster},
		"DescribeAccessEntry":            {&eks.DescribeAccessEntryInput{ClusterName: name, PrincipalArn: principal}, entry},
		"UpdateAccessEntry":              {&eks.UpdateAccessEntryInput{ClusterName: name, PrincipalArn: principal}, entry},
		"DeleteAccessEntry":              {&eks.DeleteAccessEntryInput{ClusterName: name, PrincipalArn: principal}, entry},
		"AssociateAccessPolicy":          {&eks.AssociateAccessPolicyInput{ClusterName: name, PrincipalArn: principal}, entry},
		"DisassociateAccessPolicy":       {&eks.DisassociateAccessPolicyInput{ClusterName: name, PrincipalArn: principal}, entry},
		"ListAssociatedAccessPolicies":   {&eks.ListAssociatedAccessPoliciesInput{ClusterName: name, PrincipalArn: principal}, entry},
		"ListAccessPolicies":             {&eks.ListAccessPoliciesInput{}, nil},
		"CreatePodIdentityAssociation":   {&eks.CreatePodIdentityAssociationInput{ClusterName: name}, cluster},
		"ListPodIdentityAssociations":    {&eks.ListPodIdentityAssociationsInput{ClusterName: name}, cluster},
		"DescribePodIdentityAssociation": {&eks.DescribePodIdentityAssociationInput{ClusterName: name, AssociationId: aws.String("a-1")}, association},
		"UpdatePodIdentityAssociation":   {&eks.UpdatePodIdentityAssociationInput{ClusterName: name, AssociationId: aws.String("a-1")}, association},
		"CreateNodegroup":                {&eks.CreateNodegroupInput{ClusterName: name, NodegroupName: aws.String("ng")}, cluster},
		"ListNodegroups":                 {&eks.ListNodegroupsInput{ClusterName: name}, cluster},
		"DescribeNodegroup":              {&eks.DescribeNodegroupInput{ClusterName: name, NodegroupName: aws.String("ng")}, nodegroup},
		"UpdateNodegroupConfig":          {&eks.UpdateNodegroupConfigInput{ClusterName: name, NodegroupName: aws.String("ng")}, nodegroup},
		"UpdateNodegroupVersion":         {&eks.UpdateNodegroupVersionInput{ClusterName: name, NodegroupName: aws.String("ng")}, nodegroup},
		"DeleteNodegroup":                {&eks.DeleteNodegroupInput{ClusterName: name, NodegroupName: aws.String("ng")}, nodegroup},
		"ListFargateProfiles":            {&eks.ListFargateProfilesInput{ClusterName: name}, cluster},
		"DescribeFargateProfile":         {&eks.DescribeFargateProfileInput{ClusterName: name, FargateProfileName: aws.String("fp")}, []string{"arn:aws:eks:us-west-2:111122223333:fargateprofile/c/fp/*"}},
		"DeletePodIdentityAssociation":   {&eks.DeletePodIdentityAssociationInput{ClusterName: name, AssociationId: aws.String("a-1")}, association},
	} {
		o, ok := svc.Operations[op]
		if !ok {
			t.Errorf("%s is not registered", op)
			continue
		}
		var got []string
		if o.Resources != nil {
			got = o.Resources(t.Context(), test.in)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s touches %v, want %v", op, got, test.want)
		}
	}
	if len(svc.Operations) != 40 {
		t.Errorf("%d operations are registered", len(svc.Operations))
	}
}
