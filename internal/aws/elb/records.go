package elb

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/eksact/eksact/internal/store"
)

// LoadBalancer is a Network or Classic Load Balancer with its listeners.
type LoadBalancer struct {
	Name      string
	ID        string // 16 hexadecimal digits, the end of its ARN; a classic's ARN has none
	DNSName   string
	Scheme    string // "internet-facing", "internal"
	State     string // "provisioning", "active", "failed"
	Reason    string // of the state, or ""
	VPC       string
	Zones     []Zone
	Groups    []string // security groups
	CreatedAt time.Time
	CrossZone bool
	Listeners []Listener
	Tags      map[string]string
	Classic   *Classic // nil: a Network Load Balancer
	ByAPI     bool     // made by a call, not for a Service
}

// Classic is what only Classic Load Balancers have.
type Classic struct {
	Check         Check
	Instances     []Target
	Idle          time.Duration
	Drain         time.Duration // 0: connections are not drained
	ProxyProtocol bool
}

// Zone is where a load balancer has an address.
type Zone struct {
	Name   string // "us-west-2a"
	Subnet string
	IP     netip.Addr
	// Allocation is the Elastic IP address that was chosen, Private the address.
	Allocation string     `json:",omitempty"`
	Private    netip.Addr `json:",omitzero"`
}

// Listener forwards a port: to a target group, or a Classic Load Balancer's to a
// port of its instances.
type Listener struct {
	ID           string // 16 hexadecimal digits
	Protocol     string // "TCP"
	Port         int32
	TargetGroup  string // name
	InstancePort int32
	Tags         map[string]string
	Idle         time.Duration `json:",omitempty"` // of TCP connections; 0: as they are made
}

// TargetGroup is a set of targets and how their health is checked.
type TargetGroup struct {
	Name       string
	ID         string // 16 hexadecimal digits
	Protocol   string // "TCP"
	Port       int32
	VPC        string
	TargetType string // "instance", "ip"
	Check      Check
	Targets    []Target
	Attributes Attributes
	Tags       map[string]string
	ByAPI      bool // made by a call, not for a Service
	// Registered are the targets that calls registered; Targets show how they fare,
	// with those that drain.
	Registered []Target
}

// Attributes are a target group's.
type Attributes struct {
	Drain                                 time.Duration
	EndDrained, EndUnhealthy              bool
	PreserveClient, ProxyProtocol, Sticky bool
}

// Check is a health check.
type Check struct {
	Protocol           string // "TCP", "HTTP"
	Port               string // "traffic-port", or a number
	Path               string // of HTTP
	Interval, Timeout  time.Duration
	Healthy, Unhealthy int32 // how many in a row change the state
}

// Target is a member of a target group, or an instance of a Classic Load Balancer.
type Target struct {
	ID          string // an instance's id or an address
	Port        int32
	Zone        string
	State       string // a types.TargetHealthStateEnum
	Reason      string // a types.TargetHealthReasonEnum, or ""
	Description string
	Addr        netip.Addr // of one that a call registered
}

// Put creates or replaces a load balancer with the target groups its listeners
// forward to. Groups that the old one used and nobody uses any more are removed.
// Tags that were added by API calls stay.
func (s *Service) Put(ctx context.Context, lb LoadBalancer, groups ...TargetGroup) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		for _, g := range groups {
			before, _ := s.groups.In(tx).Get(g.Name)
			g.Tags = merged(before.Tags, g.Tags)
			s.groups.In(tx).Put(g.Name, g)
		}
		for _, l := range lb.Listeners {
			if lb.Classic != nil {
				continue
			}
			if _, ok := s.groups.In(tx).Get(l.TargetGroup); !ok {
				return fmt.Errorf("load balancer %s: listener %d forwards to target group %q, which does not exist", lb.Name, l.Port, l.TargetGroup)
			}
		}
		old, _ := s.balancers.In(tx).Get(lb.Name)
		lb.Tags = merged(old.Tags, lb.Tags)
		for i, l := range lb.Listeners {
			for _, o := range old.Listeners {
				if o.ID == l.ID {
					lb.Listeners[i].Tags = merged(o.Tags, l.Tags)
				}
			}
		}
		s.balancers.In(tx).Put(lb.Name, lb)
		s.sweep(tx, old)
		return nil
	})
}

func merged(before, now map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, before)
	maps.Copy(out, now)
	return out
}

// Delete removes a load balancer, if it is there, and the target groups that only
// it used.
func (s *Service) Delete(ctx context.Context, name string) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		old, ok := s.balancers.In(tx).Get(name)
		if !ok {
			return nil
		}
		s.balancers.In(tx).Delete(name)
		s.sweep(tx, old)
		return nil
	})
}

// SetTargets replaces a target group's targets. A group that isn't there is an
// error; no difference is no write.
func (s *Service) SetTargets(ctx context.Context, group string, targets []Target) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		g, ok := s.groups.In(tx).Get(group)
		if !ok {
			return fmt.Errorf("target group %q does not exist", group)
		}
		if slices.Equal(g.Targets, targets) {
			return nil
		}
		g.Targets = targets
		s.groups.In(tx).Put(group, g)
		return nil
	})
}

// SetInstances replaces a Classic Load Balancer's instances, likewise.
func (s *Service) SetInstances(ctx context.Context, name string, instances []Target) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		lb, ok := s.balancers.In(tx).Get(name)
		if !ok || lb.Classic == nil {
			return fmt.Errorf("Classic Load Balancer %q does not exist", name)
		}
		if slices.Equal(lb.Classic.Instances, instances) {
			return nil
		}
		changed := *lb.Classic
		changed.Instances = instances
		lb.Classic = &changed
		s.balancers.In(tx).Put(name, lb)
		return nil
	})
}

// Get returns a load balancer's record.
func (s *Service) Get(name string) (LoadBalancer, bool) { return s.balancers.Get(name) }

// LoadBalancers returns all records, by name.
func (s *Service) LoadBalancers() iter.Seq2[string, LoadBalancer] { return s.balancers.List("") }

// TargetGroup returns a target group's record.
func (s *Service) TargetGroup(name string) (TargetGroup, bool) { return s.groups.Get(name) }

// sweep removes the target groups that old used and no load balancer uses.
func (s *Service) sweep(tx *store.Tx, old LoadBalancer) {
	used := map[string]bool{}
	for _, lb := range s.balancers.In(tx).List("") {
		for _, l := range lb.Listeners {
			used[l.TargetGroup] = true
		}
	}
	for _, l := range old.Listeners {
		if g, _ := s.groups.In(tx).Get(l.TargetGroup); !used[l.TargetGroup] && !g.ByAPI {
			s.groups.In(tx).Delete(l.TargetGroup)
		}
	}
}

// checkPort is the port on which a target's health is checked.
func (g TargetGroup) checkPort(t Target) string {
	if g.Check.Port == "traffic-port" {
		return fmt.Sprint(t.Port)
	}
	return g.Check.Port
}
