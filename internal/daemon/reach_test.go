package daemon

import (
	"os"
	"strings"
	"testing"

	"github.com/gofrs/flock"

	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/node/keep"
)

func TestWhatRunsIsItsOwners(t *testing.T) {
	run := t.TempDir()
	mine, other := Default("/mine", run), Default("/other", run)
	if err := Reach(run); err == nil || !strings.Contains(err.Error(), "does not run") {
		t.Errorf("nothing runs, and Reach says %v", err)
	}

	// A keeper is who holds this lock.
	lock := flock.New(keep.Lock(run))
	if ok, err := lock.TryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	defer lock.Unlock()
	if err := mine.Claim(); err != nil {
		t.Fatal(err)
	}
	if err := Reach(run); err != nil {
		t.Error(err)
	}
	if err := mine.Ours(); err != nil {
		t.Error(err)
	}
	if err := other.Ours(); err == nil || !strings.Contains(err.Error(), "/mine") || len(hint.Lines(err)) == 0 {
		t.Errorf("another's data runs, and it is %v", err)
	}
	if err := os.Remove(mine.claim()); err != nil {
		t.Fatal(err)
	}
	if err := other.Ours(); err != nil {
		t.Errorf("whose it is can't be told, and it is %v", err)
	}
}
