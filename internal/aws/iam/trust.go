package iam

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/engine/policy"
)

// bindPrincipals checks the users and roles that a trust policy names, and
// returns its text with their unique ids in place of their ARNs: whoever has the
// name later is another.
func (i *IAM) bindPrincipals(doc *policy.Document) (string, error) {
	type edit struct {
		span policy.Span
		id   string
	}
	var edits []edit
	for _, s := range doc.Statements {
		for _, p := range s.Principals {
			if p.Type != policy.AWS {
				continue
			}
			id, err := i.principalID(p.Value)
			if err != nil {
				return "", err
			}
			if id != "" {
				edits = append(edits, edit{p.Span, id})
			}
		}
	}
	text := doc.Text
	for n := len(edits) - 1; n >= 0; n-- {
		e := edits[n]
		text = text[:e.span.Start] + `"` + e.id + `"` + text[e.span.End:]
	}
	return text, nil
}

// principalID is the unique id of the user or role of an ARN; "" of accounts,
// sessions and everyone, which are stored as they are.
func (i *IAM) principalID(value string) (string, error) {
	bad := func() error {
		text := `Invalid principal in policy: "AWS":"` + value + `"`
		return &types.MalformedPolicyDocumentException{Message: &text}
	}
	head := "arn:" + i.place.Partition + ":iam::"
	rest, ok := strings.CutPrefix(value, head)
	if !ok {
		return "", nil
	}
	account, resource, _ := strings.Cut(rest, ":")
	switch {
	case resource == "root":
		return "", nil
	case account != i.place.AccountID:
		return "", bad()
	case strings.HasPrefix(resource, "role/"):
		if r, ok := i.RoleByARN(value); ok {
			return r.ID, nil
		}
	case strings.HasPrefix(resource, "user/"):
		if u, ok := i.UserByName(lastOf(value)); ok && i.userARN(&u) == value {
			return u.ID, nil
		}
	}
	return "", bad()
}

// namesByID says whether a stored trust policy names users or roles: their ARNs
// may be others by the time it is shown.
func namesByID(doc *policy.Document) bool {
	for _, s := range doc.Statements {
		for _, p := range s.Principals {
			if strings.HasPrefix(p.Value, rolePrefix) || strings.HasPrefix(p.Value, userPrefix) {
				return true
			}
		}
	}
	return false
}

// unbind is the inverse, for showing: ids of entities that live become ARNs.
func (i *IAM) unbind(text string) string {
	for n := 0; n < len(text); {
		at := strings.IndexByte(text[n:], '"')
		if at < 0 {
			break
		}
		start := n + at + 1
		end := strings.IndexByte(text[start:], '"')
		if end < 0 {
			break
		}
		id := text[start : start+end]
		if len(id) == 21 && (strings.HasPrefix(id, rolePrefix) || strings.HasPrefix(id, userPrefix)) {
			if s := i.index.subject(id); s != nil {
				text = text[:start] + s.arn + text[start+end:]
				end = len(s.arn)
			}
		}
		n = start + end + 1
	}
	return text
}
