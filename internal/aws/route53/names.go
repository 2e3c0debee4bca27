package route53

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// normalize makes a domain name as Route 53 keeps it: lower case, with its final dot,
// and whatever is not a letter, a digit, - or _ as \ and three octal digits.
// https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
// It is false for what is no name.
func normalize(name string) (string, bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	var out strings.Builder
	label := 0
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '\\' {
			octal, err := strconv.ParseUint(name[i+1:min(i+4, len(name))], 8, 8)
			if err != nil || i+4 > len(name) {
				return "", false
			}
			c, i = byte(octal), i+3
		}
		label++
		switch {
		case c == '.':
			if label == 1 {
				return "", false // an empty label
			}
			label = 0
			out.WriteByte(c)
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
			out.WriteByte(c)
		case c >= 'A' && c <= 'Z':
			out.WriteByte(c + 'a' - 'A')
		case c == '*', c == '/':
			fmt.Fprintf(&out, `\%03o`, c)
		default:
			return "", false
		}
		if label > 63 {
			return "", false
		}
	}
	if label == 0 || len(name) > 254 {
		return "", false
	}
	return out.String() + ".", true
}

// plain is a kept name as it is in DNS messages.
func plain(name string) string {
	return strings.NewReplacer(`\052`, "*", `\057`, "/").Replace(name)
}

// escaped is the reverse of plain.
func escaped(name string) string {
	return strings.NewReplacer("*", `\052`, "/", `\057`).Replace(name)
}

// reversed is a name with its labels from the right, as lists are sorted by:
// "com.example.www.".
func reversed(name string) string {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".") + "."
}

// inZone says whether a name is a zone's or below it.
func inZone(name, zone string) bool { return name == zone || strings.HasSuffix(name, "."+zone) }

// parents are a name and all that it is below, the longest first.
func parents(name string) []string {
	var all []string
	for name != "" {
		all = append(all, name)
		_, name, _ = strings.Cut(name, ".")
	}
	return all
}
