package nft

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"

	"github.com/google/nftables"
	"github.com/ti-mo/conntrack"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/engine/ruleset"
	"github.com/eksact/eksact/internal/netns"
)

// Hook is where in the kernel a ruleset stands.
type Hook uint32

const (
	Input   Hook = unix.NF_INET_LOCAL_IN // packets to the namespace itself
	Forward Hook = unix.NF_INET_FORWARD  // packets through it
	Output  Hook = unix.NF_INET_LOCAL_OUT
)

func (h Hook) String() string {
	return map[Hook]string{Input: "input", Forward: "forward", Output: "output"}[h]
}

// Options say where a ruleset stands and for what.
type Options struct {
	// Hooks are where packets meet the ruleset; none is Forward.
	Hooks []Hook
	// Priority orders it among others at a hook, the smallest first. Translations of
	// destinations (-100) must come before, those of sources (100) after.
	Priority int32
	// IPv4 leaves IPv6 out. An address of IPv6 that is restricted is refused then,
	// and one in a set is left out.
	IPv4 bool
	// Cut ends flows that a change forbids, when it is made. Without it known flows
	// go on until they end, as with security groups.
	Cut bool
	// Log shows refused packets to flow logs (package flows).
	Log bool

	// shared makes the table without an owner, as kernels before 6.9 do.
	shared bool
}

// Enforcer holds one network namespace to a ruleset.Program: a table of family inet.
// Its methods may be called concurrently. After a crash the table stays as it was,
// and the next Enforcer takes it over.
//
// The table's skeleton never changes, so that a packet under way while a transaction
// is committed can't fall through between old rules and new: what no rule decides is
// dropped.
//
//	hook (drop) ── known flow: accept
//	            └─ in4, in6: TCP from the middle of a flow, of a restricted address: denied
//	               egress map:  source → chain ── accepted ─┐   else denied
//	               otherwise ───────────────────────────────┤
//	               to4, to6: ◄───────────────────────────────┘
//	               ingress map: destination → chain ── accepted: accept, else denied
//	               otherwise: accept
//	denied: to itself: accept, otherwise: drop
//
// A packet of a TCP connection that isn't known, other than its first, is not taken
// for a new one: else the far end of a connection that was cut could bring it back
// to life as its own.
type Enforcer struct {
	options Options
	ns      string
	socket  *socket
	flags   uint32 // of the table
	watch   *watch

	table string

	mu        sync.Mutex
	program   *ruleset.Program // what the kernel is to hold; nil before the first Load
	stale     bool             // the kernel may not hold it
	reloads   int              // changes that failed, for which all was written anew
	refusing  uses             // sets in rules that don't accept
	conntrack *conntrack.Conn  // opened when it is first needed
}

// Open makes the table of a name, which restricts nobody until Load, or takes over
// what is there, which goes on as it is. The name is one that no other Enforcer of
// the namespace has.
func Open(ns, table string, o Options) (*Enforcer, error) {
	if len(o.Hooks) == 0 {
		o.Hooks = []Hook{Forward}
	}
	s, err := openSocket(ns)
	if err != nil {
		return nil, err
	}
	e := &Enforcer{options: o, ns: ns, socket: s, table: table}
	if err := e.takeOver(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if e.flags == 0 {
		// Anybody may change the table: what others do to it is undone.
		if e.watch, err = startWatch(ns, s, func() []string { return []string{table} }, e.rewrite); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return e, nil
}

// Close lets go of the table. It goes on as it is.
func (e *Enforcer) Close() error {
	if e.watch != nil {
		e.watch.stop()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var err error
	if e.conntrack != nil {
		err = e.conntrack.Close()
	}
	return errors.Join(err, e.socket.close())
}

// Remove takes the table away, and with it all restrictions.
func (e *Enforcer) Remove() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.program = nil
	m := newMessages(e.table)
	m.addTable(e.flags) // so that deleting it can't fail
	m.deleteTable()
	return e.socket.commit(m)
}

// takeOver makes the table this socket's own, with its skeleton where it lacks.
func (e *Enforcer) takeOver() error {
	var failed []error
	for _, flags := range []uint32{tableOwner | tablePersist, 0} {
		if flags != 0 && e.options.shared {
			continue
		}
		m := newMessages(e.table)
		m.addTable(flags)
		err := e.socket.commit(m)
		if err == nil {
			e.flags = flags
			return e.completeSkeleton()
		}
		failed = append(failed, err)
		if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EINVAL) {
			break
		}
	}
	return errors.Join(failed...)
}

// rewrite undoes what another has done to the table.
func (e *Enforcer) rewrite(string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.program == nil {
		return e.takeOver()
	}
	return e.load(e.program)
}

// completeSkeleton leaves a table alone that has all its chains.
func (e *Enforcer) completeSkeleton() error {
	there, err := e.list()
	if err != nil {
		return err
	}
	missing := e.lasting()
	for _, name := range slices.Concat(there.chains, there.sets) {
		delete(missing, name)
	}
	if len(missing) == 0 {
		return nil
	}
	m := newMessages(e.table)
	m.addTable(e.flags)
	if err := e.skeleton(m); err != nil {
		return err
	}
	return e.socket.commit(m)
}

// Load makes the kernel hold the program, whatever it held, in one transaction.
func (e *Enforcer) Load(p *ruleset.Program) error {
	if err := e.check(p.Egress, p.Ingress); err != nil {
		return err
	}
	p = p.Clone()
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.load(p); err != nil {
		return err
	}
	e.program, e.stale, e.refusing = p, false, refusingSets(p)
	if e.options.Cut {
		return e.cut()
	}
	return nil
}

// Apply makes changes, each in one transaction: no packet meets half of it. Where the
// kernel does not hold what a change is of, the changed program is loaded. Flows that
// are forbidden then are looked for once, after the last: that takes the kernel
// milliseconds, a change microseconds.
func (e *Enforcer) Apply(changes ...*ruleset.Delta) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	restricts := false
	for _, d := range changes {
		if d.Empty() {
			continue
		}
		restricts = restricts || e.restricts(d)
		if err := e.apply(d); err != nil {
			return err
		}
	}
	if restricts {
		return e.cut()
	}
	return nil
}

func (e *Enforcer) apply(d *ruleset.Delta) error {
	if err := e.check(d.Egress, d.Ingress); err != nil {
		return err
	}
	if e.program == nil {
		return fmt.Errorf("table %s: a change of a program that was not loaded", e.table)
	}
	m := newMessages(e.table)
	if err := e.writer(m).change(e.program, d); err != nil {
		return err
	}
	for _, id := range d.OldChains {
		e.refusing.count(e.program.Chains[id], -1)
	}
	for _, c := range d.NewChains {
		e.refusing.count(c, 1)
	}
	if err := e.program.Apply(*d); err != nil {
		return err
	}
	return e.commitChange(m)
}

func (e *Enforcer) commitChange(m *messages) error {
	if !e.stale {
		err := e.socket.commit(m)
		if err == nil {
			return nil
		}
		slog.Warn("a change of packet rules failed; all are written anew", "namespace", e.ns, "error", err)
	}
	e.stale = true
	e.reloads++
	if err := e.load(e.program); err != nil {
		return err
	}
	e.stale = false
	return nil
}

// load replaces everything in the table but its skeleton.
func (e *Enforcer) load(p *ruleset.Program) error {
	there, err := e.list()
	if err != nil {
		return err
	}
	m := newMessages(e.table)
	m.addTable(e.flags)
	if err := e.skeleton(m); err != nil {
		return err
	}
	lasting := e.lasting()
	for _, f := range e.families() {
		for _, s := range f.lastingSets() {
			m.flushSet(s.name)
		}
	}
	var old []string
	for _, name := range there.chains {
		if !lasting[name] {
			old = append(old, name)
		}
	}
	m.dropChains(old)
	for _, name := range there.sets {
		if !lasting[name] {
			m.deleteSet(name)
		}
	}
	nothing := (&ruleset.Program{}).Clone()
	all := ruleset.Diff(nothing, p)
	if err := e.writer(m).change(nothing, &all); err != nil {
		return err
	}
	return e.socket.commit(m)
}

// check refuses addresses of a family that the table has not.
func (e *Enforcer) check(maps ...map[netip.Addr]string) error {
	if !e.options.IPv4 {
		return nil
	}
	for _, m := range maps {
		for a := range m {
			if !a.Is4() {
				return fmt.Errorf("table %s: restricting %s: the table has IPv4 only", e.table, a)
			}
		}
	}
	return nil
}

// contents names what is in a table.
type contents struct{ chains, sets []string }

// list reads the names of the table's chains and named sets from the kernel.
func (e *Enforcer) list() (c contents, err error) {
	err = netns.Do(e.ns, func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		chains, err := conn.ListChainsOfTableFamily(nftables.TableFamilyINet)
		if err != nil {
			return err
		}
		for _, chain := range chains {
			if chain.Table.Name == e.table {
				c.chains = append(c.chains, chain.Name)
			}
		}
		if len(c.chains) == 0 {
			return nil // there is no such table, or nothing in it
		}
		sets, err := conn.GetSets(&nftables.Table{Name: e.table, Family: nftables.TableFamilyINet})
		for _, s := range sets {
			if !s.Anonymous {
				c.sets = append(c.sets, s.Name)
			}
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("reading packet rules (table %s): %w", e.table, err)
	}
	return c, err
}
