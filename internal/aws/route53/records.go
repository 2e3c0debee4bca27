package route53

import (
	"slices"
	"time"
)

// Zone is the record of a hosted zone.
type Zone struct {
	ID        string // "Z" and upper-case letters and digits
	Name      string // lower case, escaped, with its final dot
	Reference string // the caller's
	Comment   string
	Private   bool
	VPCs      []VPC // of a private zone, in the order of their association
	Servers   []string
	Tags      map[string]string
	CreatedAt time.Time
}

// VPC is one that sees a private zone.
type VPC struct{ Region, ID string }

func (z Zone) seenBy(vpc string) bool {
	return slices.ContainsFunc(z.VPCs, func(v VPC) bool { return v.ID == vpc })
}

// Set is a record set: all records of one name and type.
type Set struct {
	Name   string // as a zone's
	Type   string // "A"
	TTL    int64
	Values []string // as they were given
	// Alias is what the set stands for instead; nil of most.
	Alias *Alias `json:",omitempty"`
}

// Alias is another name, whose records of the same type are the set's.
type Alias struct {
	ZoneID   string
	Name     string
	Evaluate bool // health, as was asked; there are no health checks
}

func (s Set) equal(o Set) bool {
	if (s.Alias == nil) != (o.Alias == nil) || s.Alias != nil && *s.Alias != *o.Alias {
		return false
	}
	a, b := slices.Clone(s.Values), slices.Clone(o.Values)
	slices.Sort(a)
	slices.Sort(b)
	return s.TTL == o.TTL && slices.Equal(a, b)
}

// Change is the record of a change, which is in force everywhere.
type Change struct {
	ID      string // "C" and upper-case letters and digits
	At      time.Time
	Comment string
}

// setKey sorts as Route 53 lists: by the zone, the name's labels from the right, and
// the type.
func setKey(zone, name, kind string) string { return nameKey(zone, name) + " " + kind }

func nameKey(zone, name string) string { return zone + " " + reversed(name) }
