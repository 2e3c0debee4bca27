package authn

import (
	"fmt"
	"io"
	"log"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Log writes lines as aws-iam-authenticator's logger (logrus, text form without
// colours) does: time, level and msg, then the fields by name. It is safe for
// concurrent use. What cannot be written is lost: a full disk stops nobody from
// logging in.
type Log struct {
	mu  sync.Mutex
	w   io.Writer
	now func() time.Time
	buf []byte
}

// NewLog writes to w, a file of one cluster. Each line is one Write.
func NewLog(w io.Writer, now func() time.Time) *Log {
	return &Log{w: w, now: now}
}

// level is logrus's name of a severity.
type level string

const (
	info    level = "info"
	warning level = "warning"
	failure level = "error"
)

// fields are a line's variable part. A value is shown as fmt.Sprint shows it.
type fields map[string]any

// with is both sets; other wins.
func (f fields) with(other fields) fields {
	both := make(fields, len(f)+len(other))
	for k, v := range f {
		both[k] = v
	}
	for k, v := range other {
		both[k] = v
	}
	return both
}

// line writes one line.
func (l *Log) line(level level, msg string, f fields) {
	keys := make([]string, 0, len(f))
	for k := range f {
		keys = append(keys, k)
	}
	sort.Strings(keys)

	l.mu.Lock()
	defer l.mu.Unlock()
	b := append(l.buf[:0], `time="`...)
	b = l.now().UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `" level=`...)
	b = append(b, level...)
	b = append(b, " msg="...)
	b = appendValue(b, msg)
	for _, k := range keys {
		b = append(b, ' ')
		b = append(b, k...)
		b = append(b, '=')
		switch v := f[k].(type) {
		case string:
			b = appendValue(b, v)
		default:
			b = appendValue(b, fmt.Sprint(v))
		}
	}
	b = append(b, '\n')
	l.buf = b
	_, _ = l.w.Write(b) // see Log
}

// appendValue quotes what is more than letters, digits and -._/@^+; an empty
// value is left empty.
func appendValue(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._/@^+", c) >= 0 {
			continue
		}
		return strconv.AppendQuote(b, s)
	}
	return append(b, s...)
}

// httpErrors is the logger of the HTTP server: upstream writes its lines as
// info, with the field http=error.
func (l *Log) httpErrors() *log.Logger {
	return log.New(writerFunc(func(p []byte) (int, error) {
		l.line(info, strings.TrimSuffix(string(p), "\n"), fields{"http": "error"})
		return len(p), nil
	}), "", 0)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
