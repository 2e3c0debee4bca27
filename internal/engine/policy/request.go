package policy

// Request is what is decided: may Caller do Action on Resource, under these keys.
type Request struct {
	Caller   Caller
	Action   string // "iam:CreateRole"
	Resource string // an ARN, or "*" for actions without a resource
	Keys     Keys   // nil: none
}

// Keys are the condition keys of a request.
type Keys interface {
	// Values returns the values of a key, which is given in lower case with its
	// prefix: "aws:username", "aws:principaltag/team". None: the key is missing.
	Values(key string) Values
}

// Values are those of one condition key. The zero Values has none.
type Values struct {
	one  string
	many []string
	n    int
}

// One makes the values of a key that has one.
func One(v string) Values { return Values{one: v, n: 1} }

// Many makes the values of a multi-valued key. The list must not change.
func Many(list []string) Values { return Values{many: list, n: len(list)} }

// Len is how many there are.
func (v Values) Len() int { return v.n }

// At returns one of them, by its index from 0.
func (v Values) At(i int) string {
	if v.many != nil {
		return v.many[i]
	}
	return v.one
}

func (r *Request) values(key string) Values {
	if r.Keys == nil {
		return Values{}
	}
	return r.Keys.Values(key)
}

// CallerKind says who calls, as far as the rules differ.
type CallerKind uint8

const (
	AnonymousCaller CallerKind = iota
	RootCaller                 // the root user of Account
	UserCaller                 // also with a token of GetSessionToken
	RoleCaller                 // a session of a role
	FederatedCaller            // a session of GetFederationToken
	ServiceCaller              // an AWS service, named by its principal
	ProviderCaller             // a web or SAML identity, before it has a role
)

// Caller is who asks.
type Caller struct {
	Kind    CallerKind
	Account string // twelve digits; empty of services, providers and anonymous callers
	ARN     string // of a role session arn:aws:sts::A:assumed-role/ROLE/SESSION, else as Entity
	Entity  string // ARN of the user or role behind it
	ID      string // unique id of that entity: AIDA…, AROA…
	UserID  string // aws:userid: AROA…:SESSION of a role session
	Name    string // of a service its principal, of a provider its ARN or host
}

// grade is how a resource policy names a caller, which decides what else limits
// the grant.
type grade uint8

const (
	unnamed   grade = iota
	byAccount       // a delegation: the identity side must allow
	byEntity        // the role of a session: boundary and session policies limit
	direct          // nothing else limits
)

// principal is a compiled entry of a Principal element.
type principal struct {
	Type  PrincipalType
	value string
	// account is set if the entry is a whole account.
	account string
}

func compilePrincipal(p Principal) principal {
	out := principal{Type: p.Type, value: p.Value}
	if p.Type != AWS {
		return out
	}
	if isAccountID(p.Value) {
		out.account = p.Value
	} else if a, ok := rootAccount(p.Value); ok {
		out.account = a
	}
	return out
}

// rootAccount reads the account of arn:P:iam::ACCOUNT:root.
func rootAccount(arn string) (string, bool) {
	const tail = ":root"
	n := len(arn) - len(tail)
	if n < 12 || arn[n:] != tail || !isAccountID(arn[n-12:n]) {
		return "", false
	}
	return arn[n-12 : n], true
}

// names says how the entry names the caller.
func (p *principal) names(c *Caller) grade {
	switch p.Type {
	case Anyone:
		return direct
	case AWS:
		if p.value == "*" {
			return direct
		}
		if c.Account == "" {
			return unnamed
		}
		return p.namesAWS(c)
	case Service:
		if c.Kind == ServiceCaller && c.Name == p.value {
			return direct
		}
	case Federated:
		if c.Kind == ProviderCaller && c.Name == p.value {
			return direct
		}
	}
	return unnamed
}

func (p *principal) namesAWS(c *Caller) grade {
	if p.account != "" {
		switch {
		case p.account != c.Account:
			return unnamed
		case c.Kind == RootCaller:
			return direct
		}
		return byAccount
	}
	switch p.value {
	case "":
		return unnamed
	case c.ARN, c.UserID:
		// The session itself, or the user.
		if c.Kind == UserCaller || c.Kind == RoleCaller || c.Kind == FederatedCaller && p.value == c.ARN {
			return direct
		}
	case c.Entity, c.ID:
		if c.Kind == UserCaller {
			return direct
		}
		return byEntity
	}
	return unnamed
}

// named is the strongest way in which the statement's list names the caller.
func (s *statement) named(c *Caller) grade {
	best := unnamed
	for i := range s.principals {
		best = max(best, s.principals[i].names(c))
	}
	return best
}

// spared says whether a NotPrincipal list spares the caller: it must name the
// session, its role and its account. A principal with a boundary is never spared.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
func (s *statement) spared(c *Caller, bounded bool) bool {
	if bounded {
		return false
	}
	var account, entity, itself bool
	for i := range s.principals {
		p := &s.principals[i]
		switch {
		case p.Type == Anyone, p.Type == AWS && p.value == "*":
			return true
		case p.Type != AWS:
			itself = itself || p.names(c) == direct
		case p.account != "":
			account = account || p.account == c.Account
		default:
			entity = entity || p.value == c.Entity || p.value == c.ID
			itself = itself || p.value == c.ARN || p.value == c.UserID
		}
	}
	switch c.Kind {
	case RootCaller:
		return account
	case UserCaller:
		return account && (entity || itself)
	case RoleCaller, FederatedCaller:
		return account && entity && itself
	case ServiceCaller, ProviderCaller:
		return itself
	}
	return false
}
