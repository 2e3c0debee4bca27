package sts

import (
	"context"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
)

// actingSession is how long a session lasts that a service opens of a role that it was
// given.
const actingSession = time.Hour

// Act is who a service is that acts with a role it was given: a session of the role,
// opened by the role's trust in the service ("cloudformation.amazonaws.com"). The error
// is AccessDenied where there is no such role or no such trust.
func (s *STS) Act(ctx context.Context, role, service, name string) (api.Caller, error) {
	r, ok := s.iam.RoleByARN(role)
	if !ok {
		return api.Caller{}, denied("there is no role " + role)
	}
	session := api.Session{Name: name}
	conditions := map[string][]string{"sts:RoleSessionName": {name}}
	if !s.iam.AdmitsSession(&r, service, []string{"sts:AssumeRole"}, conditions) {
		return api.Caller{}, denied(service + " is not authorized to assume " + role)
	}
	keys, _, err := s.open(sealed{api.AssumedRole, r.ID, session}, actingSession, nil)
	if err != nil {
		return api.Caller{}, err
	}
	_, who, err := s.Resolve(ctx, keys.AccessKeyID, keys.SessionToken, s.now())
	return who, err
}
