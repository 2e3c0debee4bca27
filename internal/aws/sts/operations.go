package sts

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/iam"
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
	longestOfRoot   = 3600
	longestAssuming = 43200
)

// GetSessionToken makes temporary credentials of a user. It needs no permission,
// but a policy can deny it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_getsessiontoken.html
func (s *STS) GetSessionToken(ctx context.Context, in *sts.GetSessionTokenInput) (*sts.GetSessionTokenOutput, error) {
	if err := checkTokenSize(in.MinimumSessionTokenSize); err != nil {
		return nil, err
	}
	who := api.CallerFrom(ctx)
	if who.Session != nil || who.Type != api.User && who.Type != api.Account {
		return nil, s.refuse(who, "sts:GetSessionToken", "Cannot call GetSessionToken with session credentials", onlyLongTerm)
	}
	var refusal *iam.Denied
	if err := s.iam.Authorize(ctx, who, "sts:GetSessionToken", nil, nil); errors.As(err, &refusal) && refusal.Decision.Explicit {
		return nil, denied(refusal.Sentence)
	}
	length, err := sessionLength(who, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	mfa, err := s.withMFA(ctx, who, "sts:GetSessionToken", in.SerialNumber, in.TokenCode)
	if err != nil {
		return nil, err
	}
	issued, _, err := s.open(sealed{who.Type, who.PrincipalID, api.Session{MFA: mfa}}, length, in.MinimumSessionTokenSize)
	if err != nil {
		return nil, err
	}
	return &sts.GetSessionTokenOutput{Credentials: show(issued), SessionTokenSize: size(issued)}, nil
}

// GetAccessKeyInfo tells the account of an access key, from the key alone.
func (s *STS) GetAccessKeyInfo(_ context.Context, in *sts.GetAccessKeyInfoInput) (*sts.GetAccessKeyInfoOutput, error) {
	account, ok := iam.AccountOfKey(aws.ToString(in.AccessKeyId))
	if !ok {
		return nil, api.ValidationError("%s is not a valid access key id", aws.ToString(in.AccessKeyId))
	}
	return &sts.GetAccessKeyInfoOutput{Account: &account}, nil
}

// InstanceSession makes the credentials that an instance's metadata service
// gives: of its role, in a session named by the instance's id. They carry condition
// keys, by their names in lower case.
func (s *STS) InstanceSession(role *iam.Role, instance string, length time.Duration, keys map[string]string) (Keys, error) {
	if !s.iam.Trusts(role, "ec2.amazonaws.com") {
		return Keys{}, denied("EC2 cannot assume the role " + role.Name + ". Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html.")
	}
	now := s.now().UTC().Truncate(time.Second)
	return s.issue(sealed{api.AssumedRole, role.ID, api.Session{Name: instance, IssuedAt: now, Expires: now.Add(length), Keys: keys}}, 0)
}

// RootSession makes credentials of the account's root user, for the machine's owner:
// whoever has the machine has the account's mailbox, with which root signs in. They
// last as long as root's may.
func (s *STS) RootSession() (keys Keys, arn string, err error) {
	now := s.now().UTC().Truncate(time.Second)
	keys, err = s.issue(sealed{api.Account, s.place.AccountID, api.Session{SignedIn: true, IssuedAt: now, Expires: now.Add(longestOfRoot * time.Second)}}, 0)
	return keys, s.rootARN(), err
}

func show(k Keys) *types.Credentials {
	return &types.Credentials{AccessKeyId: &k.AccessKeyID, SecretAccessKey: &k.SecretAccessKey, SessionToken: &k.SessionToken, Expiration: &k.Expires}
}

// asDenied gives IAM's refusal the code that it has in STS's protocol.
func asDenied(err error) error {
	var refusal *iam.Denied
	if errors.As(err, &refusal) {
		return denied(refusal.Sentence)
	}
	return err
}

// onlyLongTerm is why sessions can't make more of themselves.
const onlyLongTerm = "only a user's access key, or root's, can make such credentials"

// refuse is denied, kept to be explained with what only the machine's owner is to know.
func (s *STS) refuse(who *api.Caller, action, said, because string) error {
	s.iam.Refuse(who, action, "*", said, because)
	return denied(said)
}

func denied(text string) error { return api.Errorf(http.StatusForbidden, "AccessDenied", "%s", text) }
