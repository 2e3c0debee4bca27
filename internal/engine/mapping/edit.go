package mapping

import (
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// Role is an entry of mapRoles to be written.
type Role struct {
	ARN      string
	Username string
	Groups   []string
}

// text is the very text that eksctl and EKS write.
func (r Role) text() string {
	var b strings.Builder
	b.WriteString("- groups:\n")
	for _, g := range r.Groups {
		b.WriteString("  - " + g + "\n")
	}
	return b.String() + "  rolearn: " + r.ARN + "\n  username: " + r.Username + "\n"
}

// AddRole adds a role to mapRoles, a YAML list, unless its ARN is there, to
// whatever it is mapped. ARNs are compared as the authenticator compares them,
// ignoring case. A list in block style, as everyone writes it, keeps its text,
// comments included; another is written anew.
func AddRole(mapRoles string, r Role) (string, error) {
	var entries []map[string]any
	if err := yaml.Unmarshal([]byte(mapRoles), &entries); err != nil {
		return "", fmt.Errorf("mapRoles is no YAML list of mappings, and is left as it is: %w", err)
	}
	for _, e := range entries {
		if arn, _ := e["rolearn"].(string); strings.EqualFold(arn, r.ARN) {
			return mapRoles, nil
		}
	}
	if len(entries) == 0 {
		return r.text(), nil
	}
	fits := func(text string) bool {
		var joined []map[string]any
		return yaml.Unmarshal([]byte(text), &joined) == nil && len(joined) == len(entries)+1
	}
	if text := strings.TrimRight(mapRoles, "\n") + "\n" + r.text(); fits(text) {
		return text, nil
	}
	rewritten, err := yaml.Marshal(entries)
	if err != nil {
		return "", err
	}
	if text := string(rewritten) + r.text(); fits(text) {
		return text, nil
	}
	return "", errors.New("mapRoles can't be added to, and is left as it is")
}

// RemoveRole takes out what AddRole added, and nothing else: an entry that was
// changed since stays.
func RemoveRole(mapRoles string, r Role) string {
	return strings.Replace(mapRoles, r.text(), "", 1)
}
