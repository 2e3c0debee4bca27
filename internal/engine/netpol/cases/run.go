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
	// Differs are flows whose packets fared otherwise than policies say, a line each.
	Differs []string
}

// Holds is whether all is as expected: of a case that is known to fail, that something
// is not.
func (r *Result) Holds() bool { return (len(r.Problems) == 0) == (r.Case.Known == "") }

// Run decides the case's flows. An end or a port that isn't there is an error: the
// case asks of something else than there is.
func (c *Case) Run(s *manifest.Set) (*Result, error) {
	flows, err := c.Flows(s)
	if err != nil {
		return nil, err
	}
	return c.Judge(flows, nil), nil
}

// Flows explains the case's flows: each end with each, on each port.
func (c *Case) Flows(s *manifest.Set) (flows []*netpol.Explanation, err error) {
	for _, from := range c.From {
		for _, to := range c.To {
			for _, port := range c.Ports {
				list, err := c.explain(s, from, to, port)
				if err != nil {
					return nil, &Error{c.File, c.Line, err.Error()}
				}
				flows = append(flows, list...)
			}
		}
	}
	return flows, nil
}

func (c *Case) explain(s *manifest.Set, fromName, toName string, port manifest.Port) ([]*netpol.Explanation, error) {
	from, err := s.Find(fromName, c.Namespace)
	if err != nil {
		return nil, err
	}
	to, err := s.Find(toName, c.Namespace)
	if err != nil {
		return nil, err
	}
	return s.Explain(from, to, port)
}

// Judge compares what the flows came to with what is expected: what became of their
// packets, where those were tried, else what policies say. Tried has one for each flow.
func (c *Case) Judge(flows []*netpol.Explanation, tried []Packets) *Result {
	r := &Result{Case: c, Flows: len(flows)}
	for i, e := range flows {
		problem := ""
		if tried == nil {
			problem = c.compare(e)
		} else {
			problem = c.compareTried(e, &tried[i])
			if said := differs(e, &tried[i]); said != "" {
				r.Differs = append(r.Differs, said)
			}
		}
		if problem != "" {
			r.Wrong = append(r.Wrong, e)
			r.Problems = append(r.Problems, problem)
		}
	}
	return r
}

// compare says what is not as expected; "" if all is.
func (c *Case) compare(e *netpol.Explanation) string {
	switch {
	case e.Outcome == netpol.Unsure:
		return fmt.Sprintf("%s: expected %s, and it depends on the address of a pod, which isn't known", flow(e), c.Expect)
	case e.Outcome != c.Expect:
		return fmt.Sprintf("%s: expected %s, got %s", flow(e), c.Expect, e.Outcome)
	}
	return c.compareDecider(e)
}

func (c *Case) compareDecider(e *netpol.Explanation) string {
	if c.Policy == "" || c.decided(e) {
		return ""
	}
	return fmt.Sprintf("%s: expected that policy %s decides, got %s", flow(e), c.Policy, strings.Join(names(deciders(e)), " and "))
}

func flow(e *netpol.Explanation) string {
	return fmt.Sprintf("%s to %s, %s %d", e.From.String(), e.To.String(), e.Protocol, e.Port)
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
