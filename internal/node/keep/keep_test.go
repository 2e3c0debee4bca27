package keep

import (
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

func TestTheLockIsHeldAsLongAsTheProcessLives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	asking := flock.New(path)
	if ok, err := asking.TryLock(); !ok {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { asking.Unlock() })
	if err := takeLock(path); err != nil {
		t.Fatalf("while someone only asks: %v", err)
	}
	for range 3 { // whatever the garbage collector does
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	if ok, _ := flock.New(path).TryLock(); ok {
		t.Error("another keeper could start")
	}
}
