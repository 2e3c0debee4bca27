package logstore

import (
	"sync"
	"time"
)

// queue is groups that have work to be done in the background, each once.
type queue struct {
	mu      sync.Mutex
	more    *sync.Cond
	groups  []*Group
	stopped bool
}

func newQueue() *queue {
	q := &queue{}
	q.more = sync.NewCond(&q.mu)
	return q
}

func (q *queue) add(g *Group) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, o := range q.groups {
		if o == g {
			return
		}
	}
	q.groups = append(q.groups, g)
	q.more.Signal()
}

// again adds a group after a while.
func (q *queue) again(g *Group, after time.Duration) {
	time.AfterFunc(after, func() { q.add(g) })
}

func (q *queue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	q.more.Broadcast()
}

// run works until the queue is stopped.
func (q *queue) run(work func(*Group)) {
	for {
		q.mu.Lock()
		for len(q.groups) == 0 && !q.stopped {
			q.more.Wait()
		}
		if q.stopped {
			q.mu.Unlock()
			return
		}
		g := q.groups[0]
		q.groups = q.groups[1:]
		q.mu.Unlock()
		work(g)
	}
}
