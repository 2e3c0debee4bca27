package lab

import (
	"sync"
	"testing"
)

// Part is a part of a test, a subtest of its own.
type Part struct {
	Name string
	Test func(*testing.T)
}

// Together runs parts at the same time, each for what the others wait for, and returns
// when all have ended. They must not be in each other's way.
func Together(t *testing.T, parts ...Part) {
	var running sync.WaitGroup
	for _, p := range parts {
		running.Go(func() { t.Run(p.Name, p.Test) }) // by t.Parallel no more than there are CPUs would run
	}
	running.Wait()
}

// InTurn runs parts one after the other.
func InTurn(t *testing.T, parts ...Part) {
	for _, p := range parts {
		t.Run(p.Name, p.Test)
	}
}

// Sequence is a part that consists of others, one after the other.
func Sequence(name string, parts ...Part) Part {
	return Part{name, func(t *testing.T) { InTurn(t, parts...) }}
}
