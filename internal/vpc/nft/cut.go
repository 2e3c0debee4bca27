package nft

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"github.com/ti-mo/conntrack"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/engine/ruleset"
	"github.com/eksact/eksact/internal/netns"
)

// uses counts, by set, the rules that do other than accept who is in it: one more
// element there may forbid what was allowed.
type uses map[string]int

func refusingSets(p *ruleset.Program) uses {
	u := uses{}
	for _, c := range p.Chains {
		u.count(c, 1)
	}
	return u
}

func (u uses) count(c ruleset.Chain, n int) {
	for _, r := range c.Rules {
		if r.Peer != "" && (r.Verdict != ruleset.Accept || len(r.Ports) > 0) {
			if u[r.Peer] += n; u[r.Peer] == 0 {
				delete(u, r.Peer)
			}
		}
	}
}

// restricts is whether a change may forbid a flow that the program allows. Only then
// it is worth to look at the flows.
func (e *Enforcer) restricts(d *ruleset.Delta) bool {
	if !e.options.Cut {
		return false
	}
	for _, m := range []map[netip.Addr]string{d.Egress, d.Ingress} {
		for _, chain := range m {
			if chain != "" {
				return true
			}
		}
	}
	for id := range d.Add {
		if e.refusing[id] > 0 {
			return true
		}
	}
	return len(d.Remove) > 0
}

// cut ends the known flows that the program forbids; the others live on.
//
// A flow is judged as the hook saw its first packet: from the original source, to
// where the answers come from, which is the destination as it was translated.
func (e *Enforcer) cut() error {
	flows, err := e.flows()
	if err != nil {
		return fmt.Errorf("looking for flows that are forbidden now: %w", err)
	}
	var failed []error
	for _, f := range flows {
		packet := ruleset.Packet{
			Source: f.TupleOrig.IP.SourceAddress.Unmap(), Destination: f.TupleReply.IP.SourceAddress.Unmap(),
			Proto: f.TupleOrig.Proto.Protocol, Port: f.TupleReply.Proto.SourcePort,
		}
		if pass, _ := ruleset.Decide(e.program, packet); pass {
			continue
		}
		if err := e.conntrack.Delete(f); err != nil && !errors.Is(err, unix.ENOENT) {
			failed = append(failed, fmt.Errorf("ending the flow from %s to %s, forbidden now: %w", packet.Source, packet.Destination, err))
		}
	}
	return errors.Join(failed...)
}

// flows reads the namespace's table of flows.
func (e *Enforcer) flows() ([]conntrack.Flow, error) {
	if e.conntrack == nil {
		err := netns.Do(e.ns, func() (err error) {
			e.conntrack, err = conntrack.Dial(&netlink.Config{})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return e.conntrack.Dump(nil)
}
