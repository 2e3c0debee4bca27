package nft

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// family is IPv4 or IPv6: each has its own copy of sets and chains, so that a packet
// meets no rule of the other.
type family struct {
	name         string
	proto        byte
	size         uint32 // of an address
	saddr, daddr uint32 // where they are in the header
	address      nftables.SetDatatype
}

var (
	ipv4 = &family{"4", unix.NFPROTO_IPV4, 4, 12, 16, nftables.TypeIPAddr}
	ipv6 = &family{"6", unix.NFPROTO_IPV6, 16, 8, 24, nftables.TypeIP6Addr}
)

func familyOf(a netip.Addr) *family {
	if a.Is4() {
		return ipv4
	}
	return ipv6
}

func (f *family) has(a netip.Addr) bool { return familyOf(a) == f }

func (e *Enforcer) families() []*family {
	if e.options.IPv4 {
		return []*family{ipv4}
	}
	return []*family{ipv4, ipv6}
}

// Names in the kernel. Those of the skeleton have no slash.
func (f *family) chain(id string) string   { return "c/" + short(id) + "/" + f.name }
func (f *family) setName(id string) string { return "s/" + short(id) + "/" + f.name }
func (f *family) from() string             { return "in" + f.name }
func (f *family) to() string               { return "to" + f.name }
func (f *family) middle() string           { return "middle" + f.name }

// denied is where packets end that rules refuse: those to themselves pass all the same.
func (f *family) denied(ingress bool) string {
	if ingress {
		return "denied-ingress" + f.name
	}
	return "denied-egress" + f.name
}

// fixed are the chains of the skeleton.
func (f *family) fixed() []string {
	return []string{f.from(), f.to(), f.middle(), f.denied(false), f.denied(true)}
}

// short keeps names below the kernel's limit of 255 bytes.
func short(id string) string {
	if len(id) <= 200 {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

// The lasting sets: the two maps, and pairs of each restricted address with itself.

func (f *family) egress() *kernelSet  { return f.dispatch("egress") }
func (f *family) ingress() *kernelSet { return f.dispatch("ingress") }

func (f *family) dispatch(name string) *kernelSet {
	return &kernelSet{name: name + f.name, keyType: f.address.GetNFTMagic(), keyLen: f.size, verdicts: true}
}

func (f *family) self() *kernelSet {
	pair := nftables.MustConcatSetType(f.address, f.address)
	return &kernelSet{name: "self" + f.name, keyType: pair.GetNFTMagic(), keyLen: pair.Bytes}
}

func (f *family) lastingSets() []*kernelSet {
	return []*kernelSet{f.egress(), f.ingress(), f.self()}
}

// lasting are the names of all that makes the skeleton.
func (e *Enforcer) lasting() map[string]bool {
	names := map[string]bool{}
	for _, f := range e.families() {
		for _, s := range f.lastingSets() {
			names[s.name] = true
		}
		for _, name := range f.fixed() {
			names[name] = true
		}
	}
	for _, h := range e.options.Hooks {
		names[h.String()] = true
	}
	return names
}

// skeleton makes what lacks of the skeleton, and writes its rules anew.
func (e *Enforcer) skeleton(m *messages) error {
	for _, f := range e.families() {
		for _, s := range f.lastingSets() {
			m.addSet(s)
		}
		for _, name := range f.fixed() {
			m.addChain(name)
			m.deleteRules(name)
		}
		if err := f.way(m, e.options.Log); err != nil {
			return err
		}
	}
	for _, hook := range e.options.Hooks {
		m.addBase(hook.String(), hook, e.options.Priority)
		m.deleteRules(hook.String())
		if err := e.base(m, hook.String()); err != nil {
			return err
		}
	}
	return nil
}

// base sends what begins a flow on its way.
func (e *Enforcer) base(m *messages, name string) error {
	if err := m.addRule(name, state(known), accept()); err != nil {
		return err
	}
	for _, f := range e.families() {
		if err := m.addRule(name, f.is(expr.CmpOpEq), gotoChain(f.from())); err != nil {
			return err
		}
	}
	if e.options.IPv4 {
		return m.addRule(name, ipv4.is(expr.CmpOpNeq), accept())
	}
	return nil
}

func (f *family) way(m *messages, log bool) error {
	toItself := slices.Concat(f.load(f.saddr, 0), f.load(f.daddr, 1), in(f.self()))
	for _, rule := range []struct {
		chain string
		parts [][]expr.Any
	}{
		{f.from(), [][]expr.Any{midstream(), jump(f.middle())}},
		{f.from(), [][]expr.Any{f.load(f.saddr, 0), jumpByMapOf(f.egress())}},
		{f.from(), [][]expr.Any{gotoChain(f.to())}},
		{f.to(), [][]expr.Any{f.load(f.daddr, 0), jumpByMapOf(f.ingress())}},
		{f.to(), [][]expr.Any{accept()}},
		{f.middle(), [][]expr.Any{f.load(f.saddr, 0), f.load(f.saddr, 1), in(f.self()), gotoChain(f.denied(false))}},
		{f.middle(), [][]expr.Any{f.load(f.daddr, 0), f.load(f.daddr, 1), in(f.self()), gotoChain(f.denied(true))}},
		{f.denied(false), [][]expr.Any{toItself, accept()}},
		{f.denied(false), [][]expr.Any{dropped(log, RefusedEgress)}},
		{f.denied(true), [][]expr.Any{toItself, accept()}},
		{f.denied(true), [][]expr.Any{dropped(log, RefusedIngress)}},
	} {
		if err := m.addRule(rule.chain, rule.parts...); err != nil {
			return err
		}
	}
	return nil
}

// is matches packets of the family, or others.
func (f *family) is(op expr.CmpOp) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: unix.NFT_REG_1},
		&expr.Cmp{Op: op, Register: unix.NFT_REG_1, Data: []byte{f.proto}},
	}
}

// load puts an address of the packet into the registers, as the n-th.
func (f *family) load(offset, n uint32) []expr.Any {
	return []expr.Any{&expr.Payload{DestRegister: reg0 + n*f.size/4, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: f.size}}
}

// loadPortAfter puts protocol and destination port behind an address.
func (f *family) loadPortAfter() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg0 + f.size/4},
		&expr.Payload{DestRegister: reg0 + f.size/4 + 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
	}
}

// midstream matches TCP packets that don't open a connection.
func midstream() []expr.Any {
	const syn, mask = 0x02, 0x17 // of FIN, SYN, RST and ACK only SYN
	return slices.Concat(proto(unix.IPPROTO_TCP), []expr.Any{
		&expr.Payload{DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1},
		&expr.Bitwise{SourceRegister: unix.NFT_REG_1, DestRegister: unix.NFT_REG_1, Len: 1, Mask: []byte{mask}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: unix.NFT_REG_1, Data: []byte{syn}},
	})
}

// in matches what is in the registers against a set.
func in(s *kernelSet) []expr.Any {
	return []expr.Any{&expr.Lookup{SourceRegister: reg0, SetID: s.id, SetName: s.name}}
}

func jumpByMapOf(s *kernelSet) []expr.Any {
	return []expr.Any{&expr.Lookup{SourceRegister: reg0, DestRegister: unix.NFT_REG_VERDICT, IsDestRegSet: true, SetID: s.id, SetName: s.name}}
}

func gotoChain(name string) []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: expr.VerdictGoto, Chain: name}}
}

func jump(name string) []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: name}}
}
