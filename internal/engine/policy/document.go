package policy

import "strings"

// Kind is the kind of a document: what may stand in it, and how AWS words what
// may not.
type Kind uint8

const (
	Managed  Kind = iota // customer and AWS managed policies: version 2012-10-17 only
	Inline               // of a user, role or group: 2008-10-17 and no version too
	Session              // passed to AssumeRole
	Trust                // a role's AssumeRolePolicyDocument
	Resource             // any other resource-based policy
	Attached             // one that names no resource, for it is about what has it: ECR's
)

// Effect of a statement.
type Effect uint8

const (
	Deny Effect = iota
	Allow
)

func (e Effect) String() string {
	if e == Allow {
		return "Allow"
	}
	return "Deny"
}

// The versions of the language. Variables exist in the later one only.
const (
	Version2008 = "2008-10-17"
	Version2012 = "2012-10-17"
)

// Span is a range of bytes of a document's text.
type Span struct{ Start, End int }

// Text is a string of a document and the span of its JSON value, quotes included.
type Text struct {
	Value string
	Span
}

// Document is the parse tree of a policy.
type Document struct {
	Kind       Kind
	Text       string
	Version    string // Version2008 when the text names none
	ID         string
	Statements []Statement
}

// Statement is one statement. Its span runs from { to past }.
type Statement struct {
	Span
	Sid    string
	Effect Effect

	// NotAction, NotResource and NotPrincipal say that the list was given under
	// that name.
	Actions      []Text
	NotAction    bool
	Resources    []Text // nil in trust policies
	NotResource  bool
	Principals   []Principal // nil in identity policies
	NotPrincipal bool
	Conditions   []Condition
}

// Principal is one entry of a Principal element.
type Principal struct {
	Type PrincipalType
	Text
}

// PrincipalType is the key under which a principal stands.
type PrincipalType string

const (
	Anyone        PrincipalType = "*" // the bare "*"
	AWS           PrincipalType = "AWS"
	Service       PrincipalType = "Service"
	Federated     PrincipalType = "Federated"
	CanonicalUser PrincipalType = "CanonicalUser"
)

// Condition is one key of one operator of a Condition element.
type Condition struct {
	Operator Operator
	Key      string // as written; compared without regard to case
	Values   []Text
	Span     Span // of the key
}

// Position translates an offset of the text to a line and a column, both from
// 1; the column counts characters.
func (d *Document) Position(offset int) (line, column int) { return position(d.Text, offset) }

func position(text string, offset int) (line, column int) {
	before := text[:min(offset, len(text))]
	start := strings.LastIndexByte(before, '\n') + 1
	return 1 + strings.Count(before, "\n"), 1 + len([]rune(before[start:]))
}

// Error is why a document was refused.
type Error struct {
	Message      string // AWS's text
	Detail       string // ours, more exact; may be empty
	Line, Column int    // from 1; 0 when no place can be named
}

func (e *Error) Error() string { return e.Message }

// Size is the length IAM compares with its quotas: without white space outside
// of strings. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func Size(text string) int {
	n, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			n++
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			continue
		}
		n++
	}
	return n
}
