package iam

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/store"
)

// OIDCProvider is an OpenID Connect identity provider that roles may trust. Its key
// is its URL.
type OIDCProvider struct {
	URL         string   // HOST/PATH, without https://
	ClientIDs   []string `json:",omitempty"`
	Thumbprints []string `json:",omitempty"` // in lower case
	Created     time.Time
	Tags        []Tag `json:",omitempty"`
}

// Quotas of OIDC providers.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	oidcProvidersQuota = 700
	clientIDsQuota     = 100
	thumbprintsQuota   = 5
	thumbprintLength   = 40
)

func (i *IAM) oidcProviderARN(p *OIDCProvider) string { return i.arn("oidc-provider", "/", p.URL) }

// OIDCProvider returns the provider of an issuer, which is its URL with https://,
// and the provider's ARN.
func (i *IAM) OIDCProvider(issuer string) (p OIDCProvider, arn string, ok bool) {
	name, ok := strings.CutPrefix(issuer, "https://")
	if !ok {
		return p, "", false
	}
	p, ok = i.issuers.Get(name)
	return p, i.oidcProviderARN(&p), ok
}

// ReadThumbprints says who reads the thumbprint of an issuer's server, given its
// HOST/PATH, for providers that are made without one.
func (i *IAM) ReadThumbprints(read func(ctx context.Context, url string) (string, error)) {
	i.readThumbprint = read
}

// CreateOpenIDConnectProvider registers an issuer whose tokens roles may trust.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html
func (i *IAM) CreateOpenIDConnectProvider(ctx context.Context, in *iam.CreateOpenIDConnectProviderInput) (*iam.CreateOpenIDConnectProviderOutput, error) {
	var c check
	if c.length("url", in.Url, 1, 255) && c.other == nil {
		c.other = issuerURL(*in.Url)
	}
	c.clientIDs(in.ClientIDList)
	c.thumbprints(in.ThumbprintList, false)
	tags := c.tags(in.Tags)
	if err := c.err(); err != nil {
		return nil, err
	}
	tags = append(tags, systemTags(ctx)...)
	p := OIDCProvider{
		URL: providerName(*in.Url), ClientIDs: distinct(in.ClientIDList), Thumbprints: lowered(in.ThumbprintList),
		Created: i.today(), Tags: tags,
	}
	if err := i.room(&p); err != nil { // before the network is asked
		return nil, err
	}
	if len(p.Thumbprints) == 0 {
		if err := i.addThumbprint(ctx, &p); err != nil {
			return nil, err
		}
	}
	err := i.change(ctx, func(tx *store.Tx) error {
		if _, ok := i.issuers.In(tx).Get(p.URL); ok {
			return providerExists(&p)
		}
		i.issuers.In(tx).Put(p.URL, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	arn := i.oidcProviderARN(&p)
	return &iam.CreateOpenIDConnectProviderOutput{OpenIDConnectProviderArn: &arn, Tags: showTags(p.Tags)}, nil
}

func (i *IAM) room(p *OIDCProvider) error {
	if _, ok := i.issuers.Get(p.URL); ok {
		return providerExists(p)
	}
	return full(i.issuers.Len(), "OpenIdConnectProvidersPerAccount", oidcProvidersQuota)
}

func providerExists(p *OIDCProvider) error {
	return alreadyExists("Provider with url https://%s already exists.", p.URL)
}

func noProvider(arn string) error {
	return noSuchEntity("OpenIDConnect Provider not found for arn %s", arn)
}

// addThumbprint reads the thumbprint that was not given. An issuer of this machine
// has none to read if its keys don't come over TLS; any other that can't be reached
// is refused, for nothing could be known of its certificate.
func (i *IAM) addThumbprint(ctx context.Context, p *OIDCProvider) error {
	text := "Could not connect to https://" + p.URL + ". Its certificate's thumbprint can be given in ThumbprintList instead."
	if i.readThumbprint == nil {
		return &types.OpenIdIdpCommunicationErrorException{Message: &text}
	}
	read, err := i.readThumbprint(ctx, p.URL)
	if err != nil {
		return &types.OpenIdIdpCommunicationErrorException{Message: &text}
	}
	if read != "" {
		p.Thumbprints = []string{read}
	}
	return nil
}

// providerName is what a provider is called: its URL without the scheme and without HTTPS's
// own port, which eksctl sends and leaves out of the provider's ARN.
func providerName(url string) string {
	host, path, slash := strings.Cut(strings.TrimPrefix(url, "https://"), "/")
	host = strings.TrimSuffix(host, ":443")
	if slash {
		return host + "/" + path
	}
	return host
}

var hostLabel = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)

// issuerURL checks the URL of a provider.
func issuerURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "":
		return validation("Invalid Open ID Connect Provider URL")
	case !strings.HasPrefix(text, "https://"):
		return invalidInput("Invalid Open ID Connect Provider URL. The URL must begin with https://.")
	}
	printable := !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' })
	extra := u.User != nil || strings.ContainsAny(text, "?#") || u.Port() != "" && u.Port() != "443" || strings.HasSuffix(u.Host, ":")
	if !printable || extra || !isHost(u.Hostname()) {
		return invalidInput("Invalid Open ID Connect Provider URL.")
	}
	return nil
}

func isHost(host string) bool {
	return len(host) <= 253 && !slices.ContainsFunc(strings.Split(host, "."), func(l string) bool { return !hostLabel.MatchString(l) })
}

func (c *check) clientIDs(list []string) {
	for _, id := range list {
		c.length("clientID", &id, 1, 255)
	}
	if len(distinct(list)) > clientIDsQuota && c.other == nil {
		c.other = tooManyClientIDs()
	}
}

func tooManyClientIDs() error {
	return limitExceeded("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", clientIDsQuota)
}

// thumbprints checks a list of them. That they are hexadecimal AWS doesn't ask.
func (c *check) thumbprints(list []string, needed bool) {
	wrong := slices.ContainsFunc(list, func(p string) bool { return len(p) != thumbprintLength })
	switch {
	case c.other != nil:
	case needed && len(list) == 0:
		c.other = invalidInput("Thumbprint list must contain at least one entry.")
	case len(list) > thumbprintsQuota:
		c.other = invalidInput("Thumbprint list must contain fewer than %d entries.", thumbprintsQuota)
	case wrong:
		c.other = invalidInput("Thumbprint must be exactly %d characters.", thumbprintLength)
	}
}

func distinct(list []string) (out []string) {
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func lowered(list []string) (out []string) {
	for _, s := range list {
		out = append(out, strings.ToLower(s))
	}
	return distinct(out)
}
