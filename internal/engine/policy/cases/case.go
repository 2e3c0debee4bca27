package cases

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/engine/policy/answer"
)

// Case is one request and what is expected of it.
type Case struct {
	Name         string
	File         string
	Line, Column int
	Source       string // where the expectation comes from, such as a page of AWS's documentation
	Known        string // why the case is known to fail
	Unchecked    bool   // action and condition keys may be unknown ones
	Question     Question
	Expect       Expectation
}

// denied expects either kind of refusal.
const denied answer.Outcome = "deny"

// Expectation is what a case expects. Empty fields expect nothing.
type Expectation struct {
	Outcome   answer.Outcome
	Layer     string // as answer.LayerName
	Reason    string // AWS's sentence, or a part of it
	Policy    string // by name, or by ARN
	Statement string // by Sid, or by index from 0
	given     bool
}

// fields adds the fields of an expectation.
func (e *Expectation) fields(s *source, known map[string]func(*yaml.Node) error) {
	known["expect"] = func(n *yaml.Node) error {
		var text string
		if err := s.str(&text)(n); err != nil {
			return err
		}
		outcomes := map[string]answer.Outcome{
			"allowed": answer.Allowed, "allow": answer.Allowed, "explicitDeny": answer.ExplicitDeny, "implicitDeny": answer.ImplicitDeny, "deny": denied, "denied": denied,
		}
		o, ok := outcomes[text]
		if !ok {
			return s.fail(n, "expect is allowed, explicitDeny, implicitDeny or deny, not %q", text)
		}
		e.Outcome, e.given = o, true
		return nil
	}
	known["layer"] = func(n *yaml.Node) error {
		if err := s.str(&e.Layer)(n); err != nil {
			return err
		}
		if _, ok := answer.LayerNames()[e.Layer]; !ok && e.Layer != "" {
			return s.fail(n, "there is no layer %q; %s", e.Layer, suggest(e.Layer, answer.LayerNames()))
		}
		return nil
	}
	known["reason"] = s.str(&e.Reason)
	known["policy"] = s.str(&e.Policy)
	known["statement"] = s.str(&e.Statement)
}

// Result is what came of a case.
type Result struct {
	Case     *Case
	Outcome  answer.Outcome
	Decision policy.Decision
	Sentence string  // AWS's, of a refusal; "" when allowed
	Policy   *Policy // that decided; nil if none did
	// Problems say what is not as expected. None: the case holds.
	Problems []string
}

// Holds says whether all is as expected: of a case that is known to fail, that
// something is not.
func (r *Result) Holds() bool { return (len(r.Problems) == 0) == (r.Case.Known == "") }

// Statement names the statement that decided, or is empty.
func (r *Result) Statement() string {
	if r.Policy == nil {
		return ""
	}
	return r.Policy.Statement(r.Decision.Statement)
}

// Run decides the case.
func (c *Case) Run() *Result {
	d := policy.Decide(c.Question.Applied(), c.Question.Request())
	r := &Result{Case: c, Outcome: answer.OutcomeOf(d.Allowed, d.Explicit), Decision: d, Policy: c.Question.Layers.Find(d.Source)}
	if !d.Allowed {
		r.Sentence = c.Question.Sentence(&d)
	}
	r.compare()
	return r
}

// Sentence is AWS's sentence about a denial of the request.
func (q *Question) Sentence(d *policy.Decision) string {
	return d.Sentence(q.Principal.sayer(), q.Action, q.Resource)
}

// decided says whether a layer decided: not if nothing limits the caller.
func (r *Result) decided() bool { return !r.Decision.Allowed || r.Policy != nil }

func (r *Result) compare() {
	e := &r.Case.Expect
	wrong := func(what, want, got string) {
		if got == "" {
			got = "none"
		}
		r.Problems = append(r.Problems, fmt.Sprintf("%s: expected %s, got %s", what, want, got))
	}
	if e.Outcome != r.Outcome && !(e.Outcome == denied && r.Outcome != answer.Allowed) {
		wrong("decision", string(e.Outcome), string(r.Outcome))
	}
	layer := ""
	if r.decided() {
		layer = answer.LayerName(r.Decision.Layer)
	}
	if e.Layer != "" && e.Layer != layer {
		wrong("layer", e.Layer, layer)
	}
	// S3's sentences quote the resource; here none does.
	reason := strings.ReplaceAll(e.Reason, `"`+r.Case.Question.Resource+`"`, r.Case.Question.Resource)
	if e.Reason != "" && !strings.Contains(r.Sentence, reason) {
		wrong("reason", strconv.Quote(e.Reason), strconv.Quote(r.Sentence))
	}
	name := ""
	if r.Policy != nil {
		name = r.Policy.Name
	}
	if e.Policy != "" && e.Policy != name && (r.Policy == nil || r.Policy.Source.ARN != e.Policy) {
		wrong("policy", e.Policy, name)
	}
	if e.Statement != "" && !r.isStatement(e.Statement) {
		wrong("statement", e.Statement, r.Statement())
	}
}

// isStatement compares with a Sid or an index.
func (r *Result) isStatement(want string) bool {
	if r.Policy == nil {
		return false
	}
	if sid := r.Policy.Document.Statements[r.Decision.Statement].Sid; sid != "" && sid == want {
		return true
	}
	i, err := strconv.Atoi(want)
	return err == nil && i == r.Decision.Statement
}
