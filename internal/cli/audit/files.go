package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/memory"
	"github.com/eksact/eksact/internal/hint"
)

// Bounds of files, which are read into memory.
const (
	mostOfFiles = 1 << 30
	mostOfLine  = 4 << 20
)

// files are audit events in memory.
type files struct{ source scan.Source }

// readFiles reads audit events, one JSON object a line. Lines that are none, or have no
// time, are an error: a file of something else would have no findings.
func readFiles(paths []string) (*files, error) {
	var events []memory.Event
	size := int64(0)
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, global.Unreadable(path, err)
		}
		if size += info.Size(); size > mostOfFiles {
			return nil, hint.New("the files have more than 1 GiB", "give fewer at a time")
		}
		if events, err = readFile(path, events); err != nil {
			return nil, err
		}
	}
	return &files{memory.New("files", events)}, nil
}

func readFile(path string, events []memory.Event) ([]memory.Event, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, global.Unreadable(path, err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 0, 64<<10), mostOfLine)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var e struct {
			Received time.Time `json:"requestReceivedTimestamp"`
			Stage    time.Time `json:"stageTimestamp"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.Stage.IsZero() && e.Received.IsZero() {
			return nil, hint.New(fmt.Sprintf("%s:%d: this is no audit event", path, n), "a file has one event of audit.k8s.io a line, as the API server writes them")
		}
		at := e.Stage
		if at.IsZero() {
			at = e.Received
		}
		events = append(events, memory.Event{Time: at.UnixMilli(), Ingested: at.UnixMilli(), Stream: filepath.Base(path), Message: lines.Text()})
	}
	if err := lines.Err(); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return events, nil
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
