package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/store"
)

// providerURL is the key in a provider's ARN; false of one that isn't a provider's
// of this account.
func (i *IAM) providerURL(arn string) (string, bool) {
	return strings.CutPrefix(arn, i.arn("oidc-provider", "/", ""))
}

// provider finds what an ARN names.
func (i *IAM) provider(arn *string) (OIDCProvider, error) {
	if err := providerARN(arn); err != nil {
		return OIDCProvider{}, err
	}
	name, ok := i.providerURL(*arn)
	p, found := i.issuers.Get(name)
	if !ok || !found {
		return p, noProvider(*arn)
	}
	return p, nil
}

func providerARN(arn *string) error {
	var c check
	if c.arn("openIDConnectProviderArn", arn); c.err() != nil {
		return c.err()
	}
	parts := strings.SplitN(*arn, ":", 6)
	switch {
	case len(parts) < 6 || parts[0] != "arn" || parts[2] != "iam" || parts[4] == "":
		return validation("Invalid ARN: %s", *arn)
	case !strings.HasPrefix(parts[5], "oidc-provider/"):
		return validation("Invalid resource type in ARN")
	}
	return nil
}

func (i *IAM) editProvider(ctx context.Context, arn *string, fn func(*OIDCProvider) error) error {
	if err := providerARN(arn); err != nil {
		return err
	}
	name, ours := i.providerURL(*arn)
	return i.change(ctx, func(tx *store.Tx) error {
		p, ok := i.issuers.In(tx).Get(name)
		if !ok || !ours {
			return noProvider(*arn)
		}
		if err := fn(&p); err != nil {
			return err
		}
		i.issuers.In(tx).Put(name, p)
		return nil
	})
}

// GetOpenIDConnectProvider describes a provider; its URL without https://.
func (i *IAM) GetOpenIDConnectProvider(_ context.Context, in *iam.GetOpenIDConnectProviderInput) (*iam.GetOpenIDConnectProviderOutput, error) {
	p, err := i.provider(in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	return &iam.GetOpenIDConnectProviderOutput{
		Url: &p.URL, ClientIDList: p.ClientIDs, ThumbprintList: p.Thumbprints, CreateDate: &p.Created, Tags: showTags(p.Tags),
	}, nil
}

// ListOpenIDConnectProviders lists the ARNs of all, on one page.
func (i *IAM) ListOpenIDConnectProviders(context.Context, *iam.ListOpenIDConnectProvidersInput) (*iam.ListOpenIDConnectProvidersOutput, error) {
	list := []types.OpenIDConnectProviderListEntry{}
	for _, p := range i.issuers.List("") {
		arn := i.oidcProviderARN(&p)
		list = append(list, types.OpenIDConnectProviderListEntry{Arn: &arn})
	}
	return &iam.ListOpenIDConnectProvidersOutput{OpenIDConnectProviderList: list}, nil
}

// DeleteOpenIDConnectProvider deletes a provider. Roles that trust it stay as they
// are, and can't be assumed with its tokens any more. One that isn't there is no
// error.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteOpenIDConnectProvider.html
func (i *IAM) DeleteOpenIDConnectProvider(ctx context.Context, in *iam.DeleteOpenIDConnectProviderInput) (*iam.DeleteOpenIDConnectProviderOutput, error) {
	if err := providerARN(in.OpenIDConnectProviderArn); err != nil {
		return nil, err
	}
	return &iam.DeleteOpenIDConnectProviderOutput{}, i.change(ctx, func(tx *store.Tx) error {
		if name, ours := i.providerURL(*in.OpenIDConnectProviderArn); ours {
			i.issuers.In(tx).Delete(name)
		}
		return nil
	})
}

// AddClientIDToOpenIDConnectProvider adds a client id, unless it is there.
func (i *IAM) AddClientIDToOpenIDConnectProvider(ctx context.Context, in *iam.AddClientIDToOpenIDConnectProviderInput) (*iam.AddClientIDToOpenIDConnectProviderOutput, error) {
	var c check
	c.length("clientID", in.ClientID, 1, 255)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.AddClientIDToOpenIDConnectProviderOutput{}, i.editProvider(ctx, in.OpenIDConnectProviderArn, func(p *OIDCProvider) error {
		switch {
		case slices.Contains(p.ClientIDs, *in.ClientID):
			return nil
		case len(p.ClientIDs) >= clientIDsQuota:
			return tooManyClientIDs()
		}
		p.ClientIDs = with(p.ClientIDs, *in.ClientID)
		return nil
	})
}

// RemoveClientIDFromOpenIDConnectProvider removes a client id, if it is there.
func (i *IAM) RemoveClientIDFromOpenIDConnectProvider(ctx context.Context, in *iam.RemoveClientIDFromOpenIDConnectProviderInput) (*iam.RemoveClientIDFromOpenIDConnectProviderOutput, error) {
	var c check
	c.length("clientID", in.ClientID, 1, 255)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.RemoveClientIDFromOpenIDConnectProviderOutput{}, i.editProvider(ctx, in.OpenIDConnectProviderArn, func(p *OIDCProvider) error {
		p.ClientIDs = without(p.ClientIDs, *in.ClientID)
		return nil
	})
}

// UpdateOpenIDConnectProviderThumbprint replaces the thumbprints.
func (i *IAM) UpdateOpenIDConnectProviderThumbprint(ctx context.Context, in *iam.UpdateOpenIDConnectProviderThumbprintInput) (*iam.UpdateOpenIDConnectProviderThumbprintOutput, error) {
	var c check
	c.thumbprints(in.ThumbprintList, true)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.UpdateOpenIDConnectProviderThumbprintOutput{}, i.editProvider(ctx, in.OpenIDConnectProviderArn, func(p *OIDCProvider) error {
		p.Thumbprints = lowered(in.ThumbprintList)
		return nil
	})
}

// TagOpenIDConnectProvider, UntagOpenIDConnectProvider and
// ListOpenIDConnectProviderTags are about a provider's tags.
func (i *IAM) TagOpenIDConnectProvider(ctx context.Context, in *iam.TagOpenIDConnectProviderInput) (*iam.TagOpenIDConnectProviderOutput, error) {
	var c check
	tags := c.tags(in.Tags)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.TagOpenIDConnectProviderOutput{}, i.editProvider(ctx, in.OpenIDConnectProviderArn, func(p *OIDCProvider) (err error) {
		p.Tags, err = tagged(p.Tags, tags)
		return err
	})
}

func (i *IAM) UntagOpenIDConnectProvider(ctx context.Context, in *iam.UntagOpenIDConnectProviderInput) (*iam.UntagOpenIDConnectProviderOutput, error) {
	var c check
	c.tagKeys(in.TagKeys)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.UntagOpenIDConnectProviderOutput{}, i.editProvider(ctx, in.OpenIDConnectProviderArn, func(p *OIDCProvider) error {
		p.Tags = untagged(p.Tags, in.TagKeys)
		return nil
	})
}

func (i *IAM) ListOpenIDConnectProviderTags(_ context.Context, in *iam.ListOpenIDConnectProviderTagsInput) (*iam.ListOpenIDConnectProviderTagsOutput, error) {
	p, err := i.provider(in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	page, err := listTags(p.Tags, in.Marker, in.MaxItems)
	return &iam.ListOpenIDConnectProviderTagsOutput{Tags: page.items, Marker: page.marker, IsTruncated: page.more}, err
}
