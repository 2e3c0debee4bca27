package scan

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// A Leaf is a field that was discovered in a message.
type Leaf struct {
	Name  string
	Value Value
}

// Discover lists the fields of a message, in the order of its text: none unless it is a
// JSON object. It is the plain way to do what package scan says of fields; stores that
// discover many events do it faster, and to the same effect.
func Discover(message string) []Leaf {
	text := []byte(message)
	if trimmed := bytes.TrimLeft(text, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' || !json.Valid(text) {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	all := leavesOf(d, "", true, nil)
	all = all[:min(len(all), MaxFields)]
	// A name can come twice from different keys: {"a":{"b":1},"a.b":2}.
	last := make(map[string]int, len(all))
	for i, l := range all {
		last[l.Name] = i
	}
	var list []Leaf
	for i, l := range all {
		if last[l.Name] == i && l.Value.Kind != Null {
			list = append(list, l)
		}
	}
	return list
}

// leavesOf appends the leaves of the value that comes next.
func leavesOf(d *json.Decoder, name string, top bool, to []Leaf) []Leaf {
	token, err := d.Token()
	if err != nil {
		return to // not of valid JSON
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '[' {
			for i := 0; d.More(); i++ {
				to = leavesOf(d, name+"."+strconv.Itoa(i), false, to)
			}
		} else {
			to = members(d, name, top, to)
		}
		d.Token() // its end
	case string:
		to = append(to, Leaf{name, Value{Text, token}})
	case json.Number:
		to = append(to, Leaf{name, Value{Number, token.String()}})
	case bool:
		to = append(to, Leaf{name, Value{Bool, strconv.FormatBool(token)}})
	case nil:
		to = append(to, Leaf{name, Value{}})
	}
	return to
}

// members appends the leaves of an object's members; of those with the same key, the
// last.
func members(d *json.Decoder, name string, top bool, to []Leaf) []Leaf {
	var parts [][]Leaf
	last := map[string]int{}
	for d.More() {
		token, err := d.Token()
		key, ok := token.(string)
		if err != nil || !ok {
			return to
		}
		full := key
		if top && strings.HasPrefix(key, "@") {
			full = "@" + key
		}
		if !top {
			full = name + "." + key
		}
		if i, again := last[key]; again {
			parts[i] = nil
		}
		last[key] = len(parts)
		parts = append(parts, leavesOf(d, full, false, nil))
	}
	for _, p := range parts {
		to = append(to, p...)
	}
	return to
}
