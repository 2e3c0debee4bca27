package iam

import (
	"strings"
	"time"

	"github.com/eksact/eksact/internal/engine/policy"
)

// Tag of a user, role, policy or instance profile.
type Tag struct{ Key, Value string }

// Inline is a policy embedded in its holder.
type Inline struct{ Name, Document string }

// Grants are the policies that a user, group or role holds.
type Grants struct {
	Attached []string `json:",omitempty"` // ARNs, in the order of attaching
	Inline   []Inline `json:",omitempty"` // in the order of creation
	Boundary string   `json:",omitempty"` // ARN of the permissions boundary
}

// User is an IAM user.
type User struct {
	Name, Path, ID string // ID is AIDA…
	Created        time.Time
	Tags           []Tag `json:",omitempty"`
	Grants
	Groups []string `json:",omitempty"` // keys of its groups
	Keys   []string `json:",omitempty"` // ids of its access keys
	MFA    []string `json:",omitempty"` // keys of its MFA devices
}

// Group is a set of users.
type Group struct {
	Name, Path, ID string // ID is AGPA…
	Created        time.Time
	Grants
	Members []string `json:",omitempty"` // keys of its users
}

// Role is an IAM role.
type Role struct {
	Name, Path, ID string // ID is AROA…
	Description    string
	Created        time.Time
	// Trust is the AssumeRolePolicyDocument, with unique ids for users and roles.
	Trust      string
	MaxSession int   // seconds
	Tags       []Tag `json:",omitempty"`
	Grants
	Profiles []string `json:",omitempty"` // keys of the instance profiles that hold it
	// Service owns a service-linked role: "eks.amazonaws.com".
	Service string `json:",omitempty"`
}

// Policy is a customer managed policy.
type Policy struct {
	Name, Path, ID   string // ID is ANPA…
	Description      string
	Created, Updated time.Time
	Tags             []Tag `json:",omitempty"`
	Versions         []Version
	Default          string // id of the version in force
	Made             int    // versions ever made: v1, v2, …
	Uses
}

// Version of a managed policy.
type Version struct {
	ID, Document string
	Created      time.Time
}

// Uses counts the entities that hold a managed policy.
type Uses struct{ Attached, Boundaries int }

// Profile is an instance profile.
type Profile struct {
	Name, Path, ID string // ID is AIPA…
	Created        time.Time
	Tags           []Tag    `json:",omitempty"`
	Roles          []string `json:",omitempty"` // keys; at most one
}

// AccessKey is a long-term credential of a user, or of the root user.
type AccessKey struct {
	ID, Secret string
	User       string // key of the user; "" of root
	UserID     string // AIDA…, or the account id of root
	Active     bool
	Created    time.Time
}

// KeyUse is the last use of an access key, or of a role by one of its sessions.
type KeyUse struct {
	At              time.Time
	Service, Region string
}

// Account is what belongs to the account as a whole.
type Account struct {
	Alias   string    `json:",omitempty"`
	Created time.Time `json:",omitzero"`
}

// accountKey is the key of its only record.
const accountKey = "account"

// key is the store's key of a name.
func key(name string) string { return strings.ToLower(name) }

func (u *User) grants() *Grants  { return &u.Grants }
func (g *Group) grants() *Grants { return &g.Grants }
func (r *Role) grants() *Grants  { return &r.Grants }

func (u *User) title() string  { return u.Name }
func (g *Group) title() string { return g.Name }
func (r *Role) title() string  { return r.Name }

// version returns the version of that id.
func (p *Policy) version(id string) (Version, bool) {
	for _, v := range p.Versions {
		if v.ID == id {
			return v, true
		}
	}
	return Version{}, false
}

// document is the text in force.
func (p *Policy) document() string {
	v, _ := p.version(p.Default)
	return v.Document
}

// inlineSize is the length of all inline policies that counts for the quota.
func (g *Grants) inlineSize() int {
	n := 0
	for _, p := range g.Inline {
		n += policy.Size(p.Document)
	}
	return n
}
