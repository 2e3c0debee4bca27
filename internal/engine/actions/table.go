package actions

import "strings"

// Table is one service of the reference.
type Table struct {
	Prefix    string         // "s3", as before the colon of an action
	Actions   []Action       // sorted by lower-case name; the index is the action's number
	Resources []ResourceType // sorted by lower-case name
	Keys      []Key          // sorted by lower-case name
}

// Action is one action of a service.
type Action struct {
	Name      string   // "GetObject"
	Level     Level    // what it does
	Resources []Use    // none: the action has no resource type, policies name "*"
	Keys      []uint16 // places in Table.Keys: conditions that do not depend on the resource
	Dependent []string // actions that the caller needs as well, as "iam:PassRole"
}

// Use is a resource type as an action uses it.
type Use struct {
	Type      uint16   // place in Table.Resources
	Required  bool     // the action always has a resource of this type
	Keys      []uint16 // places in Table.Keys
	Dependent []string // needed as well if the action has this resource
}

// ResourceType is a kind of resource that policies can name.
type ResourceType struct {
	Name string   // "cluster"
	ARN  string   // "arn:${Partition}:eks:${Region}:${Account}:cluster/${ClusterName}"
	Keys []uint16 // places in Table.Keys: conditions on any action on such a resource
}

// Key is a condition key, as the reference spells it: "eks:clusterName", or with
// a variable part "aws:RequestTag/${TagKey}".
type Key struct {
	Name string
	Type Type
}

// Level is the reference's access level of an action: its first letter.
type Level byte

const (
	List        Level = 'L'
	Read        Level = 'R'
	Write       Level = 'W'
	Tagging     Level = 'T'
	Permissions Level = 'P'
)

// String is the level as AWS writes it.
func (l Level) String() string {
	switch l {
	case List:
		return "List"
	case Read:
		return "Read"
	case Write:
		return "Write"
	case Tagging:
		return "Tagging"
	case Permissions:
		return "Permissions management"
	}
	return ""
}

// Type is the type of a condition key's values.
type Type string

const (
	String         Type = "String"
	Numeric        Type = "Numeric"
	Bool           Type = "Bool"
	Date           Type = "Date"
	ARN            Type = "ARN"
	IPAddress      Type = "IPAddress"
	ArrayOfString  Type = "ArrayOfString"
	ArrayOfARN     Type = "ArrayOfARN"
	ArrayOfNumeric Type = "ArrayOfNumeric"
)

// Multivalued says whether a key of the type may have several values.
func (t Type) Multivalued() bool { return strings.HasPrefix(string(t), "ArrayOf") }

// Named says whether the key is the one asked for, in any case of letters; a
// variable part stands for any text: "aws:RequestTag/${TagKey}" is the key of
// "aws:requesttag/team".
func (k Key) Named(name string) bool {
	fixed, _, variable := strings.Cut(k.Name, "${")
	if !variable {
		return strings.EqualFold(fixed, name)
	}
	return len(name) > len(fixed) && strings.EqualFold(fixed, name[:len(fixed)])
}

// Matches says whether the ARN has the resource type's form: each ${…} stands
// for any text, which may be empty and hold slashes, as names do that are paths.
func (r ResourceType) Matches(arn string) bool {
	literal, rest, more := strings.Cut(r.ARN, "${")
	if !strings.HasPrefix(arn, literal) {
		return false
	}
	for arn = arn[len(literal):]; more; {
		_, rest, _ = strings.Cut(rest, "}")
		literal, rest, more = strings.Cut(rest, "${")
		if !more {
			return strings.HasSuffix(arn, literal)
		}
		at := strings.Index(arn, literal)
		if at < 0 {
			return false
		}
		arn = arn[at+len(literal):]
	}
	return arn == ""
}
