package imds

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/drain"
)

// Config says whom the service knows.
type Config struct {
	// Instance finds the instance that has a source address, as its own or as a
	// pod's.
	Instance func(source netip.Addr) (Instance, bool)
	// Key makes and checks tokens. With the same key, tokens outlive a restart.
	// Empty: a random one.
	Key []byte
	// Signer gives what signs identity documents; nil: there are no signatures.
	Signer func() (*Signer, error)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Server is the service.
type Server struct {
	instance func(netip.Addr) (Instance, bool)
	tokens   tokens
	signer   func() (*Signer, error)
	now      func() time.Time
}

// New makes the service.
func New(c Config) *Server {
	s := &Server{instance: c.Instance, tokens: tokens{c.Key}, signer: c.Signer, now: c.Now}
	if len(c.Key) == 0 {
		s.tokens.key = make([]byte, 32)
		_, _ = rand.Read(s.tokens.key) // never fails
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

type connKey struct{}

// Server is an HTTP server of the service. The hop limit needs it: a plain one
// with s as its handler does not know its connections.
func (s *Server) Server() *http.Server {
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
}

// Serve answers on l, port 80 of 169.254.169.254 or fd00:ec2::254 in the router's
// namespace, until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return drain.Serve(ctx, s.Server(), l, time.Second)
}

const (
	tokenHeader = "X-aws-ec2-metadata-token"
	ttlHeader   = "X-aws-ec2-metadata-token-ttl-seconds"
	tokenPath   = "/latest/api/token"
)

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "EC2ws")
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		refuse(w, http.StatusForbidden)
		return
	}
	inst, ok := s.instance(from.Addr().Unmap())
	if !ok || inst.Disabled || from.Addr().Unmap().Is6() && !inst.IPv6 {
		refuse(w, http.StatusForbidden)
		return
	}
	switch r.Method {
	case http.MethodPut:
		s.token(w, r, inst)
	case http.MethodGet, http.MethodHead:
		given, v := r.Header.Get(tokenHeader), V2
		if given == "" {
			v = V1
		}
		if v == V1 && !inst.TokensOptional || v == V2 && !s.tokens.valid(given, inst.ID, s.now()) {
			refuse(w, http.StatusUnauthorized)
			return
		}
		s.get(w, r, inst.leaves(s.signer, v))
	default:
		w.Header().Set("Allow", "OPTIONS, GET, HEAD, PUT")
		refuse(w, http.StatusMethodNotAllowed)
	}
}

// token issues a token. Its answer goes no further than the hop limit.
func (s *Server) token(w http.ResponseWriter, r *http.Request, inst Instance) {
	switch ttl, err := strconv.Atoi(r.Header.Get(ttlHeader)); {
	case r.URL.Path != tokenPath:
		refuse(w, http.StatusNotFound)
	case r.Header.Get("X-Forwarded-For") != "":
		refuse(w, http.StatusForbidden)
	case err != nil || ttl < minTTL || ttl > maxTTL:
		refuse(w, http.StatusBadRequest)
	default:
		limit := inst.HopLimit
		if limit == 0 {
			limit = 2
		}
		if err := limitHops(r, limit); err != nil {
			// A token must not go further than it may.
			refuse(w, http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set(ttlHeader, strconv.Itoa(ttl))
		_, _ = io.WriteString(w, s.tokens.issue(inst.ID, s.now().Add(time.Duration(ttl)*time.Second)))
	}
}

// limitHops sets the TTL of what the connection sends from now on. It stays for
// the connection's life: were it raised, a lost token would be sent again with
// the raised one.
func limitHops(r *http.Request, limit int) error {
	conn, ok := r.Context().Value(connKey{}).(*net.TCPConn)
	if !ok {
		return nil // not a real connection: a handler's test
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	level, option := unix.IPPROTO_IP, unix.IP_TTL
	if local, ok := conn.LocalAddr().(*net.TCPAddr); ok && local.IP.To4() == nil {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
	}
	var inner error
	err = raw.Control(func(fd uintptr) {
		inner = unix.SetsockoptInt(int(fd), level, option, limit)
	})
	return errors.Join(err, inner)
}

// versions of the tree, all the same here.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html#instance-metadata-ex-1
var versions = []string{
	"1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01", "2009-04-04",
	"2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25", "2014-11-05", "2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02",
	"2018-03-28", "2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03", "2021-03-23", "2021-07-15", "2022-09-24", "2024-04-11",
	"latest",
}

// get answers with a leaf's value or a directory's list.
func (s *Server) get(w http.ResponseWriter, r *http.Request, leaves map[string]leaf) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	if path == "" {
		write(w, strings.Join(versions, "\n"))
		return
	}
	v, path, _ := strings.Cut(path, "/")
	if !slices.Contains(versions, v) {
		refuse(w, http.StatusNotFound)
		return
	}
	path = strings.TrimSuffix(path, "/")
	if l, ok := leaves[path]; ok && !strings.HasSuffix(r.URL.Path, "/") {
		value, err := l(r.Context())
		if err != nil {
			refuse(w, http.StatusServiceUnavailable)
			return
		}
		write(w, value)
		return
	}
	if list := directory(leaves, path); list != "" {
		write(w, list)
		return
	}
	refuse(w, http.StatusNotFound)
}

// directory lists the entries below a path, directories with a slash, as lines
// without a last newline. Empty: there is no such directory.
func directory(leaves map[string]leaf, path string) string {
	if path != "" {
		path += "/"
	}
	var entries []string
	for name := range leaves {
		rest, ok := strings.CutPrefix(name, path)
		if !ok {
			continue
		}
		if first, _, deeper := strings.Cut(rest, "/"); deeper {
			rest = first + "/"
		}
		// At the top AWS lists its directories without slashes.
		if path == "" {
			rest = strings.TrimSuffix(rest, "/")
		}
		entries = append(entries, rest)
	}
	slices.Sort(entries)
	return strings.Join(slices.Compact(entries), "\n")
}

func write(w http.ResponseWriter, body string) {
	kind := "text/plain"
	if strings.HasPrefix(body, "{") {
		kind = "application/json"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Accept-Ranges", "none")
	_, _ = io.WriteString(w, body)
}

func refuse(w http.ResponseWriter, code int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(code)
	title := fmt.Sprintf("%d - %s", code, http.StatusText(code))
	fmt.Fprintf(w, `<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
	"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>%[1]s</title>
 </head>
 <body>
  <h1>%[1]s</h1>
 </body>
</html>
`, title)
}
