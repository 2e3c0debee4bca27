package s3

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/engine/policy"
)

// narrowing are the condition keys that make a grant to everyone one to someone, if
// their values are fixed
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status).
var narrowing = []string{
	"aws:sourceip", "aws:sourcearn", "aws:sourcevpc", "aws:sourcevpce", "aws:sourceowner", "aws:sourceaccount",
	"aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:principalorgpaths", "aws:userid",
	"s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:dataaccesspointarn", "s3:dataaccesspointaccount", "s3:accesspointnetworkorigin",
}

// public says whether a bucket's policy allows anything to everyone.
func public(doc *policy.Document) bool {
	return slices.ContainsFunc(doc.Statements, func(s policy.Statement) bool {
		return s.Effect == policy.Allow && toEveryone(&s) && !slices.ContainsFunc(s.Conditions, narrows)
	})
}

func toEveryone(s *policy.Statement) bool {
	return s.NotPrincipal || slices.ContainsFunc(s.Principals, func(p policy.Principal) bool {
		return p.Type == policy.Anyone || p.Type == policy.AWS && p.Value == "*"
	})
}

// narrows says whether a condition holds for some callers only: it compares one of
// those keys, not negated, with fixed values.
func narrows(c policy.Condition) bool {
	if !slices.Contains(narrowing, strings.ToLower(c.Key)) || !positive(c.Operator) || len(c.Values) == 0 {
		return false
	}
	return !slices.ContainsFunc(c.Values, func(v policy.Text) bool {
		if strings.EqualFold(c.Key, "aws:SourceIp") {
			return !narrowNet(v.Value)
		}
		return strings.Contains(v.Value, "${") || strings.Trim(v.Value, "*?") == ""
	})
}

// positive: the operator is satisfied by a key that has the value, and by no key
// that is missing.
func positive(o policy.Operator) bool {
	switch o.Test {
	case policy.StringEquals, policy.StringEqualsIgnoreCase, policy.StringLike, policy.ArnLike, policy.IPAddress:
		return !o.Negated && !o.IfExists && o.Set != policy.ForAllValues
	}
	return false
}

// narrowNet: AWS calls nets of more than /8 (IPv4) and /32 (IPv6) wide open.
func narrowNet(text string) bool {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		_, err = netip.ParseAddr(text)
		return err == nil
	}
	if p.Addr().Is4() {
		return p.Bits() >= 8
	}
	return p.Bits() >= 32
}
