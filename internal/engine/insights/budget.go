package insights

import (
	"fmt"
	"sync/atomic"
)

// DefaultMemory bounds what a query keeps of rows and groups, in bytes, unless Env says
// otherwise.
const DefaultMemory = 256 << 20

// A TooLargeError says that a query would keep more than it may.
type TooLargeError struct{ Limit int64 }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the query keeps more than %d MiB of rows or groups at once: narrow its time range or its filters, or group by fewer values", e.Limit>>20)
}

// A budget counts what all workers of a query keep.
type budget struct {
	limit int64
	used  atomic.Int64
}

// take counts bytes, or gives some back; it fails when there are too many.
func (b *budget) take(bytes int64) error {
	if b.used.Add(bytes) > b.limit {
		return &TooLargeError{b.limit}
	}
	return nil
}
