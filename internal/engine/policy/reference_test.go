package policy_test

import (
	"bytes"
	"encoding/base64"
	"math/big"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/engine/policy"
)

// The reference decides as AWS's documentation reads, statement by statement over
// the parse tree, with nothing compiled and no thought of speed. The fuzzers hold
// the engine against it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html

// refRequest is a request, with its keys as a list anybody can read.
type refRequest struct {
	policy.Request
	keys keys
}

// refGrade is how a resource's policy names the caller.
type refGrade int

const (
	refUnnamed refGrade = iota
	refAccount
	refEntity
	refDirect
)

// refLayer is what the policies of one layer say.
type refLayer struct {
	denies bool
	allows refGrade
}

func refEvaluate(p *policy.Program, r *refRequest, bounded bool) (out refLayer) {
	for _, source := range p.Sources() {
		doc := source.Policy.Document()
		for i := range doc.Statements {
			g := refMatch(doc, &doc.Statements[i], r, bounded)
			if g == refUnnamed {
				continue
			}
			if doc.Statements[i].Effect == policy.Deny {
				out.denies = true
			} else {
				out.allows = max(out.allows, g)
			}
		}
	}
	return out
}

// refDecide says whether the request is allowed, and if not, whether a statement
// denies it.
func refDecide(a *policy.Applied, r *refRequest) (allowed, explicit bool) {
	if r.Action == "sts:GetCallerIdentity" {
		return true, false
	}
	c := &r.Caller
	linked := c.Kind == policy.RoleCaller && strings.Contains(c.Entity, ":role/aws-service-role/")
	ofAccount := c.Kind == policy.RootCaller || c.Kind == policy.UserCaller || c.Kind == policy.RoleCaller || c.Kind == policy.FederatedCaller
	var must []refLayer // layers that have to allow, whatever else grants
	if !linked {
		for _, level := range a.RCP {
			must = append(must, refEvaluate(level, r, false))
		}
	}
	if ofAccount && !linked {
		for _, level := range a.SCP {
			must = append(must, refEvaluate(level, r, false))
		}
	}
	if a.Endpoint != nil {
		must = append(must, refEvaluate(a.Endpoint, r, false))
	}
	resource := refEvaluate(a.Resource, r, a.Boundary != nil)
	denied := resource.denies
	var identity, boundary, session refLayer
	if ofAccount && c.Kind != policy.RootCaller {
		identity, boundary, session = refEvaluate(a.Identity, r, false), refEvaluate(a.Boundary, r, false), refEvaluate(a.Session, r, false)
		denied = denied || identity.denies || boundary.denies || session.denies
	}
	for _, m := range must {
		denied = denied || m.denies
	}
	if denied {
		return false, true
	}
	for _, m := range must {
		if m.allows == refUnnamed {
			return false, false
		}
	}
	switch {
	case c.Kind == policy.RootCaller:
		return !a.Both && !a.CrossAccount || resource.allows != refUnnamed, false
	case !ofAccount:
		return resource.allows == refDirect, false
	}
	return refGrants(a, r, resource.allows, identity.allows, boundary.allows, session.allows), false
}

// refGrants is the table of forms of principal, for callers with policies of
// their own.
func refGrants(a *policy.Applied, r *refRequest, resource, identity, boundary, session refGrade) bool {
	if (a.Both || a.CrossAccount) && resource == refUnnamed {
		return false
	}
	if resource == refDirect && !a.CrossAccount {
		return true
	}
	if identity == refUnnamed && (resource != refEntity || a.CrossAccount) {
		return false
	}
	if a.Boundary != nil && boundary == refUnnamed {
		return false
	}
	return a.Session == nil && r.Caller.Kind != policy.FederatedCaller || session != refUnnamed
}

// refMatch says whether a statement applies, and how it names the caller. Bounded
// says that this is the resource's policy and the caller has a boundary.
func refMatch(doc *policy.Document, s *policy.Statement, r *refRequest, bounded bool) refGrade {
	variables := doc.Version == policy.Version2012
	action := slices.ContainsFunc(s.Actions, func(a policy.Text) bool {
		return refGlob(refTokens(strings.ToLower(a.Value)), strings.ToLower(r.Action))
	})
	if action == s.NotAction {
		return refUnnamed
	}
	if doc.Kind != policy.Trust {
		resource := slices.ContainsFunc(s.Resources, func(t policy.Text) bool {
			tokens, ok := refExpand(t.Value, true, variables, r)
			return ok && refGlob(tokens, r.Resource)
		})
		if resource == s.NotResource {
			return refUnnamed
		}
	}
	g := refDirect
	if doc.Kind == policy.Trust || doc.Kind == policy.Resource {
		if s.NotPrincipal {
			if !bounded && refSpares(s.Principals, r) {
				return refUnnamed
			}
		} else if g = refNames(s.Principals, &r.Caller); g == refUnnamed {
			return refUnnamed
		}
	}
	for i := range s.Conditions {
		if !refHolds(&s.Conditions[i], variables, r) {
			return refUnnamed
		}
	}
	return g
}

func refNames(list []policy.Principal, c *policy.Caller) refGrade {
	best := refUnnamed
	for _, p := range list {
		account, ok := refAccountOf(p)
		session := c.Kind == policy.RoleCaller || c.Kind == policy.FederatedCaller
		switch {
		case p.Value == "*" && (p.Type == policy.Anyone || p.Type == policy.AWS):
			best = refDirect
		case p.Type == policy.Service && c.Kind == policy.ServiceCaller && c.Name == p.Value,
			p.Type == policy.Federated && c.Kind == policy.ProviderCaller && c.Name == p.Value:
			best = refDirect
		case p.Type != policy.AWS || c.Account == "":
		case ok && account == c.Account && c.Kind == policy.RootCaller:
			best = refDirect
		case ok && account == c.Account:
			best = max(best, refAccount)
		case ok:
		case c.Kind == policy.UserCaller && (p.Value == c.ARN || p.Value == c.ID):
			best = refDirect
		case session && p.Value == c.ARN, c.Kind == policy.RoleCaller && p.Value == c.UserID:
			best = refDirect
		case session && (p.Value == c.Entity || p.Value == c.ID):
			best = max(best, refEntity)
		}
	}
	return best
}

// refAccountOf reads an account, by its number or its root.
func refAccountOf(p policy.Principal) (string, bool) {
	if p.Type != policy.AWS {
		return "", false
	}
	v := strings.TrimSuffix(strings.TrimPrefix(p.Value, "arn:aws:iam::"), ":root")
	return v, len(v) == 12 && strings.Trim(v, "0123456789") == ""
}

// refSpares: a NotPrincipal spares whom it names with all that stands behind it.
func refSpares(list []policy.Principal, r *refRequest) bool {
	c := &r.Caller
	has := func(kind policy.PrincipalType, values ...string) bool {
		return slices.ContainsFunc(list, func(p policy.Principal) bool {
			return p.Type == kind && p.Value != "" && slices.Contains(values, p.Value)
		})
	}
	account := slices.ContainsFunc(list, func(p policy.Principal) bool {
		a, ok := refAccountOf(p)
		return ok && a == c.Account
	})
	switch {
	case has(policy.Anyone, "*"), has(policy.AWS, "*"):
		return true
	case c.Kind == policy.RootCaller:
		return account
	case c.Kind == policy.UserCaller:
		return account && has(policy.AWS, c.ARN, c.ID)
	case c.Kind == policy.RoleCaller, c.Kind == policy.FederatedCaller:
		return account && has(policy.AWS, c.ARN, c.UserID) && has(policy.AWS, c.Entity, c.ID)
	case c.Kind == policy.ServiceCaller:
		return has(policy.Service, c.Name)
	case c.Kind == policy.ProviderCaller:
		return has(policy.Federated, c.Name)
	}
	return false
}

// refHolds evaluates one key of one operator.
func refHolds(c *policy.Condition, variables bool, r *refRequest) bool {
	have := r.keys.list(c.Key)
	op := c.Operator
	if op.Test == policy.Null {
		return slices.ContainsFunc(c.Values, func(v policy.Text) bool {
			return strings.EqualFold(v.Value, "true") == (len(have) == 0) && refIsBool(v.Value)
		})
	}
	equals := func(value string) bool {
		return slices.ContainsFunc(c.Values, func(v policy.Text) bool { return refTest(op.Test, v.Value, value, variables, r) })
	}
	passes := func(value string) bool { return equals(value) != op.Negated }
	switch {
	case len(have) == 0 && op.IfExists:
		return true
	case op.Set == policy.ForAllValues:
		return !slices.ContainsFunc(have, func(v string) bool { return !passes(v) })
	case op.Set == policy.ForAnyValue:
		return slices.ContainsFunc(have, passes)
	case op.Negated:
		return !slices.ContainsFunc(have, equals)
	}
	return slices.ContainsFunc(have, equals)
}

func refIsBool(s string) bool { return strings.EqualFold(s, "true") || strings.EqualFold(s, "false") }

// refTest compares one value of the policy with one of the request.
func refTest(test policy.Test, want, got string, variables bool, r *refRequest) bool {
	switch test {
	case policy.StringEquals, policy.StringEqualsIgnoreCase, policy.StringLike, policy.ArnLike:
		tokens, ok := refExpand(want, test == policy.StringLike || test == policy.ArnLike, variables, r)
		switch {
		case !ok:
			return false
		case test == policy.StringLike:
			return refGlob(tokens, got)
		case test == policy.ArnLike:
			return refARN(tokens, got)
		case test == policy.StringEquals:
			return tokens.text() == got
		}
		return strings.EqualFold(tokens.text(), got)
	case policy.Bool:
		return strings.EqualFold(want, got)
	case policy.BinaryEquals:
		w, err1 := base64.StdEncoding.DecodeString(want)
		g, err2 := base64.StdEncoding.DecodeString(got)
		return err1 == nil && err2 == nil && bytes.Equal(w, g)
	case policy.IPAddress:
		addr, err := netip.ParseAddr(got)
		net, ok := refNet(want)
		return err == nil && ok && net.Contains(addr)
	}
	order, ok := refCompare(test >= policy.DateEquals, got, want)
	if !ok {
		return false
	}
	switch test {
	case policy.NumericEquals, policy.DateEquals:
		return order == 0
	case policy.NumericLessThan, policy.DateLessThan:
		return order < 0
	case policy.NumericLessThanEquals, policy.DateLessThanEquals:
		return order <= 0
	case policy.NumericGreaterThan, policy.DateGreaterThan:
		return order > 0
	}
	return order >= 0
}

func refNet(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		if a, err := netip.ParseAddr(s); err == nil {
			return netip.PrefixFrom(a, a.BitLen()), true
		}
	}
	p, err := netip.ParsePrefix(s)
	return p, err == nil
}

// refCompare orders two numbers or two dates.
func refCompare(dates bool, a, b string) (int, bool) {
	if !dates {
		x, ok1 := new(big.Rat).SetString(a)
		y, ok2 := new(big.Rat).SetString(b)
		if !ok1 || !ok2 {
			return 0, false
		}
		return x.Cmp(y), true
	}
	x, ok1 := refDate(a)
	y, ok2 := refDate(b)
	return x.Compare(y), ok1 && ok2
}

func refDate(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	seconds, err := strconv.ParseUint(s, 10, 62)
	return time.Unix(int64(seconds), 0), err == nil
}
