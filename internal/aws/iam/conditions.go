package iam

import (
	"strconv"
	"strings"
	"sync"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// conditions answers for the condition keys of one call, when a policy asks: the
// keys that were given, then what is known of the principal and of the resource.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
type conditions struct {
	i        *IAM
	who      *api.Caller
	s        *subject // nil of root and services
	resource string
	given    map[string][]string // in any spelling
}

func (i *IAM) borrow(who *api.Caller, s *subject, given map[string][]string) *conditions {
	k, ok := i.spare.Get().(*conditions)
	if !ok {
		k = new(conditions)
	}
	*k = conditions{i: i, who: who, s: s, given: given}
	return k
}

func (i *IAM) giveBack(k *conditions) {
	*k = conditions{}
	i.spare.Put(k)
}

// Values implements policy.Keys.
func (k *conditions) Values(name string) policy.Values {
	if v, ok := k.given[name]; ok {
		return policy.Many(v)
	}
	for spelled, v := range k.given {
		if strings.EqualFold(spelled, name) {
			return policy.Many(v)
		}
	}
	if v, ok := k.principal(name); ok {
		return policy.One(v)
	}
	for _, prefix := range []string{"aws:resourcetag/", "iam:resourcetag/"} {
		if tag, ok := strings.CutPrefix(name, prefix); ok {
			return policy.Many(valueOf(k.i.tagsOf(k.resource), tag))
		}
	}
	return policy.Values{}
}

// principal answers for the keys that follow from the caller, and for the time.
func (k *conditions) principal(name string) (string, bool) {
	c := k.who
	known := c.Type != "" && c.Type != api.Anonymous
	switch name {
	case "aws:currenttime":
		return k.i.now().UTC().Format("2006-01-02T15:04:05Z"), true
	case "aws:epochtime":
		return strconv.FormatInt(k.i.now().Unix(), 10), true
	case "aws:principalarn":
		return c.PrincipalARN, known
	case "aws:principalaccount":
		return c.AccountID, known
	case "aws:principaltype":
		return string(c.Type), c.Type != ""
	case "aws:userid":
		return c.UserID, known
	case "aws:username":
		return c.Name, c.Type == api.User
	case "aws:sourceip":
		return c.SourceIP.String(), c.SourceIP.IsValid()
	case "aws:useragent":
		return c.UserAgent, c.UserAgent != ""
	case "aws:requestedregion":
		return c.RequestedRegion, c.RequestedRegion != ""
	case "aws:securetransport":
		return strconv.FormatBool(c.TLS), known
	case "aws:viaawsservice", "aws:principalisawsservice":
		return "false", true
	case "aws:resourceaccount":
		return k.i.place.AccountID, true
	}
	if tag, ok := strings.CutPrefix(name, "aws:principaltag/"); ok {
		return k.principalTag(tag)
	}
	s := c.Session
	if s == nil {
		return "", false
	}
	switch name {
	case "aws:tokenissuetime":
		return s.IssuedAt.UTC().Format("2006-01-02T15:04:05Z"), true
	case "aws:multifactorauthpresent":
		return strconv.FormatBool(s.MFA), true
	case "aws:sourceidentity":
		return s.SourceIdentity, s.SourceIdentity != ""
	}
	return "", false
}

// principalTag is a tag of the session, or else of its user or role.
func (k *conditions) principalTag(tag string) (string, bool) {
	if k.who.Session != nil {
		for name, v := range k.who.Session.Tags {
			if strings.EqualFold(name, tag) {
				return v, true
			}
		}
	}
	if k.s == nil {
		return "", false
	}
	v := valueOf(k.s.tags, tag)
	return strings.Join(v, ""), len(v) > 0
}

// valueOf is the value of a tag; names are compared without regard to case.
func valueOf(tags []Tag, name string) []string {
	for _, t := range tags {
		if strings.EqualFold(t.Key, name) {
			return []string{t.Value}
		}
	}
	return nil
}

// tagsOf are the tags of an IAM resource.
func (i *IAM) tagsOf(arn string) []Tag {
	rest, ok := strings.CutPrefix(arn, i.arn("", "", ""))
	if !ok {
		return nil
	}
	k := key(lastOf(arn))
	switch kind, _, _ := strings.Cut(rest, "/"); kind {
	case "role":
		r, _ := i.roles.Get(k)
		return r.Tags
	case "user":
		u, _ := i.users.Get(k)
		return u.Tags
	case "policy":
		p, _ := i.policies.Get(k)
		return p.Tags
	case "instance-profile":
		p, _ := i.profiles.Get(k)
		return p.Tags
	}
	return nil
}

// maxCompiled bounds how many session policies are remembered.
const maxCompiled = 1024

// texts remembers compiled session policies by their text.
type texts struct {
	mu     sync.Mutex
	byText map[string]*policy.Policy
}

func (t *texts) compiled(text string) *policy.Policy {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.byText[text]
	if !ok {
		p = compileStored(policy.Session, text)
		if t.byText == nil || len(t.byText) >= maxCompiled {
			t.byText = map[string]*policy.Policy{}
		}
		t.byText[text] = p
	}
	return p
}
