package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is a unit of the kernel's own account: USER_HZ is 100 on Linux.
const tick = 10 * time.Millisecond

// load is what was used up to a moment: by all processes, and by this one and
// those that it started and that have ended.
type load struct {
	at       time.Time
	all, own time.Duration
}

func startLoad() load { return load{time.Now(), busy(), own()} }

// others is the share of the processors that others took since.
func (l load) others() float64 {
	rest := busy() - l.all - (own() - l.own)
	return max(0, rest.Seconds()) / time.Since(l.at).Seconds() / float64(runtime.NumCPU())
}

// busy is the time that all processes together have used so far; 0 where the
// kernel does not tell.
func busy() (sum time.Duration) {
	text, _ := os.ReadFile("/proc/stat")
	fields := strings.Fields(string(text)) // cpu USER NICE SYSTEM IDLE …
	if len(fields) < 4 {
		return 0
	}
	for _, f := range fields[1:4] {
		n, _ := strconv.Atoi(f)
		sum += time.Duration(n) * tick
	}
	return sum
}

func own() (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return sum
}

// machine says on what it was measured.
func machine() string {
	name := runtime.GOARCH
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			name = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("%d CPUs (%s), %s", runtime.NumCPU(), name, runtime.Version())
}
