package daemon

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/engine/flowlog"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/flows"
	"github.com/eksact/eksact/internal/vpc/ipv6"
)

// flowLogs records what passes the router, for the account's flow logs. While there
// are none it listens to nothing.
type flowLogs struct {
	*Daemon
	window  time.Duration // the aggregation interval
	changed chan struct{} // of flow logs

	mu    sync.Mutex
	table flowlog.Table
	since int64 // when the window began, or connections were last listed
}

const (
	// flowWindow is the aggregation interval: that of Nitro's interfaces, whatever a
	// flow log's longest is.
	// https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
	flowWindow = time.Minute
	// flowGround is how often interfaces are looked up.
	flowGround = 2 * time.Second
	// flowPause is from a failure of the kernel's to the next try.
	flowPause = 5 * time.Second
)

func newFlowLogs(d *Daemon) *flowLogs {
	return &flowLogs{Daemon: d, window: flowWindow, changed: make(chan struct{}, 1)}
}

// run records as long as there are flow logs, until ctx ends.
func (f *flowLogs) run(ctx context.Context) error {
	defer f.ec2.WatchFlowLogs(func() {
		select {
		case f.changed <- struct{}{}:
		default:
		}
	})()
	// What passed since the last daemon's end was seen by nobody.
	skipped := len(f.ec2.FlowLogs()) > 0
	for ctx.Err() == nil {
		if len(f.ec2.FlowLogs()) > 0 {
			err := f.record(ctx, skipped)
			if skipped = err != nil; skipped {
				slog.Error("flow logs begin anew", "error", err)
				select {
				case <-ctx.Done():
				case <-time.After(flowPause):
				}
				continue
			}
		}
		select {
		case <-ctx.Done():
		case <-f.changed:
		}
	}
	return ctx.Err()
}

// record makes windows until there is no flow log left.
func (f *flowLogs) record(ctx context.Context, skipped bool) error {
	f.mu.Lock()
	f.table, f.since = flowlog.Table{}, time.Now().Unix()
	f.table.SetGround(f.ground())
	if skipped {
		f.table.Skip()
	}
	f.mu.Unlock()
	capture, err := flows.Start(f.network.World(), f.network.Rules(), f)
	if err != nil {
		return err
	}
	defer func() { note(capture.Stop(), ctx, "flow logs") }()
	if err := f.list(capture, true); err != nil {
		return err
	}
	began := time.Now()
	end := began.Truncate(f.window).Add(f.window)
	for {
		logs := f.ec2.FlowLogs()
		if len(logs) == 0 {
			return nil
		}
		if err := capture.LogFlags(wantFlags(logs)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.changed:
		case <-time.After(min(flowGround, time.Until(end))):
			f.mu.Lock()
			f.table.SetGround(f.ground())
			f.mu.Unlock()
		}
		if time.Now().Before(end) {
			continue
		}
		if err := f.list(capture, false); err != nil {
			return err
		}
		f.mu.Lock()
		records := f.table.Close(began.Unix(), end.Unix())
		f.mu.Unlock()
		f.deliver(ctx, records, began)
		began, end = end, end.Add(f.window)
	}
}

func wantFlags(logs []ec2.FlowLog) bool {
	for _, l := range logs {
		if format, err := flowlog.ParseFormat(l.Format); err == nil && format.Has("tcp-flags") {
			return true
		}
	}
	return false
}

// list counts all connections there are.
func (f *flowLogs) list(c *flows.Capture, baseline bool) error {
	all, err := c.Connections()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now().Unix()
	f.table.Connections(all, f.since, now, baseline)
	f.since = now
	return nil
}

// ground is what interfaces there are now.
func (f *flowLogs) ground() flowlog.Ground {
	silent := []netip.Addr{vpc.Metadata, ipv6.Metadata, f.network.Resolver(), vpc.LinkResolver, f.network.Edge()}
	for _, s := range f.network.AllSubnets() {
		silent = append(silent, s.Router())
	}
	var inside []netip.Prefix
	for _, v := range f.network.VPCs() {
		inside = append(inside, v.Range)
	}
	g := flowlog.NewGround(inside, silent...)
	for _, n := range f.interfaces() {
		if !n.IP.IsValid() {
			continue
		}
		subnet, _ := f.network.SubnetOf(n.IP)
		more := n.Prefixes
		for _, a := range n.Secondary {
			more = append(more[:len(more):len(more)], netip.PrefixFrom(a, a.BitLen()))
		}
		g.Add(&flowlog.Interface{
			ID: n.ID, Account: f.config.Account, VPC: n.VPC, Subnet: n.Subnet, Instance: n.Instance, Region: f.config.Region,
			ZoneID: ec2.ZoneID(subnet.Zone), Addr: n.IP, Public: subnet.Public,
		}, more...)
	}
	return g
}

// Ended, Refused, Flags and Missed implement flows.Sink.

func (f *flowLogs) Ended(c flowlog.Connection) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.table.Ended(&c, f.since, time.Now().Unix())
}

func (f *flowLogs) Refused(r flowlog.Refused) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.table.Refuse(&r)
}

func (f *flowLogs) Flags(u flowlog.Tuple, flags uint8) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.table.Flags(u, flags)
}

func (f *flowLogs) Missed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.table.Skip()
}

// deliver gives each flow log its records of a window.
func (f *flowLogs) deliver(ctx context.Context, records []flowlog.Record, began time.Time) {
	for _, l := range f.ec2.FlowLogs() {
		err := f.deliverTo(ctx, l, wanted(l, records), began)
		failure := ""
		if err != nil {
			failure = "Unknown error"
			if api.Code(err) != "" { // the destination's service said it
				failure = "Access error"
			}
			slog.Warn("a flow log's records can't be delivered", "flow log", l.ID, "destination", l.Destination, "error", err)
		}
		if err := f.ec2.NoteDelivery(ctx, l.ID, failure); err != nil {
			slog.Error("a flow log's state can't be written", "flow log", l.ID, "error", err)
		}
	}
}

// wanted are the records of a flow log's resource and traffic.
func wanted(l ec2.FlowLog, records []flowlog.Record) (own []flowlog.Record) {
	for _, r := range records {
		if r.Interface.VPC != l.Resource && r.Interface.Subnet != l.Resource && r.Interface.ID != l.Resource {
			continue
		}
		if r.Status == flowlog.OK && (l.Traffic == ec2types.TrafficTypeAccept && r.Rejected || l.Traffic == ec2types.TrafficTypeReject && !r.Rejected) {
			continue
		}
		own = append(own, r)
	}
	return own
}
