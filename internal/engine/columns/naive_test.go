package columns

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/eksact/eksact/internal/engine/scan"
)

// remembered are the fields of messages.
var remembered = map[string]map[string]scan.Value{}

func fieldsOf(message []byte) map[string]scan.Value {
	f, known := remembered[string(message)]
	if !known {
		f = map[string]scan.Value{}
		for _, l := range scan.Discover(string(message)) {
			f[l.Name] = l.Value
		}
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
			v := value(f)
			if f == "@timestamp" {
				v.Text = rounded(v.Text, r.Grain)
			}
			fmt.Fprintf(&row, "%v|", v)
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
