package gc

import (
	"runtime/debug"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		setting     string
		start, then int
		period      time.Duration
		ok          bool
	}{
		{"400,15s,50", 400, 50, 15 * time.Second, true},
		{"100,0s,100", 100, 100, 0, true},
		{"400,15s", 0, 0, 0, false},
		{"400,15s,50,1", 0, 0, 0, false},
		{"400,15,50", 0, 0, 0, false},
		{"400,-1s,50", 0, 0, 0, false},
		{"off,15s,50", 0, 0, 0, false},
		{"-1,15s,50", 0, 0, 0, false},
		{"400,15s,0", 0, 0, 0, false},
		{",,", 0, 0, 0, false},
	} {
		start, period, then, err := parse(tc.setting)
		if (err == nil) != tc.ok {
			t.Errorf("parse(%q): error %v, want ok=%v", tc.setting, err, tc.ok)
			continue
		}
		if tc.ok && (start != tc.start || period != tc.period || then != tc.then) {
			t.Errorf("parse(%q) = %d, %v, %d", tc.setting, start, period, then)
		}
	}
}

func TestTune(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	if err := Tune(""); err != nil {
		t.Fatal(err)
	}
	if got := debug.SetGCPercent(100); got != 100 {
		t.Fatalf("an empty setting changed the percentage to %d", got)
	}
	if err := Tune("400,1h,50"); err != nil {
		t.Fatal(err)
	}
	if got := debug.SetGCPercent(100); got != 400 {
		t.Fatalf("percentage after Tune is %d, want 400", got)
	}
	if err := Tune("300,1ms,77"); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for {
		got := debug.SetGCPercent(300)
		if got == 77 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("percentage stayed at %d, want 77 after 1 ms", got)
		}
		time.Sleep(time.Millisecond)
	}
}
