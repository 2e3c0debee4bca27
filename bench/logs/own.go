package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/logstore"
)

// own is this project's store and query engine.
type own struct{ source scan.Source }

const group = "/aws/eks/cluster/cluster"

func (*own) kept(_, dir string) []string { return []string{filepath.Join(dir, "logs")} }

// batch is how many bytes of events are appended at once, each batch on disk before the
// next: what PutLogEvents takes at most.
const batch = 1 << 20

func (*own) load(file, dir string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	s, err := logstore.Open(filepath.Join(dir, "logs"), logstore.Options{})
	if err != nil {
		return err
	}
	g, err := s.Group(group)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, batch), 2*batch)
	var events []logstore.Event
	size := 0
	put := func() error {
		err := g.Append("kube-apiserver-audit-0123456789abcdef0123456789abcdef", events, "")
		events, size = events[:0], 0
		return err
	}
	for lines.Scan() {
		at, err := stamp(lines.Bytes())
		if err != nil {
			return err
		}
		if size += len(lines.Bytes()) + 26; size > batch || len(events) == 10_000 {
			if err := put(); err != nil {
				return err
			}
			size = len(lines.Bytes()) + 26
		}
		events = append(events, logstore.Event{Time: at, Ingested: at, Message: lines.Text()})
	}
	if lines.Err() != nil {
		return lines.Err()
	}
	if err := put(); err != nil {
		return err
	}
	if err := g.Settle(); err != nil {
		return err
	}
	return s.Close()
}

// stamp reads the time of an event's stage, in milliseconds since 1970.
func stamp(line []byte) (int64, error) {
	const name = `"stageTimestamp":"`
	i := bytes.LastIndex(line, []byte(name))
	if i < 0 || len(line) < i+len(name)+27 {
		return 0, fmt.Errorf("an event without time: %.200s", line)
	}
	at, err := time.Parse(time.RFC3339Nano, string(line[i+len(name):i+len(name)+27]))
	return at.UnixMilli(), err
}

func (o *own) open(_, dir string) error {
	s, err := logstore.Open(filepath.Join(dir, "logs"), logstore.Options{})
	if err != nil {
		return err
	}
	g, err := s.Group(group)
	if err != nil {
		return err
	}
	o.source = logstore.Source([]*logstore.Group{g}, []string{"111122223333:" + group})
	return nil
}

func (o *own) ask(n int) (a answer, err error) {
	q, err := insights.Parse(queries[n].insights)
	if err != nil {
		return a, err
	}
	r, err := q.Run(context.Background(), insights.Env{
		Open:  func(context.Context, insights.Selection) (scan.Source, error) { return o.source, nil },
		Start: 0, End: time.Now().Add(24 * time.Hour).UnixMilli(), Now: time.Now().UnixMilli(), Limit: limit, Workers: runtime.GOMAXPROCS(0),
	})
	if err != nil {
		return a, err
	}
	a.Rows = len(r.Rows)
	for i := range r.Rows {
		for _, f := range r.Fields(i) {
			if f.Name == "n" {
				count, err := strconv.ParseInt(f.Value, 10, 64)
				if err != nil {
					return a, err
				}
				a.Total += count
			}
		}
	}
	return a, nil
}
