package control

import (
	"context"
	"sync"
	"time"
)

// Timeline records the steps of a start, for those who wait for it and for the
// figures.
type Timeline struct {
	mu      sync.Mutex
	steps   []Step
	changes int
	changed chan struct{}
}

// NewTimeline returns an empty one.
func NewTimeline() *Timeline { return &Timeline{changed: make(chan struct{})} }

// Begin notes the start of a step; the function it returns notes its end.
func (t *Timeline) Begin(name string) (end func(error)) {
	t.mu.Lock()
	i := len(t.steps)
	t.steps = append(t.steps, Step{Name: name, Started: time.Now()})
	t.touch()
	t.mu.Unlock()
	return func(err error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.steps[i].Took = max(time.Since(t.steps[i].Started), 1)
		if err != nil {
			t.steps[i].Error = err.Error()
		}
		t.touch()
	}
}

// Do is Begin and its end around fn.
func (t *Timeline) Do(name string, fn func() error) error {
	end := t.Begin(name)
	err := fn()
	end(err)
	return err
}

func (t *Timeline) touch() {
	t.changes++
	close(t.changed)
	t.changed = make(chan struct{})
}

// Progress is a Timeline at one moment.
type Progress struct {
	Changes int    `json:"changes"` // to be handed to the next call
	Steps   []Step `json:"steps"`
}

// Since waits until there were more changes than so many, half a minute at most,
// and returns all steps.
func (t *Timeline) Since(ctx context.Context, changes int) Progress {
	patience := time.NewTimer(30 * time.Second)
	defer patience.Stop()
	for {
		t.mu.Lock()
		p := Progress{t.changes, append([]Step(nil), t.steps...)}
		changed := t.changed
		t.mu.Unlock()
		if p.Changes != changes {
			return p
		}
		select {
		case <-changed:
		case <-patience.C:
			return p
		case <-ctx.Done():
			return p
		}
	}
}
