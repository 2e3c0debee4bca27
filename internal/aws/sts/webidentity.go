package sts

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/go-jose/go-jose/v4"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/idp"
	"github.com/eksact/eksact/internal/engine/oidc"
)

// Issuers knows the keys of identity providers' issuers (package idp).
type Issuers interface {
	// Keys returns an issuer's keys; newer ones than are remembered, if they may have
	// changed. Errors: idp.ErrUnreachable, idp.ErrCertificate, idp.ErrNoKeys.
	Keys(ctx context.Context, p idp.Provider, newer bool) (jose.JSONWebKeySet, error)
}

// AssumeRoleWithWebIdentity makes credentials of a role for whoever the token of an
// OIDC provider names, if the role's trust policy lets it. The call carries no
// signature: the token is the proof.
//
// What needs no keys is checked first, for keys may come over the network and
// tokens from anyone; whether there is such a role is told to nobody without a good
// token.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
func (s *STS) AssumeRoleWithWebIdentity(ctx context.Context, in *sts.AssumeRoleWithWebIdentityInput) (*sts.AssumeRoleWithWebIdentityOutput, error) {
	if err := checkWebIdentity(in); err != nil {
		return nil, err
	}
	token, who, err := s.verified(ctx, aws.ToString(in.WebIdentityToken))
	if err != nil {
		return nil, err
	}
	session, keys, err := federatedSession(in, token, who)
	if err != nil {
		return nil, err
	}
	r, ok := s.iam.RoleByARN(*in.RoleArn)
	if !ok {
		const action = "sts:AssumeRoleWithWebIdentity"
		s.iam.Refuse(api.CallerFrom(ctx), action, *in.RoleArn, "Not authorized to perform "+action, s.iam.NoRole(*in.RoleArn))
		return nil, notFederated(action)
	}
	for _, action := range actionsOf("sts:AssumeRoleWithWebIdentity", &session, keys) {
		if d := s.iam.DecideFederated(api.CallerFrom(ctx), who, action, &r, keys); !d.Allowed {
			return nil, notFederated(action)
		}
	}
	length, err := assumedLength(false, &r, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	issued, packed, err := s.open(sealed{api.AssumedRole, r.ID, session}, length, in.MinimumSessionTokenSize)
	if err != nil {
		return nil, err
	}
	return &sts.AssumeRoleWithWebIdentityOutput{
		Credentials: show(issued), AssumedRoleUser: s.assumed(&r, &session),
		SubjectFromWebIdentityToken: &who.Subject, Audience: &who.Audience, Provider: &who.Provider,
		//lint:ignore SA1019 what is to replace it, a share of the token's size, has no public measure
		PackedPolicySize: packed,
		SessionTokenSize: size(issued),
		SourceIdentity:   orNil(session.SourceIdentity),
	}, nil
}

func checkWebIdentity(in *sts.AssumeRoleWithWebIdentityInput) error {
	if err := checkRole(in.RoleArn, in.RoleSessionName); err != nil {
		return err
	}
	if in.ProviderId != nil { // of OAuth 2.0 access tokens, which aren't taken
		return api.ValidationError("ProviderId %s is not supported: it must not be given with an OpenID Connect ID token.", *in.ProviderId)
	}
	return checkTokenSize(in.MinimumSessionTokenSize)
}

// verified takes a token all the way: whose it is, whether that provider is known
// here, whether the token is meant for it and in its time, and whether its issuer
// has signed it.
func (s *STS) verified(ctx context.Context, text string) (*oidc.Token, *api.Federated, error) {
	token, err := oidc.Parse(text)
	if err != nil {
		return nil, nil, tokenError(err)
	}
	provider, arn, ok := s.iam.OIDCProvider(token.Issuer)
	if !ok {
		return nil, nil, badToken("No OpenIDConnect provider found in your account for " + token.Issuer)
	}
	if err := token.Accept(provider.ClientIDs, s.now()); err != nil {
		return nil, nil, tokenError(err)
	}
	if err := s.verify(ctx, token, idp.Provider{URL: provider.URL, Thumbprints: provider.Thumbprints}); err != nil {
		return nil, nil, tokenError(err)
	}
	return token, &api.Federated{
		Provider: arn, Issuer: provider.URL, Audience: token.Client(), Subject: token.Subject, AuthMethods: token.AuthMethods,
	}, nil
}

// verify checks a token's signature; once more with newer keys if the issuer may
// have changed them.
func (s *STS) verify(ctx context.Context, token *oidc.Token, p idp.Provider) error {
	keys, err := s.issuers.Keys(ctx, p, false)
	if err != nil {
		return err
	}
	err = token.Verify(keys)
	var e *oidc.Error
	if !errors.As(err, &e) || e.Kind != oidc.UnknownKey {
		return err
	}
	if keys, err = s.issuers.Keys(ctx, p, true); err != nil {
		return err
	}
	return token.Verify(keys)
}

// What a session remembers of its token, in characters.
const (
	longestSubject = 255
	longestMethods = 1024 // of amr together
)

var sourceIdentity = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

// federatedSession is what the caller and the token ask for, and the condition keys
// that follow.
func federatedSession(in *sts.AssumeRoleWithWebIdentityInput, token *oidc.Token, who *api.Federated) (api.Session, map[string][]string, error) {
	session := api.Session{Name: *in.RoleSessionName, Federated: who}
	pass(&session, in.Policy, in.PolicyArns)
	tags, transitive, err := token.SessionTags()
	if err != nil {
		return session, nil, tokenError(err)
	}
	if session.SourceIdentity, err = token.SourceIdentity(); err != nil {
		return session, nil, tokenError(err)
	}
	switch {
	case session.SourceIdentity != "" && !sourceIdentity.MatchString(session.SourceIdentity):
		return session, nil, badToken("The claim https://aws.amazon.com/source_identity must have 2 to 64 characters of [\\w+=,.@-].")
	case len([]rune(who.Subject)) > longestSubject:
		return session, nil, badToken(fmt.Sprintf("The claim sub must have at most %d characters.", longestSubject))
	case len(strings.Join(who.AuthMethods, " ")) > longestMethods:
		return session, nil, badToken(fmt.Sprintf("The claim amr must have at most %d characters.", longestMethods))
	}
	asked := make([]types.Tag, len(tags))
	for i := range tags {
		asked[i] = types.Tag{Key: &tags[i].Key, Value: &tags[i].Value}
	}
	if err := checkTags(asked); err != nil {
		return session, nil, err
	}
	session.Tags, session.TransitiveTags, err = sessionTags(&api.Session{}, asked, transitive)
	keys := tagKeys(asked, transitive)
	keys["sts:RoleSessionName"] = []string{session.Name}
	if token.AuthorizedParty != "" {
		keys[who.Issuer+":oaud"] = token.Audience
	}
	return session, keys, err
}

// tokenError says what is wrong with a token, or with its issuer, in AWS's words as
// far as these are known.
func tokenError(err error) error {
	const noKey = "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
	switch {
	case errors.Is(err, idp.ErrCertificate):
		return badToken("OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint")
	case errors.Is(err, idp.ErrNoKeys):
		return badToken(noKey)
	case errors.Is(err, idp.ErrUnreachable):
		text := "The identity provider could not be reached. Try again, and check that this machine can connect to it."
		return &types.IDPCommunicationErrorException{Message: &text}
	}
	var e *oidc.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Kind {
	case oidc.MissingClaim:
		return badToken("Missing a required claim: " + e.Claim + ".")
	case oidc.Audience:
		return badToken("Incorrect token audience")
	case oidc.Expired:
		text := fmt.Sprintf("Token expired: current date/time %d must be before the expiration date/time %d", e.Now, e.At)
		return &types.ExpiredTokenException{Message: &text}
	case oidc.NotYet:
		return badToken(fmt.Sprintf("Token not yet valid: current date/time %d must be after the date/time %d", e.Now, e.At))
	case oidc.UnknownKey:
		return badToken(noKey)
	case oidc.BadSignature:
		return badToken("The ID Token provided has an invalid signature")
	}
	return badToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
}

func badToken(text string) error { return &types.InvalidIdentityTokenException{Message: &text} }

func notFederated(action string) error { return denied("Not authorized to perform " + action) }

// UseIssuers says where issuers' keys come from.
func (s *STS) UseIssuers(i Issuers) { s.issuers = i }

// noIssuers are where UseIssuers was not called.
type noIssuers struct{}

func (noIssuers) Keys(context.Context, idp.Provider, bool) (jose.JSONWebKeySet, error) {
	return jose.JSONWebKeySet{}, idp.ErrUnreachable
}
