package detect

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Finding is what a detection found of one actor and target.
type Finding struct {
	ID        string // the same of the same detection, actor and target
	Detection Detection
	Count     int // of events
	First     time.Time
	Last      time.Time
	Event     string // audit ID of the last

	Actor  string // user name
	Source string // address of the peer
	Verb   string
	Code   string
	// Target is resource/name, with subresource and namespace: "kube-system: configmaps/aws-auth".
	Target    string
	Resource  string
	Namespace string
	Name      string

	// Evidence is a query for the events.
	Evidence string
}

// Meant are the rows of the detection's Query that its rule, if it has one, decides for.
func (d *Detection) Meant(rows []map[string]string) []map[string]string {
	if d.decide == nil {
		return rows
	}
	var out []map[string]string
	for _, row := range rows {
		if e := read(row["@message"]); e != nil && d.decide(e) {
			decided := e.row()
			decided["@timestamp"] = row["@timestamp"]
			out = append(out, decided)
		}
	}
	return out
}

// mostEvidence is how many events a query for evidence names, one by one.
const mostEvidence = 20

// gathered are rows of events made rows of findings, the latest first.
func gathered(rows []map[string]string) (out []map[string]string) {
	type group struct {
		row    map[string]string
		events map[string]bool
	}
	groups := map[string]*group{}
	var order []*group
	for _, row := range rows {
		var parts []string
		for _, k := range keys {
			parts = append(parts, row[k])
		}
		key := strings.Join(parts, "\x00")
		g := groups[key]
		if g == nil {
			g = &group{maps.Clone(row), map[string]bool{}}
			g.row["first"], g.row["last"] = row["@timestamp"], row["@timestamp"]
			groups[key] = g
			order = append(order, g)
		}
		g.events[row["event"]] = true
		if at := instant(row["@timestamp"]); at.Before(instant(g.row["first"])) {
			g.row["first"] = row["@timestamp"]
		} else if at.After(instant(g.row["last"])) {
			g.row["last"], g.row["event"] = row["@timestamp"], row["event"]
		}
	}
	for _, g := range order {
		g.row["events"] = strconv.Itoa(len(g.events))
		if len(g.events) <= mostEvidence {
			var ids []string
			for _, id := range slices.Sorted(maps.Keys(g.events)) {
				ids = append(ids, quote(id))
			}
			g.row["auditIDs"] = strings.Join(ids, ", ")
		}
		out = append(out, g.row)
	}
	slices.SortStableFunc(out, func(a, b map[string]string) int { return instant(b["last"]).Compare(instant(a["last"])) })
	return out[:min(len(out), mostFindings)]
}

// Findings are those that rows of the detection's Query say, of those that are Meant. A row
// is fields by name.
func (d *Detection) Findings(p Params, rows []map[string]string) []Finding {
	if d.decide != nil {
		rows = gathered(rows)
	}
	var out []Finding
	for _, row := range rows {
		f := Finding{
			Detection: *d, First: instant(row["first"]), Last: instant(row["last"]), Event: row["event"], Actor: row["user.username"], Source: row["source"], Verb: row["verb"],
			Code: row["responseStatus.code"], Resource: row["objectRef.resource"], Namespace: row["objectRef.namespace"], Name: row["objectRef.name"],
		}
		f.Count, _ = strconv.Atoi(row["events"])
		f.Target = target(row)
		parts := []string{d.ID, row["slot"]}
		for _, k := range keys {
			parts = append(parts, row[k])
		}
		sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
		f.ID = hex.EncodeToString(sum[:16])
		f.Evidence = d.evidenceOf(p, row)
		out = append(out, f)
	}
	return out
}

// Sort puts the worst and latest first.
func Sort(findings []Finding) {
	slices.SortFunc(findings, func(a, b Finding) int {
		return cmp.Or(-cmp.Compare(a.Detection.Severity, b.Detection.Severity), -a.Last.Compare(b.Last), cmp.Compare(a.ID, b.ID))
	})
}

func target(row map[string]string) string {
	t := row["objectRef.resource"]
	if name := row["objectRef.name"]; name != "" {
		t += "/" + name
	}
	if sub := row["objectRef.subresource"]; sub != "" {
		t += "/" + sub
	}
	if ns := row["objectRef.namespace"]; ns != "" {
		t = ns + ": " + t
	}
	return t
}

// evidenceOf is the query for the events of one finding.
func (d *Detection) evidenceOf(p Params, row map[string]string) string {
	var more strings.Builder
	for _, k := range keys {
		if v := row[k]; v != "" {
			more.WriteString("\n| filter " + field(row, k) + " = " + quote(v))
		}
	}
	if ids := row["auditIDs"]; ids != "" {
		more.WriteString("\n| filter auditID in [" + ids + "]")
	}
	head, rest, _ := strings.Cut(d.Evidence(p), "\n")
	return head + more.String() + "\n" + rest
}

// field is what a query calls a key. The peer is the only address of an event, unless the
// request says that it was forwarded.
func field(row map[string]string, key string) string {
	switch {
	case key != "source":
		return key
	case row["forwarded"] == "":
		return "sourceIPs.0"
	}
	return peer
}

// quote writes a text as Logs Insights reads it.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// instant reads a time as queries give it: as text, or in milliseconds.
func instant(text string) time.Time {
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(ms).UTC()
	}
	t, _ := time.Parse("2006-01-02 15:04:05.000", text)
	return t
}
