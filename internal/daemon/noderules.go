package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	kubenode "github.com/eksact/eksact/internal/kube/node"
	"github.com/eksact/eksact/internal/supervise"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// servicesTable is kube-proxy's.
const servicesTable = "kube-proxy"

// tendRules brings a node's packet rules back that somebody deleted there, as nft flush
// ruleset does: the node's own, and those of Services by starting kube-proxy anew, which
// else notices at its next full look. Tables of policies and groups keep themselves.
func (d *Daemon) tendRules(ctx context.Context, c kubenode.Config, pods netip.Prefix) {
	init := supervise.Client{Path: c.ControlSocket()}
	log := slog.With("node", c.ID)
	services := false // were there
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		there, err := nft.Tables(c.NetNS)
		if err != nil {
			continue // the node is going
		}
		mended, err := d.network.MendNode(c.NetNS, pods, there)
		if services && !there[servicesTable] {
			mended = append(mended, servicesTable)
			err = errors.Join(err, init.Stop("kube-proxy")) // tendProxy starts it
		}
		services = there[servicesTable]
		if len(mended) > 0 {
			log.Warn("packet rules were deleted by another program; they are written anew", "tables", mended)
		}
		if err != nil {
			log.Error("packet rules can't be written anew", "error", err)
		}
	}
}
