package cloudformation

import "context"

// Again is the service as it is after a restart of the daemon: what is stored is all
// that is left of the old one, which was closed.
func (s *Service) Again() *Service {
	n := &Service{Deps: s.Deps, door: s.door, stacks: s.stacks, events: s.events, changes: s.changes, drivers: map[string]*driver{}}
	n.life, n.end = context.WithCancel(context.Background())
	return n
}

// Settled is closed when no operation of a stack is in progress.
func (s *Service) Settled(arn string) <-chan struct{} { return s.driver(keyOf(arn)).resting() }
