package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/eksact/eksact/internal/engine/oidc"
)

const (
	fetchTime     = 5 * time.Second // for each document, as AWS waits
	mostBytes     = 1 << 20
	mostRedirects = 3
)

// fetch asks an issuer for its keys: the discovery document, then what that names.
// https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
func (i *Issuers) fetch(ctx context.Context, p Provider) (jose.JSONWebKeySet, error) {
	client := i.client(p.Thumbprints)
	defer client.CloseIdleConnections()
	issuer := "https://" + p.URL
	text, err := get(ctx, client, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return jose.JSONWebKeySet{}, err
	}
	var found struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(text, &found); err != nil {
		return jose.JSONWebKeySet{}, fmt.Errorf("%w: %w", ErrNoKeys, err)
	}
	switch u, err := url.Parse(found.Keys); {
	case found.Issuer != issuer:
		return jose.JSONWebKeySet{}, fmt.Errorf("%w: it calls itself %q, not %q", ErrNoKeys, found.Issuer, issuer)
	case err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil:
		return jose.JSONWebKeySet{}, fmt.Errorf("%w: jwks_uri is %q", ErrNoKeys, found.Keys)
	}
	if text, err = get(ctx, client, found.Keys); err != nil {
		return jose.JSONWebKeySet{}, err
	}
	keys, err := oidc.ParseKeys(text)
	if err != nil {
		return keys, fmt.Errorf("%w: %w", ErrNoKeys, err)
	}
	return keys, nil
}

// client is for one fetch.
func (i *Issuers) client(thumbprints []string) *http.Client {
	return &http.Client{
		Timeout: fetchTime,
		Transport: &http.Transport{
			DialTLSContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				return i.connect(ctx, address, thumbprints)
			},
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > mostRedirects || r.URL.Scheme != "https" || r.URL.Host != via[0].URL.Host {
				return fmt.Errorf("%w: redirected to %s", ErrNoKeys, r.URL.Redacted())
			}
			return nil
		},
	}
}

func get(ctx context.Context, client *http.Client, from string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoKeys, err)
	}
	r.Header.Set("Accept", "application/json")
	answer, err := client.Do(r)
	switch {
	case errors.Is(err, ErrCertificate), errors.Is(err, ErrNoKeys):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode >= http.StatusInternalServerError:
		return nil, fmt.Errorf("%w: %s answers %s", ErrUnreachable, from, answer.Status)
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%w: %s answers %s", ErrNoKeys, from, answer.Status)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, mostBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	case len(text) > mostBytes:
		return nil, fmt.Errorf("%w: %s is longer than %d bytes", ErrNoKeys, from, mostBytes)
	}
	return text, nil
}

// dialer connects to where issuers may be. It is asked after names are resolved.
func dialer() *net.Dialer {
	return &net.Dialer{Timeout: fetchTime, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		own, err := net.InterfaceAddrs()
		if err != nil {
			return err
		}
		return mayDial(to, own)
	}}
}

// mayDial refuses other ports than HTTPS's, and addresses that lead back to this
// machine or mean something else to each that asks.
func mayDial(to netip.AddrPort, own []net.Addr) error {
	ip := to.Addr().Unmap().WithZone("")
	itself := slices.ContainsFunc(own, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr().Unmap() == ip
	})
	switch {
	case to.Port() != 443:
		return fmt.Errorf("%w: port %d is not HTTPS's", ErrNoKeys, to.Port())
	case itself, ip.IsLoopback(), ip.IsUnspecified(), ip.IsLinkLocalUnicast(), ip.IsMulticast():
		return fmt.Errorf("%w: an issuer is not at %s", ErrNoKeys, ip)
	}
	return nil
}
