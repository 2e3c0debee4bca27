package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"
)

// outside asks endpoints of users, as SNS and CloudWatch Logs do, from the Internet: where
// this machine can reach and others could be, by the names that the outside knows.
func (d *Daemon) outside() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: d.dialOut, TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: 30 * time.Second,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: d.authority.roots()},
	}}
}

// Reaches refuses an endpoint of users that the daemon would never ask, as far as its URL
// tells: of a name it is not known before it is asked.
func Reaches(endpoint *url.URL) error {
	address, err := netip.ParseAddr(endpoint.Hostname())
	if err != nil {
		return nil
	}
	return admitted(address)
}

// admitted is onInternet of this machine as it is now.
func admitted(address netip.Addr) error {
	own, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	return onInternet(address, own)
}

// dialOut connects to an address of the Internet, of which this account's own public
// addresses are a part.
func (d *Daemon) dialOut(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, to string, _ syscall.RawConn) error {
		peer, err := netip.ParseAddrPort(to)
		if err != nil {
			return err
		}
		return admitted(peer.Addr())
	}}
	ours := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, netip.AddrPortFrom(d.network.PublicDNS(), 53).String())
	}}
	addrs, err := ours.LookupHost(ctx, host)
	if err != nil || len(addrs) == 0 {
		return dialer.DialContext(ctx, network, address) // not a name of this account
	}
	var failed error
	for _, a := range addrs {
		c, err := dialer.DialContext(ctx, network, net.JoinHostPort(a, port))
		if err == nil {
			return c, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}

// onInternet refuses addresses that lead into this machine's networks. Its own loopback is
// where its user is, which is the Internet to an account; the machine's other addresses and
// private ones are not.
func onInternet(address netip.Addr, own []net.Addr) error {
	ip := address.Unmap().WithZone("")
	if ip.IsLoopback() {
		return nil
	}
	itself := slices.ContainsFunc(own, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr().Unmap() == ip
	})
	if itself || ip.IsUnspecified() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsMulticast() {
		return fmt.Errorf("%s is not on the Internet: private networks and this machine are not asked, save its loopback addresses (127.0.0.1)", ip)
	}
	return nil
}
