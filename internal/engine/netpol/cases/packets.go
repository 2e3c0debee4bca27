package cases

import (
	"fmt"

	"github.com/eksact/eksact/internal/engine/netpol"
)

// Packets is what became of a flow's packets, when they were sent.
type Packets struct {
	// Outcome is Unsure when what came back, or did not, tells nothing.
	Outcome netpol.Outcome `json:"outcome"`
	How     string         `json:"how"` // what was seen: "connected", "refused by its end", …
}

// Triable is an error when packets of one of the flows can't be sent: from what is no
// pod that runs, to what has no address, of a protocol that isn't tried.
func (c *Case) Triable(flows []*netpol.Explanation) error {
	for _, e := range flows {
		problem := ""
		switch {
		case e.From.Pod == "":
			problem = fmt.Sprintf("%s is no pod of the cluster: packets can't be sent from there", e.From.Address)
		case e.From.Address == "":
			problem = fmt.Sprintf("no pod of %s runs: packets can't be sent from there", e.From.Pod)
		case e.To.Address == "":
			problem = fmt.Sprintf("no pod of %s runs: packets can't be sent there", e.To.Pod)
		case e.Protocol != "TCP" && e.Protocol != "UDP":
			problem = fmt.Sprintf("%s: packets of TCP and UDP can be tried, not of %s", flow(e), e.Protocol)
		}
		if problem != "" {
			return &Error{c.File, c.Line, problem}
		}
	}
	return nil
}

// compareTried says what is not as expected of packets; "" if all is. Which policy
// decides only policies say.
func (c *Case) compareTried(e *netpol.Explanation, p *Packets) string {
	if p.Outcome != c.Expect {
		return fmt.Sprintf("%s: expected %s, packets were %s (%s)", flow(e), c.Expect, p.word(), p.How)
	}
	if e.Outcome != c.Expect {
		return "" // a difference, and told as such
	}
	return c.compareDecider(e)
}

// differs says how packets fared otherwise than policies say; "" if they didn't.
func differs(e *netpol.Explanation, p *Packets) string {
	if p.Outcome == e.Outcome || p.Outcome == netpol.Unsure || e.Outcome == netpol.Unsure {
		return ""
	}
	return fmt.Sprintf("%s: policies say %s, packets were %s (%s)", flow(e), e.Outcome, p.word(), p.How)
}

func (p *Packets) word() string {
	return map[netpol.Outcome]string{netpol.Allowed: "let through", netpol.Denied: "dropped", netpol.Unsure: "sent in vain"}[p.Outcome]
}
