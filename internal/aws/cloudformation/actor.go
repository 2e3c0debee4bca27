package cloudformation

import (
	"context"
	"net/netip"

	"github.com/eksact/eksact/internal/aws/api"
)

// actor is who an operation's calls are made by: a session of the stack's role, or who
// asked for the operation, whose rights are then passed on.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html
func (s *Service) actor(ctx context.Context, role string, asked api.Caller) (api.Caller, error) {
	who := asked
	if role == "" {
		if who.Session != nil && !s.Now().Before(who.Session.Expires) {
			return who, api.Errorf(403, "ExpiredToken", "The security token included in the request is expired")
		}
		who.Via = append(append([]string(nil), asked.Via...), principal)
	} else {
		var err error
		if who, err = s.Sessions.Act(ctx, role, principal, "AWSCloudFormation"); err != nil {
			return who, err
		}
	}
	who.Service, who.UserAgent, who.Referer = principal, principal, ""
	// Between services there is no wire, which is as good as TLS.
	who.SourceIP, who.Endpoint, who.TLS = netip.Addr{}, nil, true
	return who, nil
}

// kept is a caller as far as it is needed after its call.
func kept(who *api.Caller) api.Caller {
	k := *who
	k.Endpoint, k.AuthorizationID, k.RequestID = nil, "", ""
	return k
}

// checkRole refuses a role that the caller may not pass, or that doesn't trust
// CloudFormation.
func (s *Service) checkRole(ctx context.Context, role string) error {
	if role == "" {
		return nil
	}
	if err := s.Roles.CheckPass(ctx, role, principal); err != nil {
		return denied(err)
	}
	if _, err := s.Sessions.Act(ctx, role, principal, "AWSCloudFormation"); err != nil {
		return api.ValidationError("Role %s is invalid or cannot be assumed", role)
	}
	return nil
}
