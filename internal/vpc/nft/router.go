package nft

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Router writes the tables of the VPCs' router, over a socket that owns them: while it is
// open nobody else can change or delete one, nft flush ruleset passes them by. They stay
// when it is closed, as after a crash, and are the next Router's; until then anybody may
// delete them. On kernels before 6.9, where tables can't be had so, what others do to them
// is undone.
//
// What is open while a table is gone: without eksact the VPC reaches what listens on the
// host, and the host the VPC, if it has a route; without eksact-api everybody reaches
// cluster endpoints; without eksact-routes subnets reach public addresses that their routes
// refuse, and VPCs one another; without eksact-metadata6 machines one another by IPv6.
// Without eksact-lb load balancers are closed.
type Router struct {
	socket *socket
	flags  uint32       // of the tables
	watch  *watch       // where they can't be owned
	close  func() error // once

	mu      sync.Mutex
	written map[string]func() error // writes a table as it was last
}

// OpenRouter takes over the tables of a router as it writes them.
func OpenRouter(ns string) (*Router, error) { return openRouter(ns, tableOwner|tablePersist) }

func openRouter(ns string, flags uint32) (*Router, error) {
	s, err := openSocket(ns)
	if err != nil {
		return nil, err
	}
	r := &Router{socket: s, flags: flags, written: map[string]func() error{}}
	probe := newMessages("eksact-probe")
	probe.addTable(flags)
	probe.deleteTable()
	if err = s.commit(probe); errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) {
		r.flags, err = 0, nil
	}
	if err == nil && r.flags == 0 {
		// Anybody may change the tables: what others do to them is undone.
		r.watch, err = startWatch(ns, s, r.tables, r.rewrite)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	r.close = sync.OnceValue(func() error {
		if r.watch != nil {
			r.watch.stop()
		}
		return s.close()
	})
	return r, nil
}

// Close lets go of the tables. They go on as they are.
func (r *Router) Close() error { return r.close() }

func (r *Router) tables() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for table := range r.written {
		all = append(all, table)
	}
	return all
}

func (r *Router) rewrite(table string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if write := r.written[table]; write != nil {
		return write()
	}
	return nil // removed meanwhile
}

// replace makes a table hold exactly what fill writes, in one transaction.
func (r *Router) replace(family nftables.TableFamily, table string, fill func(*batch)) error {
	return r.write(table, func() error { return r.transact(family, table, true, fill) })
}

// amend makes a table, or goes on with the one that is there.
func (r *Router) amend(table string, fill func(*batch)) error {
	return r.write(table, func() error {
		err := r.transact(nftables.TableFamilyIPv4, table, false, fill)
		if errors.Is(err, unix.EOPNOTSUPP) { // it is as earlier versions made it, and can't be owned
			err = r.transact(nftables.TableFamilyIPv4, table, true, fill)
		}
		return err
	})
}

func (r *Router) write(table string, write func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := write(); err != nil {
		return err
	}
	r.written[table] = write
	return nil
}

// remove deletes a table. One that is not there is no error.
func (r *Router) remove(table string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.written, table)
	m := newMessages(table)
	m.family = unix.NFPROTO_IPV4
	r.clear(m)
	return r.socket.commit(m)
}

// clear deletes the table, whoever made it, if it is there.
func (r *Router) clear(m *messages) {
	if r.flags != 0 {
		m.destroyTable()
		return
	}
	m.addTable(0) // so that deleting it can't fail
	m.deleteTable()
}

func (r *Router) transact(family nftables.TableFamily, table string, anew bool, fill func(*batch)) error {
	m := newMessages(table)
	m.family = byte(family)
	if anew {
		r.clear(m)
	}
	m.addTable(r.flags)
	all, err := gather(&nftables.Table{Family: family, Name: table}, fill)
	if err != nil {
		return fmt.Errorf("writing packet rules (table %s): %w", table, err)
	}
	for _, one := range all {
		m.append(one)
	}
	return r.socket.commit(m)
}

// gather has the library write the messages of a transaction. It can neither give a table
// an owner nor write to a socket of ours: what it would send to the kernel is taken.
func gather(table *nftables.Table, fill func(*batch)) (all []netlink.Message, err error) {
	done := netlink.Message{Header: netlink.Header{Type: netlink.Error}, Data: make([]byte, 4)}
	conn, err := nftables.New(nftables.WithTestDial(func(sent []netlink.Message) ([]netlink.Message, error) {
		if len(sent) > 0 {
			all = slices.Clone(sent[1 : len(sent)-1]) // between the batch's beginning and end
			return nil, nil
		}
		return []netlink.Message{done}, nil
	}))
	if err != nil {
		return nil, err
	}
	b := &batch{conn: conn, table: table}
	fill(b)
	return all, errors.Join(b.err, conn.Flush())
}
