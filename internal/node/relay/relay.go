// Package relay makes an etcd cluster elsewhere look like the one next door.
//
// API servers live in network namespaces that reach nothing outside; a unix
// socket reaches through. The relay accepts on such a socket and forwards each
// connection to the first endpoint that answers, over TLS when the endpoint's
// URL says https. It is a process of its own, so that a restart of the daemon
// cuts no API server off from its data.
package relay

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Options say where connections go.
type Options struct {
	Endpoints []string // http://host:2379 or https://host:2379
	CA        string   // PEM file that https endpoints are checked against; "" for the system's
	Cert, Key string   // PEM files of the client certificate, if one is asked for
}

// Args is o as Main's command line.
func (o Options) Args() []string {
	return []string{"--endpoints", strings.Join(o.Endpoints, ","), "--cacert", o.CA, "--cert", o.Cert, "--key", o.Key}
}

// Main serves the listening socket passed as fd 3.
func Main(args []string) error {
	flags := flag.NewFlagSet("relay", flag.ContinueOnError)
	endpoints := flags.String("endpoints", "", "URLs, separated by commas")
	var o Options
	flags.StringVar(&o.CA, "cacert", "", "certificate authorities, PEM")
	flags.StringVar(&o.Cert, "cert", "", "client certificate, PEM")
	flags.StringVar(&o.Key, "key", "", "client key, PEM")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o.Endpoints = strings.Split(*endpoints, ",")
	l, err := net.FileListener(os.NewFile(3, "socket"))
	if err != nil {
		return fmt.Errorf("relay: the socket that should be passed as fd 3: %w", err)
	}
	return Serve(l, o)
}

// Serve forwards what l accepts until l is closed.
func Serve(l net.Listener, o Options) error {
	r, err := newRelay(o)
	if err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go r.forward(conn)
	}
}

type relay struct {
	targets []target
	good    atomic.Int32 // index of the target that answered last
}

type target struct {
	address string
	tls     *tls.Config // nil for plain
}

func newRelay(o Options) (*relay, error) {
	r := &relay{}
	for _, endpoint := range o.Endpoints {
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || u.Port() == "" {
			return nil, fmt.Errorf("etcd endpoint %q is not of the form http://host:port", endpoint)
		}
		t := target{address: u.Host}
		switch u.Scheme {
		case "http":
		case "https":
			if t.tls, err = o.tls(u.Hostname()); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("etcd endpoint %q is neither http nor https", endpoint)
		}
		r.targets = append(r.targets, t)
	}
	return r, nil
}

func (o Options) tls(host string) (*tls.Config, error) {
	c := &tls.Config{ServerName: host, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", o.CA)
		}
	}
	if o.Cert != "" {
		pair, err := tls.LoadX509KeyPair(o.Cert, o.Key)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func (r *relay) forward(near net.Conn) {
	defer near.Close()
	far, err := r.dial()
	if err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		return
	}
	defer far.Close()
	done := make(chan struct{}, 2)
	pipe := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		if c, ok := to.(interface{ CloseWrite() error }); ok {
			_ = c.CloseWrite()
		}
		done <- struct{}{}
	}
	go pipe(far, near)
	go pipe(near, far)
	<-done
	<-done
}

// dial tries every target, the one that answered last first.
func (r *relay) dial() (net.Conn, error) {
	var failed error
	first := int(r.good.Load())
	for i := range r.targets {
		n := (first + i) % len(r.targets)
		conn, err := r.targets[n].dial()
		if err == nil {
			r.good.Store(int32(n))
			return conn, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}

func (t target) dial() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if t.tls == nil {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", t.address)
	}
	d := tls.Dialer{Config: t.tls}
	return d.DialContext(ctx, "tcp", t.address)
}
