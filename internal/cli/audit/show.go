package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/engine/detect"
)

// mostShown is how many findings of a detection people are shown.
const mostShown = 10

// show writes findings for people: a paragraph a detection.
func (r *result) show(w io.Writer) error {
	var b strings.Builder
	for _, group := range r.byDetection() {
		d := group[0].Detection
		fmt.Fprintf(&b, "%s: %s  [%s, %s %s]\n", strings.ToUpper(d.Severity.String()), d.Title, d.ID, d.Technique.ID, d.Technique.Name)
		for i, f := range group {
			if i == mostShown {
				fmt.Fprintf(&b, "  and %d more: -o json shows all\n", len(group)-i)
				break
			}
			b.WriteString("  " + line(f) + "\n")
		}
		fmt.Fprintf(&b, "  why: %s\n  do: %s\n  evidence:\n", d.Why, d.Do)
		for l := range strings.Lines(group[0].Evidence) {
			b.WriteString("    " + global.Printable(strings.TrimSuffix(l, "\n")) + "\n")
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%s of %s in %s.\n", count(len(r.findings), "finding"), count(r.looked, "detection"), r.log)
	for _, d := range r.left {
		var what []string
		for _, name := range d.Needs(detect.Params{}) {
			what = append(what, needs[name])
		}
		fmt.Fprintf(&b, "Not looked for: %s (%s).\n", d.ID, strings.Join(what, "; "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// needs say what detections must be told.
var needs = map[string]string{
	"allowed": "--allowed says which networks people work from",
	"inside":  "--inside says which networks pods and nodes are in",
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// line says who did what to what, from where, how often and when last.
func line(f detect.Finding) string {
	parts := []string{f.Actor}
	if f.Verb != "" {
		parts = append(parts, f.Verb)
	}
	if f.Target != "" {
		parts = append(parts, f.Target)
	}
	if f.Source != "" {
		parts = append(parts, "from "+f.Source)
	}
	if f.Code != "" {
		parts = append(parts, "("+f.Code+")")
	}
	return global.Printable(strings.Join(parts, " ")) + ", " + count(f.Count, "time") + ", last " + f.Last.Local().Format(time.DateTime)
}

// finding is one for programs.
type finding struct {
	ID        string    `json:"id"`
	Detection string    `json:"detection"`
	Title     string    `json:"title"`
	Severity  string    `json:"severity"`
	Technique string    `json:"technique"`
	Tactic    string    `json:"tactic"`
	Why       string    `json:"why"`
	Do        string    `json:"do"`
	Sources   []string  `json:"sources"`
	Actor     string    `json:"actor,omitempty"`
	Verb      string    `json:"verb,omitempty"`
	Target    string    `json:"target,omitempty"`
	Source    string    `json:"source,omitempty"`
	Code      string    `json:"code,omitempty"`
	Count     int       `json:"count"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
	AuditID   string    `json:"auditID,omitempty"`
	Evidence  string    `json:"evidence"`
}

type view struct {
	Log      string    `json:"log"`
	Findings []finding `json:"findings"`
	Looked   int       `json:"detections"`
	Left     []string  `json:"notLookedFor"`
}

func (r *result) view() view {
	v := view{Log: r.log, Findings: []finding{}, Looked: r.looked, Left: []string{}}
	for _, f := range r.findings {
		d := f.Detection
		v.Findings = append(v.Findings, finding{
			f.ID, d.ID, d.Title, d.Severity.String(), d.Technique.ID, d.Technique.Tactic, d.Why, d.Do, d.Sources,
			f.Actor, f.Verb, f.Target, f.Source, f.Code, f.Count, f.First, f.Last, f.Event, f.Evidence,
		})
	}
	for _, d := range r.left {
		v.Left = append(v.Left, d.ID)
	}
	return v
}

// ocsf writes findings as OCSF's, one a line.
func (r *result) ocsf(w io.Writer, about detect.About) error {
	e := json.NewEncoder(w)
	for _, f := range r.findings {
		if err := e.Encode(detect.OCSF(f, about)); err != nil {
			return err
		}
	}
	return nil
}
