package eks

import (
	"context"
	"reflect"

	"github.com/eksact/eksact/internal/store"
)

// wake tells one who waits that what it looks at may have changed. What it was told
// before it looked is told once.
type wake chan struct{}

func newWake() wake { return make(wake, 1) }

func (w wake) nudge() {
	select {
	case w <- struct{}{}:
	default:
	}
}

// rewrite changes a record by fn, if there is one that is still the same, and fn makes a
// difference.
func rewrite[T any](ctx context.Context, records *store.Store, table *store.Table[T], key string, same func(*T) bool, fn func(*T)) error {
	return records.Update(ctx, func(tx *store.Tx) error {
		now, ok := table.In(tx).Get(key)
		if !ok || !same(&now) {
			return nil
		}
		was := now
		if fn(&now); !reflect.DeepEqual(was, now) {
			table.In(tx).Put(key, now)
		}
		return nil
	})
}
