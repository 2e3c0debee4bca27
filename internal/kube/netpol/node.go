package netpol

import (
	"context"
	"fmt"
	"time"

	"github.com/eksact/eksact/internal/engine/ruleset"
)

// node is a node's kernel and what is on its way there.
type node struct {
	name     string
	enforcer Enforcer
	stop     context.CancelFunc
	work     chan struct{}

	// Under the controller's lock.
	pending  []step
	fresh    bool // all is to be loaded anew; pending counts for nothing then
	busy     bool // with what was pending before
	enforced uint64
	loaded   time.Time // when the node was first enforced
	failed   error     // of the last try
}

// step is a generation's change; nil if it has none here.
type step struct {
	generation uint64
	delta      *ruleset.Delta
}

// AddNode has a node enforced until ctx ends or it is removed: its program is loaded
// when all objects are known, and followed from then on. What the kernel holds stays
// until then and after.
func (c *Controller) AddNode(ctx context.Context, name string, e Enforcer) {
	ctx, stop := context.WithCancel(ctx)
	n := &node{name: name, enforcer: e, stop: stop, work: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.nodes[name]; old != nil {
		old.stop()
	}
	c.nodes[name] = n
	n.reload()
	c.touch()
	go c.tend(ctx, n)
}

// RemoveNode forgets a node: nobody waits for it any more.
func (c *Controller) RemoveNode(name string, e Enforcer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.nodes[name]; n != nil && n.enforcer == e {
		n.stop()
		delete(c.nodes, name)
		c.touch()
	}
}

// change hands a generation on. The controller's lock is held.
func (n *node) change(c *Controller, d *ruleset.Delta) {
	if d == nil && len(n.pending) == 0 && !n.fresh && !n.busy {
		n.reached(c, c.generation)
		return
	}
	n.pending = append(n.pending, step{c.generation, d})
	n.wake()
}

// reload has everything written anew. The controller's lock is held.
func (n *node) reload() {
	n.fresh = true
	n.wake()
}

func (n *node) wake() {
	select {
	case n.work <- struct{}{}:
	default:
	}
}

// reached notes that the node enforces a generation. The controller's lock is held.
func (n *node) reached(c *Controller, generation uint64) {
	now := time.Now()
	n.enforced, n.failed = generation, nil
	if n.loaded.IsZero() {
		n.loaded = now
	}
	for name, r := range c.open {
		if _, noted := r.enforced[n.name]; !noted && r.generation <= generation {
			r.enforced[n.name] = now
		}
		if len(r.enforced) >= len(c.nodes) {
			delete(c.open, name)
		}
	}
}

// Pauses after a failure double from the first to the last.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// tend writes what is on its way to a node into its kernel.
func (c *Controller) tend(ctx context.Context, n *node) {
	pause := firstPause
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.work:
		}
		err := c.write(n)
		if err == nil {
			pause = firstPause
			continue
		}
		c.log.Error("network policies can't be enforced on a node; it is tried again", "node", n.name, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
		n.wake()
	}
}

// write carries out what is pending. After a failure all is written anew.
func (c *Controller) write(n *node) error {
	c.mu.Lock()
	if !c.synced {
		c.mu.Unlock()
		return nil // the first flush wakes it
	}
	steps, fresh, generation := n.pending, n.fresh, c.generation
	n.pending, n.fresh, n.busy = nil, false, true
	var program *ruleset.Program
	if fresh {
		program = (&ruleset.Program{}).Clone()
		if c.on {
			program = c.compiler.Program(n.name)
		}
	}
	on := c.on
	c.mu.Unlock()
	var err error
	if fresh {
		err = n.enforcer.Load(program)
	} else {
		var changes []*ruleset.Delta
		for _, s := range steps {
			generation = s.generation
			if s.delta != nil && on {
				changes = append(changes, s.delta)
			}
		}
		if len(changes) > 0 {
			err = n.enforcer.Apply(changes...)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n.busy = false
	if err != nil {
		n.fresh = true
		n.failed = fmt.Errorf("node %s: %w", n.name, err)
		c.touch()
		return err
	}
	if fresh || len(steps) > 0 {
		n.reached(c, generation)
		c.touch()
	}
	return nil
}

// behind names a node that has not enforced a generation. The controller's lock is
// held.
func (c *Controller) behind(generation uint64) (*node, bool) {
	for _, n := range c.nodes {
		if n.enforced < generation {
			return n, true
		}
	}
	return nil, false
}
