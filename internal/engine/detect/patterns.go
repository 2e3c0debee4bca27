package detect

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// A filter pattern is one condition on one event: it can't compare two fields, nor say that
// two conditions are of the same item of a list, and it has bounds. So a detection may have
// several, which together meet what it finds.

// What patterns may have, each, and all of a group's.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
const (
	mostPattern = 1024 // characters
	mostRegexps = 2
)

// Parts of patterns.
const (
	metComplete = `$.stage = "ResponseComplete"`
	metDone     = `$.responseStatus.code < 300`
	metPeople   = `$.user.username != "system:*" && $.user.username != "eks:*"`
	metBindings = `$.objectRef.resource = "*rolebindings" && $.user.username != "system:apiserver"`
	metRoles    = `$.objectRef.resource = "*roles" && $.user.username != "system:apiserver" && $.user.username != "system:serviceaccount:kube-system:clusterrole-aggregation-controller"`
	metChange   = `$.verb != "get" && $.verb != "list" && $.verb != "watch"`

	// metKept: what the request writes stays: it is no dry run. Parameters are between ? and &.
	metKept = `$.requestURI != "*?dryRun=All" && $.requestURI != "*&dryRun=All" && $.requestURI != "*?dryRun=All&*" && $.requestURI != "*&dryRun=All&*"`
	// metGone: so does what it deletes. Its options are a body, which counts before parameters.
	metGone  = `$.requestObject.dryRun[0] != "All"`
	metTurns = `(($.verb = "delete*" && ` + metGone + `) || ($.verb != "delete*" && ` + metKept + `))`

	metPod = `$.objectRef.resource = "pods" && $.objectRef.subresource NOT EXISTS && $.verb = "create" && $.objectRef.namespace != "kube-system" && ` + metWritten

	metWritten = metKept + ` && ` + metDone + ` && ` + metComplete
	metStar    = `%^[*]$%`
)

// Operations of JSON patches that may put what is elsewhere into an item, or reach into one.
var (
	metMoved       = []string{`$.requestObject[*].op = "copy"`, `$.requestObject[*].op = "move"`}
	metIntoSubject = slices.Concat(into("name", "kind", "apiGroup", "namespace"), metMoved)
	metIntoRule    = slices.Concat(into("verbs", "resources", "apiGroups", "resourceNames", "nonResourceURLs"), metMoved)
)

func into(fields ...string) (out []string) {
	for _, f := range fields {
		out = append(out, fmt.Sprintf(`$.requestObject[*].path = "*/%s*"`, f))
	}
	return out
}

// meets are patterns of a condition that all events meet, and others of which each meets
// one, if there are any: as few as their bounds allow.
func meets(all string, either ...string) []string {
	if len(either) == 0 {
		return []string{"{ " + all + " }"}
	}
	var out []string
	var part []string
	write := func(part []string) string { return "{ (" + strings.Join(part, " || ") + ") && " + all + " }" }
	for _, e := range either {
		text := write(append(part, e))
		if len(part) > 0 && (len(text) > mostPattern || strings.Count(text, "%") > 2*mostRegexps) {
			out, part = append(out, write(part)), nil
		}
		part = append(part, e)
	}
	return append(out, write(part))
}

// oneOf is a condition for each of several texts.
func oneOf(selector string, texts ...string) (out []string) {
	for _, t := range texts {
		out = append(out, fmt.Sprintf("%s = %q", selector, t))
	}
	return out
}

func either(list ...string) string { return "(" + strings.Join(list, " || ") + ")" }

// grants are patterns of subjects by some names that are written into bindings: in whole
// objects and merge patches; and by operations of JSON patches, where the answer has them.
func grants(names ...string) []string {
	return slices.Concat(
		meets(metBindings+" && "+metWritten, oneOf("$.requestObject.subjects[*].name", names...)...),
		meets(metBindings+" && "+either(oneOf("$.responseObject.subjects[*].name", names...)...)+" && "+metWritten, slices.Concat(
			oneOf("$.requestObject[*].value.name", names...), oneOf("$.requestObject[*].value[*].name", names...), oneOf("$.requestObject[*].value.subjects[*].name", names...), metIntoSubject)...),
	)
}

// binds are patterns of subjects that are written into bindings of a role.
func binds(role string) []string {
	is := func(object string) string { return fmt.Sprintf(`$.%s.roleRef.name = %q`, object, role) }
	var operations []string
	const told = 4 // operations that are told apart; of more any may be the one
	for i := range told {
		operations = append(operations, fmt.Sprintf(`($.requestObject[%[1]d].path = "/subjects*" && $.requestObject[%[1]d].op != "test" && $.requestObject[%[1]d].op != "remove")`, i))
	}
	operations = append(operations, fmt.Sprintf(`($.requestObject[%d].op = "*" && $.requestObject[*].path = "/subjects*")`, told), `$.requestObject[*].value.subjects[*].name = "*"`)
	return slices.Concat(
		meets(metBindings+` && $.requestObject.subjects[*].name = "*" && `+metWritten, is("requestObject"), is("responseObject")),
		meets(metBindings+" && "+is("responseObject")+` && $.responseObject.subjects[*].name = "*" && `+metWritten, operations...),
	)
}

// allows are patterns of rules with some verbs that are written into roles.
func allows(verbs ...string) []string {
	return slices.Concat(
		meets(metRoles+" && "+metWritten, oneOf("$.requestObject.rules[*].verbs[*]", verbs...)...),
		meets(metRoles+" && "+either(oneOf("$.responseObject.rules[*].verbs[*]", verbs...)...)+" && "+metWritten, slices.Concat(
			oneOf("$.requestObject[*].value.verbs[*]", verbs...), oneOf("$.requestObject[*].value[*].verbs[*]", verbs...), oneOf("$.requestObject[*].value.rules[*].verbs[*]", verbs...), metIntoRule)...),
	)
}

// wildcards are patterns of rules with * among verbs or resources. In patterns a star
// stands for any text but in regular expressions, of which there may be few.
func wildcards() []string {
	stars := func(rule string) []string {
		return []string{rule + ".verbs[*] = " + metStar, rule + ".resources[*] = " + metStar}
	}
	untested := ""
	for i := range 4 {
		untested += fmt.Sprintf(`$.requestObject[%d].op != "test" && `, i)
	}
	return slices.Concat(
		meets(metRoles+" && "+metWritten, stars("$.requestObject.rules[*]")...),
		meets(metRoles+" && "+untested+metWritten, stars("$.requestObject[*].value")...),
		meets(metRoles+" && "+either(stars("$.responseObject.rules[*]")...)+" && "+metWritten,
			either(append([]string{`$.requestObject[*].path = "/rules"`, `$.requestObject[*].op = "test"`, `$.requestObject[*].value.rules[*].verbs[*] = "*"`}, metIntoRule...)...)),
	)
}

// peers are conditions on who connected, the last of sourceIPs: one for each length that
// the list may have.
func peers(condition func(address string) string) (out []string) {
	for i := range mostPeers {
		at := fmt.Sprintf("$.sourceIPs[%d]", i)
		out = append(out, fmt.Sprintf(`(%s = "*" && $.sourceIPs[%d] NOT EXISTS && %s)`, at, i+1, condition(at)))
	}
	return out
}

// outside are patterns of peers in none of the networks, and of lists that are too long.
func outside(all string, networks ...netip.Prefix) ([]string, error) {
	texts, err := textual(networks)
	if err != nil {
		return nil, err
	}
	list := peers(func(at string) string {
		condition := at + ` != "-"`
		for _, t := range texts {
			condition += fmt.Sprintf(" && %s != %q", at, t)
		}
		return condition
	})
	return fitting(meets(all, append(list, fmt.Sprintf(`$.sourceIPs[%d] = "*"`, mostPeers))...))
}

// inside are patterns of peers in one of the networks.
func inside(all string, networks ...netip.Prefix) ([]string, error) {
	texts, err := textual(networks)
	if err != nil {
		return nil, err
	}
	return fitting(meets(all, peers(func(at string) string { return either(oneOf(at, texts...)...) })...))
}

// fitting refuses patterns that are too long.
func fitting(patterns []string) ([]string, error) {
	for _, p := range patterns {
		if len(p) > mostPattern {
			return nil, fmt.Errorf("the networks make a pattern of %d characters, and CloudWatch Logs takes %d: give fewer, or of 8, 16, 24 or 32 bits", len(p), mostPattern)
		}
	}
	return patterns, nil
}

// textual are the beginnings of networks' addresses as text, for patterns compare texts.
func textual(networks []netip.Prefix) (out []string, err error) {
	for _, n := range networks {
		n = n.Masked()
		if !n.Addr().Is4() {
			if !n.IsSingleIP() {
				return nil, fmt.Errorf("%s: filter patterns can't tell IPv6 networks apart, only single addresses", n)
			}
			out = append(out, n.Addr().String())
			continue
		}
		octets := n.Addr().As4()
		whole := (n.Bits() + 7) / 8
		if whole == 0 {
			out = append(out, "*")
			continue
		}
		for i := range 1 << (8*whole - n.Bits()) {
			var parts []string
			for j := range whole {
				v := int(octets[j])
				if j == whole-1 {
					v += i
				}
				parts = append(parts, fmt.Sprint(v))
			}
			t := strings.Join(parts, ".")
			if whole < 4 {
				t += ".*"
			}
			out = append(out, t)
		}
	}
	return out, nil
}

// Patterns are filter patterns, each for a metric filter, of which one at least meets each
// event that the detection finds, as far as patterns can say it; none if Params lack what it
// Needs. The error says that they can't say the networks.
func (d *Detection) Patterns(p Params) ([]string, error) {
	if !d.Applies(p) {
		return nil, nil
	}
	out := d.patterns
	if d.byParams != nil {
		more, err := d.byParams(p)
		if err != nil {
			return nil, err
		}
		out = slices.Concat(out, more)
	}
	return bare(out), nil
}

// quotedWord is a text that needs no quotes.
var quotedWord = regexp.MustCompile(`"([A-Za-z][A-Za-z0-9_]*)"`)

// bare are patterns without the quotes that they don't need: a template has a bound.
func bare(patterns []string) []string {
	out := make([]string, len(patterns))
	for i, p := range patterns {
		out[i] = quotedWord.ReplaceAllString(p, "$1")
	}
	return out
}

// outsiders are patterns of service accounts that call from outside of the VPC, the control
// plane's on its own machine excepted.
func outsiders(p Params) ([]string, error) {
	const accounts = `$.user.username = "system:serviceaccount:*" && `
	others, err := outside(accounts+`$.user.username != "system:serviceaccount:kube-system:*" && `+metComplete, p.Inside...)
	if err != nil {
		return nil, err
	}
	own, err := outside(`$.user.username = "system:serviceaccount:kube-system:*" && `+metComplete, append(loopback(), p.Inside...)...)
	return append(others, own...), err
}

// strangers are patterns of people who call from elsewhere than they do.
func strangers(p Params) ([]string, error) {
	return outside(metPeople+" && "+metComplete, p.Allowed...)
}

// stolen are patterns of the controllers that may list all secrets, in the VPC.
func stolen(p Params) ([]string, error) {
	if len(p.Inside) == 0 {
		return nil, nil
	}
	return inside(metSecretsListed+" && "+either(oneOf("$.user.username", allReaders...)...)+" && "+metDone+" && "+metComplete, p.Inside...)
}

const metSecretsListed = `$.objectRef.resource = "secrets" && ($.verb = "list" || $.verb = "watch") && $.objectRef.namespace NOT EXISTS`

const metSecretsRead = `$.objectRef.resource = "secrets" && ($.verb = "get" || $.verb = "list" || $.verb = "watch") && ` + metDone + ` && ` + metComplete

// common are namespaces that all clusters have, with pods in them.
var common = []string{"default", "kube-system"}

// namespaceName is what the name of a namespace looks like.
var namespaceName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// strayed are patterns of accounts that read secrets of another namespace than their own. A
// pattern can't compare the two: it must name the namespace that is read.
func strayed(p Params) ([]string, error) {
	var out []string
	for _, n := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(common, p.Namespaces)))) {
		if !namespaceName.MatchString(n) {
			return nil, fmt.Errorf("%q can't be the name of a namespace", n)
		}
		out = append(out, fmt.Sprintf(`($.objectRef.namespace = "%[1]s" && $.user.username != "system:serviceaccount:%[1]s:*")`, n))
	}
	return meets(metSecretsRead+` && $.user.username = "system:serviceaccount:*" && $.user.username != "system:serviceaccount:kube-system:*"`, out...), nil
}

// loopback is where the control plane calls itself.
func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}
