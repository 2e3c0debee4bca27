package sts

import (
	"context"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
)

// Resolve finds the secret and the owner of an access key, at the instant now.
// Its errors are ErrUnknownKey, ErrBadToken and ErrExpiredToken.
func (s *STS) Resolve(_ context.Context, id, token string, now time.Time) (secret string, who api.Caller, err error) {
	if token != "" {
		return s.resolveSession(id, token, now)
	}
	k, u, ok := s.iam.AccessKey(id)
	if !ok {
		return "", who, ErrUnknownKey
	}
	arn := s.iam.UserARN(&u)
	return k.Secret, api.Caller{
		Type: api.User, Partition: s.place.Partition, AccountID: s.place.AccountID,
		ARN: arn, UserID: u.ID, PrincipalARN: arn, PrincipalID: u.ID, Name: u.Name, AccessKeyID: id,
	}, nil
}

func (s *STS) resolveSession(id, token string, now time.Time) (string, api.Caller, error) {
	what, secret, err := s.read(id, token)
	if err != nil {
		return "", api.Caller{}, err
	}
	if !now.Before(what.Expires) {
		return "", api.Caller{}, ErrExpiredToken
	}
	who := api.Caller{
		Type: what.Type, Partition: s.place.Partition, AccountID: s.place.AccountID,
		PrincipalID: what.ID, AccessKeyID: id, Session: &what.Session,
	}
	switch what.Type {
	case api.AssumedRole:
		r, ok := s.iam.RoleByID(what.ID)
		if !ok {
			return "", who, ErrUnknownKey
		}
		who.PrincipalARN, who.Name = s.iam.RoleARN(&r), r.Name
		who.ARN, who.UserID = s.sessionARN(r.Name, what.Session.Name), r.ID+":"+what.Session.Name
	case api.User:
		name, arn, ok := s.iam.UserByID(what.ID)
		if !ok {
			return "", who, ErrUnknownKey
		}
		who.ARN, who.PrincipalARN, who.Name, who.UserID = arn, arn, name, what.ID
	case api.FederatedUser:
		who.ARN, who.UserID = s.federatedARN(what.Session.Name), s.federatedID(what.Session.Name)
		if what.ID == s.place.AccountID {
			who.PrincipalARN = s.rootARN()
			break
		}
		name, arn, ok := s.iam.UserByID(what.ID)
		if !ok {
			return "", who, ErrUnknownKey
		}
		who.PrincipalARN, who.Name = arn, name
	case api.Account:
		who.ARN, who.PrincipalARN, who.UserID = s.rootARN(), s.rootARN(), what.ID
	default:
		return "", who, ErrBadToken
	}
	return secret, who, nil
}

func (s *STS) rootARN() string {
	return "arn:" + s.place.Partition + ":iam::" + s.place.AccountID + ":root"
}

// sessionARN is a role session's: the role's path is not in it.
func (s *STS) sessionARN(role, session string) string {
	return "arn:" + s.place.Partition + ":sts::" + s.place.AccountID + ":assumed-role/" + role + "/" + session
}
