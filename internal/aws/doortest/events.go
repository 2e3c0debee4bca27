package doortest

import (
	"log/slog"
	"testing"

	"github.com/eksact/eksact/internal/aws/logs/storage"
	"github.com/eksact/eksact/internal/logstore"
)

// Events is a store of log events, which ends with the test.
func Events(t testing.TB) storage.Storage {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	store, err := logstore.Open(t.TempDir(), logstore.Options{Log: log, Cache: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return storage.NewColumns(store, log)
}
