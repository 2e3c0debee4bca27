package logs

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/engine/logline"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/memory"
	"github.com/eksact/eksact/internal/hint"
)

// files are events of files, which stand for streams.
type files struct {
	now    time.Time
	events []memory.Event
}

func readFiles(paths []string, stdin io.Reader, now time.Time) (*files, error) {
	f := &files{now: now}
	for _, path := range paths {
		in := stdin
		if path != "-" {
			file, err := os.Open(path)
			if err != nil {
				return nil, unreadable(path, err)
			}
			defer file.Close()
			in = file
		}
		if err := f.read(filepath.Base(path), in); err != nil {
			return nil, unreadable(path, err)
		}
	}
	return f, nil
}

// read takes the lines of a file, also of one that gzip compressed. One that tells no time
// has that of the one before.
func (f *files) read(name string, in io.Reader) error {
	in, err := global.Unzipped(in)
	if err != nil {
		return err
	}
	lines := bufio.NewReaderSize(in, 1<<20)
	at := f.now.UnixMilli()
	for {
		line, err := lines.ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			if t, ok := timeOf(line, f.now); ok {
				at = t
			}
			f.events = append(f.events, memory.Event{Time: at, Ingested: f.now.UnixMilli(), Stream: name, Message: line})
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// timeFields are where objects say when they are of, the first that is there.
var timeFields = []string{"stageTimestamp", "@timestamp", "timestamp", "eventTime", "time", "ts"}

// timeOf is the time that a line tells, in ms since 1970.
func timeOf(line string, now time.Time) (int64, bool) {
	if strings.HasPrefix(line, "{") {
		fields := scan.Discover(line)
		for _, name := range timeFields {
			i := slices.IndexFunc(fields, func(l scan.Leaf) bool { return l.Name == name || l.Name == "@"+name })
			if i < 0 {
				continue
			}
			if t, ok := instantOf(fields[i].Value.Text); ok {
				return t, true
			}
		}
		return 0, false
	}
	for _, read := range []func() (time.Time, bool){
		func() (time.Time, bool) { return logline.Klog(line, now, time.Local) },
		func() (time.Time, bool) { return logline.Logrus(line) },
	} {
		if t, ok := read(); ok {
			return t.UnixMilli(), true
		}
	}
	word, _, _ := strings.Cut(line, " ")
	return instantOf(word)
}

// instantOf reads RFC 3339, or seconds or milliseconds since 1970.
func instantOf(text string) (int64, bool) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t.UnixMilli(), true
	}
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || n < 1e8 || n > 1e14:
		return 0, false
	case n < 1e11:
		return int64(n * 1000), true
	}
	return int64(n), true
}

// environment is what a query of files is run against.
func (f *files) environment(q *question, progress *insights.Progress) insights.Env {
	start := int64(0)
	if !q.since.IsZero() {
		start = q.since.UnixMilli()
	}
	var source *memory.Source
	return insights.Env{
		Open: func(_ context.Context, s insights.Selection) (scan.Source, error) {
			if !s.IsDefault() {
				return nil, hint.New("a query of files has no SOURCE", "name the files with --file")
			}
			if source == nil {
				source = memory.New("files", f.events)
			}
			return source, nil
		},
		Zone: time.LoadLocation, Start: start, End: f.now.AddDate(100, 0, 0).UnixMilli(), Now: f.now.UnixMilli(),
		Limit: q.limit, Workers: runtime.GOMAXPROCS(0), Progress: progress,
	}
}
