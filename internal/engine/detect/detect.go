package detect

import (
	"fmt"
	"net/netip"
	"strings"
)

// Severity is how bad a finding is, from 1.
type Severity int

// Severities, numbered as OCSF does.
const (
	Informational Severity = iota + 1
	Low
	Medium
	High
	Critical
)

// String is the severity's name.
func (s Severity) String() string {
	if s < Informational || s > Critical {
		return "Unknown"
	}
	return [...]string{"Informational", "Low", "Medium", "High", "Critical"}[s-1]
}

// A Technique is one of MITRE ATT&CK's.
// https://attack.mitre.org/matrices/enterprise/containers/
type Technique struct{ ID, Name, Tactic string }

// A Detection is what to look for.
type Detection struct {
	ID        string // "secrets-read"
	Title     string
	Severity  Severity
	Technique Technique
	Why       string   // it matters
	Do        string   // what to do about it
	Sources   []string // where it is described

	// Condition is of an event, in Logs Insights' language; {allowed} and {inside} stand
	// for Params' conditions on the source, {stolen} for what they add to others.
	Condition string
	// Rule says what decides on an event besides, by its structure; "" where Condition
	// says all.
	Rule   string
	decide func(*auditEvent) bool
	// Started: the request counts when it begins, for it may last (exec).
	Started bool
	// Burst: so many events of one user within five minutes are one finding. 0: each is.
	Burst int
	// patterns say the condition as filter patterns, as far as they can; byParams are those
	// that follow from Params.
	patterns []string
	byParams func(Params) ([]string, error)
}

// Params are what detections must know of an account.
type Params struct {
	// Allowed are the networks that people call from. None: any.
	Allowed []netip.Prefix
	// Inside are the VPC's networks, which service accounts call from. None: any.
	Inside []netip.Prefix
	// Namespaces are those, besides kube-system and default, for which Patterns say that
	// accounts of others read secrets. Queries need no names.
	Namespaces []string
}

// All are the detections, in the order of their ids.
func All() []Detection { return detections() }

// Find is a detection by its id.
func Find(id string) (Detection, bool) {
	for _, d := range detections() {
		if d.ID == id {
			return d, true
		}
	}
	return Detection{}, false
}

// within is a condition on the peer of a request: in one of the networks.
func within(networks ...netip.Prefix) string {
	var parts []string
	for _, n := range networks {
		parts = append(parts, fmt.Sprintf("isIpInSubnet(%s, %q)", peer, n.Masked()))
	}
	return "(not ispresent(sourceIPs." + fmt.Sprint(mostPeers) + ") and (" + strings.Join(parts, " or ") + "))"
}

// filter is the first stage of the detection's queries.
func (d *Detection) filter(p Params) string {
	stage := `stage = "ResponseComplete"`
	if d.Started {
		stage = `stage in ["ResponseStarted", "ResponseComplete"]`
	}
	stolen := ""
	if len(p.Inside) > 0 {
		stolen = " or " + readers + " and " + within(p.Inside...)
	}
	condition := strings.NewReplacer("{allowed}", within(p.Allowed...), "{inside}", within(p.Inside...), "{stolen}", stolen).Replace(d.Condition)
	return "filter " + stage + " and " + condition
}

// Applies says whether the detection can find anything: one on sources needs networks.
func (d *Detection) Applies(p Params) bool { return len(d.Needs(p)) == 0 }

// Needs are the Params that the detection lacks to find anything.
func (d *Detection) Needs(p Params) (names []string) {
	if len(p.Allowed) == 0 && strings.Contains(d.Condition, "{allowed}") {
		names = append(names, "allowed")
	}
	if len(p.Inside) == 0 && strings.Contains(d.Condition, "{inside}") {
		names = append(names, "inside")
	}
	return names
}

// Evidence is a query for the events that a finding is made of, or, if there is a rule,
// for those that it decides on; "" if the detection does not apply.
func (d *Detection) Evidence(p Params) string {
	if !d.Applies(p) {
		return ""
	}
	return d.filter(p) + "\n| fields @timestamp, user.username, verb, requestURI, sourceIPs.0, responseStatus.code, auditID, @message\n| sort @timestamp desc"
}

// keys are what a finding is of: each combination is one. source is the peer.
var keys = []string{"user.username", "verb", "objectRef.resource", "objectRef.subresource", "objectRef.namespace", "objectRef.name", "source", "responseStatus.code"}

// each are the aggregates that make a finding's row.
const each = "count_distinct(auditID) as events, earliest(@timestamp) as first, latest(@timestamp) as last, latest(auditID) as event, latest(sourceIPs.1) as forwarded"

// mostFindings bounds the findings of one detection, the latest first.
const mostFindings = 1000

// MostRows bounds the rows of a Query whose detection has a rule: if there are as many, a
// query until the last one's @timestamp has more.
const MostRows = 10_000

// Query makes a row for each finding, of the columns that Findings reads. If the detection
// has a rule it makes one for each event that may be of a finding: Meant picks those that
// are.
func (d *Detection) Query(p Params) string {
	if d.decide != nil {
		return fmt.Sprintf("%s\n| fields @timestamp, @message\n| sort @timestamp desc\n| limit %d", d.filter(p), MostRows)
	}
	by, least := strings.Join(keys, ", "), ""
	if d.Burst > 0 {
		by, least = "user.username, source, bin(5m) as slot", fmt.Sprintf("\n| filter events >= %d", d.Burst)
	}
	return fmt.Sprintf("%s\n| fields %s as source\n| stats %s by %s%s\n| sort last desc\n| limit %d", d.filter(p), peer, each, by, least, mostFindings)
}
