package iam

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// addProviderOperations registers what is about OIDC providers, as operations.go
// does for all others.
func (i *IAM) addProviderOperations(s *api.Service) {
	creating(i, s, "OpenIDConnectProvider", i.CreateOpenIDConnectProvider, func(_ context.Context, in *iam.CreateOpenIDConnectProviderInput) []string {
		return []string{i.arn("oidc-provider", "/", providerName(value(in.Url)))}
	},
		func(in *iam.CreateOpenIDConnectProviderInput) (*string, []types.Tag) { return nil, in.Tags })
	api.Add(s, "GetOpenIDConnectProvider", i.GetOpenIDConnectProvider, func(_ context.Context, in *iam.GetOpenIDConnectProviderInput) []string {
		return given(in.OpenIDConnectProviderArn)
	})
	api.Add(s, "ListOpenIDConnectProviders", i.ListOpenIDConnectProviders, nil)
	api.Add(s, "DeleteOpenIDConnectProvider", i.DeleteOpenIDConnectProvider, func(_ context.Context, in *iam.DeleteOpenIDConnectProviderInput) []string {
		return given(in.OpenIDConnectProviderArn)
	})
	api.Add(s, "AddClientIDToOpenIDConnectProvider", i.AddClientIDToOpenIDConnectProvider, func(_ context.Context, in *iam.AddClientIDToOpenIDConnectProviderInput) []string {
		return given(in.OpenIDConnectProviderArn)
	})
	api.Add(s, "RemoveClientIDFromOpenIDConnectProvider", i.RemoveClientIDFromOpenIDConnectProvider, func(_ context.Context, in *iam.RemoveClientIDFromOpenIDConnectProviderInput) []string {
		return given(in.OpenIDConnectProviderArn)
	})
	api.Add(s, "UpdateOpenIDConnectProviderThumbprint", i.UpdateOpenIDConnectProviderThumbprint, func(_ context.Context, in *iam.UpdateOpenIDConnectProviderThumbprintInput) []string {
		return given(in.OpenIDConnectProviderArn)
	})
	api.Add(s, "ListOpenIDConnectProviderTags", i.ListOpenIDConnectProviderTags, func(_ context.Context, in *iam.ListOpenIDConnectProviderTagsInput) []string {
		return given(in.OpenIDConnectProviderArn)
	})
	guarded(i, s, "TagOpenIDConnectProvider", i.TagOpenIDConnectProvider, func(_ context.Context, in *iam.TagOpenIDConnectProviderInput) []string {
		return given(in.OpenIDConnectProviderArn)
	},
		func(in *iam.TagOpenIDConnectProviderInput) map[string][]string { return tagKeysOf(in.Tags) })
	guarded(i, s, "UntagOpenIDConnectProvider", i.UntagOpenIDConnectProvider, func(_ context.Context, in *iam.UntagOpenIDConnectProviderInput) []string {
		return given(in.OpenIDConnectProviderArn)
	},
		func(in *iam.UntagOpenIDConnectProviderInput) map[string][]string { return untagKeysOf(in.TagKeys) })
}
