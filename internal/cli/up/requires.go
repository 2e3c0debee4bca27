package up

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/hint"
)

// needed is something of IAM's that a file names and doesn't make.
type needed struct{ path, arn string }

// requires refuses a file, before anything of it is made, that names users, roles and
// policies that are not in the account.
func (a account) requires(ctx context.Context, m *manifest) error {
	if m.before != nil && bytes.Equal(m.before.data, m.data) {
		return nil // all was made of it, and what is there no more stays away
	}
	var faults []error
	var hints []string
	for _, n := range m.needs() {
		there, err := a.holds(ctx, n.arn)
		if err != nil {
			return err
		}
		if there {
			continue
		}
		faults = append(faults, fmt.Errorf("%s: %s: there is no %s", m.where(n.path), n.path, n.arn))
		kind, name := lastOf(n.arn)
		line := `eval "$(eksact env)"; aws iam create-` + kind + " --" + kind + "-name " + name
		if kind != "user" {
			line += " ..."
		}
		if !slices.Contains(hints, line) {
			hints = append(hints, line)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return hint.Wrap(&fileError{errors.Join(faults...)}, append(hints, "eksact up -f "+m.file+" then goes on: no cluster was made or changed yet")...)
}

// needs are the users, roles and policies of the account that a file names. Those that it
// makes itself are left out.
func (m *manifest) needs() (all []needed) {
	account := m.judge.Place.AccountID
	own := m.ownRoles()
	add := func(path, arn string) {
		parts := strings.SplitN(arn, ":", 6)
		if len(parts) == 6 && parts[4] == account && parts[5] != "root" && !slices.Contains(own, arn) {
			all = append(all, needed{path, arn})
		}
	}
	policies := func(path string, arns []string) {
		for i, arn := range arns {
			add(fmt.Sprintf("%s[%d]", path, i), arn)
		}
	}
	for _, e := range m.AccessEntries {
		if m.isThere("entry/" + e.Principal) {
			continue
		}
		add(e.Path+".principalARN", e.Principal)
	}
	for _, n := range m.Nodegroups {
		if m.isThere("nodegroup/" + n.Name) {
			continue
		}
		add(n.Path+".iam.instanceRoleARN", n.RoleARN)
		policies(n.Path+".iam.attachPolicyARNs", n.Policies)
	}
	for _, x := range m.Addons {
		if m.isThere("addon/" + x.Name) {
			continue
		}
		add(x.Path+".serviceAccountRoleARN", x.RoleARN)
	}
	for _, x := range m.Accounts {
		add(x.Path+".attachRoleARN", x.RoleARN)
		policies(x.Path+".attachPolicyARNs", x.Policies)
	}
	for _, x := range m.Associations {
		if m.isThere("association/" + x.Namespace + "/" + x.Account) {
			continue
		}
		add(x.Path+".roleARN", x.RoleARN)
		policies(x.Path+".permissionPolicyARNs", x.Policies)
	}
	return all
}

// ownRoles are the ARNs of the roles that a file makes.
func (m *manifest) ownRoles() (arns []string) {
	for _, r := range append(m.roles(), ownRole{name: clusterRole(m.Name)}) {
		arns = append(arns, "arn:aws:iam::"+m.judge.Place.AccountID+":role/"+r.name)
	}
	return arns
}

// holds says whether the account has a user, role or policy of that ARN.
func (a account) holds(ctx context.Context, arn string) (bool, error) {
	kind, name := lastOf(arn)
	var found *string
	var err error
	switch kind {
	case "user":
		var out *iam.GetUserOutput
		if out, err = a.iam.GetUser(ctx, &iam.GetUserInput{UserName: &name}); err == nil {
			found = out.User.Arn
		}
	case "role":
		var out *iam.GetRoleOutput
		if out, err = a.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name}); err == nil {
			found = out.Role.Arn
		}
	case "policy":
		var out *iam.GetPolicyOutput
		if out, err = a.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn}); err == nil {
			found = out.Policy.Arn
		}
	}
	if has(err, "NoSuchEntity") {
		return false, nil
	}
	return aws.ToString(found) == arn, err
}

// lastOf splits the end of an ARN of IAM's, "role/path/name", into its kind and name.
func lastOf(arn string) (kind, name string) {
	rest := arn[strings.LastIndex(arn, ":")+1:]
	kind, path, _ := strings.Cut(rest, "/")
	return kind, path[strings.LastIndex(path, "/")+1:]
}
