package api

import "context"

// Door is the front door for calls within the process: authorized and recorded as any,
// for a caller who is known already.
type Door interface {
	// Do makes a call. In and the answer are of the service's SDK.
	Do(ctx context.Context, who Caller, service, operation string, in any) (any, error)
}

// Sessions opens sessions of roles for services.
type Sessions interface {
	// Act is who a service is with a role that trusts it.
	Act(ctx context.Context, role, service, name string) (Caller, error)
}
