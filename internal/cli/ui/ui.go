// Package ui shows progress to people: a spinner and a tick on a terminal, plain
// lines elsewhere, elapsed time at the end of each.
package ui

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// Progress shows steps, of which several may run at once.
type Progress struct {
	out     io.Writer
	tty     bool
	mu      sync.Mutex
	running []*step
	stop    chan struct{}
	once    sync.Once
}

type step struct {
	name  string
	since time.Time
}

// New returns a Progress on out; f is out's file, if it has one.
func New(f *os.File) *Progress {
	p := &Progress{out: f, tty: term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb", stop: make(chan struct{})}
	if p.tty {
		go p.spin()
	}
	return p
}

var frames = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

func (p *Progress) spin() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.mu.Lock()
			if n := len(p.running); n > 0 {
				s := p.running[n-1]
				fmt.Fprintf(p.out, "\r\033[K %s %s %s", frames[i%len(frames)], s.name, elapsed(time.Since(s.since)))
			}
			p.mu.Unlock()
		}
	}
}

// Begin shows that a step has begun.
func (p *Progress) Begin(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = append(p.running, &step{name, time.Now()})
}

// End shows that a step has ended, well or not, after so long.
func (p *Progress) End(name string, took time.Duration, failed string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, s := range p.running {
		if s.name == name {
			p.running = append(p.running[:i], p.running[i+1:]...)
			break
		}
	}
	mark := "✓"
	if failed != "" {
		mark, failed = "✗", ": "+failed
	}
	if p.tty {
		fmt.Fprint(p.out, "\r\033[K")
	}
	fmt.Fprintf(p.out, " %s %s%s %s\n", mark, name, failed, elapsed(took))
}

// Do shows fn as one step.
func (p *Progress) Do(name string, fn func() error) error {
	start := time.Now()
	p.Begin(name)
	err := fn()
	failed := ""
	if err != nil {
		failed = "failed"
	}
	p.End(name, time.Since(start), failed)
	return err
}

// Close clears what is unfinished from the screen.
func (p *Progress) Close() {
	p.once.Do(func() {
		close(p.stop)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.tty {
			fmt.Fprint(p.out, "\r\033[K")
		}
	})
}

func elapsed(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("(%d ms)", d.Milliseconds())
	}
	return fmt.Sprintf("(%.1f s)", d.Seconds())
}
