package lab

import (
	"testing"
	"time"
)

// Busy is how many times longer a thing may take on a machine that others use too.
const Busy = 4

// Figure records how long something took beside its goal. Goals are kept on a quiet
// machine; on any, ten times as long fails the test.
func Figure(t testing.TB, what string, took, goal time.Duration) {
	t.Helper()
	verdict := "the goal is"
	if took > goal {
		verdict = "MISSED is the goal of"
	}
	t.Logf("%s: %v; %s %v", what, took.Round(time.Millisecond), verdict, goal)
	if took > 10*goal {
		t.Errorf("%s: %v, ten times the goal of %v", what, took, goal)
	}
}
