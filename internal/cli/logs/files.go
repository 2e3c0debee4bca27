package logs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/engine/columns"
	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/engine/logline"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/hint"
)

// cached is how much of files' events may lie opened in memory.
const cached = 160 << 20

// files are events of files, which stand for streams.
type files struct {
	now    time.Time
	events scan.Source
}

func readFiles(paths []string, stdin io.Reader, now time.Time) (*files, error) {
	events := columns.NewMemory("files", cached)
	if err := eachEvent(paths, stdin, now, events.Append); err != nil {
		return nil, err
	}
	source, err := events.Source()
	return &files{now, source}, err
}

// eachEvent calls f with the events of files, one after the other. It keeps nothing of
// them, nor may f.
func eachEvent(paths []string, stdin io.Reader, now time.Time, f func(*columns.Event) error) error {
	for _, path := range paths {
		in := stdin
		if path != "-" {
			file, err := os.Open(path)
			if err != nil {
				return unreadable(path, err)
			}
			defer file.Close()
			in = file
		}
		if err := read(filepath.Base(path), in, now, f); err != nil {
			return unreadable(path, err)
		}
	}
	return nil
}

// read takes the lines of a file, also of one that gzip compressed. One that tells no time
// has that of the one before.
func read(name string, in io.Reader, now time.Time, f func(*columns.Event) error) error {
	in, err := global.Unzipped(in)
	if err != nil {
		return err
	}
	lines := bufio.NewReaderSize(in, 1<<20)
	e := columns.Event{Time: now.UnixMilli(), Ingested: now.UnixMilli(), Stream: name}
	for {
		line, ended, err := nextLine(lines, e.Message[:0])
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if e.Message = bytes.TrimRight(line, "\r\n"); len(e.Message) > 0 {
			if t, ok := timeOf(e.Message, now); ok {
				e.Time = t
			}
			if err := f(&e); err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
	}
}

// nextLine reads a line into a buffer.
func nextLine(lines *bufio.Reader, line []byte) (_ []byte, ended bool, err error) {
	for {
		part, err := lines.ReadSlice('\n')
		switch line = append(line, part...); {
		case len(line) > columns.MaxMessage:
			return nil, false, fmt.Errorf("a line is longer than %d MiB", columns.MaxMessage>>20)
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, err != nil, err
		}
	}
}

// timeFields are where objects say when they are of, the first that is there.
var timeFields = [...]string{"stageTimestamp", "@timestamp", "timestamp", "eventTime", "time", "ts"}

// timeOf is the time that a line tells, in ms since 1970.
func timeOf(line []byte, now time.Time) (int64, bool) {
	if line[0] == '{' {
		var texts [len(timeFields)]string
		members(line, func(key, value []byte) {
			if i := slices.Index(timeFields[:], string(key)); i >= 0 {
				texts[i] = string(bytes.Trim(value, `"`))
			}
		})
		for _, text := range texts {
			if t, ok := instantOf(text); ok {
				return t, true
			}
		}
		return 0, false
	}
	text := string(line)
	for _, read := range []func() (time.Time, bool){
		func() (time.Time, bool) { return logline.Klog(text, now, time.Local) },
		func() (time.Time, bool) { return logline.Logrus(text) },
	} {
		if t, ok := read(); ok {
			return t.UnixMilli(), true
		}
	}
	word, _, _ := strings.Cut(text, " ")
	return instantOf(word)
}

// members calls f with the members of an object that are neither objects nor lists, as
// they are written, without looking at the rest more closely than to find its end.
func members(object []byte, f func(key, value []byte)) {
	depth, from := 0, -1 // from is where a text or word of the object itself began
	var key []byte
	for i := 0; i < len(object); i++ {
		switch c := object[i]; c {
		case '{', '[':
			depth++
		case '"':
			end := i + 1
			for end < len(object) && object[end] != '"' {
				if object[end] == '\\' {
					end++
				}
				end++
			}
			if depth == 1 && from < 0 {
				from = i
			}
			i = end
		case ':':
			if depth == 1 && from >= 0 {
				key, from = bytes.Trim(bytes.TrimSpace(object[from:i]), `"`), -1
			}
		case ',', '}', ']':
			if depth == 1 && from >= 0 && key != nil {
				f(key, bytes.TrimSpace(object[from:i]))
			}
			if depth == 1 {
				key, from = nil, -1
			}
			if c != ',' {
				depth--
			}
		case ' ', '\t', '\r', '\n':
		default:
			if depth == 1 && from < 0 {
				from = i
			}
		}
	}
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
	return insights.Env{
		Open: func(_ context.Context, s insights.Selection) (scan.Source, error) {
			if !s.IsDefault() {
				return nil, hint.New("a query of files has no SOURCE", "name the files with --file")
			}
			return f.events, nil
		},
		Zone: time.LoadLocation, Start: start, End: f.now.AddDate(100, 0, 0).UnixMilli(), Now: f.now.UnixMilli(),
		Limit: q.limit, Workers: runtime.GOMAXPROCS(0), Progress: progress,
	}
}
