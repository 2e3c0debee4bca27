package cases

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/eksact/eksact/internal/engine/policy"
)

// Principal is who asks: the caller as the engine sees it, and the condition
// keys that follow from it.
type Principal struct {
	Name   string // as written
	Caller policy.Caller
	Keys   Context
}

// extras are what a principal's ARN doesn't say.
type extras struct {
	id     string
	entity string // of a session: ARN of its role or user
	tags   map[string]string
}

// sessionName is the name of the session when a principal is given as a role.
const sessionName = "session"

// NewPrincipal reads a principal by its ARN, or "anonymous", or the name of a
// service or of a provider of identities. A role stands for a session of it. The
// rest may be empty: the unique id; of a session, the ARN of its role (when it has
// a path) or user; tags.
func NewPrincipal(text, id, entity string, tags map[string]string) (*Principal, error) {
	return newPrincipal(text, extras{id, entity, tags})
}

func newPrincipal(text string, x extras) (*Principal, error) {
	p := &Principal{Name: text, Keys: Context{}}
	switch {
	case text == "anonymous" || text == "*":
		p.Name = "anonymous"
		p.Keys.set("aws:PrincipalType", "Anonymous")
		p.Keys.set("aws:userid", "anonymous")
		p.Keys.set("aws:PrincipalAccount", "anonymous")
	case strings.HasPrefix(text, "arn:"):
		if err := p.byARN(text, x); err != nil {
			return nil, err
		}
	case isServiceName(text):
		p.Caller = policy.Caller{Kind: policy.ServiceCaller, Name: text}
		p.Keys.set("aws:PrincipalServiceName", text)
		p.Keys.set("aws:PrincipalIsAWSService", "true")
	case strings.Contains(text, ".") && !strings.ContainsAny(text, " /:"):
		p.Caller = policy.Caller{Kind: policy.ProviderCaller, Name: text}
	default:
		return nil, fmt.Errorf(`principal %q is not an ARN, "anonymous", a service (ec2.amazonaws.com) or a provider (accounts.google.com)`, text)
	}
	for tag, value := range x.tags {
		p.Keys.set("aws:PrincipalTag/"+tag, value)
	}
	return p, nil
}

// isServiceName tells services from Amazon's own providers of web identities.
func isServiceName(s string) bool {
	return s != "cognito-identity.amazonaws.com" &&
		(strings.HasSuffix(s, ".amazonaws.com") || strings.HasSuffix(s, ".amazonaws.com.cn"))
}

func (p *Principal) byARN(arn string, x extras) error {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || len(parts[4]) != 12 || strings.Trim(parts[4], "0123456789") != "" {
		return fmt.Errorf("principal %s is not the ARN of a user, a role, a session, a provider or an account's root", arn)
	}
	account := parts[4]
	kind, rest, _ := strings.Cut(parts[5], "/")
	c := policy.Caller{Account: account, ARN: arn, Entity: arn, ID: x.id}
	switch service := parts[2]; {
	case service == "iam" && parts[5] == "root":
		c.Kind, c.ID, c.UserID = policy.RootCaller, account, account
		p.account(c, "Account", arn)
	case service == "iam" && kind == "user" && rest != "":
		c.Kind, c.ID = policy.UserCaller, orID(x.id, "AIDA")
		c.UserID = c.ID
		p.account(c, "User", arn)
		p.Keys.set("aws:username", lastPart(rest))
	case service == "iam" && kind == "role" && rest != "":
		return p.byARN("arn:"+parts[1]+":sts::"+account+":assumed-role/"+lastPart(rest)+"/"+sessionName, extras{id: x.id, entity: arn})
	case service == "sts" && kind == "assumed-role" && strings.Count(rest, "/") == 1 && !strings.HasPrefix(rest, "/"):
		role, session, _ := strings.Cut(rest, "/")
		c.Kind, c.ID = policy.RoleCaller, orID(x.id, "AROA")
		c.UserID = c.ID + ":" + session
		c.Entity = "arn:" + parts[1] + ":iam::" + account + ":role/" + role
		if x.entity != "" {
			c.Entity = x.entity
		}
		p.account(c, "AssumedRole", c.Entity)
	case service == "sts" && kind == "federated-user" && rest != "":
		c.Kind, c.Entity, c.ID, c.UserID = policy.FederatedCaller, x.entity, x.id, account+":"+rest
		p.account(c, "FederatedUser", arn)
	case service == "iam" && (kind == "oidc-provider" || kind == "saml-provider") && rest != "":
		c = policy.Caller{Kind: policy.ProviderCaller, Name: arn}
	default:
		return fmt.Errorf("principal %s is not the ARN of a user, a role, a session, a provider or an account's root", arn)
	}
	p.Caller = c
	return nil
}

// account sets the keys of a principal that belongs to an account.
func (p *Principal) account(c policy.Caller, kind, arn string) {
	p.Keys.set("aws:PrincipalType", kind)
	p.Keys.set("aws:PrincipalAccount", c.Account)
	p.Keys.set("aws:PrincipalArn", arn)
	p.Keys.set("aws:userid", c.UserID)
	p.Keys.set("aws:PrincipalIsAWSService", "false")
}

// orID is the unique id given, or one of that kind that nobody has.
func orID(id, prefix string) string {
	if id != "" {
		return id
	}
	return prefix + strings.Repeat("X", 17)
}

func lastPart(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// sayer is how refusals say who asked.
func (p *Principal) sayer() string {
	if p.Caller.ARN != "" {
		return p.Caller.ARN
	}
	return p.Name
}

// principals reads the shared part: name → principal.
func (f *file) principals(n *yaml.Node) error {
	return f.src.pairs(n, "principals", func(key, value *yaml.Node) error {
		p, err := f.principal(value)
		if err == nil {
			f.who[key.Value] = p
		}
		return err
	})
}

// principal reads a name of the shared part, an ARN or a mapping.
func (f *file) principal(n *yaml.Node) (*Principal, error) {
	var text string
	var x extras
	if n.Kind == yaml.MappingNode {
		err := f.src.fields(n, "a principal", map[string]func(*yaml.Node) error{
			"arn":  f.src.str(&text),
			"name": f.src.str(&text),
			"id":   f.src.str(&x.id),
			"role": f.src.str(&x.entity),
			"user": f.src.str(&x.entity),
			"tags": f.src.tags(&x.tags),
		})
		if err != nil {
			return nil, err
		}
	} else if err := f.src.str(&text)(n); err != nil {
		return nil, err
	}
	if p := f.who[text]; p != nil && n.Kind != yaml.MappingNode {
		return p, nil
	}
	p, err := newPrincipal(text, x)
	if err != nil {
		return nil, f.src.fail(n, "%v", err)
	}
	return p, nil
}

// tags reads a mapping of strings.
func (s *source) tags(into *map[string]string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		*into = map[string]string{}
		return s.pairs(n, "tags", func(key, value *yaml.Node) error {
			var text string
			if err := s.str(&text)(value); err != nil {
				return err
			}
			(*into)[key.Value] = text
			return nil
		})
	}
}
