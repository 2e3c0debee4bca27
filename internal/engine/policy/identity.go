package policy

import (
	"slices"
	"strings"
)

// AWS's texts for identity policies, as far as they are fixed. The order of the
// checks is AWS's too.
const (
	syntaxErrors     = "Syntax errors in policy."
	versionTooOld    = "Policy document must be version 2012-10-17 or greater."
	hasPrincipal     = "Policy document should not specify a principal."
	legacyParsing    = "The policy failed legacy parsing"
	sidsNotUnique    = "Statement IDs (SID) in a single policy must be unique."
	sidForm          = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
	withoutActions   = "Policy statement must contain actions."
	withoutResources = "Policy statement must contain resources."
	withoutVendor    = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	twoColons        = "Actions/Condition can contain only one colon."
	vendorWildcard   = "Resource vendor must be fully qualified and cannot contain regexes."
)

func (p *parser) identityPolicy() (*Document, error) {
	root, se := parseJSON(p.doc.Text)
	if se != nil {
		return nil, p.fail(se.offset, syntaxErrors, "%s", se.detail)
	}
	p.root = root
	if pr := p.read(); pr != nil {
		return nil, p.fail(pr.at, syntaxErrors, "%s", pr.detail)
	}
	for _, check := range []func() *Error{
		p.identityVersion, p.noPrincipals, p.legacy, p.uniqueSids, p.plainSids, p.someActions,
		p.resourceFormats, p.actionFormats, p.someResources,
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return p.doc, nil
}

func (p *parser) identityVersion() *Error {
	if p.doc.Kind == Managed && p.doc.Version != Version2012 {
		return p.fail(p.root.span.Start, versionTooOld, "a managed policy has Version 2012-10-17")
	}
	return nil
}

func (p *parser) noPrincipals() *Error {
	for _, raw := range p.raw {
		for _, e := range []string{"Principal", "NotPrincipal"} {
			if at, ok := raw.has[e]; ok {
				return p.fail(at.Start, hasPrincipal, "%s belongs in resource-based policies", e)
			}
		}
	}
	return nil
}

// legacy are the checks of the older parser: the case of Effect, dates, and the
// colons of resources that are otherwise in good form.
func (p *parser) legacy() *Error {
	for i, raw := range p.raw {
		if e := raw.effect; e.text != "Allow" && e.text != "Deny" {
			return p.fail(e.span.Start, legacyParsing, "Effect is Allow or Deny, in this case of letters")
		}
		for _, c := range p.doc.Statements[i].Conditions {
			if c.Operator.Test < DateEquals || c.Operator.Test > DateGreaterThanEquals {
				continue
			}
			for _, v := range c.Values {
				if !dateForm(v.Value) {
					return p.fail(v.Start, legacyParsing, "%q is not a date", v.Value)
				}
			}
		}
	}
	for _, s := range p.doc.Statements {
		for _, r := range s.Resources {
			if resourceFormat(r.Value) != "" {
				return nil // this one's own text comes later
			}
			if r.Value == "*" {
				continue
			}
			parts := strings.Split(r.Value, ":")
			if strings.Contains(r.Value, "::") && len(parts) < 6 || parts[2] == "" {
				return p.fail(r.Start, legacyParsing, "%q is not an ARN: six parts, separated by colons", r.Value)
			}
		}
	}
	return nil
}

func (p *parser) uniqueSids() *Error {
	if at := p.repeatedSid(); at >= 0 {
		return p.fail(at, sidsNotUnique, "")
	}
	return nil
}

// plainSids: letters and digits, of identity and session policies.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html
func (p *parser) plainSids() *Error {
	if p.accepted {
		return nil
	}
	for _, s := range p.doc.Statements {
		if strings.ContainsFunc(s.Sid, func(c rune) bool {
			return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9')
		}) {
			return p.fail(s.Start, sidForm, "the Sid %q has other characters", s.Sid)
		}
	}
	return nil
}

// repeatedSid is the offset of the first statement whose Sid an earlier one has,
// or -1. Empty ones don't count.
func (p *parser) repeatedSid() int {
	seen := map[string]bool{}
	for _, s := range p.doc.Statements {
		if s.Sid != "" && seen[s.Sid] {
			return s.Start
		}
		seen[s.Sid] = true
	}
	return -1
}

func (p *parser) someActions() *Error {
	for _, s := range p.doc.Statements {
		if len(s.Actions) == 0 {
			return p.fail(s.Start, withoutActions, "the statement has neither Action nor NotAction")
		}
	}
	return nil
}

func (p *parser) someResources() *Error {
	for _, s := range p.doc.Statements {
		if len(s.Resources) == 0 {
			return p.fail(s.Start, withoutResources, "the statement has neither Resource nor NotResource")
		}
	}
	return nil
}

func (p *parser) resourceFormats() *Error {
	for _, s := range p.doc.Statements {
		for _, r := range s.Resources {
			if text := resourceFormat(r.Value); text != "" {
				return p.fail(r.Start, text, "")
			}
		}
	}
	return nil
}

// resourceFormat says, in AWS's words, what is wrong with a resource's form.
func resourceFormat(resource string) string {
	if resource == "*" {
		return ""
	}
	parts := strings.SplitN(resource, ":", 6)
	if len(parts) == 1 {
		return "Resource " + resource + ` must be in ARN format or "*".`
	}
	if partition := parts[1]; partition != "*" && !slices.Contains(partitions(), partition) {
		return `Partition "` + partition + `" is not valid for resource "` + spelledOut(partition, resource) + `".`
	}
	if len(parts) == 2 {
		return vendorWildcard
	}
	service := parts[2]
	for len(parts) < 6 {
		parts = append(parts, "")
	}
	region, path := parts[3], parts[5]
	switch service {
	case "iam":
		if region != "" {
			return "IAM resource " + resource + " cannot contain region information."
		}
		if path != "" && path != "*" && !hasAnyPrefix(path, iamPaths()) {
			return `IAM resource path must either be "*" or start with ` + strings.Join(iamPaths(), ", ") + "."
		}
	case "s3":
		if region != "" && !hasAnyPrefix(path, []string{"accesspoint", "access-grants", "job/", "storage-lens"}) {
			return "Resource " + resource + " can not contain region information."
		}
	}
	return ""
}

// spelledOut is the ARN as AWS shows it in the error of a wrong partition:
// missing parts are "*", and the scheme is always arn.
func spelledOut(partition, resource string) string {
	parts := strings.SplitN(resource, ":", 6)
	out := []string{"arn", partition, "*", "*", "*", "*"}
	for i := 2; i < len(parts); i++ {
		out[i] = parts[i]
	}
	return strings.Join(out, ":")
}

func hasAnyPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

func partitions() []string {
	return []string{"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"}
}

func iamPaths() []string {
	return []string{"user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/",
		"policy/", "sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/"}
}

func (p *parser) actionFormats() *Error {
	for _, s := range p.doc.Statements {
		for _, a := range s.Actions {
			if text := actionFormat(a.Value); text != "" {
				return p.fail(a.Start, text, "")
			}
		}
	}
	return nil
}

func actionFormat(action string) string {
	if action == "*" {
		return ""
	}
	vendor, name, found := strings.Cut(action, ":")
	switch {
	case !found:
		return withoutVendor
	case strings.Contains(name, ":"):
		return twoColons
	}
	if vendor == "*" {
		return ""
	}
	for _, c := range vendor {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.') {
			return "Vendor " + vendor + " is not valid"
		}
	}
	return ""
}
