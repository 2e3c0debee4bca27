package route53

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// problem is what is wrong with a value, in the words of Route 53.
func problem(code, text, value string) string {
	return fmt.Sprintf("Invalid Resource Record: 'FATAL problem: %s (%s) encountered with '%s''", code, text, value)
}

// valueFault says what is wrong with a record's value, or "".
func valueFault(kind, value string) string {
	switch kind {
	case "A":
		if a, err := netip.ParseAddr(value); err != nil || !a.Is4() {
			return problem("ARRDATAIllegalIPv4Address", "Value is not a valid IPv4 address", value)
		}
		return ""
	case "AAAA":
		if a, err := netip.ParseAddr(value); err != nil || !a.Is6() || a.Zone() != "" {
			return problem("AAAARRDATAIllegalIPv6Address", "Value is not a valid IPv6 address", value)
		}
		return ""
	case "TXT", "SPF":
		if fault := textFault(value); fault != "" {
			return fault
		}
	}
	rr, err := record(".", kind, 0, value)
	if err == nil {
		_, err = dns.PackRR(rr, make([]byte, dns.MaxMsgSize), 0, nil, false)
	}
	if err != nil {
		return problem(kind+"RRDATAInvalid", "Value is not valid", value)
	}
	return ""
}

// strings255 matches a value of character strings: quoted, each with its escapes.
var strings255 = regexp.MustCompile(`^("(?:[^"\\]|\\.)*")(?:[ \t]+"(?:[^"\\]|\\.)*")*$`)

var quoted = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)

func textFault(value string) string {
	if !strings255.MatchString(value) {
		return problem("InvalidCharacterString", "Value should be enclosed in quotation marks", value)
	}
	for _, m := range quoted.FindAllStringSubmatch(value, -1) {
		if len(octal.ReplaceAllString(m[1], "x")) > 255 {
			return problem("CharacterStringTooLong", "Value is too long", value)
		}
	}
	if len(value) > 4000 {
		return problem("CharacterStringTooLong", "Value is too long", value)
	}
	return ""
}

// octal matches an escaped byte as Route 53 writes it, where DNS' own files have
// decimals.
var octal = regexp.MustCompile(`\\[0-3][0-7]{2}`)

// record makes a resource record of a value.
func record(name, kind string, ttl int64, value string) (dns.RR, error) {
	if kind == "TXT" || kind == "SPF" {
		value = octal.ReplaceAllStringFunc(value, func(s string) string {
			n, _ := strconv.ParseUint(s[1:], 8, 8) // the pattern's digits
			return fmt.Sprintf(`\%03d`, n)
		})
	}
	if strings.ContainsAny(value, "\n\r") {
		return nil, fmt.Errorf("a value of several lines")
	}
	rr, err := dns.NewRR(fmt.Sprintf("%s %d IN %s %s", name, ttl, kind, value))
	if err == nil && rr == nil {
		err = fmt.Errorf("no value")
	}
	return rr, err
}
