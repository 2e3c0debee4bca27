package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func at(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }

func TestHeader(t *testing.T) {
	client, called := at("198.18.0.1:40000"), at("198.18.2.4:80")
	for version, want := range map[int]string{
		0: "",
		1: "PROXY TCP4 198.18.0.1 198.18.2.4 40000 80\r\n",
		2: "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc6\x12\x00\x01\xc6\x12\x02\x04\x9c\x40\x00\x50",
	} {
		if got := string(header(version, client, called)); got != want {
			t.Errorf("version %d: %q, want %q", version, got, want)
		}
	}
}

func TestSeenAs(t *testing.T) {
	c := Config{Inside: netip.MustParsePrefix("10.0.0.0/16"), Public: netip.MustParsePrefix("198.18.0.0/16"), NAT: netip.MustParseAddr("198.18.0.3")}
	for _, test := range []struct{ client, called, want string }{
		{"198.18.0.1:1", "198.18.2.4:80", "198.18.0.1:1"},
		{"10.0.64.4:1", "198.18.2.4:80", "198.18.0.3:1"},
		{"10.0.64.4:1", "10.0.64.9:80", "10.0.64.4:1"},
	} {
		if got := c.seenAs(at(test.client), at(test.called)); got != at(test.want) {
			t.Errorf("%s to %s is seen as %s, want %s", test.client, test.called, got, test.want)
		}
	}
}

func TestFate(t *testing.T) {
	until := time.Now().Add(time.Minute)
	l := Listener{
		Targets: []netip.AddrPort{at("10.0.64.4:1")}, Keep: []netip.AddrPort{at("10.0.64.5:1")},
		Drain: []Drain{{Target: at("10.0.64.6:1"), Until: until}, {Target: at("10.0.64.7:1")}},
	}
	for _, test := range []struct {
		target string
		until  time.Time
		lives  bool
	}{
		{"10.0.64.4:1", time.Time{}, true},
		{"10.0.64.5:1", time.Time{}, true},
		{"10.0.64.6:1", until, true},
		{"10.0.64.7:1", time.Time{}, true},
		{"10.0.64.8:1", time.Time{}, false},
		{"10.0.64.4:2", time.Time{}, false},
	} {
		if got, lives := l.fate(at(test.target)); !got.Equal(test.until) || lives != test.lives {
			t.Errorf("%s: %v until %v", test.target, lives, got)
		}
	}
}

func TestRefused(t *testing.T) {
	good := Listener{Addr: at("198.18.2.4:80"), Idle: time.Minute}
	for name, all := range map[string][]Listener{
		"no address":         {{Idle: time.Minute}},
		"IPv6":               {{Addr: at("[fd00::1]:80"), Idle: time.Minute}},
		"no idle timeout":    {{Addr: good.Addr}},
		"twice":              {good, good},
		"proxy protocol 3":   {{Addr: good.Addr, Idle: time.Minute, ProxyProtocol: 3}},
		"HTTP with a header": {{Addr: good.Addr, Idle: time.Minute, ProxyProtocol: 1, HTTP: true}},
	} {
		if err := New(nil).Apply(Config{Listeners: all}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A process that starts again begins with the configuration of the file, and takes
// the next on its control socket.
func TestRunBeginsWithTheFile(t *testing.T) {
	dir := t.TempDir()
	file, socket := filepath.Join(dir, "config"), filepath.Join(dir, "sock")
	config := func(port int) []byte {
		data, err := json.Marshal(Config{Listeners: []Listener{{Addr: at(fmt.Sprint("198.18.2.4:", port)), Idle: time.Minute}}})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if err := os.WriteFile(file, config(80), 0o600); err != nil {
		t.Fatal(err)
	}
	clients, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	control, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	p, done := New(nil), make(chan error, 1)
	go func() { done <- p.Run(clients, control, file) }()
	serves := func(port int) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.at[at(fmt.Sprint("198.18.2.4:", port))] != nil
	}
	for end := time.Now().Add(time.Minute); !serves(80); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the file's configuration is not in force")
		}
	}
	if err := Send(context.Background(), socket, config(81)); err != nil || !serves(81) || serves(80) {
		t.Errorf("%v; 80: %v, 81: %v", err, serves(80), serves(81))
	}
	if err := Send(context.Background(), socket, config(0)); err == nil || !strings.Contains(err.Error(), "is no address to listen at") {
		t.Errorf("a configuration that can't be: %v", err)
	}
	if !serves(81) {
		t.Error("what was refused took what was")
	}
	clients.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
