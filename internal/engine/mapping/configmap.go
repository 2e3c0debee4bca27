package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	yamlv2 "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"
)

// ConfigMap is a compiled aws-auth. The nil ConfigMap is that of a cluster
// without one: it maps nobody.
type ConfigMap struct {
	roles, users map[string]entry // by ARN in lower case
	accounts     map[string]bool
}

// entry is what a principal is mapped to.
type entry struct {
	username string
	groups   []string
}

// Compile reads the data of aws-auth: the keys mapRoles, mapUsers and
// mapAccounts, each a text of YAML; others are ignored. It always yields a map.
// Each error says which entry was left out; the rest of the map holds. A text
// that is no YAML list leaves its whole section empty, as upstream does: who
// breaks mapRoles unmaps every role, nodes included.
func Compile(data map[string]string) (*ConfigMap, []error) {
	m := &ConfigMap{accounts: map[string]bool{}}
	var errs, more []error
	m.roles, errs = section(data["mapRoles"], "mapRoles", roleARN)
	m.users, more = section(data["mapUsers"], "mapUsers", userARN)
	errs = append(errs, more...)

	if text := data["mapAccounts"]; !blank(text) {
		// Read as strings by the YAML library itself: by way of JSON an account
		// written without quotes would lose its leading zeros.
		var accounts []string
		if err := yamlv2.Unmarshal([]byte(text), &accounts); err != nil {
			errs = append(errs, fmt.Errorf("mapAccounts: %w", err))
		}
		for _, a := range accounts {
			m.accounts[a] = true
		}
	}
	return m, errs
}

// raw is one item of mapRoles or mapUsers. Its fields' names match in any case,
// as encoding/json does it.
type raw struct {
	RoleARN  string          `json:"rolearn"`
	UserARN  string          `json:"userarn"`
	SSO      json.RawMessage `json:"sso"`
	Username string          `json:"username"`
	Groups   []string        `json:"groups"`
}

func roleARN(r raw) (string, error) {
	if len(r.SSO) > 0 && string(r.SSO) != "null" {
		return "", errors.New("sso mappings are not enabled, here as on EKS")
	}
	if r.RoleARN == "" {
		return "", errors.New("one of rolearn or SSO must be supplied")
	}
	return r.RoleARN, nil
}

func userARN(r raw) (string, error) {
	if r.UserARN == "" {
		return "", errors.New("value for userarn must be supplied")
	}
	return r.UserARN, nil
}

// section compiles mapRoles or mapUsers. Of several entries for one ARN the
// last wins.
//
// Upstream keeps an entry of which a field has the wrong type, with that field
// empty: `username: y`, a boolean in YAML 1.1, yields the user "" with all its
// groups. Here such an entry is left out.
func section(text, key string, arnOf func(raw) (string, error)) (map[string]entry, []error) {
	entries := map[string]entry{}
	if blank(text) {
		return entries, nil
	}
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return entries, []error{fmt.Errorf("%s: %w", key, err)}
	}
	var items []json.RawMessage
	if err := json.Unmarshal(asJSON, &items); err != nil {
		return entries, []error{fmt.Errorf("%s is not a list: %w", key, err)}
	}
	var errs []error
	for i, item := range items {
		var r raw
		err := json.Unmarshal(item, &r)
		var arn string
		if err == nil {
			arn, err = arnOf(r)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s entry %d: %w", key, i+1, err))
			continue
		}
		entries[strings.ToLower(arn)] = entry{username: r.Username, groups: r.Groups}
	}
	return entries, errs
}

// blank knows what people leave behind when they empty a section.
func blank(text string) bool {
	switch strings.TrimSpace(text) {
	case "", "``", `""`, "''":
		return true
	}
	return false
}

// Identify implements Identifier: roles first, then users, then accounts, whose
// principals go by their canonical ARN and have no groups.
func (m *ConfigMap) Identify(c Caller, name InstanceName) (Identity, error) {
	if m == nil {
		return Identity{}, ErrNotMapped
	}
	key := strings.ToLower(c.CanonicalARN)
	if e, ok := m.roles[key]; ok {
		return e.render(c, name)
	}
	if e, ok := m.users[key]; ok {
		return e.render(c, name)
	}
	if m.accounts[c.AccountID] {
		return Identity{Username: c.CanonicalARN, Groups: []string{}}, nil
	}
	return Identity{}, ErrNotMapped
}

// Len is the number of roles, users and accounts mapped.
func (m *ConfigMap) Len() (roles, users, accounts int) {
	if m == nil {
		return 0, 0, 0
	}
	return len(m.roles), len(m.users), len(m.accounts)
}
