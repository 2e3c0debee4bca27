package nft

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/engine/ruleset"
)

// writer writes changes of a program as commands for the kernel.
type writer struct {
	m        *messages
	families []*family
}

func (e *Enforcer) writer(m *messages) *writer { return &writer{m, e.families()} }

// change writes what makes of a program the one that d makes of it. What is new
// comes before what leads to it, and what is old after what led to it.
func (w *writer) change(before *ruleset.Program, d *ruleset.Delta) error {
	for id, set := range d.NewSets {
		w.newSet(id, &set)
	}
	for id := range d.NewChains {
		for _, f := range w.families {
			w.m.addChain(f.chain(id))
		}
	}
	for id, chain := range d.NewChains {
		if err := w.rules(before, d, id, &chain); err != nil {
			return err
		}
	}
	for _, id := range changedSets(d) {
		if err := w.elements(before, d, id); err != nil {
			return err
		}
	}
	w.addresses(before, d)
	for _, f := range w.families {
		var old []string
		for _, id := range d.OldChains {
			old = append(old, f.chain(id))
		}
		w.m.dropChains(old)
		for _, id := range d.OldSets {
			w.m.deleteSet(f.setName(id))
		}
	}
	return nil
}

// changedSets are the ids of the sets that get or lose elements.
func changedSets(d *ruleset.Delta) []string {
	ids := slices.AppendSeq(slices.Collect(maps.Keys(d.Add)), maps.Keys(d.Remove))
	slices.Sort(ids)
	return slices.Compact(ids)
}

// set is the kernel's set of a family for a Set.
func (f *family) set(id string, k ruleset.Kind) *kernelSet {
	s := &kernelSet{name: f.setName(id), keyType: f.address.GetNFTMagic(), keyLen: f.size}
	switch k {
	case ruleset.Blocks:
		s.interval = true
	case ruleset.Endpoints:
		key := nftables.MustConcatSetType(f.address, nftables.TypeInetProto, nftables.TypeInetService)
		s.keyType, s.keyLen = key.GetNFTMagic(), key.Bytes
	}
	return s
}

func (w *writer) newSet(id string, set *ruleset.Set) {
	for _, f := range w.families {
		s := f.set(id, set.Kind)
		w.m.addSet(s)
		if set.Kind == ruleset.Blocks {
			w.m.addElements(s, bounds(mergeElements(f, set.Elements)))
			continue
		}
		all := make([]element, 0, len(set.Elements))
		for e := range set.Elements {
			if f.has(e.Prefix.Addr()) {
				all = append(all, element{key: elementKey(set.Kind, e)})
			}
		}
		w.m.addElements(s, all)
	}
}

func elementKey(k ruleset.Kind, e ruleset.Element) []byte {
	if k == ruleset.Endpoints {
		return serviceBytes(e.Prefix.Addr(), e.Proto, e.Port)
	}
	return e.Prefix.Addr().AsSlice()
}

// elements adds to and removes from a set that there was before.
func (w *writer) elements(before *ruleset.Program, d *ruleset.Delta, id string) error {
	set, found := before.Sets[id]
	if !found {
		return fmt.Errorf("set %s would be changed and isn't there", id)
	}
	for _, f := range w.families {
		s := f.set(id, set.Kind)
		if set.Kind == ruleset.Blocks {
			w.blocks(f, s, set.Elements, d.Add[id], d.Remove[id])
			continue
		}
		keys := func(list []ruleset.Element) (all []element) {
			for _, e := range list {
				if f.has(e.Prefix.Addr()) {
					all = append(all, element{key: elementKey(set.Kind, e)})
				}
			}
			return all
		}
		w.m.deleteElements(s, keys(d.Remove[id]))
		w.m.addElements(s, keys(d.Add[id]))
	}
	return nil
}

// blocks changes those ranges of an interval set that are others now: prefixes that
// overlap or touch are one.
func (w *writer) blocks(f *family, s *kernelSet, have map[ruleset.Element]struct{}, add, remove []ruleset.Element) {
	after := maps.Clone(have)
	if after == nil {
		after = map[ruleset.Element]struct{}{}
	}
	for _, e := range remove {
		delete(after, e)
	}
	for _, e := range add {
		after[e] = struct{}{}
	}
	old, new := mergeElements(f, have), mergeElements(f, after)
	w.m.deleteElements(s, bounds(missing(old, new)))
	w.m.addElements(s, bounds(missing(new, old)))
}

// addresses changes the maps, and which addresses are paired with themselves.
func (w *writer) addresses(before *ruleset.Program, d *ruleset.Delta) {
	for _, f := range w.families {
		w.dispatch(f, f.egress(), before.Egress, d.Egress)
		w.dispatch(f, f.ingress(), before.Ingress, d.Ingress)
		var gone, new []element
		self := func(a netip.Addr) {
			was := restricted(a, before.Egress, nil) || restricted(a, before.Ingress, nil)
			is := restricted(a, before.Egress, d.Egress) || restricted(a, before.Ingress, d.Ingress)
			pair := element{key: slices.Concat(a.AsSlice(), a.AsSlice())}
			switch {
			case !f.has(a):
			case was && !is:
				gone = append(gone, pair)
			case is && !was:
				new = append(new, pair)
			}
		}
		for a := range d.Egress {
			self(a)
		}
		for a := range d.Ingress {
			if _, done := d.Egress[a]; !done {
				self(a)
			}
		}
		w.m.deleteElements(f.self(), gone)
		w.m.addElements(f.self(), new)
	}
}

// restricted is whether a map holds an address after a change.
func restricted(a netip.Addr, have, changed map[netip.Addr]string) bool {
	if id, found := changed[a]; found {
		return id != ""
	}
	_, found := have[a]
	return found
}

func (w *writer) dispatch(f *family, s *kernelSet, have, changed map[netip.Addr]string) {
	var gone, new []element
	for a, id := range changed {
		if !f.has(a) {
			continue
		}
		if _, found := have[a]; found {
			gone = append(gone, element{key: a.AsSlice()})
		}
		if id != "" {
			new = append(new, element{key: a.AsSlice(), verdict: expr.VerdictGoto, chain: f.chain(id)})
		}
	}
	w.m.deleteElements(s, gone)
	w.m.addElements(s, new)
}

// rules writes a new chain's.
func (w *writer) rules(before *ruleset.Program, d *ruleset.Delta, id string, c *ruleset.Chain) error {
	for _, f := range w.families {
		for i := range c.Rules {
			r := &c.Rules[i]
			set, found := d.NewSets[r.Peer]
			if !found {
				set, found = before.Sets[r.Peer]
			}
			if !found && r.Peer != "" {
				return fmt.Errorf("chain %s: set %s isn't there", id, r.Peer)
			}
			if err := w.rule(f, id, c.Ingress, r, set.Kind); err != nil {
				return err
			}
		}
		if err := w.m.addRule(f.chain(id), gotoChain(f.denied(c.Ingress))); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) rule(f *family, id string, ingress bool, r *ruleset.Rule, k ruleset.Kind) error {
	var parts [][]expr.Any
	if r.Peer != "" {
		other := f.daddr
		if ingress {
			other = f.saddr
		}
		parts = append(parts, f.load(other, 0))
		if k == ruleset.Endpoints {
			parts = append(parts, f.loadPortAfter())
		}
		parts = append(parts, in(f.set(r.Peer, k)))
	}
	if len(r.Ports) > 0 {
		byPort := w.portMap(f, r.Ports)
		return w.m.addRule(f.chain(id), append(parts, loadPort(), jumpByMapOf(byPort))...)
	}
	if r.Proto != 0 {
		parts = append(parts, proto(r.Proto))
	}
	if r.Last != 0 {
		parts = append(parts, dports(r.First, r.Last))
	}
	if r.ICMP != nil {
		parts = append(parts, message(r.ICMP))
	}
	return w.m.addRule(f.chain(id), append(parts, f.verdict(ingress, r))...)
}

func (f *family) verdict(ingress bool, r *ruleset.Rule) []expr.Any {
	switch {
	case r.Verdict == ruleset.Goto:
		return gotoChain(f.chain(r.Chain))
	case r.Verdict == ruleset.Drop:
		return gotoChain(f.denied(ingress))
	case ingress:
		return accept()
	}
	return gotoChain(f.to())
}

// portMap makes the map of a rule; it goes when the rule goes.
func (w *writer) portMap(f *family, ports map[ruleset.Port]string) *kernelSet {
	s := &kernelSet{name: "__map%d", keyType: portKey.GetNFTMagic(), keyLen: portKey.Bytes, verdicts: true, constant: true}
	w.m.addSet(s)
	all := make([]element, 0, len(ports))
	for p, id := range ports {
		all = append(all, element{key: portBytes(p.Proto, p.Number), verdict: expr.VerdictGoto, chain: f.chain(id)})
	}
	w.m.addElements(s, all)
	return s
}

// dports matches a range of destination ports.
func dports(first, last uint16) []expr.Any {
	if first == last {
		return dport(first)
	}
	port := func(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }
	return []expr.Any{
		&expr.Payload{DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Range{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, FromData: port(first), ToData: port(last)},
	}
}

// message matches messages of ICMP and ICMPv6 by their type and code.
func message(m *ruleset.Message) []expr.Any {
	data := []byte{m.Type, m.Code}
	if m.AnyCode {
		data = data[:1]
	}
	return []expr.Any{
		&expr.Payload{DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: uint32(len(data))},
		&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: data},
	}
}
