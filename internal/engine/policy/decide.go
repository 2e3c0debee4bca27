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
	query    query
	rcp, scp leveled
	resource verdict
	identity verdict
	boundary verdict
	session  verdict
	endpoint verdict
}

// Decide decides a request.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
func Decide(a *Applied, r *Request) (d Decision) {
	if r.Action == alwaysAllowed {
		d.Allowed = true
		return d
	}
	e := decider{applied: a}
	e.query.ask(r)
	made, denied := e.explicit()
	if !denied {
		made = e.grant()
	}
	made.tell(&d)
	return d
}

// ruling is the verdict of the layer that decides. It fits registers, which a
// Decision does not: passing one on costs as much as a layer's evaluation.
type ruling struct {
	*verdict
	program *Program // the layer
	layer   Layer
	allowed bool
}

func (r ruling) tell(d *Decision) {
	d.Allowed, d.Explicit, d.Layer = r.allowed, r.denied, r.layer
	if r.denied || r.allowed && r.grade != unnamed {
		d.Source, d.Statement = r.program.sources[r.source], int(r.index)
	}
}

// explicit evaluates all layers, and ends at the first deny.
func (e *decider) explicit() (made ruling, denied bool) {
	a, c := e.applied, &e.query.Caller
	if !c.linked() {
		if e.rcp.evaluate(a.RCP, &e.query); e.rcp.denied {
			return e.rcp.rules(RCPLayer), true
		}
	}
	if c.serviceControlled() {
		if e.scp.evaluate(a.SCP, &e.query); e.scp.denied {
			return e.scp.rules(SCPLayer), true
		}
	}
	if a.Endpoint.evaluate(&e.endpoint, &e.query, false); e.endpoint.denied {
		return e.endpoint.rules(a.Endpoint, EndpointLayer, false), true
	}
	if a.Resource.evaluate(&e.resource, &e.query, a.Boundary != nil); e.resource.denied {
		return e.resource.rules(a.Resource, a.resourceLayer(), false), true
	}
	switch c.Kind {
	case RootCaller, AnonymousCaller, ServiceCaller, ProviderCaller:
		return ruling{}, false // these have no policies of their own
	}
	if a.Identity.evaluate(&e.identity, &e.query, false); e.identity.denied {
		return e.identity.rules(a.Identity, IdentityLayer, false), true
	}
	if a.Boundary.evaluate(&e.boundary, &e.query, false); e.boundary.denied {
		return e.boundary.rules(a.Boundary, BoundaryLayer, false), true
	}
	if a.Session.evaluate(&e.session, &e.query, false); e.session.denied {
		return e.session.rules(a.Session, SessionLayer, false), true
	}
	return ruling{}, false
}

// leveled is the verdict of control policies: each level must allow.
type leveled struct {
	verdict
	level *Program // that denied
}

func (v *leveled) evaluate(levels []*Program, q *query) {
	weakest := direct
	for _, level := range levels {
		v.verdict = verdict{}
		if level.evaluate(&v.verdict, q, false); v.denied {
			v.level = level
			return
		}
		weakest = min(weakest, v.grade)
	}
	v.grade = weakest
}

func (v *leveled) rules(layer Layer) ruling { return v.verdict.rules(v.level, layer, false) }

// grant decides a request that nothing denies explicitly.
func (e *decider) grant() ruling {
	a := e.applied
	switch c := &e.query.Caller; {
	case len(a.RCP) > 0 && !c.linked() && e.rcp.grade == unnamed:
		return e.rcp.rules(RCPLayer)
	case len(a.SCP) > 0 && c.serviceControlled() && e.scp.grade == unnamed:
		return e.scp.rules(SCPLayer)
	case a.Endpoint != nil && e.endpoint.grade == unnamed:
		return e.endpoint.rules(a.Endpoint, EndpointLayer, false)
	}
	resourceLayer := a.resourceLayer()
	both := a.Both || a.CrossAccount
	switch e.query.Caller.Kind {
	case RootCaller:
		if both {
			return e.resource.rules(a.Resource, resourceLayer, e.resource.grade != unnamed)
		}
		return e.identity.rules(nil, IdentityLayer, true)
	case AnonymousCaller, ServiceCaller, ProviderCaller:
		return e.resource.rules(a.Resource, resourceLayer, e.resource.grade == direct)
	}

	granting := IdentityLayer
	switch {
	case both && e.resource.grade == unnamed:
		return e.resource.rules(a.Resource, resourceLayer, false)
	case e.resource.grade == direct && !a.CrossAccount:
		return e.resource.rules(a.Resource, resourceLayer, true)
	case e.resource.grade == byEntity && !a.CrossAccount:
		granting = resourceLayer
	case e.identity.grade == unnamed:
		return e.identity.rules(a.Identity, IdentityLayer, false)
	}
	if a.Boundary != nil && e.boundary.grade == unnamed {
		return e.boundary.rules(a.Boundary, BoundaryLayer, false)
	}
	if e.sessionLimits() && e.session.grade == unnamed {
		return e.session.rules(a.Session, SessionLayer, false)
	}
	if granting == resourceLayer {
		return e.resource.rules(a.Resource, resourceLayer, true)
	}
	return e.identity.rules(a.Identity, IdentityLayer, true)
}

// sessionLimits says whether the session layer must allow. A session of
// GetFederationToken has nothing but what a policy was passed for.
func (e *decider) sessionLimits() bool {
	return e.applied.Session != nil || e.query.Caller.Kind == FederatedCaller
}
