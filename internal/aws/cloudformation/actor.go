package cloudformation

import (
	"context"
	"net/netip"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/cloudformation/resources"
)

// actor is who an operation's calls are made by: a session of the stack's role, or who
// asked for the operation, whose rights are then passed on. A role that is not there, or
// doesn't trust CloudFormation, is a ValidationError.
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
			return who, api.ValidationError("Role %s is invalid or cannot be assumed", role)
		}
	}
	who.Service, who.UserAgent, who.Referer = principal, principal, ""
	// Between services there is no wire, which is as good as TLS.
	who.SourceIP, who.Endpoint, who.TLS = netip.Addr{}, nil, true
	return who, nil
}

// calling makes calls as the actor of an operation, for what is to have these tags of
// ours. Without the role there is no call; that a session is over the service would say.
func (s *Service) calling(role string, asked api.Caller, tags map[string]string) func(ctx context.Context, service, operation string, in any) (any, error) {
	return func(ctx context.Context, service, operation string, in any) (any, error) {
		who, err := s.actor(ctx, role, asked)
		if err != nil && role != "" {
			err = &resources.Unmade{Err: err}
		}
		if err != nil {
			return nil, err
		}
		if tags != nil {
			who.SystemTags = tags
		}
		return s.door.Do(ctx, who, service, operation, in)
	}
}

// kept is a caller as far as it is needed after its call.
func kept(who *api.Caller) api.Caller {
	k := *who
	k.Endpoint, k.AuthorizationID, k.RequestID = nil, "", ""
	return k
}

// roleFor is the role that an operation is carried out as, "" for its caller: the given
// one, which the caller must be allowed to pass, or the one that the stack has. What can't
// be assumed is refused before anything begins.
func (s *Service) roleFor(ctx context.Context, given *string, own string) (string, error) {
	role := own
	if aws.ToString(given) != "" {
		role = *given
		if err := s.Roles.CheckPass(ctx, role, principal); err != nil {
			return "", denied(err)
		}
	}
	if role == "" {
		return "", nil
	}
	_, err := s.actor(ctx, role, api.Caller{})
	return role, err
}
