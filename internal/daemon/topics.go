package daemon

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/sns"
)

// newTopics makes SNS, which delivers from the Internet: to where this machine can reach
// and others could be, by the names that the outside knows.
func (d *Daemon) newTopics(place api.Place) *sns.Service {
	transport := &http.Transport{
		DialContext: d.dialOut, TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: 30 * time.Second,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: d.authority.roots()},
	}
	return sns.New(sns.Deps{
		Store: d.store, Place: place, IAM: d.iam, Now: time.Now, Log: slog.Default(),
		Client: &http.Client{Transport: transport}, Certify: d.authority.certify,
	})
}

// dialOut connects to an address of the Internet, of which this account's own public
// addresses are a part.
func (d *Daemon) dialOut(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, to string, _ syscall.RawConn) error {
		own, err := net.InterfaceAddrs()
		if err != nil {
			return err
		}
		return onInternet(to, own)
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

// onInternet refuses addresses that lead back to this machine or into its own networks.
func onInternet(address string, own []net.Addr) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := to.Addr().Unmap().WithZone("")
	itself := slices.ContainsFunc(own, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr().Unmap() == ip
	})
	if itself || ip.IsLoopback() || ip.IsUnspecified() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsMulticast() {
		return fmt.Errorf("%s is not on the Internet: this machine and private networks are not asked", ip)
	}
	return nil
}

// roots are whom this machine trusts, and the authority.
func (a *authority) roots() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AddCert(a.cert)
	return pool
}

// certify makes the certificate of a key that SNS signs messages with, followed by the
// authority's.
func (a *authority) certify(public crypto.PublicKey, from, to time.Time) ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(from.UnixNano()), Subject: pkix.Name{CommonName: "sns.amazonaws.com"}, DNSNames: []string{"sns.amazonaws.com"},
		NotBefore: from, NotAfter: to, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
	if err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), a.pem()...), nil
}
