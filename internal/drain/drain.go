package drain

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// quiet is how long no request may be under way for the server to end: answers are on
// the wire by then, and what clients sent before they were told to go was taken up.
const quiet = 50 * time.Millisecond

// Serve answers on l until ctx ends; then it lets the requests at hand finish, for at
// most grace, and returns nil. An error is that of a listener that failed. The socket
// may outlive l in another process: callers then wait in its queue. s is used up.
func Serve(ctx context.Context, s *http.Server, l net.Listener, grace time.Duration) error {
	var atHand atomic.Int64
	handler := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		atHand.Add(1)
		defer atHand.Add(-1)
		handler.ServeHTTP(w, r)
	})
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Shutdown(last) // closes l and idle connections, and tells clients of HTTP/2 to go
	}()
	await(ended, &atHand)
	_ = s.Close()
	cancel()
	<-ended
	<-failed
	return nil
}

// await returns when ended is closed, or no request was at hand for a while.
func await(ended <-chan struct{}, atHand *atomic.Int64) {
	tick := time.NewTicker(quiet / 10)
	defer tick.Stop()
	since := time.Now()
	for time.Since(since) < quiet {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		if atHand.Load() > 0 {
			since = time.Now()
		}
	}
}
