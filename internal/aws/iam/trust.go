package iam

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/engine/policy"
)

// trustQuota is the length of a trust policy, white space aside.
const trustQuota = 2048

// trust checks a trust policy and returns it as it is stored: unique ids stand
// for the users and roles that it names, so that whoever has the name later is
// another.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func (i *IAM) trust(text string) (string, error) {
	doc, err := policy.Parse(policy.Trust, text)
	if err != nil {
		return "", malformed(err)
	}
	if policy.Size(text) > trustQuota {
		return "", limitExceeded("Cannot exceed quota for ACLSizePerRole: %d", trustQuota)
	}
	return rewritten(doc, func(p policy.Principal) (string, error) {
		stored, ok := i.principalID(p.Value)
		if !ok {
			text := `Invalid principal in policy: "AWS":"` + p.Value + `"`
			return "", &types.MalformedPolicyDocumentException{Message: &text}
		}
		return stored, nil
	})
}

// rewritten replaces the AWS principals of a document by what fn makes of them.
func rewritten(doc *policy.Document, fn func(policy.Principal) (string, error)) (string, error) {
	var out strings.Builder
	done := 0
	for _, s := range doc.Statements {
		for _, p := range s.Principals {
			if p.Type != policy.AWS {
				continue
			}
			value, err := fn(p)
			if err != nil {
				return "", err
			}
			if value != p.Value {
				out.WriteString(doc.Text[done:p.Start] + `"` + value + `"`)
				done = p.End
			}
		}
	}
	return out.String() + doc.Text[done:], nil
}

// principalID is how a principal is stored: a user's or role's unique id, a role
// session as id:session, an account as its root's ARN. Of other accounts only the
// account as a whole can be named, for its users and roles can't be known.
func (i *IAM) principalID(value string) (string, bool) {
	if value == "*" {
		return value, true
	}
	if len(value) == 12 {
		return "arn:" + i.place.Partition + ":iam::" + value + ":root", true
	}
	if !strings.HasPrefix(value, "arn:") { // a unique id, as an earlier answer showed it
		id, _, _ := strings.Cut(value, ":")
		return value, i.index.subject(id) != nil
	}
	if strings.HasPrefix(value, "arn:"+i.place.Partition+":iam::") && strings.HasSuffix(value, ":root") {
		return value, true
	}
	if rest, ok := strings.CutPrefix(value, "arn:"+i.place.Partition+":sts::"+i.place.AccountID+":assumed-role/"); ok {
		name, session, _ := strings.Cut(rest, "/")
		r, ok := i.RoleByName(name)
		return r.ID + ":" + session, ok && session != ""
	}
	if r, ok := i.RoleByARN(value); ok {
		return r.ID, true
	}
	if u, ok := i.UserByName(lastOf(value)); ok && i.userARN(&u) == value {
		return u.ID, true
	}
	return "", false
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

// shownTrust is a role's trust policy as answers have it: ARNs for the users and
// roles that live, ids for those that are gone.
func (i *IAM) shownTrust(r *Role) *string {
	doc := i.trustDocument(r)
	if doc == nil {
		return escaped(r.Trust)
	}
	return escaped(i.ShownPolicy(doc))
}

// trustDocument is the parsed trust policy: the index has it, unless the record
// is older or newer.
func (i *IAM) trustDocument(r *Role) *policy.Document {
	if s := i.index.subject(r.ID); s != nil && s.trust != nil && s.trusted().Text == r.Trust {
		return s.trusted()
	}
	doc, err := policy.Parse(policy.Trust, r.Trust)
	if err != nil {
		return nil
	}
	return doc
}
