package front

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// errTooLarge: a body over its limit.
var errTooLarge = errors.New("the body is too large")

// keptBuffer is the largest body buffer that is kept for reuse.
const keptBuffer = 64 << 10

var bodyPool = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// readBody reads a request's body into a buffer of the pool. The caller hands
// the buffer back with freeBody when nothing points into it any more.
func readBody(r *http.Request, limit int) (*[]byte, error) {
	buffer := bodyPool.Get().(*[]byte)
	b := (*buffer)[:0]
	defer func() { *buffer = b }()
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return buffer, nil
	}
	if r.ContentLength > int64(limit) {
		return buffer, errTooLarge
	}
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Body.Read(b[len(b):min(cap(b), limit+1)])
		b = b[:len(b)+n]
		if len(b) > limit {
			return buffer, errTooLarge
		}
		if err == io.EOF {
			return buffer, nil
		}
		if err != nil {
			return buffer, err
		}
	}
}

func freeBody(buffer *[]byte) {
	if cap(*buffer) <= keptBuffer {
		bodyPool.Put(buffer)
	}
}
