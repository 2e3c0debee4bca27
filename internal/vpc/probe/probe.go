package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/netpol/cases"
	"github.com/eksact/eksact/internal/netns"
)

// Flow is what is to be tried.
type Flow struct {
	From    string // file of the network namespace that sends
	To      netip.AddrPort
	Network string // tcp or udp
	End     string // file of the network namespace that has the address; "" if it isn't here
	Control string // file of the namespace from which no rule is in the way
}

// Patience is how long nothing must come for a packet to count as lost. TCP sends its
// first packet again after a second; one that is lost by chance gets a second try.
const Patience = 1500 * time.Millisecond

// arrival is what is known of one probe.
type arrival int

const (
	unknown arrival = iota
	arrived
	lost
)

// Try sends a flow's packets. An error is one of sending; what became of packets that
// were sent is an outcome.
func Try(ctx context.Context, f Flow) (cases.Packets, error) {
	what, how, err := f.send(ctx, f.From)
	switch {
	case err != nil:
		return cases.Packets{}, err
	case what == arrived:
		return cases.Packets{Outcome: netpol.Allowed, How: how}, nil
	case what == unknown:
		return cases.Packets{Outcome: netpol.Unsure, How: how}, nil
	}
	control, controlled, err := f.send(ctx, f.Control)
	if err != nil {
		return cases.Packets{}, fmt.Errorf("the control from its node: %w", err)
	}
	if control != arrived {
		return cases.Packets{Outcome: netpol.Unsure, How: how + ", and from the node, where no policy applies: " + controlled}, nil
	}
	return cases.Packets{Outcome: netpol.Denied, How: how + "; from the node, where no policy applies: " + controlled}, nil
}

func (f *Flow) send(ctx context.Context, from string) (arrival, string, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	if f.Network == "udp" {
		return f.datagram(ctx, from)
	}
	conn, err := netns.Dial(from)(ctx, f.Network, f.To.String())
	if err == nil {
		conn.Close()
		return arrived, "connected", nil
	}
	return f.failed(err)
}

// failed tells packets that did not come back from those that could not be sent.
func (f *Flow) failed(err error) (arrival, string, error) {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return arrived, "refused by its end", nil
	case errors.Is(err, context.Canceled):
		return unknown, "", err
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return lost, fmt.Sprintf("no answer within %s", Patience), nil
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.ECONNRESET):
		return lost, fmt.Sprintf("no way: %v", errors.Unwrap(errors.Unwrap(err))), nil
	}
	return unknown, "", err
}
