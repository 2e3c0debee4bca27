package front

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/eksact/eksact/internal/drain"
)

// Timeouts of the door. A client has ten seconds for its headers and a minute
// for its body; connections idle for two minutes are closed.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = time.Minute
	writeTimeout  = 5 * time.Minute
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
)

// NewServer wraps a handler in an http.Server that no slow client can occupy.
// HTTP/1.1 is spoken on plain connections; h2 too over TLS.
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// Serve answers calls on a listener, TLS and plain HTTP alike, until ctx ends;
// then it lets the calls at hand finish, for at most grace. config's
// certificates are used as they are; its protocols are set here.
func Serve(ctx context.Context, listener net.Listener, config *tls.Config, handler http.Handler, log *slog.Logger, grace time.Duration) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	config = config.Clone()
	config.NextProtos = []string{"h2", "http/1.1"}
	sniffer := NewSniffer(listener, config)
	defer sniffer.Close()
	return drain.Serve(ctx, NewServer(handler, log), sniffer, grace)
}
