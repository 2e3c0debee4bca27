package iam

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// conditions answers for the condition keys of one call, when a policy asks: those
// of the caller, the time and the account, those that were given, and those that
// follow from the call and its resource. What is not known has no values, for
// policies tell an absent key from an empty one.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
//
// Those that are never present: aws:SourceArn and aws:SourceAccount on users' calls,
// for these are of services that act for themselves; all keys of organizations.
type conditions struct {
	i        *IAM
	who      *api.Caller
	s        *subject // nil of root and services
	resource string
	given    map[string][]string // in any spelling
	call     api.Keys            // nil of what services ask themselves
	now      time.Time           // when the call came

	// What a decision is made of, here because this is reused.
	applied policy.Applied
	request policy.Request
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
	if len(k.given) > 0 {
		if v, ok := k.given[name]; ok {
			return policy.Many(v)
		}
		for spelled, v := range k.given {
			if strings.EqualFold(spelled, name) {
				return policy.Many(v)
			}
		}
	}
	if v, ok := k.global(name); ok {
		return policy.One(v)
	}
	if name == "aws:calledvia" {
		return policy.Many(k.who.Via)
	}
	if s := k.who.Session; s != nil && s.Federated != nil {
		if v := federated(s.Federated, name); v.Len() > 0 {
			return v
		}
	}
	if k.call != nil {
		if v := k.call.Values(k.resource, name); v.Len() > 0 {
			return v
		}
	}
	if rest, ok := strings.CutPrefix(name, "iam:resourcetag/"); ok {
		return k.i.ofResource(k.resource, "aws:resourcetag/"+rest)
	}
	return k.i.ofResource(k.resource, name)
}

// federated answers for the keys of a web identity, in the session made of it.
func federated(f *api.Federated, name string) policy.Values {
	n := len(f.Issuer)
	switch {
	case name == "aws:federatedprovider":
		return policy.One(f.Provider)
	case len(name) <= n || name[n] != ':' || !strings.EqualFold(name[:n], f.Issuer):
		return policy.Values{}
	}
	switch name[n+1:] {
	case "aud":
		return policy.One(f.Audience)
	case "sub":
		return policy.One(f.Subject)
	case "amr":
		return policy.Many(f.AuthMethods)
	}
	return policy.Values{}
}

// global answers for the keys that any call may have.
func (k *conditions) global(name string) (string, bool) {
	c := k.who
	known := c.Type != "" && c.Type != api.Anonymous
	switch name {
	case "aws:currenttime":
		return k.i.clock(k.time()).date, true
	case "aws:epochtime":
		return k.i.clock(k.time()).epoch, true
	case "aws:principalarn":
		if c.Type == api.FederatedUser {
			return c.ARN, true
		}
		return c.PrincipalARN, known
	case "aws:principalaccount":
		return orAnonymous(c, c.AccountID), c.Type != ""
	case "aws:principaltype":
		return string(c.Type), c.Type != ""
	case "aws:principalisawsservice":
		return "false", known
	case "aws:userid":
		return orAnonymous(c, c.UserID), c.Type != ""
	case "aws:username":
		return c.Name, c.Type == api.User
	case "aws:sourceip":
		return c.SourceIP.String(), c.SourceIP.IsValid() && c.Endpoint == nil
	case "aws:vpcsourceip":
		return c.SourceIP.String(), c.SourceIP.IsValid() && c.Endpoint != nil
	case "aws:useragent":
		return c.UserAgent, c.UserAgent != ""
	case "aws:referer":
		return c.Referer, c.Referer != ""
	case "aws:requestedregion":
		return c.RequestedRegion, c.RequestedRegion != ""
	case "aws:securetransport":
		return strconv.FormatBool(c.TLS), c.Type != ""
	case "aws:viaawsservice":
		return strconv.FormatBool(len(c.Via) > 0), true
	case "aws:resourceaccount":
		return k.i.accountOf(k.resource), true
	}
	if n := len(c.Via); n > 0 {
		switch name {
		case "aws:calledviafirst":
			return c.Via[0], true
		case "aws:calledvialast":
			return c.Via[n-1], true
		}
	}
	if c.Endpoint != nil {
		switch name {
		case "aws:sourcevpce":
			return c.Endpoint.ID, true
		case "aws:sourcevpc":
			return c.Endpoint.VPC, true
		case "aws:sourcevpcarn":
			return c.Endpoint.VPCARN, true
		}
	}
	if tag, ok := strings.CutPrefix(name, "aws:principaltag/"); ok {
		return k.principalTag(tag)
	}
	if c.Session == nil {
		return "", false
	}
	return k.ofSession(name)
}

// ofSession answers for the keys that only temporary credentials have.
func (k *conditions) ofSession(name string) (string, bool) {
	s := k.who.Session
	switch name {
	case "aws:tokenissuetime":
		return s.IssuedAt.UTC().Format(dateLayout), true
	case "aws:multifactorauthpresent":
		return strconv.FormatBool(s.MFA), true
	case "aws:multifactorauthage":
		return strconv.FormatInt(int64(k.time().Sub(s.IssuedAt)/time.Second), 10), s.MFA
	case "aws:sourceidentity":
		return s.SourceIdentity, s.SourceIdentity != ""
	}
	v, ok := s.Keys[name]
	return v, ok
}

// orAnonymous is a value of the caller, or AWS's word for one without credentials.
func orAnonymous(c *api.Caller, value string) string {
	if c.Type == api.Anonymous {
		return "anonymous"
	}
	return value
}

// time is the same for all that one decision asks.
func (k *conditions) time() time.Time {
	if k.now.IsZero() {
		k.now = k.i.timeOf(k.who)
	}
	return k.now
}

// timeOf is when a call came. Looking at the clock costs more than deciding.
func (i *IAM) timeOf(who *api.Caller) time.Time {
	if who.Time.IsZero() {
		return i.now()
	}
	return who.Time
}

const dateLayout = "2006-01-02T15:04:05Z"

// second is a second as condition keys tell it.
type second struct {
	unix        int64
	date, epoch string
}

// clock spells the time. It does so once a second, whoever asks.
func (i *IAM) clock(now time.Time) *second {
	unix := now.Unix()
	if last := i.lastSecond.Load(); last != nil && last.unix == unix {
		return last
	}
	s := &second{unix, now.UTC().Format(dateLayout), strconv.FormatInt(unix, 10)}
	i.lastSecond.Store(s)
	return s
}

// accountOf is the account that a resource is in: "aws" of AWS's own policies,
// the only account there is of an ARN that names none.
func (i *IAM) accountOf(arn string) string {
	for range 4 {
		_, arn, _ = strings.Cut(arn, ":")
	}
	if account, _, ok := strings.Cut(arn, ":"); ok && account != "" {
		return account
	}
	return i.place.AccountID
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
	return valueOf(k.s.tags, tag)
}

// valueOf is the value of a tag; names are compared without regard to case.
func valueOf(tags []Tag, name string) (string, bool) {
	for i := range tags {
		if strings.EqualFold(tags[i].Key, name) {
			return tags[i].Value, true
		}
	}
	return "", false
}

// ofResource answers for the condition keys of an IAM resource: its tags.
func (i *IAM) ofResource(arn, key string) policy.Values {
	tag, ok := strings.CutPrefix(key, "aws:resourcetag/")
	if !ok {
		return policy.Values{}
	}
	if v, ok := valueOf(i.tagsOf(arn), tag); ok {
		return policy.One(v)
	}
	return policy.Values{}
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
	case "mfa":
		return i.deviceTags(arn)
	case "oidc-provider":
		p, _ := i.issuers.Get(strings.TrimPrefix(rest, "oidc-provider/"))
		return p.Tags
	}
	return nil
}

// maxCompiled bounds how many session policies are remembered.
const maxCompiled = 1024

// texts remembers compiled session policies by their text, and the programs that they
// and managed ones make, so that a session's calls join nothing anew.
type texts struct {
	mu       sync.Mutex
	byText   map[string]*policy.Policy
	programs map[passedPolicies]*policy.Program
}

// passedPolicies are the compiled policies of a session: at most a text and ten
// managed ones. A managed policy that changes is another.
type passedPolicies [11]*policy.Policy

// joined is the program of a session's policies.
func (t *texts) joined(list []policy.Source) *policy.Program {
	var key passedPolicies
	if len(list) > len(key) {
		return policy.NewProgram(list...)
	}
	for n, source := range list {
		key[n] = source.Policy
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.programs[key]
	if !ok {
		p = policy.NewProgram(list...)
		if t.programs == nil || len(t.programs) >= maxCompiled {
			t.programs = map[passedPolicies]*policy.Program{}
		}
		t.programs[key] = p
	}
	return p
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
