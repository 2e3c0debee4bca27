package nft

import (
	"encoding/binary"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Attributes and flags of linux/netfilter/nf_tables.h that x/sys lacks.
const (
	tableOwner   = 0x2 // NFT_TABLE_F_OWNER: only the socket that made the table changes it
	tablePersist = 0x4 // NFT_TABLE_F_PERSIST: the table outlives that socket

	// destroyTable is NFT_MSG_DESTROYTABLE, of all kernels that have these flags.
	destroyTable = 26
)

// messages is a transaction as the kernel reads it: a batch of netlink messages,
// written one behind the other. Each carries its number; an answer names it.
type messages struct {
	table  string
	family byte
	buf    []byte
	starts []int
	sets   uint32 // ids given to sets of this transaction
}

func newMessages(table string) *messages {
	m := &messages{table: table, family: unix.NFPROTO_INET}
	m.begin(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES)
	m.end()
	return m
}

// finish ends the batch. Its last command asks for an answer: only errors are
// answered otherwise.
func (m *messages) finish() {
	last := m.starts[len(m.starts)-1]
	m.flag(last, unix.NLM_F_ACK)
	m.begin(unix.NFNL_MSG_BATCH_END, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES)
	m.end()
}

func (m *messages) flag(start int, flags uint16) {
	at := m.buf[start+6:]
	binary.NativeEndian.PutUint16(at, binary.NativeEndian.Uint16(at)|flags)
}

// begin starts a message: nlmsghdr, then nfgenmsg.
func (m *messages) begin(kind, flags uint16, family byte, resource uint16) {
	m.starts = append(m.starts, len(m.buf))
	m.buf = binary.NativeEndian.AppendUint32(m.buf, 0)
	m.buf = binary.NativeEndian.AppendUint16(m.buf, kind)
	m.buf = binary.NativeEndian.AppendUint16(m.buf, unix.NLM_F_REQUEST|flags)
	m.buf = binary.NativeEndian.AppendUint32(m.buf, uint32(len(m.starts)))
	m.buf = binary.NativeEndian.AppendUint32(m.buf, 0)
	m.buf = append(m.buf, family, unix.NFNETLINK_V0)
	m.buf = binary.BigEndian.AppendUint16(m.buf, resource)
}

func (m *messages) end() {
	start := m.starts[len(m.starts)-1]
	binary.NativeEndian.PutUint32(m.buf[start:], uint32(len(m.buf)-start))
}

// command writes one message of the table's family; the table's name is the first
// attribute of all of them.
func (m *messages) command(kind, flags uint16, fill func()) {
	m.begin(unix.NFNL_SUBSYS_NFTABLES<<8|kind, flags, m.family, 0)
	m.text(1, m.table)
	if fill != nil {
		fill()
	}
	m.end()
}

// Attributes.

func (m *messages) open(kind uint16) (start int) {
	start = len(m.buf)
	m.buf = binary.NativeEndian.AppendUint16(m.buf, 0)
	m.buf = binary.NativeEndian.AppendUint16(m.buf, kind)
	return start
}

func (m *messages) close(start int) {
	binary.NativeEndian.PutUint16(m.buf[start:], uint16(len(m.buf)-start))
	for len(m.buf)%unix.NLA_ALIGNTO != 0 {
		m.buf = append(m.buf, 0)
	}
}

func (m *messages) nest(kind uint16, fill func()) {
	start := m.open(kind | unix.NLA_F_NESTED)
	fill()
	m.close(start)
}

func (m *messages) bytes(kind uint16, data []byte) {
	start := m.open(kind)
	m.buf = append(m.buf, data...)
	m.close(start)
}

func (m *messages) text(kind uint16, s string) {
	start := m.open(kind)
	m.buf = append(append(m.buf, s...), 0)
	m.close(start)
}

func (m *messages) number(kind uint16, n uint32) {
	start := m.open(kind)
	m.buf = binary.BigEndian.AppendUint32(m.buf, n)
	m.close(start)
}

// Commands.

// addTable makes the table, takes it over from nobody, or changes nothing.
func (m *messages) addTable(flags uint32) {
	m.command(unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE, func() { m.number(unix.NFTA_TABLE_FLAGS, flags) })
}

func (m *messages) deleteTable() { m.command(unix.NFT_MSG_DELTABLE, 0, nil) }

// destroyTable deletes the table if it is there.
func (m *messages) destroyTable() { m.command(destroyTable, 0, nil) }

// append adds a message of another's making. Its answer is not asked for.
func (m *messages) append(l netlink.Message) {
	flags := l.Header.Flags &^ (netlink.Request | netlink.Acknowledge | netlink.Echo)
	m.begin(uint16(l.Header.Type), uint16(flags), l.Data[0], binary.BigEndian.Uint16(l.Data[2:]))
	m.buf = append(m.buf, l.Data[4:]...)
	m.end()
}

func (m *messages) addChain(name string) {
	m.command(unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE, func() { m.text(unix.NFTA_CHAIN_NAME, name) })
}

// addBase adds a chain that packets pass at a hook. What its rules leave undecided
// is dropped.
func (m *messages) addBase(name string, hook Hook, priority int32) {
	m.command(unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE, func() {
		m.text(unix.NFTA_CHAIN_NAME, name)
		m.nest(unix.NFTA_CHAIN_HOOK, func() {
			m.number(unix.NFTA_HOOK_HOOKNUM, uint32(hook))
			m.number(unix.NFTA_HOOK_PRIORITY, uint32(priority))
		})
		m.number(unix.NFTA_CHAIN_POLICY, uint32(expr.VerdictDrop))
		m.text(unix.NFTA_CHAIN_TYPE, "filter")
	})
}

func (m *messages) deleteChain(name string) {
	m.command(unix.NFT_MSG_DELCHAIN, 0, func() { m.text(unix.NFTA_CHAIN_NAME, name) })
}

// dropChains deletes chains. Their rules go first: they may lead to each other.
func (m *messages) dropChains(names []string) {
	for _, name := range names {
		m.deleteRules(name)
	}
	for _, name := range names {
		m.deleteChain(name)
	}
}

// deleteRules empties a chain.
func (m *messages) deleteRules(chain string) {
	m.command(unix.NFT_MSG_DELRULE, 0, func() { m.text(unix.NFTA_RULE_CHAIN, chain) })
}

// addRule appends a rule made of parts, read from left to right.
func (m *messages) addRule(chain string, parts ...[]expr.Any) error {
	var failed error
	m.command(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, func() {
		m.text(unix.NFTA_RULE_CHAIN, chain)
		m.nest(unix.NFTA_RULE_EXPRESSIONS, func() {
			for _, part := range parts {
				for _, e := range part {
					data, err := expr.Marshal(unix.NFPROTO_INET, e)
					if err != nil {
						failed = err
						return
					}
					m.bytes(unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, data)
				}
			}
		})
	})
	return failed
}

// kernelSet is a set of the kernel's, of one family.
type kernelSet struct {
	name     string
	id       uint32 // within the transaction that makes it; others find it by name
	keyType  uint32
	keyLen   uint32
	verdicts bool // a map to verdicts
	interval bool
	constant bool // without a name, for one rule
}

func (m *messages) addSet(s *kernelSet) {
	m.sets++
	s.id = m.sets
	var flags uint32
	if s.verdicts {
		flags |= unix.NFT_SET_MAP
	}
	if s.interval {
		flags |= unix.NFT_SET_INTERVAL
	}
	if s.constant {
		flags |= unix.NFT_SET_ANONYMOUS | unix.NFT_SET_CONSTANT
	}
	m.command(unix.NFT_MSG_NEWSET, unix.NLM_F_CREATE, func() {
		m.text(unix.NFTA_SET_NAME, s.name)
		m.number(unix.NFTA_SET_FLAGS, flags)
		m.number(unix.NFTA_SET_KEY_TYPE, s.keyType)
		m.number(unix.NFTA_SET_KEY_LEN, s.keyLen)
		if s.verdicts {
			m.number(unix.NFTA_SET_DATA_TYPE, unix.NFT_DATA_VERDICT)
			m.number(unix.NFTA_SET_DATA_LEN, 0)
		}
		m.number(unix.NFTA_SET_ID, s.id)
	})
}

func (m *messages) deleteSet(name string) {
	m.command(unix.NFT_MSG_DELSET, 0, func() { m.text(unix.NFTA_SET_NAME, name) })
}

// flushSet deletes all elements.
func (m *messages) flushSet(name string) {
	m.command(unix.NFT_MSG_DELSETELEM, 0, func() { m.text(unix.NFTA_SET_ELEM_LIST_SET, name) })
}

// element is one of a kernel's set: a key, in a map with a verdict.
type element struct {
	key         []byte
	intervalEnd bool
	verdict     expr.VerdictKind
	chain       string
}

// elementsAtATime keeps a message's list below the 64 KiB of an attribute, with
// the longest names of chains.
const elementsAtATime = 150

func (m *messages) addElements(s *kernelSet, all []element) {
	m.elements(unix.NFT_MSG_NEWSETELEM, unix.NLM_F_CREATE, s, all)
}

func (m *messages) deleteElements(s *kernelSet, all []element) {
	m.elements(unix.NFT_MSG_DELSETELEM, 0, s, all)
}

func (m *messages) elements(kind, flags uint16, s *kernelSet, all []element) {
	for len(all) > 0 {
		n := min(len(all), elementsAtATime)
		m.command(kind, flags, func() {
			m.text(unix.NFTA_SET_ELEM_LIST_SET, s.name)
			if s.id != 0 {
				m.number(unix.NFTA_SET_ELEM_LIST_SET_ID, s.id)
			}
			m.nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS, func() {
				for _, e := range all[:n] {
					m.element(s, e)
				}
			})
		})
		all = all[n:]
	}
}

func (m *messages) element(s *kernelSet, e element) {
	m.nest(unix.NFTA_LIST_ELEM, func() {
		m.nest(unix.NFTA_SET_ELEM_KEY, func() { m.bytes(unix.NFTA_DATA_VALUE, e.key) })
		if e.intervalEnd {
			m.number(unix.NFTA_SET_ELEM_FLAGS, unix.NFT_SET_ELEM_INTERVAL_END)
		}
		if !s.verdicts || e.chain == "" {
			return
		}
		m.nest(unix.NFTA_SET_ELEM_DATA, func() {
			m.nest(unix.NFTA_DATA_VERDICT, func() {
				code := int32(e.verdict)
				m.number(unix.NFTA_VERDICT_CODE, uint32(code))
				m.text(unix.NFTA_VERDICT_CHAIN, e.chain)
			})
		})
	})
}
