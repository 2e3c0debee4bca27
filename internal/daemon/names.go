package daemon

import (
	"context"
	"log/slog"
	"sync"

	"github.com/eksact/eksact/internal/hosts"
)

// hostsBlock is what the machine's hosts file is to say.
type hostsBlock struct {
	mu sync.Mutex
	on bool
}

// HostsQuestion turns the block in the machine's hosts file on or off.
type HostsQuestion struct{ On bool }

func (d *Daemon) setHosts(_ context.Context, q HostsQuestion) (struct{}, error) {
	d.hosts.mu.Lock()
	d.hosts.on = q.On
	d.hosts.mu.Unlock()
	return struct{}{}, d.writeHosts()
}

// refreshHosts brings the block up to date; a failure is no reason to fail what
// changed the names.
func (d *Daemon) refreshHosts() {
	if err := d.writeHosts(); err != nil {
		slog.Error("the hosts file can't be written", "error", err)
	}
}

func (d *Daemon) writeHosts() error {
	d.hosts.mu.Lock()
	defer d.hosts.mu.Unlock()
	if !d.hosts.on {
		return hosts.Remove(hosts.File)
	}
	entries := []hosts.Entry{{Name: d.ecr.Host(), Address: d.network.Front()}}
	d.mu.Lock()
	for _, k := range d.clusters {
		for _, a := range k.outside {
			if d.network.Private(a) {
				continue // the machine's own routes would lead there, and out
			}
			entries = append(entries, hosts.Entry{Name: k.record.Host, Address: a})
		}
	}
	if len(d.clusters) > 0 {
		entries = append(entries, hosts.Entry{Name: d.issuerHost(), Address: d.network.Front()})
	}
	d.mu.Unlock()
	for name, all := range d.balancers.Names() {
		for _, a := range all {
			entries = append(entries, hosts.Entry{Name: name, Address: a})
		}
	}
	return hosts.Set(hosts.File, entries)
}
