package columns

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/eksact/eksact/internal/engine/scan"
)

// naiveFields finds a message's fields with encoding/json alone.
func naiveFields(message []byte) map[string]scan.Value {
	fields := map[string]scan.Value{}
	if trimmed := bytes.TrimLeft(message, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' || !json.Valid(message) {
		return fields
	}
	d := json.NewDecoder(bytes.NewReader(message))
	d.UseNumber()
	type named struct {
		name string
		v    scan.Value
	}
	var walk func(path string, top bool) []named
	walk = func(path string, top bool) []named {
		token, err := d.Token()
		if err != nil {
			panic(err)
		}
		under := func(key string) string {
			switch {
			case !top:
				return path + "." + key
			case strings.HasPrefix(key, "@"):
				return "@" + key
			}
			return key
		}
		switch t := token.(type) {
		case json.Delim:
			var order []string
			members := map[string][]named{}
			for i := 0; d.More(); i++ {
				key := strconv.Itoa(i)
				if t == '{' {
					k, _ := d.Token()
					key = k.(string)
					for j, o := range order {
						if o == key {
							order = append(order[:j:j], order[j+1:]...)
							break
						}
					}
				}
				order = append(order, key)
				members[key] = walk(under(key), false)
			}
			d.Token()
			var all []named
			for _, key := range order {
				all = append(all, members[key]...)
			}
			return all
		case string:
			return []named{{path, scan.Value{Kind: scan.Text, Text: t}}}
		case json.Number:
			return []named{{path, scan.Value{Kind: scan.Number, Text: t.String()}}}
		case bool:
			return []named{{path, scan.Value{Kind: scan.Bool, Text: strconv.FormatBool(t)}}}
		}
		return []named{{path, scan.Value{}}}
	}
	for i, n := range walk("", true) {
		if i < scan.MaxFields {
			fields[n.name] = n.v
		}
	}
	return fields
}

// remembered are the fields of messages.
var remembered = map[string]map[string]scan.Value{}

func fieldsOf(message []byte) map[string]scan.Value {
	f, known := remembered[string(message)]
	if !known {
		f = naiveFields(message)
		remembered[string(message)] = f
	}
	return f
}

// naiveRows answers a request by looking at all events, one after the other. Rows are
// written out, so that they can be compared whatever their order.
func naiveRows(log Log, events []Event, first int64, r *scan.Request) (rows []string) {
	for i := range events {
		e := &events[i]
		if e.Time < r.From || e.Time > r.To || first+int64(i) < log.Hidden[e.Stream] {
			continue
		}
		fields := fieldsOf(e.Message)
		value := func(name string) scan.Value {
			switch name {
			case "@timestamp":
				return scan.Value{Kind: scan.Number, Text: strconv.FormatInt(e.Time, 10)}
			case "@ingestionTime":
				return scan.Value{Kind: scan.Number, Text: strconv.FormatInt(e.Ingested, 10)}
			case "@message":
				return scan.Value{Kind: scan.Text, Text: string(e.Message)}
			case "@logStream":
				return scan.Value{Kind: scan.Text, Text: e.Stream}
			case "@log":
				return scan.Value{Kind: scan.Text, Text: log.Name}
			case "@ptr":
				return scan.Value{Kind: scan.Text, Text: Pointer(log.ID, first+int64(i))}
			}
			return fields[name]
		}
		met := true
		for _, p := range r.Where {
			met = met && p.Match(value(p.Field))
		}
		if !met {
			continue
		}
		var row strings.Builder
		for _, f := range r.Fields {
			fmt.Fprintf(&row, "%v|", value(f))
		}
		for _, x := range r.Extracts {
			texts := make([]string, x.Columns())
			v := value(x.Field)
			ok := v.Kind != scan.Null && x.Apply(v.Text, texts)
			for _, t := range texts {
				if ok {
					fmt.Fprintf(&row, "%v|", scan.Value{Kind: scan.Text, Text: t})
				} else {
					fmt.Fprintf(&row, "%v|", scan.Value{})
				}
			}
		}
		rows = append(rows, row.String())
	}
	return rows
}
