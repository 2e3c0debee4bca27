package template

import (
	"regexp"
	"slices"
	"strings"
)

// Dynamic is a dynamic reference: {{resolve:service:…}}. It is resolved when a
// resource is made, and never stored resolved.
type Dynamic struct {
	// Text is the whole reference, with its braces.
	Text string
	// Service is ssm, ssm-secure or secretsmanager.
	Service string
	// Name is a parameter's name, or a secret's name or ARN.
	Name string
	// Version is a parameter's version, or a secret's version id; "" is the newest.
	Version string
	// Key is a key in a secret's JSON, Stage a version's stage; may be "".
	Key, Stage string
}

// Bad references are said when they are resolved, so the pattern is wide.
var dynamic = regexp.MustCompile(`\{\{resolve:(ssm|ssm-secure|secretsmanager):([^{}]+)\}\}`)

// DynamicReferences lists the references in a value, each text once.
func DynamicReferences(v any) ([]Dynamic, error) {
	var list []Dynamic
	var failed error
	eachString(v, func(s string) string {
		for _, m := range dynamic.FindAllStringSubmatch(s, -1) {
			d, err := parseDynamic(m[0], m[1], m[2])
			if err != nil {
				failed = err
			}
			if !slices.ContainsFunc(list, func(x Dynamic) bool { return x.Text == d.Text }) {
				list = append(list, d)
			}
		}
		return s
	})
	return list, failed
}

// ResolveDynamic returns the value with each reference replaced by what get gives.
// What it gives is not looked at again.
func ResolveDynamic(v any, get func(Dynamic) (string, error)) (any, error) {
	list, err := DynamicReferences(v)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, d := range list {
		if values[d.Text], err = get(d); err != nil {
			return nil, err
		}
	}
	return eachString(v, func(s string) string {
		return dynamic.ReplaceAllStringFunc(s, func(text string) string { return values[text] })
	}), nil
}

// eachString returns a copy of v with each string replaced.
func eachString(v any, replace func(string) string) any {
	switch v := v.(type) {
	case string:
		return replace(v)
	case []any:
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = eachString(x, replace)
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, x := range v {
			m[k] = eachString(x, replace)
		}
		return m
	}
	return v
}

// parseDynamic reads what stands behind the service. Secrets:
// id:SecretString:key:stage:version, where an id that is an ARN has colons itself.
func parseDynamic(text, service, rest string) (Dynamic, error) {
	d := Dynamic{Text: text, Service: service}
	parts := strings.Split(rest, ":")
	if parts[0] == "arn" {
		n := map[bool]int{true: 7, false: 6}[service == "secretsmanager"]
		if len(parts) < n {
			return d, badDynamic(text)
		}
		parts = append([]string{strings.Join(parts[:n], ":")}, parts[n:]...)
	}
	d.Name = parts[0]
	most := 2
	if service == "secretsmanager" {
		most = 5
	}
	if d.Name == "" || len(parts) > most {
		return d, badDynamic(text)
	}
	if service != "secretsmanager" {
		if len(parts) == 2 {
			d.Version = parts[1]
			if strings.Trim(d.Version, "0123456789") != "" || d.Version == "" {
				return d, badDynamic(text)
			}
		}
		return d, nil
	}
	parts = append(parts, "", "", "", "")
	if parts[1] != "" && parts[1] != "SecretString" || parts[3] != "" && parts[4] != "" {
		return d, badDynamic(text)
	}
	d.Key, d.Stage, d.Version = parts[2], parts[3], parts[4]
	return d, nil
}

func badDynamic(text string) error {
	return plainError(Pos{}, "Incorrect format is used in the following dynamic reference: [%s]", strings.Trim(text, "{}"))
}
