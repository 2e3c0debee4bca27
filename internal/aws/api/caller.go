package api

import (
	"context"
	"net/netip"
	"time"

	"github.com/eksact/eksact/internal/engine/policy"
)

// PrincipalType is the value of the aws:PrincipalType condition key.
type PrincipalType string

const (
	Account       PrincipalType = "Account" // the account's root user
	User          PrincipalType = "User"
	AssumedRole   PrincipalType = "AssumedRole"
	FederatedUser PrincipalType = "FederatedUser"
	Anonymous     PrincipalType = "Anonymous"
)

// Caller is the authenticated sender of one call.
type Caller struct {
	Type      PrincipalType
	Partition string // "aws"
	AccountID string // twelve digits; empty when anonymous

	// ARN is what GetCallerIdentity shows: of a role session,
	// arn:aws:sts::A:assumed-role/ROLE/SESSION (the role's path is dropped).
	ARN string
	// UserID is what GetCallerIdentity shows: AIDA…, AROA…:session, or the
	// account id of root.
	UserID string

	// PrincipalARN is the IAM entity behind the caller: the user's ARN, the
	// role's with its path, or arn:aws:iam::A:root.
	PrincipalARN string
	// PrincipalID is that entity's unique id: AIDA…, AROA…, or the account id.
	PrincipalID string
	// Name is the user's or role's name, without its path; "" of root.
	Name string

	AccessKeyID string
	Session     *Session // nil with long-term credentials

	// Of the request rather than the principal.
	SourceIP  netip.Addr
	UserAgent string
	Referer   string
	TLS       bool
	RequestID string
	Time      time.Time // when the request came; zero of what is no request
	Region    string    // of the credential scope
	// RequestedRegion is aws:RequestedRegion: that of the endpoint, which of the
	// global services is us-east-1.
	RequestedRegion string

	// AuthorizationID names the record of the call's refusal. The authorizer sets
	// it, before the call is over.
	AuthorizationID string
	// Presigned says that the signature came in the query; SignedAt is its time,
	// zero without one.
	Presigned bool
	SignedAt  time.Time
	// Endpoint is the VPC endpoint that the call came through; nil: none.
	Endpoint *Endpoint `json:",omitempty"`
	// Service makes the call, within the process: "cloudformation.amazonaws.com"; "" of
	// what a client sends.
	Service string `json:",omitempty"`
	// Via are the services that pass their caller's rights on, the first first. None where
	// a service uses a role that it was given.
	Via []string `json:",omitempty"`
	// SystemTags are set, beside those asked for, on what the call makes: by a service
	// that makes calls, never by a client.
	SystemTags map[string]string `json:"-"`
}

// Endpoint is a VPC endpoint, as far as calls that come through it are concerned.
type Endpoint struct {
	ID     string // "vpce-…"
	VPC    string // "vpc-…"
	VPCARN string
	Policy *policy.Program
}

// EndpointPolicy is the policy of the endpoint that the call came through; nil: there
// is none.
func (c *Caller) EndpointPolicy() *policy.Program {
	if c.Endpoint == nil {
		return nil
	}
	return c.Endpoint.Policy
}

// Session is what a session token carries.
type Session struct {
	Name           string // role session name; "" of GetSessionToken
	IssuedAt       time.Time
	Expires        time.Time
	MFA            bool
	Policies       []string          // session policy documents
	PolicyARNs     []string          // managed session policies
	Tags           map[string]string // session tags
	TransitiveTags []string
	SourceIdentity string
	Chained        bool // assumed with a role session's credentials
	// SignedIn says that the session is of somebody who signed in, as on the console:
	// it may do what those of GetSessionToken may not.
	SignedIn bool `json:",omitempty"`
	// Keys are condition keys that the credentials themselves carry, by their names
	// in lower case: "ec2:sourceinstancearn" of an instance's role.
	Keys map[string]string `json:",omitempty"`
	// Federated is whose token the session was made for; nil of most.
	Federated *Federated `json:",omitempty"`
}

// Federated is a web identity, as its provider's token named it.
type Federated struct {
	Provider    string   // ARN of the OIDC provider
	Issuer      string   // HOST/PATH, with which its condition keys begin
	Audience    string   // the client id
	Subject     string   // whom
	AuthMethods []string `json:",omitempty"` // amr
}

// Keys are the condition keys that a web identity has, at its call and in the
// session that is made of it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif
func (f *Federated) Keys() map[string][]string {
	keys := map[string][]string{
		"aws:FederatedProvider": {f.Provider}, f.Issuer + ":aud": {f.Audience}, f.Issuer + ":sub": {f.Subject},
	}
	if len(f.AuthMethods) > 0 {
		keys[f.Issuer+":amr"] = f.AuthMethods
	}
	return keys
}

type callerKey struct{}

// WithCaller returns a context that carries c.
func WithCaller(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns the caller of the call that ctx belongs to. A context
// without one yields an anonymous caller, which is allowed nothing.
func CallerFrom(ctx context.Context) *Caller {
	if c, ok := ctx.Value(callerKey{}).(*Caller); ok {
		return c
	}
	return &Caller{Type: Anonymous}
}
