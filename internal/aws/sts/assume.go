package sts

import (
	"context"
	"net/http"
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
	switch who.Type {
	case api.Account:
		return nil, s.refuse(who, "sts:AssumeRole", "Roles may not be assumed by root accounts.", "a user or role that the role trusts can assume it")
	case api.FederatedUser:
		return nil, api.Errorf(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid")
	}
	session, err := s.newSession(who, in)
	if err != nil {
		return nil, err
	}
	if session.MFA, err = s.withMFA(ctx, who, "sts:AssumeRole", in.SerialNumber, in.TokenCode); err != nil {
		return nil, err
	}
	r, ok := s.iam.RoleByARN(*in.RoleArn)
	if !ok {
		s.iam.Refuse(who, "sts:AssumeRole", *in.RoleArn, notAllowed(who, "sts:AssumeRole", *in.RoleArn), s.iam.NoRole(*in.RoleArn))
		return nil, denied(notAllowed(who, "sts:AssumeRole", *in.RoleArn))
	}
	if err := s.mayAssume(who, &r, in, &session); err != nil {
		return nil, err
	}
	length, err := assumedLength(session.Chained, &r, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	issued, packed, err := s.open(sealed{api.AssumedRole, r.ID, session}, length, in.MinimumSessionTokenSize)
	if err != nil {
		return nil, err
	}
	out := &sts.AssumeRoleOutput{
		Credentials:     show(issued),
		AssumedRoleUser: s.assumed(&r, &session),
		//lint:ignore SA1019 what is to replace it, a share of the token's size, has no public measure
		PackedPolicySize: packed,
		SessionTokenSize: size(issued),
		SourceIdentity:   orNil(session.SourceIdentity),
	}
	return out, nil
}

// assumed is a role session as answers have it.
func (s *STS) assumed(r *iam.Role, session *api.Session) *types.AssumedRoleUser {
	return &types.AssumedRoleUser{Arn: aws.String(s.sessionARN(r.Name, session.Name)), AssumedRoleId: aws.String(r.ID + ":" + session.Name)}
}

var (
	sessionName = regexp.MustCompile(`^[\w+=,.@-]*$`)
	roleARN     = regexp.MustCompile(`^arn:[a-z-]+:iam::\d{12}:role/[\x21-\x7e]+$`)
)

func checkAssume(in *sts.AssumeRoleInput) error {
	if err := checkRole(in.RoleArn, in.RoleSessionName); err != nil {
		return err
	}
	if len(in.ProvidedContexts) > 0 { // what is not there must not be taken for granted
		return api.ValidationError("ProvidedContexts is not supported here")
	}
	return checkTokenSize(in.MinimumSessionTokenSize)
}

// checkRole checks which role is asked for, and the name of its session.
func checkRole(role, session *string) error {
	name := aws.ToString(session)
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
	case !roleARN.MatchString(aws.ToString(role)):
		return api.ValidationError("%s is invalid", aws.ToString(role))
	}
	return nil
}

// newSession is what is asked for, and what persists of the caller's session: its
// source identity and its transitive tags.
func (s *STS) newSession(who *api.Caller, in *sts.AssumeRoleInput) (api.Session, error) {
	var before api.Session
	if who.Session != nil {
		before = *who.Session
	}
	session := api.Session{Name: *in.RoleSessionName, SourceIdentity: before.SourceIdentity, Chained: who.Type == api.AssumedRole}
	pass(&session, in.Policy, in.PolicyArns)
	if in.SourceIdentity != nil {
		if session.SourceIdentity != "" && session.SourceIdentity != *in.SourceIdentity {
			return session, s.refuse(who, "sts:AssumeRole", "The source identity is already set for this assume role session", "it is "+session.SourceIdentity)
		}
		session.SourceIdentity = *in.SourceIdentity
	}
	var err error
	session.Tags, session.TransitiveTags, err = sessionTags(&before, in.Tags, in.TransitiveTagKeys)
	return session, err
}

// mayAssume decides sts:AssumeRole, and the actions that tags and a source
// identity are, whether they are asked for or inherited.
func (s *STS) mayAssume(who *api.Caller, r *iam.Role, in *sts.AssumeRoleInput, session *api.Session) error {
	keys := tagKeys(in.Tags, in.TransitiveTagKeys)
	keys["sts:RoleSessionName"] = []string{session.Name}
	if session.MFA {
		mfaKeys(keys)
	}
	if in.ExternalId != nil {
		keys["sts:ExternalId"] = []string{*in.ExternalId}
	}
	actions := actionsOf("sts:AssumeRole", session, keys)
	refused := slices.IndexFunc(actions, func(action string) bool {
		d := s.iam.DecideAssume(who, action, r, keys)
		return !d.Allowed
	})
	if refused >= 0 {
		return denied(notAllowed(who, actions[refused], s.iam.RoleARN(r)))
	}
	return nil
}

// actionsOf are all that making the session is; source identity and tags are actions
// of their own, whether they are asked for or inherited.
func actionsOf(action string, session *api.Session, keys map[string][]string) []string {
	actions := []string{action}
	if session.SourceIdentity != "" {
		keys["sts:SourceIdentity"] = []string{session.SourceIdentity}
		actions = append(actions, "sts:SetSourceIdentity")
	}
	if len(session.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	return actions
}

func notAllowed(who *api.Caller, action, role string) string {
	return "User: " + who.ARN + " is not authorized to perform: " + action + " on resource: " + role
}

// assumedLength is how long a role session lasts; shorter when chained.
func assumedLength(chain bool, r *iam.Role, asked *int32) (time.Duration, error) {
	seconds := int32(defaultAssumed)
	if asked != nil {
		seconds = *asked
	}
	switch {
	case seconds < shortest:
		return 0, outside(seconds, "greater", shortest)
	case seconds > longestAssuming:
		return 0, outside(seconds, "less", longestAssuming)
	case chain && seconds > chained:
		return 0, api.ValidationError("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	case int(seconds) > r.MaxSession:
		return 0, api.ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return time.Duration(seconds) * time.Second, nil
}

func outside(seconds int32, than string, limit int) error {
	return api.ValidationError("1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value %s than or equal to %d", seconds, than, limit)
}
