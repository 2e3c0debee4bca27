package flows

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/mdlayher/netlink"
	"github.com/ti-mo/conntrack"
	"github.com/ti-mo/netfilter"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/engine/flowlog"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// Sink takes what a Capture sees, from several goroutines.
type Sink interface {
	Ended(flowlog.Connection)
	Refused(flowlog.Refused)
	// Flags is a TCP packet with SYN, FIN or RST that left the router.
	Flags(flowlog.Tuple, uint8)
	// Missed says that some of this was lost.
	Missed()
}

// Capture listens in the namespace of a router.
type Capture struct {
	ns    string
	rules *nft.Router
	sink  Sink

	dump *conntrack.Conn
	ends *netfilter.Conn
	log  *netfilter.Conn
	done sync.WaitGroup

	mu    sync.Mutex
	flags *netfilter.Conn // while they are logged
}

// buffer is how much the kernel keeps of what was not read yet: about 20,000
// messages.
const buffer = 8 << 20

// Start listens in a router's namespace until Stop.
func Start(ns string, rules *nft.Router, sink Sink) (c *Capture, err error) {
	c = &Capture{ns: ns, rules: rules, sink: sink}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("listening to the router's packets: %w", err), c.Stop())
			c = nil
		}
	}()
	config, err := in(ns)
	if err != nil {
		return c, err
	}
	defer config.close()
	if c.dump, err = conntrack.Dial(&config.Config); err != nil {
		return c, err
	}
	if c.ends, err = config.listen(); err != nil {
		return c, err
	}
	if err = c.ends.JoinGroups([]netfilter.NetlinkGroup{netfilter.GroupCTDestroy}); err != nil {
		return c, err
	}
	if c.log, err = config.listen(); err != nil {
		return c, err
	}
	if err = bind(c.log, nft.RefusedGroup); err != nil {
		return c, err
	}
	c.done.Go(func() { c.receive(c.ends, c.ended) })
	c.done.Go(func() { c.receive(c.log, c.refused) })
	return c, nil
}

// Stop ends it. What the kernel still holds for it is lost.
func (c *Capture) Stop() error {
	err := c.LogFlags(false)
	for _, conn := range []*netfilter.Conn{c.ends, c.log} {
		if conn != nil {
			err = errors.Join(err, conn.Close())
		}
	}
	if c.dump != nil {
		err = errors.Join(err, c.dump.Close())
	}
	c.done.Wait()
	return err
}

// LogFlags begins or ends to hear of the TCP packets that begin and end
// connections.
func (c *Capture) LogFlags(on bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if on == (c.flags != nil) {
		return nil
	}
	if !on {
		err := errors.Join(c.rules.UnlogFlags(), c.flags.Close())
		c.flags = nil
		return err
	}
	config, err := in(c.ns)
	if err != nil {
		return err
	}
	defer config.close()
	conn, err := config.listen()
	if err != nil {
		return err
	}
	if err := errors.Join(bind(conn, nft.FlagsGroup), c.rules.LogFlags()); err != nil {
		return errors.Join(err, conn.Close())
	}
	c.flags = conn
	c.done.Go(func() { c.receive(conn, c.flagged) })
	return nil
}

// Connections lists all that there are.
func (c *Capture) Connections() ([]flowlog.Connection, error) {
	flows, err := c.dump.Dump(nil)
	if err != nil {
		return nil, fmt.Errorf("listing the router's connections: %w", err)
	}
	all := make([]flowlog.Connection, len(flows))
	for i := range flows {
		all[i] = connection(&flows[i])
	}
	return all, nil
}

// receive hands on messages until the socket is closed.
func (c *Capture) receive(conn *netfilter.Conn, take func(netlink.Message) error) {
	for {
		messages, err := conn.Receive()
		switch {
		case errors.Is(err, unix.ENOBUFS):
			c.sink.Missed()
			continue
		case errors.Is(err, os.ErrClosed) || errors.Is(err, unix.EBADF):
			return
		case err != nil:
			c.sink.Missed()
			return
		}
		for _, m := range messages {
			// The log ends its batches so.
			if m.Header.Type != netlink.Done && take(m) != nil {
				c.sink.Missed() // of a kernel that says it otherwise
			}
		}
	}
}

func (c *Capture) ended(m netlink.Message) error {
	var e conntrack.Event
	if err := e.Unmarshal(m); err != nil {
		return err
	}
	if e.Flow != nil {
		flow := connection(e.Flow)
		if flow.Ended == 0 {
			flow.Ended = time.Now().Unix()
		}
		c.sink.Ended(flow)
	}
	return nil
}

func connection(f *conntrack.Flow) flowlog.Connection {
	return flowlog.Connection{
		ID: f.ID, Proto: f.TupleOrig.Proto.Protocol, Original: tuple(&f.TupleOrig), Reply: tuple(&f.TupleReply),
		Sent:     flowlog.Count{Packets: f.CountersOrig.Packets, Bytes: f.CountersOrig.Bytes},
		Answered: flowlog.Count{Packets: f.CountersReply.Packets, Bytes: f.CountersReply.Bytes},
		Began:    unixTime(f.Timestamp.Start), Ended: unixTime(f.Timestamp.Stop),
	}
}

func tuple(t *conntrack.Tuple) flowlog.Tuple {
	u := flowlog.Tuple{Source: t.IP.SourceAddress, Destination: t.IP.DestinationAddress}
	if !t.Proto.ICMPv4 && !t.Proto.ICMPv6 {
		u.SourcePort, u.DestinationPort = t.Proto.SourcePort, t.Proto.DestinationPort
	}
	return u
}

func unixTime(t time.Time) int64 {
	if t.IsZero() || t.UnixNano() == 0 {
		return 0
	}
	return t.Unix()
}
