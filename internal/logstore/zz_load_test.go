package logstore

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

func TestLoadProf(t *testing.T) {
	path := os.Getenv("PROF_LOAD")
	if path == "" {
		t.Skip()
	}
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	g, _ := s.Group("g")
	go func() {
		top := uint64(0)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if m.HeapInuse > top+top/20 {
				top = m.HeapInuse
				fmt.Println("heap inuse", m.HeapInuse>>20, "alloc", m.HeapAlloc>>20, "sys", m.Sys>>20, "next", m.NextGC>>20, "idle", m.HeapIdle>>20)
				f, _ := os.Create("/tmp/work/heap.out")
				pprof.Lookup("heap").WriteTo(f, 0)
				f.Close()
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	const batch = 1 << 20
	cf, _ := os.Create("/tmp/work/cpu.out")
	pprof.StartCPUProfile(cf)
	defer pprof.StopCPUProfile()
	for range 1 {
		in, _ := os.Open(path)
		lines := bufio.NewScanner(in)
		lines.Buffer(make([]byte, batch), 2*batch)
		var events []Event
		size := 0
		put := func() {
			if err := g.Append("kube-apiserver-audit-0123456789abcdef0123456789abcdef", events, ""); err != nil {
				t.Fatal(err)
			}
			events, size = events[:0], 0
		}
		for lines.Scan() {
			const name = `"stageTimestamp":"`
			line := lines.Bytes()
			i := bytes.LastIndex(line, []byte(name))
			at, _ := time.Parse(time.RFC3339Nano, string(line[i+len(name):i+len(name)+27]))
			if size += len(line) + 26; size > batch || len(events) == 10_000 {
				put()
				size = len(line) + 26
			}
			events = append(events, Event{Time: at.UnixMilli(), Ingested: at.UnixMilli(), Message: lines.Text()})
		}
		put()
		in.Close()
	}
	g.Settle()
	st, _ := os.ReadFile("/proc/self/status")
	i := bytes.Index(st, []byte("VmHWM"))
	fmt.Println(string(st[i : i+30]))
}

func TestOpenMem(t *testing.T) {
	dir := os.Getenv("PROF_DIR")
	if dir == "" {
		t.Skip()
	}
	var a, b runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&a)
	s, _ := Open(dir, Options{})
	g, _ := s.Group("/aws/eks/cluster/cluster")
	runtime.GC()
	runtime.ReadMemStats(&b)
	fmt.Println("open", (b.HeapAlloc-a.HeapAlloc)>>10, "KB", len(g.segments))
	runtime.KeepAlive(g)
}
