package logs

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"github.com/eksact/eksact/internal/engine/insights"
)

// Queries have a file each, so that a restart forgets none: a line of JSON, what the query
// is, and behind it, compressed, a line for each row. It is written when the query starts
// and again when it ends, before that shows. It is not synced: a kill costs nothing, a
// machine that loses power may cost the last ones.

// What is kept of queries, beside their time: the oldest go first.
const (
	queriesKept = 1000
	filesKept   = int64(256 << 20) // bytes of files
	heapKept    = int64(64 << 20)  // bytes of results in memory, roughly
)

// kept is the first line of a query's file.
type kept struct {
	ID, Text        string
	Groups          []string
	Who             string
	Began, Finished time.Time
	Status          types.QueryStatus
	Rows            int
	Records, Bytes  int64
	Matched         int64
	Skipped         int64
}

// read are results out of a file.
type read [][]insights.Field

func (r read) Len() int                        { return len(r) }
func (r read) Fields(row int) []insights.Field { return r[row] }

// owned are results apart from what they were found in, of which a short text could keep a
// large block in memory, and how many bytes they take, roughly.
func owned(r results) (all read, size int64) {
	all = make(read, r.Len())
	for row := range all {
		all[row] = r.Fields(row)
		for i := range all[row] {
			f := &all[row][i]
			f.Value = strings.Clone(f.Value)
			size += perField + int64(len(f.Value))
		}
	}
	return all, size
}

// perField is what a field costs besides its value.
const perField = 40

func (q *queries) file(id string) string { return filepath.Join(q.dir, id+".query") }

// write writes a query's file. Its results go where they are shown next.
func (q *queries) write(one *query, rows results) error {
	if q.dir == "" {
		return nil
	}
	one.mu.Lock()
	p := &one.progress
	head := kept{
		ID: one.id, Text: one.text, Groups: one.groups, Who: one.who, Began: one.began, Finished: one.finished, Status: one.status,
		Records: p.Records.Load(), Bytes: p.Bytes.Load(), Matched: p.Matched.Load(), Skipped: p.Skipped.Load(),
	}
	one.mu.Unlock()
	if rows != nil {
		head.Rows = rows.Len()
		if head.Status == types.QueryStatusRunning {
			head.Status = types.QueryStatusComplete
		}
	}
	if err := os.MkdirAll(q.dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(q.dir, unfinished+"*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // unless it was renamed
	err = errors.Join(writeLines(f, &head, rows), f.Close())
	if err != nil {
		return err
	}
	info, err := os.Stat(f.Name())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), q.file(one.id)); err != nil {
		return err
	}
	one.mu.Lock()
	one.size, one.stored = info.Size(), rows != nil
	one.mu.Unlock()
	return nil
}

// unfinished is how the names of files begin that are being written.
const unfinished = "new-"

func writeLines(w io.Writer, head *kept, rows results) error {
	if err := json.NewEncoder(w).Encode(head); err != nil || rows == nil {
		return err
	}
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	lines := json.NewEncoder(z)
	lines.SetEscapeHTML(false)
	for row := range head.Rows {
		if err := lines.Encode(rows.Fields(row)); err != nil {
			return err
		}
	}
	return z.Close()
}

// readHead reads a file's first line.
func readHead(r *bufio.Reader) (head kept, err error) {
	line, err := r.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &head)
	}
	return head, err
}

// rowsOf reads a file's rows.
func rowsOf(name string, rows int) (results, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	if _, err := readHead(in); err != nil {
		return nil, err
	}
	z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	all, lines := make(read, rows), json.NewDecoder(z)
	for i := range all {
		if err := lines.Decode(&all[i]); err != nil {
			return nil, fmt.Errorf("row %d of %d: %w", i, rows, err)
		}
	}
	return all, nil
}

// results are those of a query that is complete, or what one had found that was stopped,
// from memory or from its file.
func (q *queries) results(one *query) (results, error) {
	one.mu.Lock()
	have, rows, stored := one.results, one.rows, one.stored
	one.mu.Unlock()
	switch {
	case have != nil:
		return have, nil
	case !stored && one.state() == types.QueryStatusCancelled:
		return read{}, nil
	}
	found, err := rowsOf(q.file(one.id), rows)
	if err != nil {
		return nil, err
	}
	all, size := owned(found)
	one.mu.Lock()
	one.results, one.heap = all, size
	one.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.release(one)
	return all, nil
}

// end notes how a query ended, with its results. What can't be written is kept in memory.
func (q *queries) end(one *query, status types.QueryStatus, rows results) error {
	var err error
	var size int64
	if rows != nil {
		rows, size = owned(rows)
		err = q.write(one, rows)
	}
	one.mu.Lock()
	if one.status == types.QueryStatusRunning {
		one.status = status
	}
	if one.status == types.QueryStatusComplete {
		one.results, one.rows, one.heap = rows, rows.Len(), size
	} else if one.results != nil { // before it ended
		one.results, one.heap = owned(one.results)
	}
	stopped, had := one.status != types.QueryStatusComplete, one.results
	one.mu.Unlock()
	if rows == nil || stopped {
		err = q.write(one, had)
	}
	return err
}

// load takes in the queries of files. Those that ran have failed; what can't be read is
// removed.
func (q *queries) load() (problems error) {
	entries, err := os.ReadDir(q.dir)
	if q.dir == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(q.dir, e.Name())
		if strings.HasPrefix(e.Name(), unfinished) {
			problems = errors.Join(problems, os.Remove(name))
			continue
		}
		one, err := q.loaded(name)
		if err != nil {
			problems = errors.Join(problems, fmt.Errorf("%s: %w", e.Name(), err), os.Remove(name))
			continue
		}
		q.all = append(q.all, one)
	}
	slices.SortFunc(q.all, func(a, b *query) int { return a.began.Compare(b.began) })
	return problems
}

// loaded is the query of a file.
func (q *queries) loaded(name string) (*query, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	head, err := readHead(bufio.NewReader(f))
	if err != nil {
		return nil, err
	}
	if uuid.Validate(head.ID) != nil || q.file(head.ID) != name {
		return nil, errors.New("it is not the file of a query")
	}
	one := &query{
		id: head.ID, text: head.Text, groups: head.Groups, who: head.Who, began: head.Began, finished: head.Finished, status: head.Status,
		rows: head.Rows, size: info.Size(), stored: head.Status == types.QueryStatusComplete || head.Rows > 0, cancel: func() {}, ended: make(chan struct{}),
	}
	close(one.ended)
	p := &one.progress
	p.Records.Store(head.Records)
	p.Bytes.Store(head.Bytes)
	p.Matched.Store(head.Matched)
	p.Skipped.Store(head.Skipped)
	if one.status == types.QueryStatusRunning {
		one.status, one.finished = types.QueryStatusFailed, one.began
	}
	return one, nil
}

// forget lets go of old queries.
func (q *queries) forget(now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.trim(now)
}

// isOver reports whether nothing is written of the query any more: one that was stopped may
// still come to its end.
func (q *query) isOver() bool {
	select {
	case <-q.ended:
		return true
	default:
		return false
	}
}

// trim lets go of queries that are too old or too many, and of results in memory. Its
// caller holds q.mu.
func (q *queries) trim(now time.Time) {
	size := int64(0)
	for _, one := range q.all {
		one.mu.Lock()
		size += one.size
		one.mu.Unlock()
	}
	excess := len(q.all) - queriesKept
	q.all = slices.DeleteFunc(q.all, func(one *query) bool {
		one.mu.Lock()
		defer one.mu.Unlock()
		if !one.isOver() || excess <= 0 && size <= filesKept && now.Sub(one.began) <= queryKept {
			return false
		}
		excess, size = excess-1, size-one.size
		if q.dir != "" {
			_ = os.Remove(q.file(one.id))
		}
		return true
	})
	q.release(nil)
}

// release lets go of the oldest results in memory, where they are too many: they are in
// files. Those that were just asked for stay. Its caller holds q.mu.
func (q *queries) release(asked *query) {
	size := int64(0)
	for _, one := range slices.Backward(q.all) {
		one.mu.Lock()
		if one.results != nil {
			if size += one.heap; size > heapKept && one != asked && one.stored {
				size -= one.heap
				one.results, one.heap = nil, 0
			}
		}
		one.mu.Unlock()
	}
}
