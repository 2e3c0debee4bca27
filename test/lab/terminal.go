package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// slow is how long a line may take unmentioned.
const slow = 3 * time.Second

// patience is how long a line that only asks is asked again.
const patience = Busy * 3 * time.Second

// pause is between two tries.
const pause = 300 * time.Millisecond

// Terminal is somewhere to type lines of bash.
type Terminal struct {
	command func(line string) *exec.Cmd
	env     []string
	first   string
}

// Shell is a terminal in the VPC, in the workshop's folder.
func (l *Lab) Shell() Terminal { return l.shell("shell") }

// Laptop is a terminal outside the VPC that knows AWS's names.
func (l *Lab) Laptop() Terminal { return l.shell("shell", "--laptop") }

func (l *Lab) shell(args ...string) Terminal {
	return Terminal{command: func(line string) *exec.Cmd {
		all := append(append([]string{}, args...), "--", "bash", "-c", "cd ~/environment || exit\n"+line)
		return l.Command(all...)
	}}
}

// Host is a terminal on this machine after eval "$(eksact env)", which is done now and
// once, with a home of its own.
func (l *Lab) Host(t testing.TB) Terminal {
	t.Helper()
	home := t.TempDir()
	env, err := l.Command("env").Output()
	if err == nil {
		err = os.WriteFile(filepath.Join(home, ".env"), env, 0o600)
	}
	if err != nil {
		t.Fatalf("eksact env: %v", err)
	}
	return Terminal{command: func(line string) *exec.Cmd {
		return l.place(exec.Command("bash", "-c", "cd ~ && . ./.env || exit\n"+line))
	}}.With("HOME=" + home)
}

// With is the terminal with variables set, NAME=value.
func (x Terminal) With(env ...string) Terminal {
	x.env = append(x.env[:len(x.env):len(x.env)], env...)
	return x
}

// After is the terminal with a line typed before every other.
func (x Terminal) After(line string) Terminal {
	x.first += "{ " + line + "\n} || exit\n"
	return x
}

// Command is the line, not run yet.
func (x Terminal) Command(line string) *exec.Cmd {
	cmd := x.command(x.first + line)
	cmd.Dir = "/"
	cmd.WaitDelay = 10 * time.Second // for what the line left running
	cmd.Env = append(os.Environ(), x.env...)
	return cmd
}

// Run types a line and returns what it prints, trimmed. One that did not get to where it was
// to be carried out is typed again for some seconds.
func (x Terminal) Run(line string) (string, error) {
	began := time.Now()
	out, err := x.Command(line).CombinedOutput()
	for err != nil && unreached.Match(out) && time.Since(began) < patience {
		time.Sleep(pause)
		out, err = x.Command(line).CombinedOutput()
	}
	if took := time.Since(began); took > slow {
		fmt.Fprintf(os.Stderr, "%.1f s: $ %s\n", took.Seconds(), line)
	}
	return strings.TrimSpace(string(out)), err
}

// until types a line that only asks again, for some seconds, until it is answered as is
// good; others once. An answer that came late is printed.
func (x Terminal) until(t testing.TB, line string, good func(out string, err error) bool) (string, error) {
	began := time.Now()
	out, err := x.Run(line)
	for first := out; !good(out, err) && asks(line) && time.Since(began) < patience; {
		time.Sleep(pause)
		if out, err = x.Run(line); good(out, err) {
			note(fmt.Sprintf("late by %.1f s in %s: $ %s", time.Since(began).Seconds(), t.Name(), line), first)
		}
	}
	return out, err
}

// note prints what a test that passes has to tell, and a word of it where EKSACT_NOTES says:
// go test shows nothing of packages that pass.
func note(what, more string) {
	fmt.Fprintf(os.Stderr, "%s\n%s\n", what, more)
	f, err := os.OpenFile(os.Getenv("EKSACT_NOTES"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintln(f, what)
}

// Must runs a line that must succeed and print each of wants. One that only asks is
// asked again for some seconds: what nodes and controllers do shows by and by, most of
// all after they were cut off or killed.
func (x Terminal) Must(t testing.TB, line string, wants ...string) string {
	t.Helper()
	out, err := x.until(t, line, func(out string, err error) bool { return err == nil && contains(out, wants) })
	if err != nil {
		t.Fatalf("$ %s\n%s\n%v", line, out, err)
	}
	Has(t, line, out, wants...)
	return out
}

// Refused runs a line that must fail and print each of wants, the reason. One that only asks
// and fails for another reason is asked again for some seconds; when it succeeds, be it at
// first or later, the test fails at once.
func (x Terminal) Refused(t testing.TB, line string, wants ...string) string {
	t.Helper()
	out, err := x.until(t, line, func(out string, err error) bool { return err == nil || contains(out, wants) })
	if err == nil {
		t.Fatalf("$ %s\n%s\nwas not refused", line, out)
	}
	Has(t, line, out, wants...)
	return out
}

// Soon runs a line until it succeeds and prints each of wants, and returns how
// long that took. It fails the test after the limit, which is a quiet machine's.
func (x Terminal) Soon(t testing.TB, limit time.Duration, line string, wants ...string) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Busy*limit)
	defer cancel()
	began := time.Now()
	for {
		out, err := x.Run(line)
		if err == nil && contains(out, wants) {
			return time.Since(began)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("$ %s\n%s\n%v; after %s it still lacks %q", line, out, err, Busy*limit, wants)
		case <-time.After(pause):
		}
	}
}

// Has checks that a line's output holds each of wants.
func Has(t testing.TB, line, out string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(out, want) {
			t.Errorf("$ %s\n%s\nlacks %q", line, out, want)
		}
	}
}

func contains(out string, wants []string) bool {
	for _, want := range wants {
		if !strings.Contains(out, want) {
			return false
		}
	}
	return true
}
