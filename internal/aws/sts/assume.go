package sts

import (
	"context"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/iam"
)

// AssumeRole makes credentials of a role: for whoever its trust policy and the
// caller's own policies allow it together.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (s *STS) AssumeRole(ctx context.Context, in *sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
	if err := checkAssume(in); err != nil {
		return nil, err
	}
	who := api.CallerFrom(ctx)
	if who.Type == api.Account {
		return nil, denied("Roles may not be assumed by root accounts.")
	}
	session, err := newSession(who, in)
	if err != nil {
		return nil, err
	}
	r, ok := s.iam.RoleByARN(*in.RoleArn)
	if !ok {
		return nil, notAllowed(who, "sts:AssumeRole", *in.RoleArn)
	}
	if err := s.mayAssume(who, &r, in, &session); err != nil {
		return nil, err
	}
	if in.SerialNumber != nil || in.TokenCode != nil {
		return nil, denied(unknownDevice)
	}
	length, err := assumedLength(who, &r, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	if err := s.checkPolicies(&session); err != nil {
		return nil, err
	}
	packed, err := packedSize(&session)
	if err != nil {
		return nil, err
	}
	session.IssuedAt = s.now().UTC().Truncate(time.Second)
	session.Expires = session.IssuedAt.Add(length)
	issued, err := s.issue(sealed{api.AssumedRole, r.ID, session})
	if err != nil {
		return nil, err
	}
	out := &sts.AssumeRoleOutput{
		Credentials:     show(issued),
		AssumedRoleUser: &types.AssumedRoleUser{Arn: aws.String(s.sessionARN(r.Name, session.Name)), AssumedRoleId: aws.String(r.ID + ":" + session.Name)},
		//lint:ignore SA1019 what is to replace it, a share of the token's size, has no public measure
		PackedPolicySize: packed,
		SessionTokenSize: aws.Int32(int32(len(issued.SessionToken))),
	}
	if session.SourceIdentity != "" {
		out.SourceIdentity = &session.SourceIdentity
	}
	return out, nil
}

var (
	sessionName = regexp.MustCompile(`^[\w+=,.@-]*$`)
	roleARN     = regexp.MustCompile(`^arn:[a-z-]+:iam::\d{12}:role/[\x21-\x7e]+$`)
)

func checkAssume(in *sts.AssumeRoleInput) error {
	name := aws.ToString(in.RoleSessionName)
	bad := func(must string) error {
		return api.ValidationError(`1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must %s`, name, must)
	}
	switch {
	case !sessionName.MatchString(name):
		return bad(`satisfy regular expression pattern: [\w+=,.@-]*`)
	case len(name) < 2:
		return bad("have length greater than or equal to 2")
	case len(name) > 64:
		return bad("have length less than or equal to 64")
	case !roleARN.MatchString(aws.ToString(in.RoleArn)):
		return api.ValidationError("%s is invalid", aws.ToString(in.RoleArn))
	case len(in.ProvidedContexts) > 0: // what is not there must not be taken for granted
		return api.ValidationError("ProvidedContexts is not supported here")
	}
	return nil
}

// newSession is what is asked for, and what persists of the caller's session: its
// source identity and its transitive tags.
func newSession(who *api.Caller, in *sts.AssumeRoleInput) (api.Session, error) {
	var before api.Session
	if who.Session != nil {
		before = *who.Session
	}
	s := api.Session{Name: *in.RoleSessionName, SourceIdentity: before.SourceIdentity, Chained: who.Type == api.AssumedRole}
	if in.Policy != nil {
		s.Policies = []string{*in.Policy}
	}
	for _, p := range in.PolicyArns {
		s.PolicyARNs = append(s.PolicyARNs, aws.ToString(p.Arn))
	}
	if in.SourceIdentity != nil {
		if s.SourceIdentity != "" && s.SourceIdentity != *in.SourceIdentity {
			return s, denied("The source identity is already set for this assume role session")
		}
		s.SourceIdentity = *in.SourceIdentity
	}
	var err error
	s.Tags, s.TransitiveTags, err = sessionTags(&before, in.Tags, in.TransitiveTagKeys)
	return s, err
}

// mayAssume decides sts:AssumeRole, and the actions that tags and a source
// identity are, whether they are asked for or inherited.
func (s *STS) mayAssume(who *api.Caller, r *iam.Role, in *sts.AssumeRoleInput, session *api.Session) error {
	keys := tagKeys(in)
	keys["sts:RoleSessionName"] = []string{session.Name}
	actions := []string{"sts:AssumeRole"}
	if in.ExternalId != nil {
		keys["sts:ExternalId"] = []string{*in.ExternalId}
	}
	if session.SourceIdentity != "" {
		keys["sts:SourceIdentity"] = []string{session.SourceIdentity}
		actions = append(actions, "sts:SetSourceIdentity")
	}
	if len(session.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	refused := slices.IndexFunc(actions, func(action string) bool {
		d := s.iam.DecideAssume(who, action, r, keys)
		return !d.Allowed
	})
	if refused >= 0 {
		return notAllowed(who, actions[refused], s.iam.RoleARN(r))
	}
	return nil
}

func notAllowed(who *api.Caller, action, role string) error {
	return denied("User: " + who.ARN + " is not authorized to perform: " + action + " on resource: " + role)
}

// assumedLength is how long a role session lasts.
func assumedLength(who *api.Caller, r *iam.Role, asked *int32) (time.Duration, error) {
	seconds := int32(defaultAssumed)
	if asked != nil {
		seconds = *asked
	}
	switch {
	case seconds < shortest:
		return 0, outside(seconds, "greater", shortest)
	case seconds > longestAssuming:
		return 0, outside(seconds, "less", longestAssuming)
	case who.Type == api.AssumedRole && seconds > chained:
		return 0, api.ValidationError("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	case int(seconds) > r.MaxSession:
		return 0, api.ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return time.Duration(seconds) * time.Second, nil
}

func outside(seconds int32, than string, limit int) error {
	return api.ValidationError("1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value %s than or equal to %d", seconds, than, limit)
}
