package pki

import (
	"crypto/x509"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// leaf is what one certificate has to say.
type leaf struct {
	file       string // base name, without .pem
	commonName string
	groups     []string // organizations: Kubernetes reads them as groups
	usage      x509.ExtKeyUsage
	names      []string
	addresses  []netip.Addr
}

func client(file, commonName string, groups ...string) leaf {
	return leaf{file: file, commonName: commonName, groups: groups, usage: x509.ExtKeyUsageClientAuth}
}

func server(file, commonName string, names []string, addresses []netip.Addr) leaf {
	return leaf{file: file, commonName: commonName, usage: x509.ExtKeyUsageServerAuth, names: names, addresses: addresses}
}

func (l leaf) ips() []net.IP {
	var ips []net.IP
	for _, a := range l.addresses {
		ips = append(ips, a.AsSlice())
	}
	return ips
}

// ensure reads the certificate, and issues it anew where it is missing, nears
// its end, is not the authority's, or says something else than it should.
func (l leaf) ensure(dir string, ca *identity, now time.Time) (*identity, error) {
	path := filepath.Join(dir, l.file+".pem")
	id, err := readIdentity(path)
	if err != nil {
		return nil, err
	}
	if id != nil && l.saidBy(id.cert) && signedBy(id.cert, ca) && now.Before(id.cert.NotAfter.Add(-leafRenew)) {
		return id, nil
	}
	if id, err = l.issue(ca, now); err != nil {
		return nil, err
	}
	return id, write(path, id.pem, 0o600)
}

func signedBy(cert *x509.Certificate, ca *identity) bool {
	return cert.CheckSignatureFrom(ca.cert) == nil
}

func (l leaf) saidBy(cert *x509.Certificate) bool {
	var ips []netip.Addr
	for _, ip := range cert.IPAddresses {
		a, _ := netip.AddrFromSlice(ip)
		ips = append(ips, a.Unmap())
	}
	return cert.Subject.CommonName == l.commonName &&
		sameSet(cert.Subject.Organization, l.groups, strings.Compare) &&
		sameSet(cert.DNSNames, l.names, strings.Compare) &&
		sameSet(ips, l.addresses, netip.Addr.Compare) &&
		slices.Equal(cert.ExtKeyUsage, []x509.ExtKeyUsage{l.usage})
}

func sameSet[T comparable](a, b []T, cmp func(T, T) int) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, cmp)
	slices.SortFunc(b, cmp)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}
