package daemon

import (
	"crypto/sha256"
	"fmt"
	"log/slog"

	"github.com/eksact/eksact/internal/aws/logs/storage"
	"github.com/eksact/eksact/internal/logstore/clickhouse"
)

// logEvents is where log events are kept: here, and, where a server is named, in
// ClickHouse too, where queries are run then.
func (d *Daemon) logEvents() (storage.Storage, error) {
	if d.config.ClickHouse == "" {
		return storage.NewColumns(d.logStore, slog.Default()), nil
	}
	server, err := clickhouse.Open(d.config.ClickHouse)
	if err != nil {
		return nil, err
	}
	file := fmt.Sprintf("logs-in-clickhouse/%.8x.json", sha256.Sum256([]byte(server.Name())))
	log := func(group string) string { return d.config.Account + ":" + group }
	d.forwarded, err = storage.NewForwarded(d.logStore, server, log, d.config.state(file), slog.Default())
	return d.forwarded, err
}
