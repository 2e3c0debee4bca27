package nft

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
)

// watch undoes what others do to tables that the kernel can't keep for their owner:
// the kernel tells of each change and whose it is, and the table is written anew.
type watch struct {
	ns      string
	rewrite func(table string) error
	conn    *netlink.Conn
	stopped chan struct{}
	done    chan struct{}

	rewritten atomic.Int32 // times that others' changes were undone
}

// untold is how many bytes of changes the kernel keeps for a watch that is behind: what is
// lost may have been another's, so that all is written anew.
const untold = 8 << 20

// rewriteEvery is the pause after a rewriting that failed.
const rewriteEvery = time.Second

// startWatch watches the tables of a socket.
func startWatch(ns string, s *socket, tables func() []string, rewrite func(table string) error) (*watch, error) {
	w := &watch{ns: ns, rewrite: rewrite, stopped: make(chan struct{}), done: make(chan struct{})}
	err := netns.Do(ns, func() (err error) {
		if w.conn, err = netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{Groups: 1 << (unix.NFNLGRP_NFTABLES - 1)}); err != nil {
			return err
		}
		return w.conn.SetReadBuffer(untold)
	})
	if err != nil {
		return nil, err
	}
	port, err := s.port()
	if err != nil {
		return nil, errors.Join(err, w.conn.Close())
	}
	go func() {
		defer close(w.done)
		for {
			changes, err := w.conn.Receive()
			lost := errors.Is(err, unix.ENOBUFS) // some of them: perhaps others'
			if err != nil && !lost {
				return
			}
			for _, table := range tables() {
				if lost || foreign(changes, table, port) {
					w.mend(table)
				}
			}
		}
	}()
	return w, nil
}

func (w *watch) stop() {
	close(w.stopped)
	_ = w.conn.Close()
	<-w.done
}

// foreign is whether one of the changes is of the table, and another's.
func foreign(changes []netlink.Message, table string, port uint32) bool {
	for _, c := range changes {
		if c.Header.PID == port || len(c.Data) < 8 {
			continue
		}
		// The table's name is the first attribute of all but generations'.
		kind, name := binary.NativeEndian.Uint16(c.Data[6:]), bytes.TrimRight(c.Data[8:min(len(c.Data), 4+int(binary.NativeEndian.Uint16(c.Data[4:])))], "\x00")
		if c.Header.Type&0xff != unix.NFT_MSG_NEWGEN && kind == 1 && string(name) == table {
			return true
		}
	}
	return false
}

// mend writes a table anew, until it succeeds.
func (w *watch) mend(table string) {
	w.rewritten.Add(1)
	slog.Warn("packet rules were changed by another program; they are written anew", "namespace", w.ns, "table", table)
	for {
		err := w.rewrite(table)
		if err == nil {
			return
		}
		slog.Error("packet rules can't be written anew", "namespace", w.ns, "table", table, "error", err)
		select {
		case <-w.stopped:
			return
		case <-time.After(rewriteEvery):
		}
	}
}
