package daemon

import (
	"context"
	"log/slog"

	"github.com/eksact/eksact/internal/kube/podidentity"
	"github.com/eksact/eksact/internal/supervise"
)

// identityWebhookAddress is where a cluster's pod identity webhook listens in its
// control plane's namespace, the port EKS's.
const identityWebhookAddress = "127.0.0.1:23443"

func identitySocket(k *cluster) supervise.Socket {
	return supervise.Socket{Name: "pod-identity-" + k.record.Name, NetNS: k.config.NetNS, Network: "tcp", Address: identityWebhookAddress}
}

// runPodIdentity gives a cluster's pods their AWS identities until ctx ends.
func (d *Daemon) runPodIdentity(ctx context.Context, k *cluster) error {
	log := slog.With("cluster", k.record.Name)
	handler := &podidentity.Handler{
		Settings: podidentity.Settings{Region: d.config.Region, CA: true},
		Account:  k.identities.Account, Log: log,
		Associated: func(namespace, name string) bool {
			_, ok := d.eks.AssociationOf(k.record.Name, namespace, name)
			return ok
		},
	}
	l, err := d.keeper.Listen(identitySocket(k))
	if err != nil {
		return err
	}
	d.running.Go(func() { k.identities.Run(ctx) })
	d.running.Go(func() {
		note(handler.Serve(ctx, l, k.bundle.WebhookTLS(false)), ctx, "pod identity webhook of "+k.record.Name)
	})
	d.running.Go(func() {
		note(podidentity.Publish(ctx, k.client, d.authority.pem(), log), ctx, "certificates of AWS's names in "+k.record.Name)
	})
	return nil
}
