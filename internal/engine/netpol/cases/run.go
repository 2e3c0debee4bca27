package cases

import (
	"fmt"
	"strings"

	"github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/netpol/manifest"
)

// Result is what came of a case.
type Result struct {
	Case *Case
	// Flows is how many were decided; Wrong are those that are not as expected.
	Flows    int
	Wrong    []*netpol.Explanation
	Problems []string // a line for each of Wrong
}

// Holds is whether all is as expected: of a case that is known to fail, that something
// is not.
func (r *Result) Holds() bool { return (len(r.Problems) == 0) == (r.Case.Known == "") }

// Run decides the case's flows. An end or a port that isn't there is an error: the
// case asks of something else than there is.
func (c *Case) Run(s *manifest.Set) (*Result, error) {
	r := &Result{Case: c}
	for _, from := range c.From {
		for _, to := range c.To {
			for _, port := range c.Ports {
				if err := r.flow(s, from, to, port); err != nil {
					return nil, &Error{c.File, c.Line, err.Error()}
				}
			}
		}
	}
	return r, nil
}

func (r *Result) flow(s *manifest.Set, fromName, toName string, port manifest.Port) error {
	from, err := s.Find(fromName, r.Case.Namespace)
	if err != nil {
		return err
	}
	to, err := s.Find(toName, r.Case.Namespace)
	if err != nil {
		return err
	}
	list, err := s.Explain(from, to, port)
	if err != nil {
		return err
	}
	for _, e := range list {
		r.Flows++
		if problem := r.Case.compare(e); problem != "" {
			r.Wrong = append(r.Wrong, e)
			r.Problems = append(r.Problems, problem)
		}
	}
	return nil
}

// compare says what is not as expected; "" if all is.
func (c *Case) compare(e *netpol.Explanation) string {
	flow := fmt.Sprintf("%s to %s, %s %d", e.From.String(), e.To.String(), e.Protocol, e.Port)
	switch {
	case e.Outcome == netpol.Unsure:
		return fmt.Sprintf("%s: expected %s, and it depends on the address of a pod, which isn't known", flow, c.Expect)
	case e.Outcome != c.Expect:
		return fmt.Sprintf("%s: expected %s, got %s", flow, c.Expect, e.Outcome)
	case c.Policy != "" && !c.decided(e):
		return fmt.Sprintf("%s: expected that policy %s decides, got %s", flow, c.Policy, strings.Join(names(deciders(e)), " and "))
	}
	return ""
}

func (c *Case) decided(e *netpol.Explanation) bool {
	for _, p := range deciders(e) {
		if c.Policy == p.Name || c.Policy == p.Namespace+"/"+p.Name || c.Policy == p.String() {
			return true
		}
	}
	return false
}

// deciders are the policies that made the outcome.
func deciders(e *netpol.Explanation) (list []netpol.PolicyName) {
	for _, s := range []*netpol.Side{&e.Egress, &e.Ingress} {
		if e.Outcome == netpol.Denied && s.Outcome == netpol.Allowed {
			continue
		}
		switch s.Reason {
		case netpol.ByRule:
			list = append(list, s.Rule.Policy)
		case netpol.NoRule:
			list = append(list, s.SelectedBy...)
		}
	}
	return list
}

func names(list []netpol.PolicyName) (out []string) {
	for _, p := range list {
		out = append(out, p.String())
	}
	if out == nil {
		return []string{"none"}
	}
	return out
}
