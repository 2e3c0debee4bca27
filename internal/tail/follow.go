package tail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Batch is lines that were read.
type Batch struct {
	Lines []string
	After Position // once they are dealt with
	// Uncertain says that the position read from was in none of the files: some of the
	// lines may have been dealt with before.
	Uncertain bool
}

// Follower reads a file's lines as they are appended.
type Follower struct {
	Path string
	// Deliver deals with a batch. After an error it is given the same lines again.
	Deliver func(context.Context, Batch) error
	Log     *slog.Logger
}

const (
	// interval is how often the file is looked at: it costs two system calls.
	interval = 100 * time.Millisecond
	// retry is from a failed delivery to the next.
	retry = time.Second
	// chunk is how much is read at once; it grows for a longer line.
	chunk = 512 << 10
	// longestRead is where a line that does not end is taken as it is.
	longestRead = 16 << 20
)

// files are the names that the file has had, the oldest first, and its own.
func (f *Follower) files() []string {
	ext := filepath.Ext(f.Path)
	older, _ := filepath.Glob(strings.TrimSuffix(f.Path, ext) + "-*" + ext) // sorted; the pattern is good
	return append(older, f.Path+".1", f.Path)
}

// look reads what tells the file from others.
func look(file *os.File) (candidate, error) {
	info, err := file.Stat()
	if err != nil {
		return candidate{}, err
	}
	c := candidate{size: info.Size()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		c.inode = st.Ino
	}
	c.head = make([]byte, min(headBytes, c.size))
	n, err := file.ReadAt(c.head, 0)
	c.head = c.head[:n]
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return c, err
}

// open is a file under one of its names.
type open struct {
	*os.File
	candidate
}

// openAll opens the files that there are, the oldest first.
func (f *Follower) openAll() (all []open, err error) {
	for _, path := range f.files() {
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return all, err
		}
		c, err := look(file)
		if err != nil {
			return append(all, open{File: file}), err
		}
		all = append(all, open{file, c})
	}
	return all, nil
}

func closeAll(files []open) {
	for _, file := range files {
		_ = file.Close()
	}
}

// End is the position behind all that the file holds now.
func End(path string) (Position, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Position{}, nil
	}
	if err != nil {
		return Position{}, err
	}
	defer file.Close()
	c, err := look(file)
	return c.at(c.size), err
}

// Run reads from a position on, until ctx ends. The zero position is before all that
// there is.
func (f *Follower) Run(ctx context.Context, from Position) error {
	r := reader{Follower: f, at: from}
	for ctx.Err() == nil {
		if err := r.advance(ctx); err != nil && ctx.Err() == nil {
			f.Log.Error("a log can't be followed for now", "file", f.Path, "error", err)
			pause(ctx, retry)
			continue
		}
		pause(ctx, interval)
	}
	return context.Cause(ctx)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// reader is a Follower at work.
type reader struct {
	*Follower
	at        Position
	uncertain bool
	buf       []byte
	failing   bool
}

// idle says whether the file is as it was when it was last read to its end.
func (r *reader) idle() bool {
	info, err := os.Stat(r.Path)
	if err != nil || r.at.Head == 0 {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Ino == r.at.Inode && info.Size() == r.at.Offset
}

// advance reads all that there is.
func (r *reader) advance(ctx context.Context) error {
	if r.idle() {
		return nil
	}
	files, err := r.openAll()
	defer closeAll(files)
	if err != nil || len(files) == 0 {
		return err
	}
	candidates := make([]candidate, len(files))
	for i, file := range files {
		candidates[i] = file.candidate
	}
	i, found := locate(r.at, candidates)
	if !found {
		r.uncertain = r.at.Head > 0
		if r.uncertain {
			r.Log.Error("a log's position is in none of its files: all that there are is read", "file", r.Path, "position", r.at)
		}
		r.at = candidates[0].at(0)
	}
	last := len(files) - 1
	for ; i <= last; i++ {
		if err := r.drain(ctx, files[i], i < last); err != nil {
			return err
		}
		if i < last {
			r.at = candidates[i+1].at(0)
		}
	}
	r.uncertain = false
	return nil
}

// drain reads a file to its end. Final says that it grows no more.
func (r *reader) drain(ctx context.Context, file open, final bool) error {
	for ctx.Err() == nil {
		data, err := r.read(file, r.at.Offset)
		if err != nil {
			return err
		}
		lines, end := split(data, final && len(data) < len(r.buf) || len(data) >= longestRead)
		if end == 0 {
			return nil
		}
		if file.candidate, err = look(file.File); err != nil {
			return err
		}
		after := file.at(r.at.Offset + int64(end))
		if err := r.deliver(ctx, Batch{lines, after, r.uncertain}); err != nil {
			return err
		}
		r.at = after
	}
	return ctx.Err()
}

// read takes what follows an offset: a chunk, or as much as the first line needs.
func (r *reader) read(file open, offset int64) ([]byte, error) {
	if r.buf == nil {
		r.buf = make([]byte, chunk)
	}
	for {
		n, err := file.ReadAt(r.buf, offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading a log: %w", err)
		}
		data := r.buf[:n]
		if n < len(r.buf) || bytes.IndexByte(data, '\n') >= 0 || n >= longestRead {
			return data, nil
		}
		r.buf = make([]byte, 2*len(r.buf))
	}
}

// deliver hands a batch over, until it is taken.
func (r *reader) deliver(ctx context.Context, b Batch) error {
	for {
		err := r.Deliver(ctx, b)
		if err == nil {
			if r.failing {
				r.Log.Info("log events are delivered again", "file", r.Path)
			}
			r.failing = false
			return nil
		}
		if !r.failing {
			r.Log.Error("log events can't be delivered: they wait in their file", "file", r.Path, "error", err)
			r.failing = true
		}
		pause(ctx, retry)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}
