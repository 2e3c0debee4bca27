package wire

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/eksact/eksact/internal/aws/api"
)

// Validate checks an input against the model's constraints: required members,
// lengths, ranges, patterns, enumerations. Its errors read as AWS's:
//
//	1 validation error detected: Value at 'roleName' failed to satisfy
//	constraint: Member must have length less than or equal to 64
func (c *Call) Validate(in any) error {
	n, v, err := c.plan(in, false)
	if err != nil {
		return err
	}
	d := dialects[c.Service.id]
	if d.code == "" {
		d = defaultDialect(c.proto)
	}
	check := checker{dialect: d}
	check.structure(n, v, "")
	return d.report(&d, check.found)
}

// Validate checks an input as Call.Validate does, for an input that came
// without a call: from a CloudFormation template.
func (s *Service) Validate(operation string, in any) error {
	c := &Call{Service: s, Operation: s.Operation(operation), proto: s.protocols[0]}
	return c.Validate(in)
}

// rule is which constraint a value broke.
type rule uint8

const (
	required rule = iota
	patternRule
	enumRule
	minLength
	maxLength
	minValue
	maxValue
)

// violation is one broken constraint.
type violation struct {
	rule  rule
	path  string // "tags.1.member.key"
	value string
	limit string // the bound, pattern or set
	shape *shape
}

// dialect is how a service says that an input is not valid.
type dialect struct {
	code   string
	values bool // "Value 'x' at", not "Value at"
	report func(*dialect, []violation) error
}

var dialects = map[string]dialect{
	"iam":            {code: "ValidationError", report: reportIAM},
	"eks":            {code: "InvalidParameterException", values: true, report: reportEKS},
	"cloudwatchlogs": {code: "InvalidParameterException", values: true, report: reportAll},
	"cloudwatch":     {code: "ValidationError", values: true, report: reportAll},
	"ec2":            {code: "InvalidParameterValue", values: true, report: reportEC2},
	"sns":            {code: "InvalidParameter", values: true, report: reportAll},
	"route53":        {code: "InvalidInput", values: true, report: reportAll},
	"ecr":            {code: "InvalidParameterException", values: true, report: reportAll},
}

func defaultDialect(p protocol) dialect {
	if p == queryProtocol {
		return dialect{code: "ValidationError", values: true, report: reportAll}
	}
	return dialect{code: "ValidationException", values: true, report: reportAll}
}

// constraint is the common text of a broken rule.
func (x *violation) constraint() string {
	switch x.rule {
	case required:
		return "Member must not be null"
	case patternRule:
		return "Member must satisfy regular expression pattern: " + x.limit
	case enumRule:
		return "Member must satisfy enum value set: [" + x.limit + "]"
	case minLength:
		return "Member must have length greater than or equal to " + x.limit
	case maxLength:
		return "Member must have length less than or equal to " + x.limit
	case minValue:
		return "Member must have value greater than or equal to " + x.limit
	default:
		return "Member must have value less than or equal to " + x.limit
	}
}

// reportAll lists every violation in one message.
func reportAll(d *dialect, found []violation) error {
	if len(found) == 0 {
		return nil
	}
	var b strings.Builder
	plural := "s"
	if len(found) == 1 {
		plural = ""
	}
	fmt.Fprintf(&b, "%d validation error%s detected: ", len(found), plural)
	for i := range found {
		x := &found[i]
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString("Value ")
		switch {
		case x.rule == required:
			if d.values {
				b.WriteString("null ")
			}
		case x.shape.sensitive:
			b.WriteString("'***' ")
		case d.values:
			b.WriteString("'" + clip(x.value) + "' ")
		}
		fmt.Fprintf(&b, "at '%s' failed to satisfy constraint: %s", x.path, x.constraint())
	}
	return api.Errorf(http.StatusBadRequest, d.code, "%s", b.String())
}

// namePattern is IAM's pattern of names, for which it has words of its own.
const namePattern = `[\w+=,.@-]+`

func reportIAM(d *dialect, found []violation) error {
	if len(found) == 1 && found[0].rule == patternRule {
		x := &found[0]
		switch x.limit {
		case namePattern, `[\w+=,.@-]*`:
			return api.Errorf(http.StatusBadRequest, d.code, "The specified value for %s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-", x.path)
		case `(\u002F)|(\u002F[\u0021-\u007E]+\u002F)`, `((/[A-Za-z0-9\.,\+@=_-]+)*)/`:
			return api.Errorf(http.StatusBadRequest, d.code, "The specified value for %s is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.", x.path)
		}
	}
	return reportAll(d, found)
}

func reportEKS(d *dialect, found []violation) error {
	for i := range found {
		if x := &found[i]; x.rule == patternRule && strings.HasPrefix(x.limit, "^[0-9A-Za-z][A-Za-z0-9") {
			return api.Errorf(http.StatusBadRequest, d.code, "The parameter %s contains invalid characters. It should conform to the regular expression \"^[0-9A-Za-z][A-Za-z0-9-_]*\"In other words, it should start with a number or letter, and can contain numbers, letters, dashes, and underscores.", x.path)
		}
	}
	return reportAll(d, found)
}

// reportEC2 names the first violation; EC2 has no list of them.
func reportEC2(d *dialect, found []violation) error {
	if len(found) == 0 {
		return nil
	}
	x := &found[0]
	if x.rule == required {
		return api.Errorf(http.StatusBadRequest, "MissingParameter", "The request must contain the parameter %s", x.path)
	}
	text := fmt.Sprintf("Value (%s) for parameter %s is invalid.", clip(x.value), x.path)
	switch x.rule {
	case minValue, minLength:
		text += " Expecting a value greater than or equal to " + x.limit + "."
	case maxValue, maxLength:
		text += " Expecting a value less than or equal to " + x.limit + "."
	}
	return api.Errorf(http.StatusBadRequest, d.code, "%s", text)
}

// maxViolations bounds a message.
const maxViolations = 20

type checker struct {
	dialect dialect
	found   []violation
}

func (k *checker) add(x violation) {
	if len(k.found) < maxViolations {
		k.found = append(k.found, x)
	}
}

// path names a member as AWS does: lower case first.
func memberPath(prefix, name string) string {
	r, n := utf8.DecodeRuneInString(name)
	name = string(unicode.ToLower(r)) + name[n:]
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

func (k *checker) structure(n *node, v reflect.Value, path string) {
	for i := range n.fields {
		f := &n.fields[i]
		fv := v.Field(f.index)
		if f.absent(fv) {
			if f.m.required && !f.m.token {
				k.add(violation{rule: required, path: memberPath(path, f.m.name), shape: f.shape})
			}
			continue
		}
		if f.constrained() {
			k.value(f.node, fv, memberPath(path, f.m.name))
		}
	}
}

// constrained tells whether a shape says anything about its values; most
// scalars don't, and then no path is made.
func (n *node) constrained() bool {
	switch n.kind {
	case structKind, unionKind, listKind, mapKind:
		return true
	}
	s := n.shape
	return s.hasMin || s.hasMax || s.pattern != "" || len(s.enum) > 0
}

func (k *checker) value(n *node, v reflect.Value, path string) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	s := n.shape
	switch n.kind {
	case structKind:
		k.structure(n, v, path)
	case unionKind:
		if f, value, err := n.chosen(v); err == nil {
			k.value(f.node, value, memberPath(path, f.m.name))
		}
	case listKind:
		k.length(s, v.Len(), path, "["+strconv.Itoa(v.Len())+" items]")
		for i := range v.Len() {
			if n.elem.constrained() {
				k.value(n.elem, v.Index(i), path+"."+strconv.Itoa(i+1)+".member")
			}
		}
	case mapKind:
		k.length(s, v.Len(), path, "["+strconv.Itoa(v.Len())+" entries]")
		for _, key := range sortedKeys(v) {
			k.value(n.key, key, path)
			if n.elem.constrained() {
				k.value(n.elem, v.MapIndex(key), path+"."+key.String()+".member")
			}
		}
	case stringKind:
		k.text(s, v.String(), path)
	case blobKind:
		if n.bytes {
			k.length(s, v.Len(), path, "["+strconv.Itoa(v.Len())+" bytes]")
		}
	case intKind:
		if v.CanInt() {
			k.bounds(s, float64(v.Int()), path, strconv.FormatInt(v.Int(), 10))
		}
	case floatKind:
		k.bounds(s, v.Float(), path, strconv.FormatFloat(v.Float(), 'g', -1, 64))
	}
}

// text checks a string: pattern, then length, in the order AWS lists them.
func (k *checker) text(s *shape, text, path string) {
	if len(s.enum) > 0 && !slices.Contains(s.enum, text) {
		k.add(violation{enumRule, path, text, strings.Join(s.enum, ", "), s})
	}
	if s.pattern != "" {
		if re := compilePattern(s.pattern); re != nil && !re.MatchString(text) {
			k.add(violation{patternRule, path, text, s.pattern, s})
		}
	}
	if s.hasMin || s.hasMax {
		k.length(s, utf8.RuneCountInString(text), path, text)
	}
}

func (k *checker) length(s *shape, n int, path, shown string) {
	if s.hasMin && float64(n) < s.min {
		k.add(violation{minLength, path, shown, number(s.min), s})
	}
	if s.hasMax && float64(n) > s.max {
		k.add(violation{maxLength, path, shown, number(s.max), s})
	}
}

func (k *checker) bounds(s *shape, f float64, path, shown string) {
	if s.hasMin && f < s.min {
		k.add(violation{minValue, path, shown, number(s.min), s})
	}
	if s.hasMax && f > s.max {
		k.add(violation{maxValue, path, shown, number(s.max), s})
	}
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// patterns caches compiled patterns, nil for those Go can't compile.
var patterns sync.Map // string -> *regexp.Regexp

// compilePattern translates a Java pattern, which must match the whole value.
// A pattern that Go's engine can't express (look-around) is not checked; a
// test counts them.
func compilePattern(pattern string) *regexp.Regexp {
	if re, ok := patterns.Load(pattern); ok {
		return re.(*regexp.Regexp)
	}
	re, err := regexp.Compile(`^(?:` + goPattern(pattern) + `)$`)
	if err != nil {
		re = nil
	}
	patterns.Store(pattern, re)
	return re
}

var (
	javaUnicode = regexp.MustCompile(`\\u([0-9A-Fa-f]{4,6})`)
	repeat      = regexp.MustCompile(`\{(\d+)(,(\d*))?\}`)
)

// goPattern rewrites what differs: \u escapes, and repeat counts above Go's
// limit of 1000, whose exact bound the length constraint states as well.
func goPattern(pattern string) string {
	// Repeats first: the escapes written below have braces, too.
	p := repeat.ReplaceAllStringFunc(pattern, func(s string) string {
		m := repeat.FindStringSubmatch(s)
		low, _ := strconv.Atoi(m[1])
		high, err := strconv.Atoi(m[3])
		if err != nil {
			high = 0
		}
		if low <= 1000 && high <= 1000 {
			return s
		}
		if low == 0 {
			return "*"
		}
		return "+"
	})
	p = javaUnicode.ReplaceAllStringFunc(p, func(s string) string {
		if r, err := strconv.ParseUint(s[2:], 16, 32); err == nil && r >= 0xD800 && r <= 0xDFFF {
			return `\x{D7FF}` // Go has no surrogates: the end of what precedes them
		}
		return `\x{` + s[2:] + `}`
	})
	return strings.ReplaceAll(p, `\p{Alnum}`, `[:alnum:]`)
}
