package idp

import (
	"context"
	"crypto/sha1" // what AWS's thumbprints are
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strings"
)

// connect makes a verified connection to host:443. The name is given by hand, for
// TLS itself forgets it where it is an address, and then no name would be checked.
func (i *Issuers) connect(ctx context.Context, address string, thumbprints []string) (*tls.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return nil, fmt.Errorf("%w: no host in %q", ErrNoKeys, address)
	}
	conn, err := i.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, &tls.Config{
		ServerName: host, MinVersion: tls.VersionTLS12,
		// VerifyConnection does all that this leaves out, on every connection.
		InsecureSkipVerify: true,
		VerifyConnection: func(c tls.ConnectionState) error {
			return i.verify(c.PeerCertificates, host, thumbprints)
		},
	})
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// verify checks the chain of a server's certificates, its own first.
func (i *Issuers) verify(chain []*x509.Certificate, host string, thumbprints []string) error {
	if len(chain) == 0 {
		return ErrCertificate
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	good := func(roots *x509.CertPool) error {
		_, err := chain[0].Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: between, CurrentTime: i.Now()})
		return err
	}
	trusted := good(i.Roots)
	if trusted == nil {
		return nil
	}
	for _, c := range chain {
		if slices.Contains(thumbprints, thumbprint(c)) {
			pinned := x509.NewCertPool()
			pinned.AddCert(c)
			if good(pinned) == nil {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: %w", ErrCertificate, trusted)
}

// thumbprint is a certificate's, as AWS has it.
func thumbprint(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw)
	return hex.EncodeToString(sum[:])
}

// Thumbprint reads that of the topmost certificate that an issuer's server shows,
// which this machine must trust: what is read is trusted from then on. Of an issuer
// of this machine it is what was registered, perhaps "".
func (i *Issuers) Thumbprint(ctx context.Context, url string) (string, error) {
	if l, ok := i.registered(url); ok {
		return l.Thumbprint, nil
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	host, _, _ := strings.Cut(url, "/")
	conn, err := i.connect(ctx, net.JoinHostPort(strings.Trim(host, "[]"), "443"), nil)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer conn.Close()
	chain := conn.ConnectionState().PeerCertificates
	return thumbprint(chain[len(chain)-1]), nil
}
