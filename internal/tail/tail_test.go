package tail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPositions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Position{Inode: rapid.Uint64().Draw(t, "inode"), Offset: rapid.Int64Range(0, 1<<62).Draw(t, "offset"), Head: rapid.Int64Range(0, headBytes).Draw(t, "head")}
		if p.Head > 0 {
			p.Sum = sum([]byte("x"))
		}
		if got, err := Parse(p.String()); err != nil || got != p {
			t.Fatalf("%q: %+v, %v", p.String(), got, err)
		}
	})
	for _, text := range []string{"", "x", "1 2", "1 -2 3 x", "1 2 9999 x"} {
		if p, err := Parse(text); err == nil {
			t.Errorf("%q is %+v", text, p)
		}
	}
}

func TestLocating(t *testing.T) {
	file := func(inode uint64, text string) candidate {
		return candidate{inode, int64(len(text)), []byte(text)}
	}
	a := file(1, "first line\nsecond\n")
	for name, test := range map[string]struct {
		at    Position
		files []candidate
		want  int // -1: nowhere
	}{
		"where it was":                {a.at(11), []candidate{a}, 0},
		"renamed":                     {a.at(11), []candidate{a, file(2, "third\n")}, 0},
		"copied, cut to nothing":      {a.at(11), []candidate{file(7, "first line\nsecond\n"), file(1, "")}, 0},
		"its inode is another file's": {a.at(11), []candidate{file(1, "other lines that are long enough\n")}, -1},
		"gone":                        {a.at(11), []candidate{file(2, "third\n")}, -1},
		"shorter than what was read":  {a.at(18), []candidate{file(1, "first line\n")}, -1},
		"nothing was read yet":        {a.at(0), []candidate{file(2, "x"), a}, 1},
		"nothing was read, and gone":  {a.at(0), []candidate{file(2, "x")}, -1},
		"grown":                       {a.at(11), []candidate{file(1, "first line\nsecond\nthird\n")}, 0},
		"restored with another inode": {a.at(11), []candidate{file(3, "nothing of it, at all\n"), file(9, "first line\nsecond\n")}, 1},
	} {
		i, ok := locate(test.at, test.files)
		if !ok {
			i = -1
		}
		if i != test.want {
			t.Errorf("%s: %d, want %d", name, i, test.want)
		}
	}
}

func TestSplitting(t *testing.T) {
	for _, test := range []struct {
		data  string
		final bool
		want  string
		end   int
	}{
		{"", false, "", 0}, {"a", false, "", 0}, {"a", true, "a", 1}, {"a\n\nb\nc", false, "a,b", 5}, {"a\nb", true, "a,b", 3},
	} {
		lines, end := split([]byte(test.data), test.final)
		if got := strings.Join(lines, ","); got != test.want || end != test.end {
			t.Errorf("%q: %q, %d", test.data, got, end)
		}
	}
	if lines, _ := split([]byte(strings.Repeat("x", 2<<20)+"\n"), false); len(lines[0]) != maxLine {
		t.Errorf("a long line has %d bytes", len(lines[0]))
	}
}

// sink keeps lines and position together, as a log stream does.
type sink struct {
	mu    sync.Mutex
	lines []string
	mark  string
	fail  bool
}

func (s *sink) deliver(_ context.Context, b Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail && rand.IntN(3) == 0 {
		return errors.New("the disk is full")
	}
	if b.Uncertain {
		s.lines = append(s.lines, "uncertain")
	}
	s.lines, s.mark = append(s.lines, b.Lines...), b.After.String()
	return nil
}

func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.lines)
}

// While a log is written and rotated in both ways, readers come and go. Each line is
// there once, in order.
func TestEachLineOnce(t *testing.T) {
	for name, rotate := range map[string]func(path string, n int) error{
		"renamed": func(path string, n int) error {
			return os.Rename(path, strings.TrimSuffix(path, ".log")+fmt.Sprintf("-2026-11-27T%06d.log", n))
		},
		"copied": func(path string, _ int) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(path+".1", data, 0o600), os.Truncate(path, 0))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.log")
			s := &sink{}
			const all = 3000
			written := make(chan error, 1)
			go func() {
				var err error
				for n := 0; n < all && err == nil; n++ {
					var file *os.File
					if file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err == nil {
						line := fmt.Sprintf("line %d %s\n", n, strings.Repeat("x", n%400))
						cut := n % len(line)
						_, err = io.WriteString(file, line[:cut])
						_, err2 := io.WriteString(file, line[cut:])
						err = errors.Join(err, err2, file.Close())
					}
					if n%700 == 699 {
						for name == "copied" && s.count() < n-300 { // a second copy would overwrite what is unread
							time.Sleep(time.Millisecond)
						}
						err = errors.Join(err, rotate(path, n))
					}
					if n%10 == 0 {
						time.Sleep(time.Millisecond)
					}
				}
				written <- err
			}()
			for end := time.Now().Add(20 * time.Second); s.count() < all && time.Now().Before(end); {
				at, err := Parse(s.mark)
				if err != nil && s.mark != "" {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
				f := &Follower{Path: path, Deliver: s.deliver, Log: slog.New(slog.DiscardHandler)}
				_ = f.Run(ctx, at)
				cancel()
			}
			if err := <-written; err != nil {
				t.Fatal(err)
			}
			if s.count() != all {
				t.Fatalf("%d lines of %d", s.count(), all)
			}
			for n, line := range s.lines {
				if !strings.HasPrefix(line, fmt.Sprintf("line %d ", n)) {
					t.Fatalf("line %d is %.40s", n, line)
				}
			}
		})
	}
}

func TestFailuresAndLostPositions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old\n")
	end, err := End(path)
	if err != nil {
		t.Fatal(err)
	}
	run := func(s *sink, from Position, want ...string) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		f := &Follower{Path: path, Deliver: s.deliver, Log: slog.New(slog.DiscardHandler)}
		go func() { _ = f.Run(ctx, from) }()
		for end := time.Now().Add(time.Minute); s.count() < len(want) && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if !slices.Equal(s.lines, want) {
			t.Errorf("got %q, want %q", s.lines, want)
		}
	}
	write("old\nnew\nhalf")
	run(&sink{}, end, "new")
	run(&sink{fail: true}, Position{}, "old", "new")
	write("quite another file\n")
	run(&sink{}, end, "uncertain", "quite another file")
}
