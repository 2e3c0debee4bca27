package netpol

import (
	"fmt"
	"strings"
)

// Outcome is what becomes of a flow.
type Outcome string

const (
	Allowed Outcome = "allowed"
	Denied  Outcome = "denied"
	// Unsure is an outcome that depends on the address of a pod, which isn't known.
	Unsure Outcome = "unsure"
)

// Reason is why a direction has its outcome.
type Reason string

const (
	ByRule      Reason = "rule"        // Side.Rule decided
	NoRule      Reason = "noRule"      // policies of SelectedBy isolate the pod, and none of their rules accepts
	NotSelected Reason = "notSelected" // no policy has a say about the pod
	NotAPod     Reason = "notAPod"     // the end is no pod of the cluster
	NodeTraffic Reason = "nodeTraffic" // the pod shares its node's network
	ToItself    Reason = "toItself"    // both ends are the same pod
)

// Explanation is what becomes of a flow, and which rule makes it so.
type Explanation struct {
	Outcome  Outcome `json:"outcome"`
	From     Subject `json:"from"`
	To       Subject `json:"to"`
	Protocol string  `json:"protocol"`
	Port     uint16  `json:"port"`
	Egress   Side    `json:"egress"`  // what the sender's policies say
	Ingress  Side    `json:"ingress"` // what the receiver's policies say
}

// Subject names an end.
type Subject struct {
	Pod     string `json:"pod,omitempty"` // NAMESPACE/NAME
	Address string `json:"address,omitempty"`
}

// Side is what one direction's policies say.
type Side struct {
	Outcome Outcome `json:"outcome"`
	Reason  Reason  `json:"reason"`
	Rule    *Ruling `json:"rule,omitempty"`
	// Passed are rules that left it to the next tier.
	Passed []Ruling `json:"passed,omitempty"`
	// Depends are rules about blocks that the address of a pod, not known, may or may not
	// be in. When the outcome is unsure, Reason and Rule are those of an address in none.
	Depends []Ruling `json:"depends,omitempty"`
	// SelectedBy are the policies that have a say.
	SelectedBy []PolicyName `json:"selectedBy,omitempty"`
}

// Ruling is a rule that matches a flow, and by what.
type Ruling struct {
	Policy PolicyName `json:"policy"`
	Tier   string     `json:"tier"`
	Action string     `json:"action"`
	Index  int        `json:"rule"` // in the policy's ingress or egress, from 0
	Name   string     `json:"name,omitempty"`
	// PeerIndex and PortIndex are those that match; -1 when the rule has none and
	// matches all.
	PeerIndex int    `json:"peerIndex"`
	Peer      string `json:"peer"`
	PortIndex int    `json:"portIndex"`
	Port      string `json:"portMatch"`
}

// text is in words: networkpolicy/default/web, ingress rule 0: from pods app=a in
// namespace default, TCP 80.
func (r *Ruling) text(d Direction) string {
	name := ""
	if r.Name != "" {
		name = fmt.Sprintf(" (%s)", r.Name)
	}
	return fmt.Sprintf("%s, %s rule %d%s: %s %s, %s", r.Policy, d, r.Index, name, [...]string{"to", "from"}[d], r.Peer, r.Port)
}

// Lines tells it in words, a line each.
func (e *Explanation) Lines() []string {
	lines := []string{fmt.Sprintf("%s: %s to %s, %s %d", e.Outcome, &e.From, &e.To, e.Protocol, e.Port)}
	lines = append(lines, e.Egress.lines(Egress, &e.From)...)
	return append(lines, e.Ingress.lines(Ingress, &e.To)...)
}

// String is the pod's name and its address, what of them there is.
func (s *Subject) String() string {
	if s.Pod == "" || s.Address == "" {
		return s.Pod + s.Address
	}
	return s.Pod + " (" + s.Address + ")"
}

func (s *Side) lines(d Direction, end *Subject) []string {
	lines := []string{fmt.Sprintf("%s: %s: %s", d, s.Outcome, s.because(d, end))}
	for i := range s.Passed {
		lines = append(lines, "  passed on by "+s.Passed[i].text(d))
	}
	for i := range s.Depends {
		lines = append(lines, "  matches some addresses: "+s.Depends[i].text(d))
	}
	return lines
}

func (s *Side) because(d Direction, end *Subject) string {
	var names []string
	for _, n := range s.SelectedBy {
		names = append(names, n.String())
	}
	if s.Outcome == Unsure {
		return fmt.Sprintf("it depends on the address of a pod, which isn't known; %s is selected by %s", end.Pod, strings.Join(names, ", "))
	}
	switch s.Reason {
	case ByRule:
		return s.Rule.text(d)
	case NoRule:
		return fmt.Sprintf("selected by %s for %s; none of their rules allows it", strings.Join(names, ", "), d)
	case NotAPod:
		return fmt.Sprintf("%s is no pod: no policy applies to it", end)
	case NodeTraffic:
		return fmt.Sprintf("%s uses its node's network: no policy applies to it", end.Pod)
	case ToItself:
		return "a pod always reaches itself"
	}
	if len(names) > 0 {
		return fmt.Sprintf("no rule of %s matches, and no NetworkPolicy selects %s for %s", strings.Join(names, ", "), end.Pod, d)
	}
	return fmt.Sprintf("no policy selects %s for %s", end.Pod, d)
}
