package global

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/eksact/eksact/internal/hint"
)

// poll is how often Follow looks. The daemon's files are written within 200 ms.
const poll = 200 * time.Millisecond

// Recent are the flags of a command that shows the newest of something that a file of
// the daemon's records.
type Recent struct {
	Since  time.Time // the zero time: all
	Tail   int       // so many of the newest; 0 is all
	Follow bool

	what, since string
}

// AddTo adds the flags; what is shown is named in the plural.
func (r *Recent) AddTo(flags *pflag.FlagSet, what string) {
	r.what = what
	flags.StringVar(&r.since, "since", "", what+" since then: a duration such as 90m, or a time such as 2026-11-26T12:00:00Z")
	flags.IntVarP(&r.Tail, "tail", "n", 50, "so many of the newest; 0 is all")
	flags.BoolVarP(&r.Follow, "follow", "f", false, "go on with new "+what+" until interrupted")
}

// Read reads the flags, once they are parsed.
func (r *Recent) Read() (err error) {
	if r.Tail < 0 {
		return hint.New(fmt.Sprintf("-n %d is less than no %s", r.Tail, r.what), "-n 0 shows all")
	}
	r.Since, err = Since(r.since, time.Now())
	return err
}

// Follow shows what next finds until ctx ends.
func Follow[T any](ctx context.Context, next func() ([]T, error), show func([]T) error) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		found, err := next()
		if err == nil {
			err = show(found)
		}
		if err != nil {
			return err
		}
	}
}
