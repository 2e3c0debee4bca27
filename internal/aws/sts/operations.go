package sts

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/engine/policy"
)

// GetCallerIdentity tells the caller who it is. No policy can refuse it.
func (s *STS) GetCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	who := api.CallerFrom(ctx)
	return &sts.GetCallerIdentityOutput{Account: &who.AccountID, Arn: &who.ARN, UserId: &who.UserID}, nil
}

// Durations in seconds.
const (
	shortest        = 900
	defaultAssumed  = 3600
	chained         = 3600
	defaultSession  = 43200
	longestSession  = 129600
	longestAssuming = 43200
)

var sessionName = regexp.MustCompile(`^[\w+=,.@-]*$`)

// AssumeRole makes credentials of a role.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (s *STS) AssumeRole(ctx context.Context, in *sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
	if err := checkAssume(in); err != nil {
		return nil, err
	}
	who := api.CallerFrom(ctx)
	if who.Type == api.Account {
		return nil, denied("Roles may not be assumed by root accounts.")
	}
	arn := aws.ToString(in.RoleArn)
	refusal := denied("User: " + who.ARN + " is not authorized to perform: sts:AssumeRole on resource: " + arn)
	r, ok := s.iam.RoleByARN(arn)
	if !ok {
		return nil, refusal
	}
	keys := map[string][]string{"sts:rolesessionname": {*in.RoleSessionName}}
	if in.ExternalId != nil {
		keys["sts:externalid"] = []string{*in.ExternalId}
	}
	if d := s.iam.DecideAssume(who, "sts:AssumeRole", &r, keys); !d.Allowed {
		return nil, refusal
	}
	length, err := assumedLength(who, &r, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	now := s.now().UTC().Truncate(time.Second)
	session := api.Session{Name: *in.RoleSessionName, IssuedAt: now, Expires: now.Add(length), Chained: who.Type == api.AssumedRole}
	if in.Policy != nil {
		session.Policies = []string{*in.Policy}
	}
	issued, err := s.issue(sealed{api.AssumedRole, r.ID, session})
	if err != nil {
		return nil, err
	}
	return &sts.AssumeRoleOutput{
		Credentials:     show(issued),
		AssumedRoleUser: &types.AssumedRoleUser{Arn: aws.String(s.sessionARN(r.Name, session.Name)), AssumedRoleId: aws.String(r.ID + ":" + session.Name)},
	}, nil
}

func checkAssume(in *sts.AssumeRoleInput) error {
	name := aws.ToString(in.RoleSessionName)
	switch {
	case !sessionName.MatchString(name):
		return api.ValidationError(`1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*`, name)
	case len(name) < 2:
		return api.ValidationError("1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2", name)
	case len(name) > 64:
		return api.ValidationError("1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must have length less than or equal to 64", name)
	case !validRoleARN(aws.ToString(in.RoleArn)):
		return api.ValidationError("%s is invalid", aws.ToString(in.RoleArn))
	}
	// What is not there yet must not be taken for granted.
	for what, given := range map[string]bool{
		"Tags": len(in.Tags) > 0, "TransitiveTagKeys": len(in.TransitiveTagKeys) > 0, "PolicyArns": len(in.PolicyArns) > 0,
		"SourceIdentity": in.SourceIdentity != nil, "SerialNumber": in.SerialNumber != nil, "ProvidedContexts": len(in.ProvidedContexts) > 0,
	} {
		if given {
			return api.ValidationError("%s is not supported here yet", what)
		}
	}
	if in.Policy != nil {
		if _, err := policy.Parse(policy.Session, *in.Policy); err != nil {
			text := err.Error()
			return &types.MalformedPolicyDocumentException{Message: &text}
		}
		if len(*in.Policy) > 2048 {
			return api.ValidationError("1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048")
		}
	}
	return nil
}

var roleARN = regexp.MustCompile(`^arn:[a-z-]+:iam::\d{12}:role/[\x21-\x7e]+$`)

func validRoleARN(arn string) bool { return roleARN.MatchString(arn) }

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

// GetSessionToken makes temporary credentials of a user.
func (s *STS) GetSessionToken(ctx context.Context, in *sts.GetSessionTokenInput) (*sts.GetSessionTokenOutput, error) {
	who := api.CallerFrom(ctx)
	if who.Type != api.User || who.Session != nil {
		return nil, denied("Cannot call GetSessionToken with session credentials")
	}
	if in.SerialNumber != nil || in.TokenCode != nil {
		return nil, denied("MultiFactorAuthentication failed, no MFA device is known here.")
	}
	seconds := int32(defaultSession)
	if in.DurationSeconds != nil {
		seconds = *in.DurationSeconds
	}
	if seconds < shortest {
		return nil, outside(seconds, "greater", shortest)
	}
	if seconds > longestSession {
		return nil, outside(seconds, "less", longestSession)
	}
	now := s.now().UTC().Truncate(time.Second)
	issued, err := s.issue(sealed{api.User, who.PrincipalID, api.Session{IssuedAt: now, Expires: now.Add(time.Duration(seconds) * time.Second)}})
	if err != nil {
		return nil, err
	}
	return &sts.GetSessionTokenOutput{Credentials: show(issued)}, nil
}

// GetAccessKeyInfo tells the account of an access key, from the key alone.
func (s *STS) GetAccessKeyInfo(_ context.Context, in *sts.GetAccessKeyInfoInput) (*sts.GetAccessKeyInfoOutput, error) {
	account, ok := iam.AccountOfKey(aws.ToString(in.AccessKeyId))
	if !ok {
		return nil, api.ValidationError("Invalid type for parameter AccessKeyId")
	}
	return &sts.GetAccessKeyInfoOutput{Account: &account}, nil
}

// InstanceSession makes the credentials that an instance's metadata service
// gives: of its role, in a session named by the instance's id.
func (s *STS) InstanceSession(role *iam.Role, instance string, length time.Duration) (Keys, error) {
	if !s.iam.Trusts(role, "ec2.amazonaws.com") {
		return Keys{}, denied("EC2 cannot assume the role " + role.Name + ". Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html.")
	}
	now := s.now().UTC().Truncate(time.Second)
	return s.issue(sealed{api.AssumedRole, role.ID, api.Session{Name: instance, IssuedAt: now, Expires: now.Add(length)}})
}

func show(k Keys) *types.Credentials {
	return &types.Credentials{AccessKeyId: &k.AccessKeyID, SecretAccessKey: &k.SecretAccessKey, SessionToken: &k.SessionToken, Expiration: &k.Expires}
}

func denied(text string) error { return api.Errorf(http.StatusForbidden, "AccessDenied", "%s", text) }
