package alerts

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/aws/cloudwatch"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/hint"
)

// write adds a change to the daemon's file.
func write(t *testing.T, stateDir, alarm, to string, at time.Time) {
	t.Helper()
	dir := filepath.Join(stateDir, "alerts")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	line, _ := json.Marshal(map[string]any{"time": at, "alarm": alarm, "from": "OK", "to": to, "reason": "Threshold Crossed: 1 datapoint"})
	f, err := os.OpenFile(filepath.Join(dir, "alerts.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
}

// buffer is safe to be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func run(ctx context.Context, out *buffer, stateDir, output string, args ...string) error {
	cmd := New(&global.Options{StateDir: stateDir, Output: output})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(out)
	cmd.SetArgs(args)
	return cmd.ExecuteContext(ctx)
}

func TestChangesAreShown(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	for i := range 5 {
		write(t, dir, fmt.Sprintf("cluster-audit-%d", i), "ALARM", now.Add(time.Duration(i-5)*time.Hour))
	}
	write(t, dir, "other", "OK", now)
	for want, args := range map[string][]string{
		"0 1 2 3 4 other": nil, "4 other": {"-n", "2"}, "0 1 2 3 4": {"--alarm", "cluster-*"}, "3 4 other": {"--since", "150m"}, "other": {"--alarm", "other"},
	} {
		var out buffer
		if err := run(t.Context(), &out, dir, "json", args...); err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			var c cloudwatch.StateChange
			if err := json.Unmarshal([]byte(line), &c); err != nil {
				t.Fatal(err)
			}
			got = append(got, strings.TrimPrefix(c.Alarm, "cluster-audit-"))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v: %v, want %s", args, got, want)
		}
	}
	var out buffer
	if err := run(t.Context(), &out, dir, ""); err != nil || strings.Count(out.String(), "\n") != 7 || !strings.Contains(out.String(), "ALARM              cluster-audit-0 ") || !strings.Contains(out.String(), "  1 datapoint\n") {
		t.Errorf("%s, %v", out.String(), err)
	}
	for _, args := range [][]string{{"-n", "-1"}, {"--since", "soon"}, {"--alarm", "["}, {"--alarm", "none"}} {
		if err := run(t.Context(), &out, dir, "", args...); err == nil || len(hint.Lines(err)) == 0 {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// TestFollowing: new changes are shown, also those around the beginning of a new file.
func TestFollowing(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	var out buffer
	done := make(chan error)
	go func() { done <- run(ctx, &out, dir, "json", "-f") }()
	shows := func(alarm string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !strings.Contains(out.String(), alarm); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s is not shown:\n%s", alarm, out.String())
			}
		}
	}
	write(t, dir, "first", "ALARM", time.Now())
	shows("first")
	write(t, dir, "second", "ALARM", time.Now())
	if err := os.Rename(filepath.Join(dir, "alerts", "alerts.jsonl"), filepath.Join(dir, "alerts", "alerts.1.jsonl")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "third", "ALARM", time.Now())
	shows("third")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, alarm := range []string{"first", "second", "third"} {
		if n := strings.Count(out.String(), alarm); n != 1 {
			t.Errorf("%s is shown %d times", alarm, n)
		}
	}
}

func TestTemplateAndRefusals(t *testing.T) {
	var out buffer
	if err := run(t.Context(), &out, "", "", "template", "--allowed", "203.0.113.0/24", "--url", "https://hooks.example/a", "--cluster", "shop"); err != nil || !json.Valid([]byte(out.String())) || !strings.Contains(out.String(), `203.0.113.*`) || !strings.Contains(out.String(), `"Default":"shop"`) {
		t.Errorf("%s, %v", out.String(), err)
	}
	for want, args := range map[string][]string{
		"no network": {"template", "--allowed", "here"}, "neither http": {"template", "--url", "mail:me"}, "no detection": {"template", "--detection", "x"}, "the account can't be asked": {"enable", "--url", "http://127.0.0.1:1/"}, "10.0.0.9 is not on the Internet": {"enable", "--url", "http://10.0.0.9/"},
	} {
		if err := run(t.Context(), &out, "", "", args...); err == nil || !strings.Contains(err.Error(), want) || len(hint.Lines(err)) == 0 {
			t.Errorf("%v: %v", args, err)
		}
	}
}
