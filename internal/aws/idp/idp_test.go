package idp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// sign makes a certificate; an authority's when it has no names. Nil signs itself.
func (a *authority) sign(t *testing.T, names ...string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: serial.String()}, IsCA: len(names) == 0, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, n)
		}
	}
	parent, signer := c, key
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	made, _ := x509.ParseCertificate(der)
	return &authority{made, key}
}

// site is an issuer's server.
type site struct {
	*httptest.Server
	discovery, keys atomic.Pointer[http.HandlerFunc]
	fetched         atomic.Int32 // key sets
}

const issuerURL = "idp.example/realm"

// open starts a server that shows the chain, its own certificate first.
func open(t *testing.T, chain ...*authority) *site {
	t.Helper()
	s := &site{}
	s.serve(`{"issuer":"https://`+issuerURL+`","jwks_uri":"https://keys.example/keys"}`, keySet(t))
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "idp.example" && r.URL.Path == "/realm/.well-known/openid-configuration" {
			(*s.discovery.Load())(w, r)
			return
		}
		s.fetched.Add(1)
		(*s.keys.Load())(w, r)
	}))
	pair := tls.Certificate{PrivateKey: chain[0].key}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.cert.Raw)
	}
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *site) serve(discovery, keys string) {
	say := func(text string) *http.HandlerFunc {
		f := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
		return &f
	}
	s.discovery.Store(say(discovery))
	s.keys.Store(say(keys))
}

func keySet(t *testing.T) string {
	t.Helper()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "k", Key: &key.PublicKey}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// issuers reach the site whatever its name is, and trust the roots.
func (s *site) issuers(now func() time.Time, roots ...*authority) *Issuers {
	pool := x509.NewCertPool()
	for _, r := range roots {
		pool.AddCert(r.cert)
	}
	return New(Options{Now: now, Roots: pool, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if !strings.HasSuffix(address, ":443") {
			return nil, errors.New("not HTTPS's port")
		}
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}})
}

// A certificate is good by the roots or, failing that, by a thumbprint of whoever
// signed it, for its name.
func TestCertificates(t *testing.T) {
	var nobody *authority
	root, other := nobody.sign(t), nobody.sign(t)
	between := root.sign(t)
	names := []string{"idp.example", "keys.example"}
	leaf, self := between.sign(t, names...), nobody.sign(t, names...)
	wrongName := between.sign(t, "other.example")
	stranger := other.sign(t, names...)
	for name, c := range map[string]struct {
		chain  []*authority
		roots  []*authority
		prints []*authority
		want   error
	}{
		"trusted":                         {[]*authority{leaf, between}, []*authority{root}, nil, nil},
		"trusted, other thumbprint":       {[]*authority{leaf, between}, []*authority{root}, []*authority{other}, nil},
		"untrusted":                       {[]*authority{leaf, between}, nil, nil, ErrCertificate},
		"untrusted, other thumbprint":     {[]*authority{leaf, between}, nil, []*authority{other}, ErrCertificate},
		"thumbprint of the authority":     {[]*authority{leaf, between}, nil, []*authority{between}, nil},
		"thumbprint of the root, shown":   {[]*authority{leaf, between, root}, nil, []*authority{root}, nil},
		"thumbprint of the server's":      {[]*authority{leaf, between}, nil, []*authority{leaf}, nil},
		"self-signed":                     {[]*authority{self}, nil, []*authority{self}, nil},
		"signed by another than is shown": {[]*authority{stranger, between}, nil, []*authority{between}, ErrCertificate},
		"another name":                    {[]*authority{wrongName, between}, []*authority{root}, []*authority{between}, ErrCertificate},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, c.chain...)
			p := Provider{URL: issuerURL}
			for _, a := range c.prints {
				p.Thumbprints = append(p.Thumbprints, thumbprint(a.cert))
			}
			keys, err := s.issuers(time.Now, c.roots...).Keys(t.Context(), p, false)
			if !errors.Is(err, c.want) || (err == nil) != (len(keys.Keys) == 1) {
				t.Errorf("%d keys, %v; want %v", len(keys.Keys), err, c.want)
			}
		})
	}
}

// An address as a host has its certificate checked as a name has: TLS itself does
// not say such a name.
func TestAnAddressIsCheckedToo(t *testing.T) {
	var nobody *authority
	root := nobody.sign(t)
	for host, want := range map[string]error{"192.0.2.1": nil, "192.0.2.2": ErrCertificate} {
		s := open(t, root.sign(t, "192.0.2.1"))
		i := s.issuers(time.Now, root)
		conn, err := i.connect(t.Context(), net.JoinHostPort(host, "443"), nil)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", host, err, want)
		}
		if err == nil {
			conn.Close()
		}
	}
}

func TestWhatIssuersSay(t *testing.T) {
	var nobody *authority
	root := nobody.sign(t)
	leaf := root.sign(t, "idp.example", "keys.example")
	good := keySet(t)
	found := func(issuer, keys string) string { return `{"issuer":"` + issuer + `","jwks_uri":"` + keys + `"}` }
	const itself = "https://" + issuerURL
	for name, c := range map[string]struct {
		discovery, keys string
		want            error
	}{
		"good":              {found(itself, "https://keys.example/keys"), good, nil},
		"another issuer":    {found("https://evil.example", "https://keys.example/keys"), good, ErrNoKeys},
		"not its spelling":  {found(itself+"/", "https://keys.example/keys"), good, ErrNoKeys},
		"keys without TLS":  {found(itself, "http://keys.example/keys"), good, ErrNoKeys},
		"keys in a file":    {found(itself, "file:///etc/passwd"), good, ErrNoKeys},
		"keys on a socket":  {found(itself, "unix:///run/eksact/etcd.sock"), good, ErrNoKeys},
		"keys with a user":  {found(itself, "https://a:b@keys.example/keys"), good, ErrNoKeys},
		"keys on a port":    {found(itself, "https://keys.example:6443/keys"), good, ErrUnreachable},
		"no keys named":     {`{"issuer":"` + itself + `"}`, good, ErrNoKeys},
		"not JSON":          {`<html>`, good, ErrNoKeys},
		"keys not JSON":     {found(itself, "https://keys.example/keys"), `<html>`, ErrNoKeys},
		"no keys":           {found(itself, "https://keys.example/keys"), `{"keys":[]}`, ErrNoKeys},
		"too long a set":    {found(itself, "https://keys.example/keys"), `{"x":"` + strings.Repeat("x", mostBytes) + `",` + good[1:], ErrNoKeys},
		"too long a finder": {`{"x":"` + strings.Repeat("x", mostBytes) + `",` + found(itself, "https://keys.example/keys")[1:], good, ErrNoKeys},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, leaf)
			s.serve(c.discovery, c.keys)
			if _, err := s.issuers(time.Now, root).Keys(t.Context(), Provider{URL: issuerURL}, false); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	var nobody *authority
	root := nobody.sign(t)
	for to, want := range map[string]error{
		"https://keys.example/elsewhere": nil, "https://evil.example/keys": ErrNoKeys, "http://keys.example/keys": ErrNoKeys, "https://keys.example/again": ErrNoKeys,
	} {
		s := open(t, root.sign(t, "idp.example", "keys.example", "evil.example"))
		set := keySet(t)
		f := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" || r.Host == "evil.example" {
				_, _ = io.WriteString(w, set)
				return
			}
			http.Redirect(w, r, to, http.StatusFound)
		})
		s.keys.Store(&f)
		if _, err := s.issuers(time.Now, root).Keys(t.Context(), Provider{URL: issuerURL}, false); !errors.Is(err, want) {
			t.Errorf("to %s: %v, want %v", to, err, want)
		}
	}
	for status, want := range map[int]error{http.StatusNotFound: ErrNoKeys, http.StatusServiceUnavailable: ErrUnreachable} {
		s := open(t, root.sign(t, "idp.example", "keys.example"))
		f := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		s.keys.Store(&f)
		if _, err := s.issuers(time.Now, root).Keys(t.Context(), Provider{URL: issuerURL}, false); !errors.Is(err, want) {
			t.Errorf("status %d: %v, want %v", status, err, want)
		}
	}
}

// Keys are remembered; unknown ids can't make an issuer be asked for each token.
func TestKeysAreRemembered(t *testing.T) {
	var nobody *authority
	root := nobody.sign(t)
	s := open(t, root.sign(t, "idp.example", "keys.example"))
	now := time.Now()
	i := s.issuers(func() time.Time { return now }, root)
	p := Provider{URL: issuerURL}
	ask := func(after time.Duration, newer bool, want int32) {
		t.Helper()
		now = now.Add(after)
		if _, err := i.Keys(t.Context(), p, newer); err != nil {
			t.Error(err)
		}
		if got := s.fetched.Load(); got != want {
			t.Errorf("%d fetches, want %d", got, want)
		}
	}
	ask(0, false, 1)
	ask(newerAfter-time.Second, true, 1)
	ask(time.Second, true, 2)
	ask(keysLast-time.Second, false, 2)
	ask(time.Second, false, 3)
	p.Thumbprints = []string{strings.Repeat("0", 40)} // changed: what was remembered was under another trust
	ask(0, false, 4)

	good := s.discovery.Load()
	s.serve("", "")
	ask(newerAfter, true, 4) // the issuer is out of order: the old keys last
	p.Thumbprints = nil
	now = now.Add(keysLast)
	for range 3 {
		if _, err := i.Keys(t.Context(), p, true); !errors.Is(err, ErrNoKeys) {
			t.Errorf("got %v", err)
		}
	}
	s.discovery.Store(good)
	if _, err := i.Keys(t.Context(), p, true); err == nil {
		t.Error("a failure is forgotten at once")
	}
	now = now.Add(failuresLast)
	s.serve(`{"issuer":"https://`+issuerURL+`","jwks_uri":"https://keys.example/keys"}`, keySet(t))
	ask(0, false, 5)

	var all sync.WaitGroup
	now = now.Add(keysLast)
	for range 20 {
		all.Go(func() { _, _ = i.Keys(context.Background(), p, false) })
	}
	all.Wait()
	if got := s.fetched.Load(); got > 7 { // 6, unless some came after the first had been answered
		t.Errorf("%d fetches for callers at the same time", got)
	}
}

func TestIssuersOfThisMachine(t *testing.T) {
	i := New(Options{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network") }})
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "k"}}}
	remove := i.Register("https://"+issuerURL, Local{Keys: func() jose.JSONWebKeySet { return set }, Thumbprint: "p"})
	if keys, err := i.Keys(t.Context(), Provider{URL: issuerURL}, false); err != nil || len(keys.Keys) != 1 {
		t.Errorf("%v, %v", keys, err)
	}
	if print, err := i.Thumbprint(t.Context(), issuerURL); print != "p" || err != nil {
		t.Errorf("%q, %v", print, err)
	}
	remove()
	if _, err := i.Keys(t.Context(), Provider{URL: issuerURL}, false); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	if _, err := i.Thumbprint(t.Context(), issuerURL); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

// The thumbprint of a new provider is of the last certificate that is shown, and
// only of a chain that is trusted.
func TestThumbprint(t *testing.T) {
	var nobody *authority
	root := nobody.sign(t)
	between := root.sign(t)
	s := open(t, between.sign(t, "idp.example"), between)
	if got, err := s.issuers(time.Now, root).Thumbprint(t.Context(), issuerURL); got != thumbprint(between.cert) || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := s.issuers(time.Now).Thumbprint(t.Context(), issuerURL); !errors.Is(err, ErrCertificate) {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := s.issuers(time.Now, root).Thumbprint(t.Context(), "other.example"); !errors.Is(err, ErrCertificate) {
		t.Errorf("%s, %v", got, err)
	}
}

func TestWhereIssuersMayBe(t *testing.T) {
	own := []net.Addr{&net.IPNet{IP: net.IPv4(203, 0, 113, 9), Mask: net.CIDRMask(24, 32)}}
	for address, want := range map[string]bool{
		"198.51.100.1:443": true, "10.0.0.7:443": true, "[2001:db8::1]:443": true, "203.0.113.8:443": true,
		"203.0.113.9:443": false, "[::ffff:203.0.113.9]:443": false,
		"127.0.0.1:443": false, "127.9.9.9:443": false, "[::1]:443": false, "[::ffff:127.0.0.1]:443": false, "0.0.0.0:443": false, "[::]:443": false,
		"169.254.169.254:443": false, "[fe80::1%eth0]:443": false, "224.0.0.1:443": false,
		"198.51.100.1:80": false, "198.51.100.1:2379": false, "10.0.0.7:6443": false,
	} {
		if err := mayDial(netip.MustParseAddrPort(address), own); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
	// It is asked on the way: a name for this machine leads nowhere.
	if _, err := New(Options{}).Keys(t.Context(), Provider{URL: "localhost"}, false); !errors.Is(err, ErrNoKeys) {
		t.Errorf("localhost: %v", err)
	}
}
