package daemon

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/eksact/eksact/internal/node/balancer"
	"github.com/eksact/eksact/internal/supervise"
	"github.com/eksact/eksact/internal/vpc/lb/proxy"
)

// proxyProcess is the process that load balancers which end connections share. It
// runs as long as there is one.
const proxyProcess = "balancer"

func (c Config) proxyFile() string    { return filepath.Join(c.RunDir, "balancer.json") }
func (c Config) proxyControl() string { return filepath.Join(c.RunDir, "balancer.sock") }

// applyProxy puts a configuration in force: in the file, with which the process
// begins whenever it starts, and in the process that runs.
func (d *Daemon) applyProxy(ctx context.Context, c proxy.Config) error {
	sockets := d.proxySockets()
	if len(c.Listeners) == 0 {
		if err := d.keeper.Stop(proxyProcess); err != nil {
			return err
		}
		for _, s := range sockets {
			if err := d.keeper.Close(s.Name); err != nil {
				return err
			}
		}
		return nil
	}
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(d.config.proxyFile(), data, 0o600); err != nil {
		return err
	}
	spec := supervise.Spec{
		Name: proxyProcess, Path: d.programs.Path("eksact-node"), Argv: append([]string{"eksact-node", "balancer"}, balancer.Args(d.config.proxyFile())...),
		Env: os.Environ(), Dir: "/", NetNS: d.network.World(), Log: d.config.state("logs/balancer.log"),
	}
	for _, s := range sockets {
		if err := d.keeper.Keep(s); err != nil {
			return err
		}
		spec.Sockets = append(spec.Sockets, s.Name)
	}
	if err := d.keeper.Ensure(spec); err != nil {
		return err
	}
	return proxy.Send(ctx, d.config.proxyControl(), data)
}

// proxySockets are clients' and the daemon's, in the order in which the process
// expects them.
func (d *Daemon) proxySockets() []supervise.Socket {
	return []supervise.Socket{
		{Name: proxyProcess + "-clients", NetNS: d.network.World(), Network: "tcp4", Address: d.network.Proxy().String()},
		{Name: proxyProcess + "-control", Network: "unix", Address: d.config.proxyControl(), Mode: 0o600},
	}
}
