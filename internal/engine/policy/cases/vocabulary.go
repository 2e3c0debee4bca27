package cases

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/engine/actions"
)

// Doubt is a name in a request that AWS's service authorization reference does not
// have: a test of a deny would hold of it, whatever the policies say.
type Doubt struct {
	Text string
	// Sure says that the reference has the service, so that the name is likely wrong:
	// else the service is one that it does not hold here.
	Sure bool
}

// laterGlobal are global condition keys that the reference is silent about. Source:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
var laterGlobal = []string{
	"aws:AssumedRoot", "aws:ChatbotSourceArn", "aws:SignInSessionArn", "aws:VpceAccount", "aws:VpceOrgID", "aws:VpceOrgPaths",
}

// DoubtAction looks an action up in the reference; nil when it is there.
func DoubtAction(action string) *Doubt {
	service, name, _ := strings.Cut(action, ":")
	t, ok := actions.Service(service)
	if !ok {
		var prefixes []string
		for i := range actions.Services() {
			prefixes = append(prefixes, actions.ByNumber(i).Prefix)
		}
		return &Doubt{Text: fmt.Sprintf("the actions of %s are not known here, so %s is not checked%s", service, action, Near(service, prefixes))}
	}
	if _, ok := t.Action(name); ok {
		return nil
	}
	var names []string
	for i := range t.Actions {
		names = append(names, t.Actions[i].Name)
	}
	return &Doubt{Text: fmt.Sprintf("no such action in %s: %s%s", t.Prefix, name, Near(name, names)), Sure: true}
}

// DoubtKey looks a condition key up; nil when it is there, or is one of a provider
// of identities, whose keys begin with its host.
func DoubtKey(name string) *Doubt {
	if _, ok := findKey(name); ok || slices.ContainsFunc(laterGlobal, func(k string) bool { return strings.EqualFold(k, name) }) {
		return nil
	}
	prefix, _, _ := strings.Cut(name, ":")
	if strings.Contains(prefix, ".") {
		return nil
	}
	var known []string
	if strings.EqualFold(prefix, "aws") {
		known = append(known, laterGlobal...)
		for _, k := range actions.Global() {
			known = append(known, k.Name)
		}
		return &Doubt{Text: fmt.Sprintf("no such global condition key: %s%s", name, Near(name, known)), Sure: true}
	}
	t, ok := actions.Service(prefix)
	if !ok {
		return &Doubt{Text: fmt.Sprintf("the condition keys of %s are not known here, so %s is not checked", prefix, name)}
	}
	for _, k := range t.Keys {
		known = append(known, k.Name)
	}
	return &Doubt{Text: fmt.Sprintf("no such condition key in %s: %s%s", t.Prefix, name, Near(name, known)), Sure: true}
}

// findKey finds a key among the global ones, and those of all services.
func findKey(name string) (actions.Key, bool) {
	if k, ok := actions.GlobalKey(name); ok {
		return k, true
	}
	for i := range actions.Services() {
		for _, k := range actions.ByNumber(i).Keys {
			if k.Named(name) || tagged(k.Name, name) {
				return k, true
			}
		}
	}
	return actions.Key{}, false
}

// tagged recognises keys whose variable part the reference writes as S3's pages do:
// s3:ExistingObjectTag/<key>.
func tagged(known, name string) bool {
	fixed, ok := strings.CutSuffix(known, "<key>")
	return ok && len(name) > len(fixed) && strings.EqualFold(name[:len(fixed)], fixed)
}

// Near proposes the name that differs in the fewest letters, if few:
// ": is it NAME?", or nothing.
func Near(wrong string, names []string) string {
	best, least := "", 1+min(2, len(wrong)/2)
	for _, name := range names {
		if abs(len(name)-len(wrong)) >= least {
			continue
		}
		if d := distance(strings.ToLower(wrong), strings.ToLower(name)); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return ": is it " + best + "?"
}

func abs(n int) int { return max(n, -n) }

// CheckValue says what is wrong with a value of a condition key, by the type that
// AWS gives the key. Keys of no known type take any.
func CheckValue(key, value string) error {
	k, _ := findKey(key)
	element := actions.Type(strings.TrimPrefix(string(k.Type), "ArrayOf"))
	wrong := func(form string) error {
		return fmt.Errorf("%s is %s, not %q", key, form, value)
	}
	switch element {
	case actions.Bool:
		if !strings.EqualFold(value, "true") && !strings.EqualFold(value, "false") {
			return wrong("true or false")
		}
	case actions.Numeric:
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			if !strings.EqualFold(k.Name, "aws:EpochTime") || !isDate(value) {
				return wrong("a number")
			}
		}
	case actions.Date:
		if !isDate(value) {
			return wrong("a time such as 2026-11-26T12:00:00Z, or seconds since 1970")
		}
	case actions.IPAddress:
		if _, err := netip.ParseAddr(value); err != nil {
			return wrong("an IP address")
		}
	case actions.ARN:
		if !strings.HasPrefix(value, "arn:") {
			return wrong("an ARN")
		}
	}
	return nil
}

// isDate knows the forms of https://www.w3.org/TR/NOTE-datetime, and seconds.
func isDate(value string) bool {
	if _, err := strconv.ParseFloat(value, 64); err == nil {
		return true
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly, "2006-01", "2006"} {
		if _, err := time.Parse(layout, value); err == nil {
			return true
		}
	}
	return false
}

// Doubts are those about the action and the condition keys that were given.
func (q *Question) Doubts() []Doubt {
	var out []Doubt
	if d := DoubtAction(q.Action); d != nil {
		out = append(out, *d)
	}
	keys := make([]string, 0, len(q.Context))
	for key := range q.Context {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if d := DoubtKey(key); d != nil {
			out = append(out, *d)
		}
	}
	return out
}
