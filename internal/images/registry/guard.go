package registry

import (
	"errors"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// errOwnAddress is why a registry at this machine's own addresses is not asked.
var errOwnAddress = errors.New("registries at this machine's own addresses are not asked on a node's behalf")

// guarded is a transport that obeys the proxy variables and dials no loopback,
// link-local or unspecified address: what listens there trusts whoever can
// connect, and a node can't by itself. The check is on the address dialled, so
// a name that resolves there, or a redirect, gains nothing.
func guarded() http.RoundTripper {
	t := remote.DefaultTransport.(*http.Transport).Clone()
	direct := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Control: refuseOwn}
	proxied := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	viaProxy := t.Clone()
	viaProxy.DialContext = proxied.DialContext
	t.Proxy = nil
	t.DialContext = direct.DialContext
	return proxyOr{viaProxy, t}
}

// proxyOr sends a request through the proxy that is set for it, or directly.
type proxyOr struct{ proxied, direct *http.Transport }

func (p proxyOr) RoundTrip(req *http.Request) (*http.Response, error) {
	if proxy, err := http.ProxyFromEnvironment(req); err == nil && proxy != nil {
		return p.proxied.RoundTrip(req)
	}
	return p.direct.RoundTrip(req)
}

// refuseOwn is a net.Dialer's Control: it sees the resolved address.
func refuseOwn(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	ip := net.ParseIP(host)
	if ip == nil || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() || ip.IsMulticast() || ip.IsUnspecified() {
		return errOwnAddress
	}
	return nil
}
