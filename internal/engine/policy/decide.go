package policy

// Decision is the outcome and what decided it.
type Decision struct {
	Allowed bool
	// Explicit says that a statement denied, rather than none allowed.
	Explicit bool
	// Layer allowed, or denied, or failed to allow.
	Layer Layer
	// Source and Statement (an index of its Document's Statements) name what
	// decided. Source.Policy is nil when nothing matched.
	Source    Source
	Statement int
}

// alwaysAllowed is the one action that no policy can deny.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
const alwaysAllowed = "sts:GetCallerIdentity"

// decider holds the verdicts of all layers for one request.
type decider struct {
	applied  *Applied
	request  *Request
	rcp, scp verdict
	resource verdict
	identity verdict
	boundary verdict
	session  verdict
	endpoint verdict
}

// Decide decides a request.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
func Decide(a *Applied, r *Request) Decision {
	if r.Action == alwaysAllowed {
		return Decision{Allowed: true}
	}
	e := decider{applied: a, request: r}
	if d, denied := e.explicit(); denied {
		return d
	}
	return e.grant()
}

// explicit evaluates all layers, and ends at the first deny.
func (e *decider) explicit() (Decision, bool) {
	a, r := e.applied, e.request
	if !r.Caller.linked() {
		if e.levels(&e.rcp, a.RCP); e.rcp.denied {
			return e.rcp.decision(RCPLayer, false), true
		}
	}
	if r.Caller.serviceControlled() {
		if e.levels(&e.scp, a.SCP); e.scp.denied {
			return e.scp.decision(SCPLayer, false), true
		}
	}
	if a.Endpoint.evaluate(&e.endpoint, r, false); e.endpoint.denied {
		return e.endpoint.decision(EndpointLayer, false), true
	}
	if a.Resource.evaluate(&e.resource, r, a.Boundary != nil); e.resource.denied {
		return e.resource.decision(a.resourceLayer(), false), true
	}
	switch r.Caller.Kind {
	case RootCaller, AnonymousCaller, ServiceCaller, ProviderCaller:
		return Decision{}, false // these have no policies of their own
	}
	if a.Identity.evaluate(&e.identity, r, false); e.identity.denied {
		return e.identity.decision(IdentityLayer, false), true
	}
	if a.Boundary.evaluate(&e.boundary, r, false); e.boundary.denied {
		return e.boundary.decision(BoundaryLayer, false), true
	}
	if a.Session.evaluate(&e.session, r, false); e.session.denied {
		return e.session.decision(SessionLayer, false), true
	}
	return Decision{}, false
}

// levels evaluates control policies. Its verdict allows only if each level does.
func (e *decider) levels(v *verdict, levels []*Program) {
	weakest := direct
	for _, level := range levels {
		*v = verdict{}
		if level.evaluate(v, e.request, false); v.denied {
			return
		}
		weakest = min(weakest, v.grade)
	}
	v.grade = weakest
}

// grant decides a request that nothing denies explicitly.
func (e *decider) grant() Decision {
	a := e.applied
	switch c := &e.request.Caller; {
	case len(a.RCP) > 0 && !c.linked() && e.rcp.grade == unnamed:
		return e.rcp.decision(RCPLayer, false)
	case len(a.SCP) > 0 && c.serviceControlled() && e.scp.grade == unnamed:
		return e.scp.decision(SCPLayer, false)
	case a.Endpoint != nil && e.endpoint.grade == unnamed:
		return e.endpoint.decision(EndpointLayer, false)
	}
	resourceLayer := a.resourceLayer()
	both := a.Both || a.CrossAccount
	switch e.request.Caller.Kind {
	case RootCaller:
		if both {
			return e.resource.decision(resourceLayer, e.resource.grade != unnamed)
		}
		return Decision{Allowed: true}
	case AnonymousCaller, ServiceCaller, ProviderCaller:
		return e.resource.decision(resourceLayer, e.resource.grade == direct)
	}

	granted := e.identity.decision(IdentityLayer, true)
	switch {
	case both && e.resource.grade == unnamed:
		return e.resource.decision(resourceLayer, false)
	case e.resource.grade == direct && !a.CrossAccount:
		return e.resource.decision(resourceLayer, true)
	case e.resource.grade == byEntity && !a.CrossAccount:
		granted = e.resource.decision(resourceLayer, true)
	case e.identity.grade == unnamed:
		return e.identity.decision(IdentityLayer, false)
	}
	if a.Boundary != nil && e.boundary.grade == unnamed {
		return e.boundary.decision(BoundaryLayer, false)
	}
	if e.sessionLimits() && e.session.grade == unnamed {
		return e.session.decision(SessionLayer, false)
	}
	return granted
}

// sessionLimits says whether the session layer must allow. A session of
// GetFederationToken has nothing but what a policy was passed for.
func (e *decider) sessionLimits() bool {
	return e.applied.Session != nil || e.request.Caller.Kind == FederatedCaller
}
