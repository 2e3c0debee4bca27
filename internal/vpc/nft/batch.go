package nft

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
)

// Registers of 4 bytes, as concatenated keys need them (NFT_REG32_00 and up).
const (
	reg0 = unix.NFT_REG32_00
	reg1 = unix.NFT_REG32_01
	reg2 = unix.NFT_REG32_02
	reg3 = unix.NFT_REG32_03
)

// inet datatypes of concatenated keys.
var (
	serviceKey = nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetProto, nftables.TypeInetService)
	flowKey    = nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetProto, nftables.TypeInetService, nftables.TypeIPAddr)
	portKey    = nftables.MustConcatSetType(nftables.TypeInetProto, nftables.TypeInetService)
	endpoint   = nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetService)
	addrPair   = nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeIPAddr)
)

// batch is one transaction on one table.
type batch struct {
	conn  *nftables.Conn
	table *nftables.Table
	err   error
}

// replace runs one transaction in the namespace after which the table holds
// exactly what fill wrote.
func replace(ns, table string, fill func(*batch)) error {
	return replaceIn(ns, nftables.TableFamilyIPv4, table, fill)
}

func replaceIn(ns string, family nftables.TableFamily, table string, fill func(*batch)) error {
	return transact(ns, family, table, func(b *batch) {
		b.conn.AddTable(b.table) // so that deleting it can't fail
		b.conn.DelTable(b.table)
		b.conn.AddTable(b.table)
		fill(b)
	})
}

// remove deletes a table. One that is not there is no error.
func remove(ns, table string) error {
	return transact(ns, nftables.TableFamilyIPv4, table, func(b *batch) {
		b.conn.AddTable(b.table)
		b.conn.DelTable(b.table)
	})
}

func transact(ns string, family nftables.TableFamily, table string, fill func(*batch)) error {
	return netns.Do(ns, func() error {
		conn, err := nftables.New(nftables.WithSockOptions(roomy))
		if err != nil {
			return fmt.Errorf("opening netfilter: %w", err)
		}
		b := &batch{conn: conn, table: &nftables.Table{Family: family, Name: table}}
		fill(b)
		if b.err != nil {
			return fmt.Errorf("writing packet rules (table %s): %w", table, b.err)
		}
		if err := conn.Flush(); err != nil {
			return fmt.Errorf("writing packet rules (table %s): %w", table, err)
		}
		return nil
	})
}

// roomy enlarges the netlink socket's buffers: a transaction is sent as one
// message, and each of its commands is acknowledged.
func roomy(c *netlink.Conn) error {
	const size = 16 << 20
	return errors.Join(c.SetWriteBuffer(size), c.SetReadBuffer(size))
}

// chain adds a chain without a hook: one to jump to.
func (b *batch) chain(name string) *nftables.Chain {
	return b.conn.AddChain(&nftables.Chain{Table: b.table, Name: name})
}

// hook adds a chain that packets pass at a hook of the kernel's.
func (b *batch) hook(name string, kind nftables.ChainType, at *nftables.ChainHook, priority nftables.ChainPriority) *nftables.Chain {
	accept := nftables.ChainPolicyAccept
	return b.conn.AddChain(&nftables.Chain{
		Table: b.table, Name: name, Type: kind, Hooknum: at,
		Priority: &priority, Policy: &accept,
	})
}

// rule appends a rule made of parts, read from left to right.
func (b *batch) rule(c *nftables.Chain, parts ...[]expr.Any) {
	b.conn.AddRule(&nftables.Rule{Table: b.table, Chain: c, Exprs: slices.Concat(parts...)})
}

func (b *batch) set(s *nftables.Set, elements []nftables.SetElement) *nftables.Set {
	s.Table = b.table
	if err := b.conn.AddSet(s, elements); err != nil {
		b.err = errors.Join(b.err, err)
	}
	return s
}

// Matches and verdicts.

func iif(name string) []expr.Any { return ifname(expr.MetaKeyIIFNAME, name, expr.CmpOpEq) }
func oif(name string) []expr.Any { return ifname(expr.MetaKeyOIFNAME, name, expr.CmpOpEq) }

func ifname(key expr.MetaKey, name string, op expr.CmpOp) []expr.Any {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return []expr.Any{
		&expr.Meta{Key: key, Register: unix.NFT_REG_1},
		&expr.Cmp{Op: op, Register: unix.NFT_REG_1, Data: padded},
	}
}

func saddr(p netip.Prefix) []expr.Any { return address(12, p, expr.CmpOpEq) }
func daddr(p netip.Prefix) []expr.Any { return address(16, p, expr.CmpOpEq) }

// notSaddr and notDaddr match packets from and to addresses outside p.
func notSaddr(p netip.Prefix) []expr.Any { return address(12, p, expr.CmpOpNeq) }
func notDaddr(p netip.Prefix) []expr.Any { return address(16, p, expr.CmpOpNeq) }

func address(offset uint32, p netip.Prefix, op expr.CmpOp) []expr.Any {
	load := &expr.Payload{DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4}
	return append([]expr.Any{load}, within(p, op)...)
}

// within compares the address in register 1.
func within(p netip.Prefix, op expr.CmpOp) []expr.Any {
	p = p.Masked()
	return []expr.Any{
		&expr.Bitwise{SourceRegister: unix.NFT_REG_1, DestRegister: unix.NFT_REG_1, Len: 4, Mask: mask(p.Bits()), Xor: make([]byte, 4)},
		&expr.Cmp{Op: op, Register: unix.NFT_REG_1, Data: p.Addr().AsSlice()},
	}
}

// originalDaddr matches the address that the connection's first packet was sent
// to, before any translation.
func originalDaddr(p netip.Prefix) []expr.Any {
	return append([]expr.Any{&expr.Ct{Register: unix.NFT_REG_1, Key: expr.CtKeyDST, Direction: 0}}, within(p, expr.CmpOpEq)...)
}

func mask(bits int) []byte {
	return binaryutil.BigEndian.PutUint32(uint32(uint64(0xffffffff) << (32 - bits)))
}

func proto(p uint8) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: unix.NFT_REG_1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: []byte{p}},
	}
}

func dport(p uint16) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: binaryutil.BigEndian.PutUint16(p)},
	}
}

// icmpType matches one type of ICMP message.
func icmpType(t uint8) []expr.Any {
	return append(proto(unix.IPPROTO_ICMP),
		&expr.Payload{DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: []byte{t}})
}

func state(bits uint32) []expr.Any { return ctBits(expr.CtKeySTATE, bits) }

// translated matches connections whose destination was rewritten (IPS_DST_NAT).
func translated() []expr.Any { return ctBits(expr.CtKeySTATUS, 1<<5) }

func ctBits(key expr.CtKey, bits uint32) []expr.Any {
	return []expr.Any{
		&expr.Ct{Register: unix.NFT_REG_1, Key: key},
		&expr.Bitwise{SourceRegister: unix.NFT_REG_1, DestRegister: unix.NFT_REG_1, Len: 4,
			Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: unix.NFT_REG_1, Data: make([]byte, 4)},
	}
}

// localDaddr matches packets to an address of this namespace's own.
func localDaddr() []expr.Any {
	return []expr.Any{
		&expr.Fib{Register: unix.NFT_REG_1, FlagDADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)},
	}
}

// noRoute matches packets that no route takes anywhere. Those to local
// addresses match too.
func noRoute() []expr.Any {
	return []expr.Any{
		&expr.Fib{Register: unix.NFT_REG_1, FlagDADDR: true, ResultOIF: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: make([]byte, 4)},
	}
}

// routed matches packets that some route takes to a link; not those to local addresses.
func routed() []expr.Any {
	return []expr.Any{
		&expr.Fib{Register: unix.NFT_REG_1, FlagDADDR: true, ResultOIF: true},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: unix.NFT_REG_1, Data: make([]byte, 4)},
	}
}

func verdict(k expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: k}} }

func accept() []expr.Any { return verdict(expr.VerdictAccept) }
func drop() []expr.Any   { return verdict(expr.VerdictDrop) }

// Codes of ICMP destination unreachable (RFC 792, RFC 1812).
const (
	icmpNet        = 0
	icmpHost       = 1
	icmpPort       = 3
	icmpProhibited = 13
)

// refuse answers at once that the packet won't be delivered.
func refuse(code uint8) []expr.Any {
	return []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: code}}
}

// reset answers a TCP segment as a closed port does.
func reset() []expr.Any {
	return slices.Concat(proto(unix.IPPROTO_TCP), []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_TCP_RST}})
}

// loadService puts daddr . protocol . dport in registers 0 to 2.
func loadService() []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: reg0, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg1},
		&expr.Payload{DestRegister: reg2, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
	}
}

// direction matches packets of a connection's one direction: 0 as it was opened,
// 1 back.
func direction(d byte) []expr.Any {
	return []expr.Any{
		&expr.Ct{Register: unix.NFT_REG_1, Key: expr.CtKeyDIRECTION},
		&expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: []byte{d}},
	}
}

// loadSaddr puts the packet's source in a register.
func loadSaddr(register uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4}
}

// loadOriginalService does so with what the connection's first packet was sent
// to, before any translation.
func loadOriginalService() []expr.Any {
	return []expr.Any{
		&expr.Ct{Register: reg0, Key: expr.CtKeyDST, Direction: 0},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg1},
		&expr.Ct{Register: reg2, Key: expr.CtKeyPROTODST, Direction: 0},
	}
}

// loadPort puts protocol . dport in registers 0 and 1.
func loadPort() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg0},
		&expr.Payload{DestRegister: reg1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
	}
}

// dnatByMap looks register 0 up in a map to address . port and rewrites the
// destination; without an entry the rule does not match.
func dnatByMap(m *nftables.Set) []expr.Any {
	return []expr.Any{
		&expr.Lookup{SourceRegister: reg0, DestRegister: reg0, IsDestRegSet: true, SetID: m.ID, SetName: m.Name},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: reg0, RegProtoMin: reg1, Specified: true},
	}
}

func jumpByMap(m *nftables.Set) []expr.Any {
	return []expr.Any{&expr.Lookup{SourceRegister: reg0, DestRegister: unix.NFT_REG_VERDICT, IsDestRegSet: true, SetID: m.ID, SetName: m.Name}}
}

func snat(to netip.Addr) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: unix.NFT_REG_1, Data: to.AsSlice()},
		&expr.NAT{Type: expr.NATTypeSourceNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: unix.NFT_REG_1},
	}
}

// Bytes of keys and values; each part is padded to 4 bytes.

func serviceBytes(a netip.Addr, proto uint8, port uint16) []byte {
	return slices.Concat(a.AsSlice(), portBytes(proto, port))
}

func portBytes(proto uint8, port uint16) []byte {
	return []byte{proto, 0, 0, 0, byte(port >> 8), byte(port), 0, 0}
}

func endpointBytes(e netip.AddrPort) []byte {
	return append(e.Addr().AsSlice(), byte(e.Port()>>8), byte(e.Port()), 0, 0)
}
