package mapping

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// instanceID is what a session's name must look like for {{EC2PrivateDNSName}}:
// EC2 names the sessions of an instance's role after the instance.
var instanceID = regexp.MustCompile(`^i-(\w{8}|\w{17})$`)

// render fills in a mapping's username and groups.
func (e entry) render(c Caller, name InstanceName) (Identity, error) {
	username, err := fill(e.username, c, name)
	if err != nil {
		return Identity{}, fmt.Errorf("error rendering username template %q: %w", e.username, err)
	}
	groups := make([]string, 0, len(e.groups))
	for _, template := range e.groups {
		group, err := fill(template, c, name)
		if err != nil {
			return Identity{}, fmt.Errorf("error rendering group template %q: %w", template, err)
		}
		groups = append(groups, group)
	}
	return Identity{Username: username, Groups: groups}, nil
}

// fill replaces the template's parameters. Braces that hold anything else stay
// as they are.
func fill(template string, c Caller, name InstanceName) (string, error) {
	if !strings.Contains(template, "{{") {
		return template, nil
	}
	if strings.Contains(template, "{{EC2PrivateDNSName}}") {
		if !instanceID.MatchString(c.SessionName) {
			return "", errors.New("SessionName did not contain an instance id")
		}
		if name == nil {
			return "", errors.New("instances have no names here")
		}
		dns, err := name(c.SessionName)
		if err != nil {
			return "", err
		}
		template = strings.ReplaceAll(template, "{{EC2PrivateDNSName}}", dns)
	}
	// No value can hold braces, so the order of replacement does not show.
	return strings.NewReplacer(
		"{{AccountID}}", c.AccountID,
		"{{SessionName}}", strings.ReplaceAll(c.SessionName, "@", "-"),
		"{{SessionNameRaw}}", c.SessionName,
		"{{AccessKeyID}}", c.AccessKeyID,
	).Replace(template), nil
}
