package iam_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

const print = "6938fd4d98bab03faadb97b34396831e3780aea1"

// provider registers an issuer and returns its ARN.
func (a *account) provider(t *testing.T, url string, clients ...string) *string {
	t.Helper()
	out, err := a.admin.CreateOpenIDConnectProvider(t.Context(), &awsiam.CreateOpenIDConnectProviderInput{Url: &url, ThumbprintList: []string{print}, ClientIDList: clients})
	if err != nil {
		t.Fatal(err)
	}
	return out.OpenIDConnectProviderArn
}

func TestOIDCProviders(t *testing.T) {
	a := open(t)
	ctx := t.Context()
	const host = "oidc.eks.us-west-2.amazonaws.com/id/ABC"
	out, err := a.admin.CreateOpenIDConnectProvider(ctx, &awsiam.CreateOpenIDConnectProviderInput{
		Url: aws.String("https://" + host), ThumbprintList: []string{strings.ToUpper(print)}, ClientIDList: []string{"sts.amazonaws.com"},
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}},
	})
	if err != nil || *out.OpenIDConnectProviderArn != arn("oidc-provider/"+host) || len(out.Tags) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	id := out.OpenIDConnectProviderArn
	for _, client := range []string{"me", "me"} { // the second time it is there already
		ok(t)(a.admin.AddClientIDToOpenIDConnectProvider(ctx, &awsiam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: id, ClientID: &client}))
	}
	for range 2 {
		ok(t)(a.admin.RemoveClientIDFromOpenIDConnectProvider(ctx, &awsiam.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: id, ClientID: aws.String("sts.amazonaws.com")}))
	}
	more := strings.Repeat("a", 40)
	ok(t)(a.admin.UpdateOpenIDConnectProviderThumbprint(ctx, &awsiam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: id, ThumbprintList: []string{print, more}}))
	ok(t)(a.admin.TagOpenIDConnectProvider(ctx, &awsiam.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: id, Tags: []types.Tag{{Key: aws.String("cost"), Value: aws.String("1")}}}))
	ok(t)(a.admin.UntagOpenIDConnectProvider(ctx, &awsiam.UntagOpenIDConnectProviderInput{OpenIDConnectProviderArn: id, TagKeys: []string{"TEAM"}}))

	got, err := a.admin.GetOpenIDConnectProvider(ctx, &awsiam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: id})
	if err != nil || *got.Url != host || !slices.Equal(got.ClientIDList, []string{"me"}) || !slices.Equal(got.ThumbprintList, []string{print, more}) || got.CreateDate.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	tags, err := a.admin.ListOpenIDConnectProviderTags(ctx, &awsiam.ListOpenIDConnectProviderTagsInput{OpenIDConnectProviderArn: id})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "cost" {
		t.Errorf("%+v, %v", tags, err)
	}
	a.provider(t, "https://"+host+"/") // the slash is part of the name
	list, err := a.admin.ListOpenIDConnectProviders(ctx, nil)
	if err != nil || len(list.OpenIDConnectProviderList) != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	summary, err := a.admin.GetAccountSummary(ctx, nil)
	if err != nil || summary.SummaryMap["Providers"] != 2 {
		t.Errorf("%v, %v", summary.SummaryMap["Providers"], err)
	}
	for range 2 {
		ok(t)(a.admin.DeleteOpenIDConnectProvider(ctx, &awsiam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: id}))
	}
	_, err = a.admin.GetOpenIDConnectProvider(ctx, &awsiam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: id})
	refused(t, err, "NoSuchEntity", "OpenIDConnect Provider not found for arn "+*id)
}

func TestRefusalsOfOIDCProviders(t *testing.T) {
	a := open(t)
	a.provider(t, "https://there.example/a")
	const bad = "Invalid Open ID Connect Provider URL."
	many := make([]string, 101)
	for n := range many {
		many[n] = fmt.Sprint(n)
	}
	for name, c := range map[string]struct {
		url          string
		clients      []string
		thumbprints  []string
		code, wanted string
	}{
		"there already, at HTTPS's port": {"https://there.example:443/a", nil, nil, "EntityAlreadyExists", "Provider with url https://there.example/a already exists."},
		"there already":                  {"https://there.example/a", nil, nil, "EntityAlreadyExists", "Provider with url https://there.example/a already exists."},
		"no scheme":                      {"idp.example", nil, nil, "ValidationError", "Invalid Open ID Connect Provider URL"},
		"no host":                        {"https://", nil, nil, "ValidationError", "Invalid Open ID Connect Provider URL"},
		"not https":                      {"http://idp.example", nil, nil, "InvalidInput", bad + " The URL must begin with https://."},
		"a user":                         {"https://a:b@idp.example", nil, nil, "InvalidInput", bad},
		"a query":                        {"https://idp.example?a=b", nil, nil, "InvalidInput", bad},
		"an empty query":                 {"https://idp.example?", nil, nil, "InvalidInput", bad},
		"a fragment":                     {"https://idp.example#a", nil, nil, "InvalidInput", bad},
		"a port":                         {"https://idp.example:8443", nil, nil, "InvalidInput", bad},
		"an empty port":                  {"https://idp.example:/", nil, nil, "InvalidInput", bad},
		"not a name":                     {"https://idp_.example", nil, nil, "InvalidInput", bad},
		"a space":                        {"https://idp.example/a b", nil, nil, "InvalidInput", bad},
		"too long":                       {"https://" + strings.Repeat("a", 250) + ".com", nil, nil, "ValidationError", "Value at 'url' failed to satisfy constraint: Member must have length less than or equal to 255"},
		"a long client id":               {"https://idp.example", []string{strings.Repeat("c", 256)}, nil, "ValidationError", "Member must have length less than or equal to 255"},
		"many client ids":                {"https://idp.example", many, nil, "LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100"},
		"six thumbprints":                {"https://idp.example", nil, []string{print, print, print, print, print, print}, "InvalidInput", "Thumbprint list must contain fewer than 5 entries."},
		"nobody to ask":                  {"https://idp.example", nil, []string{}, "OpenIdIdpCommunicationError", "Could not connect to https://idp.example"},
		"a short thumbprint":             {"https://idp.example", nil, []string{print[1:]}, "ValidationError", "Member must have length greater than or equal to 40"},
	} {
		t.Run(name, func(t *testing.T) {
			in := &awsiam.CreateOpenIDConnectProviderInput{Url: &c.url, ClientIDList: c.clients, ThumbprintList: []string{print}}
			if c.thumbprints != nil {
				in.ThumbprintList = c.thumbprints
			}
			_, err := a.admin.CreateOpenIDConnectProvider(t.Context(), in)
			refused(t, err, c.code, c.wanted)
		})
	}
	for id, want := range map[string]string{
		arn("oidc-provider/none.example"):                         "NoSuchEntity: OpenIDConnect Provider not found for arn " + arn("oidc-provider/none.example"),
		"arn:aws:iam::999999999999:oidc-provider/there.example/a": "NoSuchEntity: OpenIDConnect Provider not found for arn arn:aws:iam::999999999999",
		arn("role/there.example/a"):                               "ValidationError: Invalid resource type in ARN",
		"there.example/a/and/more":                                "ValidationError: Invalid ARN: there.example/a/and/more",
	} {
		code, text, _ := strings.Cut(want, ": ")
		_, err := a.admin.GetOpenIDConnectProvider(t.Context(), &awsiam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &id})
		refused(t, err, code, text)
		_, err = a.admin.UpdateOpenIDConnectProviderThumbprint(t.Context(), &awsiam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: &id, ThumbprintList: []string{print}})
		refused(t, err, code, text)
	}
	id := arn("oidc-provider/there.example/a")
	_, err := a.admin.UpdateOpenIDConnectProviderThumbprint(t.Context(), &awsiam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: &id, ThumbprintList: []string{}})
	refused(t, err, "InvalidInput", "Thumbprint list must contain at least one entry.")
}

// A thumbprint that is not given is read from the issuer's server.
func TestThumbprintsAreRead(t *testing.T) {
	a := open(t)
	answer, failure := print, error(nil)
	a.iam.ReadThumbprints(func(_ context.Context, url string) (string, error) {
		if url != "idp.example/a" {
			t.Errorf("asked of %s", url)
		}
		return answer, failure
	})
	try := func() ([]string, error) {
		out, err := a.admin.CreateOpenIDConnectProvider(t.Context(), &awsiam.CreateOpenIDConnectProviderInput{Url: aws.String("https://idp.example/a")})
		if err != nil {
			return nil, err
		}
		got, err := a.admin.GetOpenIDConnectProvider(t.Context(), &awsiam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: out.OpenIDConnectProviderArn})
		ok(t)(a.admin.DeleteOpenIDConnectProvider(t.Context(), &awsiam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: out.OpenIDConnectProviderArn}))
		return got.ThumbprintList, err
	}
	if got, err := try(); err != nil || !slices.Equal(got, []string{print}) {
		t.Errorf("%v, %v", got, err)
	}
	answer = "" // an issuer of this machine
	if got, err := try(); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	failure = errors.New("no network")
	_, err := try()
	refused(t, err, "OpenIdIdpCommunicationError", "Could not connect to https://idp.example/a. Its certificate's thumbprint can be given in ThumbprintList instead.")
}

func TestOIDCProvidersAreAuthorized(t *testing.T) {
	a := open(t)
	blue := a.provider(t, "https://blue.example")
	red := a.provider(t, "https://red.example")
	ok(t)(a.admin.TagOpenIDConnectProvider(t.Context(), &awsiam.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: blue, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}}}))
	named := a.user(t, "named", allow("iam:GetOpenIDConnectProvider", `"Resource":"`+*blue+`"`))
	tagged := a.user(t, "tagged", allow("iam:GetOpenIDConnectProvider", `"Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"blue"}}`))
	maker := a.user(t, "maker", allow("iam:CreateOpenIDConnectProvider,iam:TagOpenIDConnectProvider", `"Resource":"`+arn("oidc-provider/made.example*")+`","Condition":{"StringEquals":{"aws:RequestTag/team":"blue"}}`))
	for name, user := range map[string]*awsiam.Client{"named": named, "tagged": tagged} {
		ok(t)(user.GetOpenIDConnectProvider(t.Context(), &awsiam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: blue}))
		_, err := user.GetOpenIDConnectProvider(t.Context(), &awsiam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: red})
		denied(t, err, "User: "+arn("user/"+name)+" is not authorized to perform: iam:GetOpenIDConnectProvider on resource: "+*red+" because no identity-based policy allows the iam:GetOpenIDConnectProvider action")
	}
	make := func(url, team string) error {
		_, err := maker.CreateOpenIDConnectProvider(t.Context(), &awsiam.CreateOpenIDConnectProviderInput{
			Url: &url, ThumbprintList: []string{print}, Tags: []types.Tag{{Key: aws.String("team"), Value: &team}},
		})
		return err
	}
	if err := make("https://made.example", "blue"); err != nil {
		t.Error(err)
	}
	denied(t, make("https://made.example/2", "red"), "is not authorized to perform: iam:CreateOpenIDConnectProvider on resource: "+arn("oidc-provider/made.example/2"))
	denied(t, make("https://other.example", "blue"), "is not authorized to perform: iam:CreateOpenIDConnectProvider on resource: "+arn("oidc-provider/other.example"))
	_, err := maker.ListOpenIDConnectProviders(t.Context(), nil)
	denied(t, err, "is not authorized to perform: iam:ListOpenIDConnectProviders on resource: *")
}
