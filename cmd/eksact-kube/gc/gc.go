// Package gc tunes the garbage collector of a component: lazy while it starts,
// thrifty after.
package gc

import (
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// Variable names the environment variable that holds the setting: three fields "START,FOR,THEN", for instance "400,15s,50". START and THEN are
// percentages as in GOGC, FOR is a duration.
const Variable = "EKSACT_GC"

// Tune sets the collector's percentage to START now and to THEN after FOR.
//
// A component allocates most of its memory's worth in its first seconds, all of
// it to be kept: collecting then is work for nothing, and on two cores it is
// what a cluster's start waits for. Later the opposite holds: little is
// allocated and a small heap is worth its collections. An empty setting leaves
// Go's defaults and GOGC alone.
func Tune(setting string) error {
	if setting == "" {
		return nil
	}
	start, period, then, err := parse(setting)
	if err != nil {
		return err
	}
	debug.SetGCPercent(start)
	time.AfterFunc(period, func() {
		debug.SetGCPercent(then)
		debug.FreeOSMemory()
	})
	return nil
}

// parse reads "START,FOR,THEN".
func parse(setting string) (start int, period time.Duration, then int, err error) {
	fields := strings.Split(setting, ",")
	if len(fields) != 3 {
		return 0, 0, 0, fmt.Errorf("%s=%q: want START,FOR,THEN, as in 400,15s,50", Variable, setting)
	}
	if start, err = percent(fields[0]); err != nil {
		return 0, 0, 0, err
	}
	if period, err = time.ParseDuration(fields[1]); err != nil || period < 0 {
		return 0, 0, 0, fmt.Errorf("%s=%q: %q is not a duration such as 15s", Variable, setting, fields[1])
	}
	then, err = percent(fields[2])
	return start, period, then, err
}

// percent reads a positive percentage. Switching the collector off is refused:
// these processes live for days.
func percent(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s: %q is not a percentage above 0", Variable, s)
	}
	return n, nil
}
