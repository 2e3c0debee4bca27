package logstore

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// tailOf is the file of a group's only tail.
func tailOf(t *testing.T, g *Group) string {
	t.Helper()
	tails, err := filepath.Glob(filepath.Join(g.dir, "*.tail"))
	if err != nil || len(tails) != 1 {
		t.Fatalf("%v, %v", tails, err)
	}
	return tails[0]
}

// TestTailsCutAnywhere: of a tail that ends anywhere the batches that are whole are
// there, and it goes on.
func TestTailsCutAnywhere(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	g := group(t, s, "g")
	file := tailOf(t, g)
	size := func() int {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		return int(info.Size())
	}
	ends := []int{size()}
	for n := range 5 {
		if err := g.Append("s", numberedEvents(n*3, 3), fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, size())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range data {
		whole := 0
		for whole < 5 && ends[whole+1] <= cut {
			whole++
		}
		if err := os.WriteFile(file, data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s := openStore(t, dir, Options{})
		g := group(t, s, "g")
		if got := everything(t, g, Query{}); len(got) != whole*3 {
			t.Fatalf("cut at %d: %d events, want %d", cut, len(got), whole*3)
		}
		mark := ""
		if whole > 0 {
			mark = fmt.Sprint(whole - 1)
		}
		if got := g.Mark("s"); got != mark {
			t.Fatalf("cut at %d: mark %q, want %q", cut, got, mark)
		}
		put(t, g, "s", numberedEvents(90, 1)...)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openStore(t, dir, Options{})
		if got := everything(t, group(t, s, "g"), Query{}); len(got) != whole*3+1 {
			t.Fatalf("cut at %d: %d events after one more", cut, len(got))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		damaged, _ := filepath.Glob(filepath.Join(g.dir, "*"))
		for _, f := range damaged {
			if filepath.Base(f) != "name" {
				os.Remove(f)
			}
		}
	}
}

// TestTailsDamagedAnywhere: a byte that changed costs the batch it is in, or what the
// head of the file is for.
func TestTailsDamagedAnywhere(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	g := group(t, s, "g")
	file := tailOf(t, g)
	want := map[string]bool{}
	for n := range 3 {
		put(t, g, "s", numberedEvents(n, 1)...)
		want[fmt.Sprintf(`{"n":%d,"verb":"get"}`, n)] = true
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for at := range data {
		bad := bytes.Clone(data)
		bad[at] ^= 0x20
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s := openStore(t, dir, Options{})
		g := group(t, s, "g")
		got := everything(t, g, Query{})
		for _, e := range got {
			if !want[e.Message] {
				t.Fatalf("byte %d: %+v", at, e)
			}
		}
		if at >= headBytes && len(got) < 2 {
			t.Fatalf("byte %d: %d events", at, len(got))
		}
		put(t, g, "s", numberedEvents(9, 1)...)
		settle(t, g)
		if after := everything(t, g, Query{}); len(after) != len(got)+1 {
			t.Fatalf("byte %d: %d events, then %d", at, len(got), len(after))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		files, _ := filepath.Glob(filepath.Join(g.dir, "*"))
		for _, f := range files {
			if filepath.Base(f) != "name" {
				os.Remove(f)
			}
		}
	}
}

// TestSegmentsDamagedAnywhere: what can be read is read, and is right.
func TestSegmentsDamagedAnywhere(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	g := group(t, s, "g")
	e := numberedEvents(0, 300)
	put(t, g, "s", e...)
	settle(t, g)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(g.dir, "*.segment"))
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for at := range data {
		bad := bytes.Clone(data)
		bad[at] ^= 0x04
		if err := os.WriteFile(files[0], bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s := openStore(t, dir, Options{})
		n, damaged := 0, false
		for got, err := range group(t, s, "g").Read(Query{To: Place{Time: 1 << 60}}) {
			if err != nil {
				damaged = true
			} else if n++; got != e[got.Sequence] {
				t.Fatalf("byte %d: %+v", at, got)
			}
		}
		if n < len(e) && !damaged {
			t.Fatalf("byte %d: %d events and no error", at, n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// fullDisk is files that have room for so many bytes together.
type fullDisk struct {
	mu       sync.Mutex
	room     int64
	syncFail bool
}

type limited struct {
	*os.File
	d *fullDisk
}

func (d *fullDisk) create(path string) (file, error) {
	f, err := create(path)
	if err != nil {
		return nil, err
	}
	return &limited{f.(*os.File), d}, nil
}

// take gives how many of n bytes there is room for.
func (d *fullDisk) take(n int) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if int64(n) > d.room {
		n = int(d.room)
		d.room = 0
		return n, syscall.ENOSPC
	}
	d.room -= int64(n)
	return n, nil
}

func (f *limited) WriteAt(b []byte, at int64) (int, error) {
	n, full := f.d.take(len(b))
	n, err := f.File.WriteAt(b[:n], at)
	return n, errors.Join(err, full)
}

func (f *limited) Write(b []byte) (int, error) {
	n, full := f.d.take(len(b))
	n, err := f.File.Write(b[:n])
	return n, errors.Join(err, full)
}

func (f *limited) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.syncFail {
		return syscall.EIO
	}
	return f.File.Sync()
}

func (d *fullDisk) set(room int64, syncFail bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room, d.syncFail = room, syncFail
}

// TestFullDisk runs out of room again and again, at all kinds of moments: what was
// acknowledged is there, what wasn't isn't, and once there is room it goes on.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	d := &fullDisk{room: 1 << 40}
	s := openStore(t, dir, Options{create: d.create, smallest: 50})
	g := group(t, s, "g")
	r := rand.New(rand.NewPCG(3, 3))
	want := map[string]bool{}
	refused := 0
	for n := range 300 {
		d.set(1<<40, false)
		switch n % 3 {
		case 1:
			d.set(int64(r.IntN(3000)), false)
		case 2:
			d.set(1<<40, r.IntN(4) == 0)
		}
		e := numberedEvents(n*10, 1+r.IntN(10))
		err := g.Append("s", e, fmt.Sprint(n))
		if err != nil {
			if refused++; !errors.Is(err, ErrPaused) || !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EIO) {
				t.Fatal(err)
			}
			continue
		}
		if got := g.Mark("s"); got != fmt.Sprint(n) {
			t.Fatalf("mark %s, want %d", got, n)
		}
		for _, e := range e {
			want[e.Message] = true
		}
	}
	d.set(1<<40, false)
	last := []Event{{Time: 1, Message: "last"}}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := g.Append("s", last, "")
		if err == nil {
			break
		}
		if !errors.Is(err, ErrPaused) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	want["last"] = true
	check := func(g *Group) {
		t.Helper()
		got := map[string]bool{}
		for _, e := range everything(t, g, Query{}) {
			if got[e.Message] {
				t.Errorf("%s is there twice", e.Message)
			}
			got[e.Message] = true
		}
		if !maps.Equal(got, want) {
			t.Errorf("%d events, want %d", len(got), len(want))
		}
		if rows := scanned(t, g); len(rows) != len(want) {
			t.Errorf("%d rows, want %d", len(rows), len(want))
		}
	}
	check(g)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(group(t, openStore(t, dir, Options{}), "g"))
	if refused < 10 {
		t.Errorf("only %d refusals", refused)
	}
}

// TestMain is also the program that TestKill kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LOGSTORE_VICTIM"); dir != "" {
		victim(dir)
		return
	}
	os.Exit(m.Run())
}

// victim appends from several goroutines and says what was acknowledged.
func victim(dir string) {
	s, err := Open(dir, Options{smallest: 40})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	g, err := s.Group("g")
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var mu sync.Mutex
	for w := range 3 {
		stream := fmt.Sprint(w)
		go func() {
			for {
				next := 0
				if m := g.Mark(stream); m != "" {
					next, _ = strconv.Atoi(m)
				}
				n := 1 + next%7
				var batch []Event
				for i := range n {
					batch = append(batch, Event{Time: int64(next + i), Message: fmt.Sprintf(`{"stream":"%s","n":%d,"pad":"%s"}`, stream, next+i, strings.Repeat("x", 300))})
				}
				if err := g.Append(stream, batch, fmt.Sprint(next+n)); err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				mu.Lock()
				fmt.Println(stream, next+n)
				mu.Unlock()
			}
		}()
	}
	select {}
}

// life runs a writer until it is killed, and notes what it acknowledged.
func life(t *testing.T, dir string, lasts time.Duration, acknowledged map[string]int) (any bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LOGSTORE_VICTIM="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := time.AfterFunc(lasts, func() { _ = cmd.Process.Kill() })
	defer killed.Stop()
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break // and half a line says nothing
		}
		var stream string
		var behind int
		if _, err := fmt.Sscan(line, &stream, &behind); err != nil {
			t.Fatal(line)
		}
		acknowledged[stream], any = max(acknowledged[stream], behind), true
	}
	_ = cmd.Wait()
	return any
}

// checkLives checks that what was acknowledged is there, each event once and in its order,
// and that marks and events agree.
func checkLives(t *testing.T, dir string, acknowledged map[string]int, scans bool) (total int) {
	t.Helper()
	s := openStore(t, dir, Options{smallest: 40})
	g := group(t, s, "g")
	count := map[string]int{}
	for _, e := range everything(t, g, Query{}) {
		if !strings.Contains(e.Message, fmt.Sprintf(`"n":%d,`, count[e.Stream])) {
			t.Fatalf("stream %s has %s after %d events", e.Stream, e.Message, count[e.Stream])
		}
		count[e.Stream]++
		total++
	}
	for stream, behind := range acknowledged {
		if count[stream] < behind {
			t.Fatalf("stream %s has %d events, %d were acknowledged", stream, count[stream], behind)
		}
	}
	for stream, behind := range count {
		if m := g.Mark(stream); m != fmt.Sprint(behind) {
			t.Fatalf("stream %s has %d events and the mark %q", stream, behind, m)
		}
	}
	if scans {
		if rows := scanned(t, g); len(rows) != total {
			t.Fatalf("%d rows, want %d", len(rows), total)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return total
}

// TestKill kills a writer under load with SIGKILL, again and again: nothing that was
// acknowledged is lost, nothing is there twice, and marks and events agree.
// LOGSTORE_KILL_FOR=1m kills it each 50 ms for a minute of its life.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	acknowledged := map[string]int{}
	kills, each, check := 25, func() time.Duration { return 50*time.Millisecond + time.Duration(r.IntN(100_000))*time.Microsecond }, 1
	if lasts, err := time.ParseDuration(os.Getenv("LOGSTORE_KILL_FOR")); err == nil {
		const every = 50 * time.Millisecond
		kills, each, check = int(lasts/every), func() time.Duration { return every }, 20
	}
	writing, total := 0, 0
	for n := range kills {
		if life(t, dir, each(), acknowledged) {
			writing++
		}
		if n%check == check-1 || n == kills-1 {
			total = checkLives(t, dir, acknowledged, n%10 == 9 || n == kills-1)
		}
	}
	if len(acknowledged) != 3 || slices.Min(slices.Collect(maps.Values(acknowledged))) == 0 {
		t.Errorf("acknowledged %v", acknowledged)
	}
	t.Logf("%d kills, %d of them after events were acknowledged; %d events, acknowledged %v", kills, writing, total, acknowledged)
}

func FuzzRecords(f *testing.F) {
	mark := []byte("12345678")
	data := append([]byte(magic), mark...)
	for _, r := range []record{
		{kind: eventsRecord, stream: "s", mark: "m", entries: []entry{{sequence: 7}}, texts: []string{"text"}},
		{kind: deleteRecord, stream: "s", before: 3},
		{kind: stateRecord, marks: map[string]string{"s": "m"}, hidden: map[string]int64{"t": 4}},
	} {
		data = r.appendTo(data, mark)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		end, damaged, err := readRecords(data, func(r *record) { n++ })
		if err == nil && (end > len(data) || damaged < 0 || damaged > end) {
			t.Errorf("%d records end at %d of %d, %d damaged", n, end, len(data), damaged)
		}
		// Whatever is in a body whose sum is right does no harm.
		if len(data) > 0 {
			body := (&record{kind: deleteRecord}).appendTo(nil, mark)[:frameBytes]
			body = append(body, data...)
			binary.LittleEndian.PutUint32(body[markBytes:], uint32(len(data)))
			binary.LittleEndian.PutUint32(body[markBytes+4:], crc32.Checksum(data, castagnoli))
			if r, n, err := readRecord(body, mark); err == nil && n != len(body) {
				t.Errorf("%+v of %d bytes, not %d", r, n, len(body))
			}
		}
	})
}
