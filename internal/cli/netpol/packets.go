package netpol

import (
	"context"
	"net/netip"
	"time"

	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/netpol/cases"
	"github.com/eksact/eksact/internal/engine/netpol/manifest"
	"github.com/eksact/eksact/internal/hint"
)

// startLive waits until all is enforced that packets are to be tried against.
func (t *tester) startLive(ctx context.Context) error {
	switch {
	case !t.packets:
		return nil
	case len(t.files) > 0:
		return hint.New("--live and -f are given", "packets are tried in the cluster as it is: kubectl apply the manifests, and leave out -f")
	case t.live == nil:
		return hint.New("no cluster can be asked here", "leave out --live")
	}
	if err := daemon.Reach(t.g.RunDir); err != nil {
		return err
	}
	return control.Dial(t.g.RunDir).Call(ctx, "/netpol/wait", daemon.PolicyWait{Timeout: 30 * time.Second}, nil)
}

// tried sends the packets of all of a file's cases at once.
func (t *tester) tried(ctx context.Context, f *cases.File, set *manifest.Set) (all []*cases.Result, err error) {
	var want daemon.PolicyFlows
	flows := make([][]*netpol.Explanation, len(f.Cases))
	for i, c := range f.Cases {
		if flows[i], err = c.Flows(set); err == nil {
			err = c.Triable(flows[i])
		}
		if err != nil {
			return nil, hint.Wrap(err, caseForm)
		}
		for _, e := range flows[i] {
			flow, err := flowOf(e)
			if err != nil {
				return nil, err
			}
			want.Flows = append(want.Flows, flow)
		}
	}
	var tried []cases.Packets
	if err := control.Dial(t.g.RunDir).Call(ctx, "/netpol/packets", want, &tried); err != nil {
		return nil, err
	}
	for i, c := range f.Cases {
		n := len(flows[i])
		all = append(all, c.Judge(flows[i], tried[:n]))
		tried = tried[n:]
	}
	return all, nil
}

func flowOf(e *netpol.Explanation) (daemon.PolicyFlow, error) {
	from, err := netip.ParseAddr(e.From.Address)
	if err != nil {
		return daemon.PolicyFlow{}, err
	}
	to, err := netip.ParseAddr(e.To.Address)
	return daemon.PolicyFlow{From: from, To: netip.AddrPortFrom(to, e.Port), Protocol: e.Protocol}, err
}
