package policy

import "strings"

// AWS's texts for trust policies.
const (
	invalidJSON       = "This policy contains invalid Json"
	invalidVersion    = "The policy must contain a valid version string"
	statementIsEmpty  = "Could not parse the policy: Statement is empty!"
	idsNotUnique      = "The Statement Ids in the policy are not unique"
	principalIsEmpty  = "Missing required field Principal cannot be empty!"
	allowNotPrincipal = "Allow with NotPrincipal is not allowed."
	onlyAssumeRole    = "AssumeRole policy may only specify STS AssumeRole actions."
	starPrincipal     = `AssumeRolepolicy contained an invalid principal: "STAR":"*".`
)

// resourcePolicy parses trust policies and other resource-based ones. Whether a
// principal exists is for its account to say.
func (p *parser) resourcePolicy() (*Document, error) {
	root, se := parseJSON(p.doc.Text)
	if se != nil {
		return nil, p.fail(se.offset, invalidJSON, "%s", se.detail)
	}
	p.root = root
	if pr := p.read(); pr != nil {
		return nil, p.fail(pr.at, resourceProblem(pr), "%s", pr.detail)
	}
	if at := p.repeatedSid(); at >= 0 {
		return nil, p.fail(at, idsNotUnique, "")
	}
	for i := range p.raw {
		if err := p.resourceStatement(&p.doc.Statements[i], &p.raw[i]); err != nil {
			return nil, err
		}
	}
	return p.doc, nil
}

// resourceProblem is AWS's text for a fault of structure.
func resourceProblem(pr *problem) string {
	switch pr.what {
	case badVersion:
		return invalidVersion
	case noStatement:
		return statementIsEmpty
	case noEffect:
		return "Missing required field Effect"
	case badEffect:
		return "Invalid effect: " + pr.name
	case badOperator:
		return "Invalid Condition type : " + pr.name
	case unknown, exclusive:
		return "Has prohibited field " + pr.name
	}
	return invalidJSON
}

func (p *parser) resourceStatement(s *Statement, raw *rawStatement) *Error {
	if e := raw.effect; e.text != "Allow" && e.text != "Deny" {
		return p.fail(e.span.Start, "Invalid effect: "+e.text, "Effect is Allow or Deny, in this case of letters")
	}
	_, has := raw.has["Principal"]
	_, hasNot := raw.has["NotPrincipal"]
	switch {
	case !has && !hasNot:
		return p.fail(s.Start, "Missing required field Principal", "")
	case len(s.Principals) == 0:
		return p.fail(s.Start, principalIsEmpty, "")
	case hasNot && s.Effect == Allow:
		return p.fail(raw.has["NotPrincipal"].Start, allowNotPrincipal, "")
	case len(s.Actions) == 0:
		return p.fail(s.Start, "Missing required field Action", "")
	}
	for _, v := range s.Principals {
		if text := principalFormat(p.doc.Kind, v); text != "" {
			return p.fail(v.Start, text, "")
		}
	}
	for _, c := range s.Conditions {
		if c.Operator.Test < DateEquals || c.Operator.Test > DateGreaterThanEquals {
			continue
		}
		for _, v := range c.Values {
			if !dateForm(v.Value) {
				return p.fail(v.Start, "Invalid date in policy: "+v.Value, "")
			}
		}
	}
	if p.doc.Kind == Trust {
		return p.trustStatement(s, raw)
	}
	for _, a := range s.Actions {
		if text := actionFormat(a.Value); text != "" {
			return p.fail(a.Start, text, "")
		}
	}
	for _, e := range []string{"Resource", "NotResource"} {
		if at, ok := raw.has[e]; ok && p.doc.Kind == Attached {
			return p.fail(at.Start, "Has prohibited field "+e, "")
		}
	}
	if len(s.Resources) == 0 && p.doc.Kind == Resource {
		return p.fail(s.Start, "Missing required field Resource", "")
	}
	return nil
}

// trustStatement checks what only trust policies ask: actions of STS that hand
// out a role's credentials, and no resource, which is the role itself.
func (p *parser) trustStatement(s *Statement, raw *rawStatement) *Error {
	for _, e := range []string{"Resource", "NotResource"} {
		if at, ok := raw.has[e]; ok {
			return p.fail(at.Start, "Has prohibited field "+e, "")
		}
	}
	if at, ok := raw.has["NotAction"]; ok {
		return p.fail(at.Start, onlyAssumeRole, "NotAction would name other actions")
	}
	for _, a := range s.Actions {
		if !trustAction(a.Value) {
			return p.fail(a.Start, onlyAssumeRole, "%s is not one of them", a.Value)
		}
	}
	return nil
}

func trustAction(pattern string) bool {
	if len(pattern) < 4 || !strings.EqualFold(pattern[:4], "sts:") {
		return false
	}
	g := compileGlob(pattern, true)
	for _, action := range []string{"sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity",
		"sts:TagSession", "sts:SetSourceIdentity", "sts:SetContext"} {
		if g.match(action, nil) {
			return true
		}
	}
	return false
}

// principalFormat says, in AWS's words, what is wrong with the form of a
// principal.
func principalFormat(kind Kind, v Principal) string {
	invalid := `Invalid principal in policy: "` + strings.ToUpper(string(v.Type)) + `":"` + v.Value + `"`
	switch v.Type {
	case Anyone:
		switch {
		case v.Value != "*":
			return `Invalid principal in policy: "STAR":"` + v.Value + `"`
		case kind == Trust:
			return starPrincipal
		}
		return ""
	case AWS:
		if v.Value == "*" || isAccountID(v.Value) || isUniqueID(v.Value) {
			return ""
		}
		parts := strings.SplitN(v.Value, ":", 6)
		if len(parts) != 6 || parts[0] != "arn" || !isAccountID(parts[4]) || parts[3] != "" || strings.ContainsAny(v.Value, "*?") {
			return invalid
		}
		if parts[2] == "iam" && (parts[5] == "root" || hasAnyPrefix(parts[5], []string{"user/", "role/"})) ||
			parts[2] == "sts" && hasAnyPrefix(parts[5], []string{"assumed-role/", "federated-user/"}) {
			return ""
		}
		return invalid
	case Service:
		host, _, ok := strings.Cut(v.Value, ".amazonaws.com")
		if ok && host != "" && !strings.ContainsAny(v.Value, "*?:/ ") && v.Value == strings.ToLower(v.Value) {
			return ""
		}
		return invalid
	case Federated:
		if v.Value == "" || strings.ContainsAny(v.Value, "*? ") {
			return invalid
		}
		return ""
	case CanonicalUser:
		if kind == Trust || v.Value == "" {
			return invalid
		}
		return ""
	}
	return invalid
}

func isAccountID(s string) bool {
	if len(s) != 12 {
		return false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// isUniqueID recognises AIDA… and AROA… ids, the latter also with a session name.
func isUniqueID(s string) bool {
	if strings.HasPrefix(s, "AROA") {
		s, _, _ = strings.Cut(s, ":")
	} else if !strings.HasPrefix(s, "AIDA") {
		return false
	}
	if len(s) < 16 || len(s) > 128 {
		return false
	}
	for _, c := range s {
		if !(c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
			return false
		}
	}
	return true
}
