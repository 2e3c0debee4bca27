package nft

import (
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Groups of netfilter's log that flow logs listen to. Nobody listening, a rule that
// logs costs a look-up.
const (
	RefusedGroup uint16 = 0x6510 // packets that a rule refuses; the prefix says where
	FlagsGroup   uint16 = 0x6511 // TCP packets that begin or end a connection
)

// Prefixes of refused packets: at the interface they left, or were to enter.
const (
	RefusedEgress  = "egress"
	RefusedIngress = "ingress"
)

// headers are the bytes of a packet that are logged: IP and TCP headers with most
// options.
const headers = 96

const flagsTable = "eksact-flags"

// LogFlags makes the router log TCP packets with SYN, FIN or RST, after all
// translations; UnlogFlags ends it.
func (r *Router) LogFlags() error {
	return r.replace(nftables.TableFamilyIPv4, flagsTable, func(b *batch) {
		const last = 150 // behind the translation of sources
		for name, hook := range map[string]*nftables.ChainHook{"input": nftables.ChainHookInput, "postrouting": nftables.ChainHookPostrouting} {
			c := b.hook(name, nftables.ChainTypeFilter, hook, *nftables.ChainPriorityRef(last))
			b.rule(c, proto(unix.IPPROTO_TCP), flagged(), logTo(FlagsGroup, ""))
		}
	})
}

// UnlogFlags removes what LogFlags made.
func (r *Router) UnlogFlags() error { return r.remove(flagsTable) }

// flagged matches TCP packets with SYN, FIN or RST.
func flagged() []expr.Any {
	const finSynRst = 0x07
	return []expr.Any{
		&expr.Payload{DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1},
		&expr.Bitwise{SourceRegister: unix.NFT_REG_1, DestRegister: unix.NFT_REG_1, Len: 1, Mask: []byte{finSynRst}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: unix.NFT_REG_1, Data: []byte{0}},
	}
}

// refused logs a packet that the rest of the rule refuses, at an interface's end.
func refused(where string) []expr.Any { return logTo(RefusedGroup, where) }

// dropped drops a packet, and logs it if that is wanted.
func dropped(log bool, where string) []expr.Any {
	if !log {
		return drop()
	}
	return append(refused(where), drop()...)
}

func logTo(group uint16, prefix string) []expr.Any {
	l := &expr.Log{Group: group, Snaplen: headers, QThreshold: 32, Data: []byte(prefix),
		Key: 1<<unix.NFTA_LOG_GROUP | 1<<unix.NFTA_LOG_SNAPLEN | 1<<unix.NFTA_LOG_QTHRESHOLD}
	if prefix != "" {
		l.Key |= 1 << unix.NFTA_LOG_PREFIX
	}
	return []expr.Any{l}
}
