package autoscaling

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// Group is the record of an Auto Scaling group.
type Group struct {
	Name    string
	ID      string // a UUID, a part of its ARN
	Created time.Time

	Min, Max, Desired int32
	Template          Template
	// Types are tried in this order; none: that of the template.
	Types   []string `json:",omitempty"`
	Mixed   bool     `json:",omitempty"` // it was given as a mixed instances policy
	Subnets []string

	Grace, Cooldown, Warmup int32    // seconds
	Policies                []string // of termination
	ProtectNew              bool     `json:",omitempty"`
	Rebalance               bool     `json:",omitempty"` // capacity rebalancing
	Context                 string   `json:",omitempty"`
	Role                    string   // ARN of the service-linked role
	Tags                    []Tag
	Suspended               map[string]string `json:",omitempty"` // process → reason
	Hooks                   []Hook            `json:",omitempty"`

	Deleting bool `json:",omitempty"`
	Members  []Member
}

// Template is a launch template and which of its versions is meant: a number, $Latest or
// $Default.
type Template struct{ ID, Name, Version string }

// Tag is a tag of a group.
type Tag struct {
	Key, Value string
	Propagate  bool // to instances at their launch
}

// Hook is a lifecycle hook.
type Hook struct {
	Name, Transition string // "autoscaling:EC2_INSTANCE_TERMINATING"
	Default          string // result: "CONTINUE", "ABANDON"
	Heartbeat        int32  // seconds
	Metadata         string `json:",omitempty"`
}

// Member is an instance of a group.
type Member struct {
	ID, Zone, Subnet, Type, Image string
	Template                      Template // with the number of its version
	State                         types.LifecycleState
	Unhealthy                     bool      `json:",omitempty"`
	Protected                     bool      `json:",omitempty"` // from scaling in
	Joined                        time.Time // when it was launched or attached
	Activity                      string    // its last one, in progress

	// Of one that waits for a hook: which, by what token it goes on, and until when.
	Hook     string    `json:",omitempty"`
	Token    string    `json:",omitempty"`
	Deadline time.Time `json:",omitzero"`
	Latest   time.Time `json:",omitzero"`  // no heartbeat goes beyond
	Passed   []string  `json:",omitempty"` // hooks that are done
}

// leaving says whether a member is on its way out.
func (m *Member) leaving() bool {
	switch m.State {
	case types.LifecycleStateTerminating, types.LifecycleStateTerminatingWait, types.LifecycleStateTerminatingProceed, types.LifecycleStateTerminated:
		return true
	}
	return false
}

// waits says whether a hook holds a member up.
func (m *Member) waits() bool {
	return m.State == types.LifecycleStatePendingWait || m.State == types.LifecycleStateTerminatingWait
}

// member finds an instance.
func (g *Group) member(id string) (*Member, bool) {
	i := slices.IndexFunc(g.Members, func(m Member) bool { return m.ID == id })
	if i < 0 {
		return nil, false
	}
	return &g.Members[i], true
}

// staying counts the members that are not on their way out.
func (g *Group) staying() (n int32) {
	for i := range g.Members {
		if !g.Members[i].leaving() {
			n++
		}
	}
	return n
}

func (g *Group) runs(process string) bool {
	_, suspended := g.Suspended[process]
	return !suspended
}

// copied has members of its own, which may be changed.
func (g Group) copied() Group {
	g.Members = slices.Clone(g.Members)
	return g
}

// Activity is the record of one change of a group's instances.
type Activity struct {
	ID, Group   string // the group's ID
	Name        string // of the group
	Number      int64  // they are told apart in time by it
	Description string
	Cause       string
	Start, End  time.Time
	Status      types.ScalingActivityStatusCode
	Message     string `json:",omitempty"`
	Subnet      string `json:",omitempty"`
	Zone        string `json:",omitempty"`
}
