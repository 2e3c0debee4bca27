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

// A machine that does something else meanwhile tells nothing of two servers'
// ratio. A measurement is therefore taken again, a few times at most, as long as
// others take more than a tenth of the processors.
const (
	calm  = 0.10
	tries = 5
)

// tick is a unit of the kernel's own account: USER_HZ is 100 on Linux.
const tick = 10 * time.Millisecond

// busy is the time that all processes together have used so far.
func busy() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text)) // cpu USER NICE SYSTEM IDLE …
	if len(fields) < 4 || fields[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat begins with %.40q", text)
	}
	return ticks(fields[1:4])
}

// cpu is the processor time the server has used so far.
func (s *server) cpu() (time.Duration, error) {
	path := fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest) // from the third on
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s is short", path)
	}
	return ticks(fields[11:13])
}

func ticks(fields []string) (sum time.Duration, err error) {
	for _, f := range fields {
		n, err := strconv.Atoi(f)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// own is the processor time this process has used so far.
func own() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// account is what was used up to a moment.
type account struct {
	at                  time.Time
	all, client, server time.Duration
}

func (s *server) account() (a account, err error) {
	if a.server, err = s.cpu(); err != nil {
		return a, err
	}
	if a.client, err = own(); err != nil {
		return a, err
	}
	a.all, err = busy()
	a.at = time.Now()
	return a, err
}

// others is the share of the processors that neither client nor server used
// between two moments, and that was not idle.
func (a account) others(b account) float64 {
	rest := (b.all - a.all) - (b.client - a.client) - (b.server - a.server)
	return max(0, rest.Seconds()) / b.at.Sub(a.at).Seconds() / float64(runtime.NumCPU())
}
