package crash

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// seen is what callers of one API saw in a stretch of time.
type seen struct {
	calls    int
	silence  time.Duration  // the longest without any answer
	longest  call           // what its client library repeated included
	failures map[string]int // calls that failed, by kind
	broken   map[string]int // exchanges without an answer that clients repeated
}

// between sums up the calls that were under way between two moments.
func (c *callers) between(api string, from, to time.Time) seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := seen{failures: map[string]int{}, broken: map[string]int{}}
	for _, k := range c.calls {
		if k.api != api || k.began.Add(k.took).Before(from) || k.began.After(to) {
			continue
		}
		s.calls++
		if k.took > s.longest.took {
			s.longest = k
		}
		if k.err != nil {
			s.failures[kind(k.err)+" ("+k.what+")"]++
		}
	}
	last := from
	for _, a := range c.attempts { // in the order of their ends
		if a.api != api || a.ended.Before(from) || a.ended.After(to) {
			continue
		}
		if a.err != nil {
			s.broken[kind(a.err)]++
			continue
		}
		s.silence = max(s.silence, a.ended.Sub(last))
		last = a.ended
	}
	s.silence = max(s.silence, to.Sub(last))
	return s
}

func (s seen) String() string {
	text := fmt.Sprintf("%4d calls, silent for %4d ms, longest call %4d ms (%s)", s.calls, s.silence.Milliseconds(), s.longest.took.Milliseconds(), s.longest.what)
	if len(s.broken) > 0 {
		text += fmt.Sprintf(", exchanges cut: %v", s.broken)
	}
	if len(s.failures) > 0 {
		text += fmt.Sprintf(", FAILED: %v", s.failures)
	}
	return text
}

// cut begins the kind of an error that means: the connection broke while the
// call was under way.
const cut = "connection cut"

// cutBy are the words for it of the kernel, of net/http for either protocol, and of
// client-go.
var cutBy = []string{
	"EOF", "connection reset", "broken pipe", "use of closed network connection", "transport connection broken", "server closed idle connection",
	"client connection lost", "connection force closed", "server sent GOAWAY", "stopped serving",
}

// kind puts an error into few words.
func kind(err error) string {
	var status apierrors.APIStatus
	var netErr net.Error
	text := err.Error()
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), strings.Contains(text, "connection refused"):
		return "REFUSED"
	case errors.As(err, &status):
		return fmt.Sprintf("%d %.100s", status.Status().Code, status.Status().Message)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed), slices.ContainsFunc(cutBy, func(words string) bool { return strings.Contains(text, words) }):
		return cut
	case errors.As(err, &netErr) && netErr.Timeout():
		return "timeout"
	}
	return fmt.Sprintf("%.160s", text)
}
