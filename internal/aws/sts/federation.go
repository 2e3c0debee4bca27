package sts

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// GetFederationToken makes credentials that a user hands on under another name. They
// have what both the user's policies and those that are passed allow; without any
// passed, nothing but what a resource's policy gives that name.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html
func (s *STS) GetFederationToken(ctx context.Context, in *sts.GetFederationTokenInput) (*sts.GetFederationTokenOutput, error) {
	who := api.CallerFrom(ctx)
	if who.Session != nil || who.Type != api.User && who.Type != api.Account {
		return nil, s.refuse(who, "sts:GetFederationToken", "Cannot call GetFederationToken with session credentials", onlyLongTerm)
	}
	if err := checkFederation(in); err != nil {
		return nil, err
	}
	session := api.Session{Name: *in.Name}
	pass(&session, in.Policy, in.PolicyArns)
	var err error
	if session.Tags, _, err = sessionTags(&api.Session{}, in.Tags, nil); err != nil {
		return nil, err
	}
	arn, keys := s.federatedARN(session.Name), tagKeys(in.Tags, nil)
	for _, action := range actionsOf("sts:GetFederationToken", &session, keys) {
		if err := s.iam.Authorize(ctx, who, action, []string{arn}, keys); err != nil {
			return nil, asDenied(err)
		}
	}
	length, err := sessionLength(who, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	issued, packed, err := s.open(sealed{api.FederatedUser, who.PrincipalID, session}, length, in.MinimumSessionTokenSize)
	if err != nil {
		return nil, err
	}
	if packed == nil {
		packed = aws.Int32(0)
	}
	return &sts.GetFederationTokenOutput{
		Credentials:   show(issued),
		FederatedUser: &types.FederatedUser{Arn: &arn, FederatedUserId: aws.String(s.federatedID(session.Name))},
		//lint:ignore SA1019 what is to replace it, a share of the token's size, has no public measure
		PackedPolicySize: packed,
		SessionTokenSize: size(issued),
	}, nil
}

func checkFederation(in *sts.GetFederationTokenInput) error {
	name := aws.ToString(in.Name)
	bad := func(must string) error {
		return api.ValidationError(`1 validation error detected: Value '%s' at 'name' failed to satisfy constraint: Member must %s`, name, must)
	}
	switch {
	case !sessionName.MatchString(name):
		return bad(`satisfy regular expression pattern: [\w+=,.@-]*`)
	case len(name) < 2:
		return bad("have length greater than or equal to 2")
	case len(name) > 32:
		return bad("have length less than or equal to 32")
	}
	return checkTokenSize(in.MinimumSessionTokenSize)
}

// sessionLength is how long a session lasts that is not a role's; root's at most an
// hour, whatever is asked for.
func sessionLength(who *api.Caller, asked *int32) (time.Duration, error) {
	seconds := int32(defaultSession)
	if asked != nil {
		seconds = *asked
	}
	switch {
	case seconds < shortest:
		return 0, outside(seconds, "greater", shortest)
	case seconds > longestSession:
		return 0, outside(seconds, "less", longestSession)
	case who.Type == api.Account:
		seconds = min(seconds, longestOfRoot)
	}
	return time.Duration(seconds) * time.Second, nil
}

func (s *STS) federatedARN(name string) string {
	return "arn:" + s.place.Partition + ":sts::" + s.place.AccountID + ":federated-user/" + name
}

func (s *STS) federatedID(name string) string { return s.place.AccountID + ":" + name }
