package token

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Hosts is the list of endpoints that a token may be made for: the STS hosts
// of one partition, always over https, and endpoints given by name. The zero
// value allows nothing.
type Hosts struct {
	global   string          // the host without a region; "" where there is none
	suffixes []string        // what follows "sts.REGION."
	given    map[string]bool // "http://127.0.0.1:4566"
	names    map[string]bool // the hosts of given, whatever their scheme
}

// partitionSuffixes are the domains below which a partition's services live,
// IPv4 first, dual stack second (SDK endpoint rules, partitions.json).
var partitionSuffixes = map[string][]string{
	"aws":        {"amazonaws.com", "api.aws"},
	"aws-us-gov": {"amazonaws.com", "api.aws"},
	"aws-cn":     {"amazonaws.com.cn", "api.amazonwebservices.com.cn"},
	"aws-eusc":   {"amazonaws.eu", "api.amazonwebservices.eu"},
	"aws-iso":    {"c2s.ic.gov"},
	"aws-iso-b":  {"sc2s.sgov.gov"},
	"aws-iso-e":  {"cloud.adc-e.uk"},
	"aws-iso-f":  {"csp.hci.ic.gov"},
}

// AllowHosts builds the list for a partition ("aws"). Each endpoint is the URL
// of one of our own doors as clients know it (AWS_ENDPOINT_URL), with its port
// if it has one: "http://127.0.0.1:4566". Nothing of it but scheme and host
// counts.
func AllowHosts(partition string, endpoints ...string) (Hosts, error) {
	suffixes, ok := partitionSuffixes[partition]
	if !ok {
		return Hosts{}, fmt.Errorf("partition %q is not known", partition)
	}
	h := Hosts{suffixes: suffixes, given: map[string]bool{}, names: map[string]bool{}}
	if partition == "aws" {
		h.global = "sts.amazonaws.com"
	}
	for _, endpoint := range endpoints {
		u, err := url.Parse(endpoint)
		if err != nil {
			return Hosts{}, fmt.Errorf("endpoint %q: %w", endpoint, err)
		}
		if u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return Hosts{}, fmt.Errorf("endpoint %q is not an http or https URL", endpoint)
		}
		h.given[u.Scheme+"://"+u.Host] = true
		h.names[u.Host] = true
	}
	return h, nil
}

// check answers nil when a token may be made for this scheme and host.
func (h Hosts) check(scheme, host string) error {
	if h.given[scheme+"://"+host] {
		return nil
	}
	// http is for our own doors only. A host that no list has is reported as
	// the host it is; a known one with the wrong scheme, as the wrong scheme.
	if scheme != "https" && (scheme != "http" || h.names[host] || h.isSTS(host)) {
		return malformed(Scheme, fmt.Sprintf("unexpected scheme %q in pre-signed URL", scheme))
	}
	if scheme == "https" && h.isSTS(host) {
		return nil
	}
	return malformed(Host, fmt.Sprintf("unexpected hostname %q in pre-signed URL", host))
}

// region matches what the SDKs accept as a region's name.
var region = regexp.MustCompile(`^[[:alnum:]]([[:alnum:]\-]*[[:alnum:]])?$`)

// isSTS knows sts.amazonaws.com and {sts,sts-fips}.REGION.SUFFIX. The region
// need not exist: new ones appear, and nobody dials the host.
func (h Hosts) isSTS(host string) bool {
	if h.global != "" && host == h.global {
		return true
	}
	service, rest, _ := strings.Cut(host, ".")
	if service != "sts" && service != "sts-fips" {
		return false
	}
	name, suffix, _ := strings.Cut(rest, ".")
	if !region.MatchString(name) {
		return false
	}
	for _, s := range h.suffixes {
		if suffix == s {
			return true
		}
	}
	return false
}
