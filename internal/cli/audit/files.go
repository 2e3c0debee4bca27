package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/engine/columns"
	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/hint"
)

// Bounds of files, which are read into memory, and of what is opened of them there.
const (
	cached      = 160 << 20
	mostOfFiles = 1 << 30
	mostOfLine  = 4 << 20
)

// files are audit events in memory.
type files struct{ source scan.Source }

// readFiles reads audit events, one JSON object a line, also of files that gzip
// compressed. Lines that are none, or have no time, are an error: a file of something else
// would have no findings. A last line that is cut off, as of a file that was copied while it
// was written, is told of and left out.
func readFiles(paths []string, warn io.Writer) (*files, error) {
	r := &reading{events: columns.NewMemory("files", cached), left: mostOfFiles, warn: warn}
	for _, path := range paths {
		if err := r.read(path); err != nil {
			return nil, err
		}
	}
	source, err := r.events.Source()
	return &files{source}, err
}

// reading is files that are read, one after the other.
type reading struct {
	events *columns.Memory
	taken  int   // events
	left   int64 // bytes that may come
	warn   io.Writer
}

func (r *reading) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return global.Unreadable(path, err)
	}
	defer f.Close()
	in, err := global.Unzipped(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	bounded := &io.LimitedReader{R: in, N: r.left + 1}
	lines, whole, before := bufio.NewScanner(bounded), true, r.taken
	lines.Buffer(make([]byte, 0, 64<<10), mostOfLine)
	lines.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		whole = bytes.IndexByte(data, '\n') >= 0
		return bufio.ScanLines(data, atEOF)
	})
	for n := 1; lines.Scan(); n++ {
		if bounded.N <= 0 {
			return hint.New("the files have more than 1 GiB", "give fewer at a time")
		}
		if len(lines.Bytes()) == 0 {
			continue
		}
		message, at, err := readEvent(lines.Bytes())
		switch {
		case err == nil:
			if err := r.events.Append(&columns.Event{Time: at.UnixMilli(), Ingested: at.UnixMilli(), Stream: filepath.Base(path), Message: []byte(message)}); err != nil {
				return err
			}
			r.taken++
		case !whole && r.taken > before && !json.Valid(lines.Bytes()):
			fmt.Fprintf(r.warn, "%s:%d: the last line is cut off and left out\n", path, n)
		default:
			return hint.New(fmt.Sprintf("%s:%d: this is no audit event", path, n), "a file has one event of audit.k8s.io a line, as the API server writes them")
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	r.left = bounded.N - 1
	return nil
}

// readEvent reads a line: the event, and when it was.
func readEvent(line []byte) (message string, at time.Time, err error) {
	parts := map[string]json.RawMessage{}
	if err := json.Unmarshal(line, &parts); err != nil {
		return "", at, err
	}
	for _, name := range []string{"stageTimestamp", "requestReceivedTimestamp"} {
		if json.Unmarshal(parts[name], &at) == nil && !at.IsZero() {
			return ordered(line, parts), at, nil
		}
	}
	return "", at, errors.New("it has no time")
}

// objects are the parts of an event that may have more fields than queries look at. The API
// server writes them behind what says who did what; programs that sort keys don't.
var objects = []string{"requestObject", "responseObject"}

// ordered is the event with its objects last.
func ordered(line []byte, parts map[string]json.RawMessage) string {
	if parts[objects[0]] == nil && parts[objects[1]] == nil {
		return string(line)
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(parts)), func(name string) bool { return slices.Contains(objects, name) })
	var b strings.Builder
	for _, name := range append(names, objects...) {
		if value := parts[name]; value != nil {
			fmt.Fprintf(&b, ",%q:%s", name, value)
		}
	}
	return "{" + b.String()[1:] + "}"
}

// ask implements asker.
func (f *files) ask(ctx context.Context, query string, from, to time.Time) ([]map[string]string, error) {
	q, err := insights.Parse(query)
	if err != nil {
		return nil, err
	}
	r, err := q.Run(ctx, insights.Env{
		Open:  func(context.Context, insights.Selection) (scan.Source, error) { return f.source, nil },
		Start: from.UnixMilli(), End: to.UnixMilli(), Now: time.Now().UnixMilli(), Workers: runtime.GOMAXPROCS(0),
	})
	if err != nil {
		return nil, err
	}
	rows := make([]map[string]string, len(r.Rows))
	for i := range r.Rows {
		rows[i] = map[string]string{}
		for _, field := range r.Fields(i) {
			rows[i][field.Name] = field.Value
		}
	}
	return rows, nil
}
