package detect

import (
	"net/netip"
	"strings"
	"time"
)

// About is what an event says of where it comes from.
type About struct {
	Account string // twelve digits
	Region  string
	Group   string // the log group: /aws/eks/CLUSTER/cluster
	Version string // of the product
	Now     time.Time
}

// OCSF's Detection Finding.
// https://schema.ocsf.io/1.3.0/classes/detection_finding
const (
	ocsfVersion    = "1.3.0"
	categoryUID    = 2
	classUID       = 2004
	createActivity = 1
)

// OCSF is a finding as OCSF's Detection Finding, to be encoded as JSON.
func OCSF(f Finding, about About) map[string]any {
	d := &f.Detection
	evidence := map[string]any{
		"data": map[string]any{"audit_id": f.Event, "query": f.Evidence, "target": f.Target},
	}
	if f.Actor != "" {
		evidence["actor"] = map[string]any{"user": map[string]any{"name": f.Actor, "type_id": 0, "type": "Unknown"}}
	}
	if f.Verb != "" {
		evidence["api"] = map[string]any{"operation": f.Verb, "service": map[string]any{"name": "kubernetes"}, "response": map[string]any{"code": code(f.Code)}}
	}
	if _, err := netip.ParseAddr(f.Source); err == nil {
		evidence["src_endpoint"] = map[string]any{"ip": f.Source}
	}
	event := map[string]any{
		"activity_id": createActivity, "activity_name": "Create",
		"category_uid": categoryUID, "category_name": "Findings", "class_uid": classUID, "class_name": "Detection Finding",
		"type_uid": classUID*100 + createActivity, "type_name": "Detection Finding: Create",
		"time": about.Now.UnixMilli(), "start_time": f.First.UnixMilli(), "end_time": f.Last.UnixMilli(), "count": f.Count,
		"severity_id": int(d.Severity), "severity": d.Severity.String(), "status_id": 1, "status": "New",
		"message": d.Title,
		"metadata": map[string]any{
			"version": ocsfVersion, "profiles": []string{"cloud"}, "log_name": about.Group,
			"product": map[string]any{"name": "eksact", "vendor_name": "eksact", "version": about.Version, "feature": map[string]any{"name": "audit findings"}},
		},
		"cloud": cloud(about),
		"finding_info": map[string]any{
			"uid": f.ID, "title": d.Title, "desc": d.Why, "types": []string{d.ID}, "created_time": about.Now.UnixMilli(), "first_seen_time": f.First.UnixMilli(), "last_seen_time": f.Last.UnixMilli(),
			"analytic": map[string]any{"uid": d.ID, "name": d.Title, "type_id": 1, "type": "Rule", "desc": strings.TrimSpace(d.Condition + "\n" + d.Rule)},
			"attacks": []any{map[string]any{
				"version":   "17.1",
				"technique": map[string]any{"uid": d.Technique.ID, "name": d.Technique.Name},
				"tactic":    map[string]any{"uid": tactics[d.Technique.Tactic], "name": d.Technique.Tactic},
			}},
		},
		"remediation": map[string]any{"desc": d.Do, "references": d.Sources},
		"evidences":   []any{evidence},
	}
	if f.Target != "" {
		resource := map[string]any{"name": f.Target, "type": f.Resource, "group": map[string]any{"name": about.Group}}
		if f.Namespace != "" {
			resource["namespace"] = f.Namespace
		}
		event["resources"] = []any{resource}
	}
	return event
}

// cloud is where it was, as far as that is known: of files it is not.
func cloud(about About) map[string]any {
	c := map[string]any{"provider": "AWS"}
	if about.Region != "" {
		c["region"] = about.Region
	}
	if about.Account != "" {
		c["account"] = map[string]any{"uid": about.Account, "type_id": 10, "type": "AWS Account"}
	}
	return c
}

// code is a status code as a number.
func code(text string) int {
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0
		}
		n = 10*n + int(c-'0')
	}
	return n
}

// tactics are ATT&CK's, by name.
var tactics = map[string]string{
	"Initial Access": "TA0001", "Execution": "TA0002", "Persistence": "TA0003", "Privilege Escalation": "TA0004", "Defense Evasion": "TA0005",
	"Credential Access": "TA0006", "Discovery": "TA0007", "Command and Control": "TA0011",
}
