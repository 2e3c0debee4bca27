package idp

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

// Provider is an issuer, as it was registered.
type Provider struct {
	URL         string   // HOST/PATH, without https://
	Thumbprints []string // hexadecimal SHA-1 of certificates, in lower case
}

// Why there are no keys.
var (
	ErrUnreachable = errors.New("the identity provider cannot be reached")
	ErrCertificate = errors.New("the identity provider's certificate is neither trusted nor one of the thumbprints")
	ErrNoKeys      = errors.New("the identity provider does not tell its keys as OpenID Connect says")
)

// Local is an issuer on this machine.
type Local struct {
	// Keys returns the public keys at the time; it must not block.
	Keys func() jose.JSONWebKeySet
	// Thumbprint is that of its server's certificate authority, "" without a server.
	Thumbprint string
}

// Options say which issuers are here; the rest is for tests.
type Options struct {
	// Here finds issuers of this machine by their URL, without https://. What it
	// answers for is never asked for over the network, whether it has keys or not.
	// Nil: there are those that are registered.
	Here  func(url string) (Local, bool)
	Now   func() time.Time                                                     // the clock
	Roots *x509.CertPool                                                       // trusted authorities; nil: this machine's
	Dial  func(ctx context.Context, network, address string) (net.Conn, error) // nil: to where an issuer may be
}

// Issuers finds keys. It is safe for concurrent use.
type Issuers struct {
	Options
	mu     sync.Mutex
	local  map[string]Local // by URL
	cached map[string]*answer
	flight singleflight.Group
}

// answer is what an issuer said, or why it didn't.
type answer struct {
	keys  jose.JSONWebKeySet
	err   error
	at    time.Time // how old it is
	asked time.Time // when it was tried last to have a newer one
}

const (
	keysLast     = 10 * time.Minute
	failuresLast = 10 * time.Second
	newerAfter   = 30 * time.Second
	mostCached   = 1024
)

// New makes Issuers.
func New(o Options) *Issuers {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Dial == nil {
		o.Dial = dialer().DialContext
	}
	return &Issuers{Options: o, local: map[string]Local{}, cached: map[string]*answer{}}
}

// Register makes an issuer of this machine known by its URL, which begins with
// https://, until the function that it returns is called. Its keys are asked for
// in process: no network, no certificate.
func (i *Issuers) Register(url string, l Local) (remove func()) {
	name := strings.TrimPrefix(url, "https://")
	i.mu.Lock()
	defer i.mu.Unlock()
	i.local[name] = l
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		delete(i.local, name)
	}
}

func (i *Issuers) registered(url string) (Local, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if l, ok := i.local[url]; ok || i.Here == nil {
		return l, ok
	}
	return i.Here(url)
}

// Keys returns an issuer's keys; newer ones than are remembered, if they may have
// changed. Errors: ErrUnreachable, ErrCertificate, ErrNoKeys.
func (i *Issuers) Keys(ctx context.Context, p Provider, newer bool) (jose.JSONWebKeySet, error) {
	if l, ok := i.registered(p.URL); ok {
		return l.Keys(), nil
	}
	name := p.URL + " " + strings.Join(slices.Sorted(slices.Values(p.Thumbprints)), " ")
	if a := i.remembered(name, newer); a != nil {
		return a.keys, a.err
	}
	// One fetch serves all who wait for it, so it doesn't end with the first of them.
	done := i.flight.DoChan(name, func() (any, error) {
		a := &answer{}
		a.keys, a.err = i.fetch(context.WithoutCancel(ctx), p)
		a.at = i.Now()
		a.asked = a.at
		return i.remember(name, a), nil
	})
	select {
	case <-ctx.Done():
		return jose.JSONWebKeySet{}, ErrUnreachable
	case r := <-done:
		a := r.Val.(*answer)
		return a.keys, a.err
	}
}

// remembered is an answer that is fresh enough.
func (i *Issuers) remembered(name string, newer bool) *answer {
	i.mu.Lock()
	defer i.mu.Unlock()
	a := i.cached[name]
	if a == nil {
		return nil
	}
	since, last := a.at, keysLast
	switch {
	case a.err != nil:
		last = failuresLast
	case newer:
		since, last = a.asked, newerAfter
	}
	if i.Now().Sub(since) >= last {
		return nil
	}
	return a
}

// remember keeps an answer and returns what is to be used. Good keys outlast a
// failure to renew them, as long as they would have lasted anyway.
func (i *Issuers) remember(name string, a *answer) *answer {
	i.mu.Lock()
	defer i.mu.Unlock()
	if old := i.cached[name]; a.err != nil && old != nil && old.err == nil && a.at.Sub(old.at) < keysLast {
		a = &answer{keys: old.keys, at: old.at, asked: a.asked}
	}
	if len(i.cached) >= mostCached {
		clear(i.cached)
	}
	i.cached[name] = a
	return a
}
