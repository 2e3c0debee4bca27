package daemon

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
)

// TestOnInternet: what is asked for users is neither a private network nor this machine,
// save its loopback.
func TestOnInternet(t *testing.T) {
	own := []net.Addr{&net.IPNet{IP: net.IPv4(198, 18, 0, 1), Mask: net.CIDRMask(24, 32)}, &net.IPNet{IP: net.IPv4(127, 0, 0, 1), Mask: net.CIDRMask(8, 32)}}
	for address, want := range map[string]bool{
		"198.18.3.4": true, "203.0.113.7": true, "2001:db8::1": true, "127.0.0.1": true, "127.0.0.53": true, "::1": true, "::ffff:127.0.0.1": true,
		"10.0.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "fe80::1": false, "fd00::1": false,
		"198.18.0.1": false, "0.0.0.0": false, "::": false, "::ffff:10.0.0.1": false, "224.0.0.1": false,
	} {
		if err := onInternet(netip.MustParseAddr(address), own); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
	for endpoint, want := range map[string]bool{"http://127.0.0.1:18099/x": true, "http://localhost/": true, "http://10.1.2.3/": false, "https://[fd00::1]:8443/x": false, "https://hooks.example/": true} {
		u, err := url.Parse(endpoint)
		if err != nil {
			t.Fatal(err)
		}
		if err := Reaches(u); (err == nil) != want {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

// TestOutside: a listener on loopback is asked.
func TestOutside(t *testing.T) {
	asked := false
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer s.Close()
	a, err := openAuthority(Config{StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{authority: a}
	if answer, err := d.outside().Get(s.URL); err != nil || !asked {
		t.Errorf("%v, asked: %v", err, asked)
	} else {
		answer.Body.Close()
	}
}
