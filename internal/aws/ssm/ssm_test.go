package ssm_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/eksact/eksact/internal/aws/doortest"
	ours "github.com/eksact/eksact/internal/aws/ssm"
)

// account is Parameter Store behind a real front door.
type account struct {
	*doortest.Door
	*ssm.Client
}

func open(t *testing.T) account {
	t.Helper()
	a := doortest.New(t)
	door := a.Open(t, ours.New(ours.Deps{
		Store: a.Store, Place: doortest.Place, Now: time.Now, Exists: func(id string) bool { return id == "ami-1" },
		Images: func() []ours.Image {
			return []ours.Image{{ID: "ami-1", Name: "node-v1", Version: "1.37", Arch: "x86_64", Release: "1.37.2-1", Created: time.Unix(1, 0)}}
		},
	}).Service())
	return account{door, ssm.NewFromConfig(door.Admin)}
}

func (a account) put(t *testing.T, name, value string, change ...func(*ssm.PutParameterInput)) int64 {
	t.Helper()
	in := &ssm.PutParameterInput{Name: &name, Value: &value, Type: types.ParameterTypeString}
	for _, c := range change {
		c(in)
	}
	out, err := a.PutParameter(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out.Version
}

func overwrite(in *ssm.PutParameterInput) { in.Overwrite = aws.Bool(true) }

// said checks an error's code and a piece of its text.
func said(t *testing.T, what string, err error, code, text string) {
	t.Helper()
	var e interface {
		ErrorCode() string
		ErrorMessage() string
	}
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), text) {
		t.Errorf("%s: got %v, want %s: %s", what, err, code, text)
	}
}

func TestVersionsAndLabels(t *testing.T) {
	a, ctx, name := open(t), t.Context(), aws.String("/app/db/host")
	if v := a.put(t, *name, "one"); v != 1 {
		t.Fatalf("the first version is %d", v)
	}
	_, err := a.PutParameter(ctx, &ssm.PutParameterInput{Name: name, Value: aws.String("x"), Type: types.ParameterTypeString})
	said(t, "again", err, "ParameterAlreadyExists", "To overwrite this value, set the overwrite option in the request to true.")
	if v := a.put(t, *name, "two", overwrite); v != 2 {
		t.Fatalf("the second version is %d", v)
	}
	label := func(version int64, labels ...string) *ssm.LabelParameterVersionOutput {
		t.Helper()
		out, err := a.LabelParameterVersion(ctx, &ssm.LabelParameterVersionInput{Name: name, ParameterVersion: &version, Labels: labels})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := label(1, "prod", "1st", "AwsX"); !slices.Equal(out.InvalidLabels, []string{"1st", "AwsX"}) {
		t.Errorf("%+v", out)
	}
	get := func(asked, want string) {
		t.Helper()
		out, err := a.GetParameter(ctx, &ssm.GetParameterInput{Name: &asked})
		if err != nil || *out.Parameter.Value != want {
			t.Errorf("%s: %+v, %v; want %s", asked, out, err, want)
		}
	}
	get(*name, "two")
	get(*name+":1", "one")
	get(*name+":prod", "one")
	get("arn:aws:ssm:us-west-2:111122223333:parameter/app/db/host:prod", "one")
	label(2, "prod")
	get(*name+":prod", "two")
	history, err := a.GetParameterHistory(ctx, &ssm.GetParameterHistoryInput{Name: name})
	if err != nil || len(history.Parameters) != 2 || len(history.Parameters[0].Labels) != 0 || !slices.Equal(history.Parameters[1].Labels, []string{"prod"}) ||
		!strings.Contains(*history.Parameters[0].LastModifiedUser, ":user/") {
		t.Errorf("%+v, %v", history, err)
	}
	un, err := a.UnlabelParameterVersion(ctx, &ssm.UnlabelParameterVersionInput{Name: name, ParameterVersion: aws.Int64(2), Labels: []string{"prod", "other"}})
	if err != nil || !slices.Equal(un.RemovedLabels, []string{"prod"}) || !slices.Equal(un.InvalidLabels, []string{"other"}) {
		t.Errorf("%+v, %v", un, err)
	}
	_, err = a.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(*name + ":prod")})
	said(t, "a label that is gone", err, "ParameterVersionNotFound", "the label prod")
	_, err = a.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(*name + ":7")})
	said(t, "a version", err, "ParameterVersionNotFound", "Systems Manager could not find version 7 of /app/db/host. Verify the version and try again.")
}

// TestTheOldestVersionGoes: there are a hundred versions at most, of which the oldest
// goes unless it has a label.
func TestTheOldestVersionGoes(t *testing.T) {
	a, ctx, name := open(t), t.Context(), aws.String("many")
	a.put(t, *name, "0")
	for i := range 100 {
		a.put(t, *name, fmt.Sprint(i+1), overwrite)
	}
	_, err := a.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("many:1")})
	said(t, "the oldest", err, "ParameterVersionNotFound", "version 1")
	if _, err := a.LabelParameterVersion(ctx, &ssm.LabelParameterVersionInput{Name: name, ParameterVersion: aws.Int64(2), Labels: []string{"keep"}}); err != nil {
		t.Fatal(err)
	}
	_, err = a.PutParameter(ctx, &ssm.PutParameterInput{Name: name, Value: aws.String("x"), Overwrite: aws.Bool(true)})
	said(t, "a label in the way", err, "ParameterMaxVersionLimitExceeded", "Version 2, the oldest version, can't be deleted")
	var seen []int64
	pages := ssm.NewGetParameterHistoryPaginator(a.Client, &ssm.GetParameterHistoryInput{Name: name, MaxResults: aws.Int32(30)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Parameters {
			seen = append(seen, p.Version)
		}
	}
	if len(seen) != 100 || seen[0] != 2 || seen[99] != 101 {
		t.Errorf("%d versions: %v", len(seen), seen)
	}
}

func TestWhatIsRefused(t *testing.T) {
	a := open(t)
	for name, c := range map[string]struct {
		change     func(*ssm.PutParameterInput)
		code, text string
	}{
		"secure":    {func(in *ssm.PutParameterInput) { in.Type = types.ParameterTypeSecureString }, "UnsupportedParameterType", "needs AWS KMS"},
		"no type":   {func(in *ssm.PutParameterInput) { in.Type = "" }, "ValidationException", "A parameter type is required when you create a parameter."},
		"aws name":  {func(in *ssm.PutParameterInput) { in.Name = aws.String("/aws/x") }, "AccessDeniedException", "No access to reserved parameter name: /aws/x."},
		"ssm name":  {func(in *ssm.PutParameterInput) { in.Name = aws.String("SSMx") }, "ValidationException", `can't be prefixed with "ssm"`},
		"relative":  {func(in *ssm.PutParameterInput) { in.Name = aws.String("a/b") }, "ValidationException", "Parameter name must be a fully qualified name."},
		"letters":   {func(in *ssm.PutParameterInput) { in.Name = aws.String("a b") }, "ValidationException", "3 symbols .-_"},
		"levels":    {func(in *ssm.PutParameterInput) { in.Name = aws.String(strings.Repeat("/a", 16)) }, "HierarchyLevelLimitExceededException", "15 levels"},
		"long":      {func(in *ssm.PutParameterInput) { in.Value = aws.String(strings.Repeat("x", 4097)) }, "ValidationException", "maximum parameter value of 4096"},
		"longest":   {func(in *ssm.PutParameterInput) { in.Value, in.Tier = aws.String(strings.Repeat("x", 8193)), "Advanced" }, "ValidationException", "maximum parameter value of 8192"},
		"pattern":   {func(in *ssm.PutParameterInput) { in.AllowedPattern = aws.String("[0-9]+") }, "ParameterPatternMismatchException", "cannot be validated against allowedPattern: [0-9]+"},
		"no regexp": {func(in *ssm.PutParameterInput) { in.AllowedPattern = aws.String("(") }, "InvalidAllowedPatternException", "("},
		"policies":  {func(in *ssm.PutParameterInput) { in.Policies = aws.String(`[{"Type":"Expiration"}]`) }, "InvalidPolicyTypeException", "not supported"},
		"image":     {func(in *ssm.PutParameterInput) { in.DataType = aws.String("aws:ec2:image") }, "ValidationException", "no"},
		"aws tag": {func(in *ssm.PutParameterInput) {
			in.Tags = []types.Tag{{Key: aws.String("aws:cloudformation:stack-name"), Value: aws.String("s")}}
		}, "ValidationException", "reserved"},
	} {
		in := &ssm.PutParameterInput{Name: aws.String("n"), Value: aws.String("v1"), Type: types.ParameterTypeString}
		c.change(in)
		_, err := a.PutParameter(t.Context(), in)
		said(t, name, err, c.code, c.text)
	}
	a.put(t, "n", "ami-1", func(in *ssm.PutParameterInput) { in.DataType = aws.String("aws:ec2:image") })
	_, err := a.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("n"), Value: aws.String("a"), Type: types.ParameterTypeStringList, Overwrite: aws.Bool(true)})
	said(t, "another type", err, "HierarchyTypeMismatchException", "doesn't support changing a parameter type")
	a.put(t, "big", strings.Repeat("x", 5000), func(in *ssm.PutParameterInput) { in.Tier = types.ParameterTierIntelligentTiering })
	_, err = a.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("big"), Value: aws.String("a"), Tier: types.ParameterTierStandard, Overwrite: aws.Bool(true)})
	said(t, "down a tier", err, "ValidationException", "You can't downgrade a parameter")
	_, err = a.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("none")})
	said(t, "none", err, "ParameterNotFound", "")
}

func TestPathsAndFilters(t *testing.T) {
	a, ctx := open(t), t.Context()
	for _, n := range []string{"/a/b/one", "/a/b/two", "/a/three", "/ab/four", "five"} {
		a.put(t, n, "v", func(in *ssm.PutParameterInput) {
			in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String(n[1:2])}}
		})
	}
	below := func(path string, recursive bool) (names []string) {
		t.Helper()
		pages := ssm.NewGetParametersByPathPaginator(a.Client, &ssm.GetParametersByPathInput{Path: &path, Recursive: &recursive, MaxResults: aws.Int32(1)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range page.Parameters {
				names = append(names, *p.Name)
			}
		}
		return names
	}
	if got := below("/a", false); !slices.Equal(got, []string{"/a/three"}) {
		t.Error(got)
	}
	if got := below("/a/", true); !slices.Equal(got, []string{"/a/b/one", "/a/b/two", "/a/three"}) {
		t.Error(got)
	}
	const images = "/aws/service/eks/optimized-ami/1.37/amazon-linux-2023/x86_64/standard/recommended"
	if got := below(images, true); !slices.Equal(got, []string{images + "/image_id", images + "/image_name", images + "/release_version"}) {
		t.Error(got)
	}
	describe := func(key, option string, values ...string) (names []string) {
		t.Helper()
		out, err := a.DescribeParameters(ctx, &ssm.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{{Key: &key, Option: nonEmpty(option), Values: values}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range out.Parameters {
			names = append(names, *p.Name)
		}
		return names
	}
	for _, c := range []struct {
		got  []string
		want string
	}{
		{describe("Name", "Contains", "o"), "/a/b/one /a/b/two /ab/four"},
		{describe("Name", "BeginsWith", "/a/b"), "/a/b/one /a/b/two"},
		{describe("Name", "", "five", "a/three"), "/a/three five"},
		{describe("Path", "Recursive", "/a"), "/a/b/one /a/b/two /a/three"},
		{describe("Path", "", "/a"), "/a/three"},
		{describe("tag:team", "", "i"), "five"},
		{describe("Type", "", "StringList"), ""},
	} {
		if got := strings.Join(c.got, " "); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	_, err := a.DescribeParameters(ctx, &ssm.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("Label"), Values: []string{"x"}}}})
	said(t, "a filter", err, "InvalidFilterKey", "")
	_, err = a.DescribeParameters(ctx, &ssm.DescribeParametersInput{NextToken: aws.String("x")})
	said(t, "a token", err, "InvalidNextToken", "")
	out, err := a.GetParameters(ctx, &ssm.GetParametersInput{Names: []string{"five", "six", images + "/image_id"}})
	if err != nil || !slices.Equal(out.InvalidParameters, []string{"six"}) || len(out.Parameters) != 2 || *out.Parameters[0].Value != "ami-1" ||
		*out.Parameters[0].ARN != "arn:aws:ssm:us-west-2::parameter"+images+"/image_id" {
		t.Errorf("%+v, %v", out, err)
	}
	gone, err := a.DeleteParameters(ctx, &ssm.DeleteParametersInput{Names: []string{"five", "six"}})
	if err != nil || !slices.Equal(gone.DeletedParameters, []string{"five"}) || !slices.Equal(gone.InvalidParameters, []string{"six"}) {
		t.Errorf("%+v, %v", gone, err)
	}
}

func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// TestRights: policies decide by the parameter's ARN and tags, public ones included.
func TestRights(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.put(t, "/team/a/x", "v", func(in *ssm.PutParameterInput) {
		in.Tags = []types.Tag{{Key: aws.String("Team"), Value: aws.String("a")}}
	})
	a.put(t, "/team/b/x", "v")
	user := ssm.NewFromConfig(a.User(t, "reader", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"ssm:GetParameter*","Resource":"arn:aws:ssm:us-west-2:111122223333:parameter/team/*","Condition":{"StringEquals":{"aws:ResourceTag/Team":"a"}}},
		{"Effect":"Allow","Action":"ssm:GetParameter","Resource":"arn:aws:ssm:*::parameter/aws/service/*"},
		{"Effect":"Allow","Action":"ssm:PutParameter","Resource":"*","Condition":{"StringEquals":{"ssm:Overwrite":"true"}}}]}`))
	get := func(name string) error {
		_, err := user.GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
		return err
	}
	if err := get("/team/a/x"); err != nil {
		t.Error(err)
	}
	if err := get("/aws/service/eks/optimized-ami/1.37/amazon-linux-2023/x86_64/standard/recommended/image_id"); err != nil {
		t.Error(err)
	}
	said(t, "another team's", get("/team/b/x"), "AccessDeniedException", "not authorized to perform: ssm:GetParameter on resource: arn:aws:ssm:us-west-2:111122223333:parameter/team/b/x because no identity-based policy allows the ssm:GetParameter action")
	_, err := user.PutParameter(ctx, &ssm.PutParameterInput{Name: aws.String("new"), Value: aws.String("v"), Type: types.ParameterTypeString})
	said(t, "a new one", err, "AccessDeniedException", "ssm:PutParameter")
	if _, err := user.PutParameter(ctx, &ssm.PutParameterInput{Name: aws.String("/team/b/x"), Value: aws.String("v"), Overwrite: aws.Bool(true)}); err != nil {
		t.Error(err)
	}
	tags, err := a.ListTagsForResource(ctx, &ssm.ListTagsForResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: aws.String("/team/a/x")})
	if err != nil || len(tags.TagList) != 1 {
		t.Errorf("%+v, %v", tags, err)
	}
}
