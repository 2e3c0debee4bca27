package nft

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
)

// watch undoes what others do to a table that the kernel can't keep for its owner:
// the kernel tells of each change and whose it is, and all is written anew.
type watch struct {
	conn    *netlink.Conn
	stopped chan struct{}
	done    chan struct{}
}

// rewriteEvery is the pause after a rewriting that failed.
const rewriteEvery = time.Second

func (e *Enforcer) startWatch() (*watch, error) {
	w := &watch{stopped: make(chan struct{}), done: make(chan struct{})}
	err := netns.Do(e.ns, func() (err error) {
		w.conn, err = netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{Groups: 1 << (unix.NFNLGRP_NFTABLES - 1)})
		return err
	})
	if err != nil {
		return nil, err
	}
	port, err := e.socket.port()
	if err != nil {
		return nil, errors.Join(err, w.conn.Close())
	}
	go func() {
		defer close(w.done)
		for {
			changes, err := w.conn.Receive()
			if errors.Is(err, unix.ENOBUFS) {
				changes = nil // some were lost: perhaps others'
			} else if err != nil {
				return
			} else if !foreign(changes, e.table, port) {
				continue
			}
			e.rewrite(w)
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

// rewrite writes the table anew, until it succeeds.
func (e *Enforcer) rewrite(w *watch) {
	e.rewritten.Add(1)
	slog.Warn("packet rules were changed by another program; they are written anew", "namespace", e.ns, "table", e.table)
	for {
		e.mu.Lock()
		var err error
		if e.program != nil {
			err = e.load(e.program)
		} else {
			err = e.takeOver()
		}
		e.mu.Unlock()
		if err == nil {
			return
		}
		slog.Error("packet rules can't be written anew", "namespace", e.ns, "table", e.table, "error", err)
		select {
		case <-w.stopped:
			return
		case <-time.After(rewriteEvery):
		}
	}
}
