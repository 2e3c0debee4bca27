package autoscaling

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// principal is the service, as roles trust it.
const principal = "autoscaling.amazonaws.com"

// Machine is an instance as EC2 has it.
type Machine struct {
	ID, Zone, Subnet, Type, Image string
	State                         string // as EC2 spells it: "running"
	Tags                          map[string]string
}

// Machines is what groups see of EC2 without calling it.
type Machines interface {
	// Machine finds an instance.
	Machine(id string) (Machine, bool)
	// WatchMachines calls fn for each instance and each change, as store.Table's Watch
	// does.
	WatchMachines(fn func(Machine)) (stop func())
	// SubnetPlace says where a subnet lies: "vpc-…" and "us-west-2a".
	SubnetPlace(id string) (vpc, zone string, ok bool)
	// TemplateNames finds a launch template by its id or name, and the error of EC2's for
	// one that isn't there, or has no such version.
	TemplateNames(id, name, version string) (foundID, foundName string, err error)
}

// Roles is what the service asks of IAM.
type Roles interface {
	// CheckPass returns an error unless ctx's caller may pass the role to the service.
	CheckPass(ctx context.Context, roleARN, service string) error
	// Assumable says whether the role exists and trusts the service.
	Assumable(ctx context.Context, roleARN, service string) bool
}

// Deps is what a Service is made of.
type Deps struct {
	Store    *store.Store
	Place    api.Place
	Machines Machines
	Sessions api.Sessions
	Roles    Roles
	Now      func() time.Time
	Log      *slog.Logger
}

// Service answers the API and drives the groups.
type Service struct {
	Deps
	door       api.Door
	groups     *store.Table[Group]
	activities *store.Table[Activity]
}

// New makes the service. Its tables are registered in d.Store, which is loaded afterwards.
func New(d Deps) *Service {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{
		Deps:       d,
		groups:     store.NewTable[Group](d.Store, "autoscaling/group"),
		activities: store.NewTable[Activity](d.Store, "autoscaling/activity"),
	}
}

// UseDoor gives the service its way to others, before the first call.
func (s *Service) UseDoor(d api.Door) { s.door = d }

// Service lists the operations for the front door.
func (s *Service) Service() *api.Service {
	svc := &api.Service{ID: "autoscaling", Action: "autoscaling", Resource: s.ofResource}
	s.addGroups(svc)
	s.addMembers(svc)
	s.addHooks(svc)
	s.addTags(svc)
	s.addLists(svc)
	return svc
}

// ARN is a group's. One that isn't there has any id.
func (s *Service) ARN(name string) string {
	id := "*"
	if g, ok := s.groups.Get(name); ok {
		id = g.ID
	}
	return s.arn(id, name)
}

func (s *Service) arn(id, name string) string {
	p := s.Place
	return "arn:" + p.Partition + ":autoscaling:" + p.Region + ":" + p.AccountID + ":autoScalingGroup:" + id + ":autoScalingGroupName/" + name
}

func (s *Service) arns(name *string) []string {
	if name == nil || *name == "" {
		return nil
	}
	// Callers may name a group by its ARN.
	return []string{s.ARN(nameOf(*name))}
}

// nameOf is the name in an ARN, or the name itself.
func nameOf(given string) string {
	if _, name, ok := strings.Cut(given, ":autoScalingGroupName/"); ok {
		return name
	}
	return given
}

// ofResource answers for the condition keys of a group: its tags.
func (s *Service) ofResource(arn, key string) policy.Values {
	tag, isTag := strings.CutPrefix(key, "aws:resourcetag/")
	g, ok := s.groups.Get(nameOf(arn))
	if !isTag || !ok || s.arn(g.ID, g.Name) != arn {
		return policy.Values{}
	}
	tags := map[string]string{}
	for _, t := range g.Tags {
		tags[t.Key] = t.Value
	}
	return api.TagValue(tags, tag)
}

// Group returns the record of a group.
func (s *Service) Group(name string) (Group, bool) { return s.groups.Get(name) }

// PutGroup creates or replaces a group's record.
func (s *Service) PutGroup(ctx context.Context, g Group) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error { s.groups.In(tx).Put(g.Name, g); return nil })
}

// WatchGroups calls fn for each group there is and for each change, as store.Table's Watch
// does: fn must be quick and must not write to the store.
func (s *Service) WatchGroups(fn func(name string, old, new *Group)) (stop func()) {
	return s.groups.Watch(fn)
}

// as is the caller of ctx, whose rights the service passes on.
func as(ctx context.Context) api.Caller {
	who := *api.CallerFrom(ctx)
	who.Via = append(append([]string(nil), who.Via...), principal)
	return inside(who)
}

// inside is who calls within the process. Between services there is no wire, which is as
// good as TLS.
func inside(who api.Caller) api.Caller {
	who.Service, who.UserAgent, who.Referer = principal, principal, ""
	who.SourceIP, who.Endpoint, who.TLS = netip.Addr{}, nil, true
	return who
}

// linked makes a call as a group's service-linked role.
func linked[O any](ctx context.Context, s *Service, g *Group, operation string, in any) (*O, error) {
	who, err := s.Sessions.Act(ctx, g.Role, principal, "AutoScaling")
	if err != nil {
		return nil, err
	}
	out, err := s.door.Do(ctx, inside(who), "ec2", operation, in)
	if err != nil {
		return nil, err
	}
	return out.(*O), nil
}
