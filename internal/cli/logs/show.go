package logs

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/eksact/eksact/internal/cli/global"
)

// pointer is the field by which AWS's programs find an event.
const pointer = "@ptr"

// tidied is the answer without @ptr, unless the query names it.
func (a *answer) tidied(query string) *answer {
	named := strings.Contains(query, pointer)
	switch at := slices.Index(a.columns, pointer); {
	case !named && at >= 0:
		a.columns = slices.Delete(a.columns, at, at+1)
	case named && at < 0 && slices.ContainsFunc(a.rows, func(r map[string]string) bool { return r[pointer] != "" }):
		a.columns = append(a.columns, pointer)
	}
	return a
}

// json prints rows as objects with the columns in their order; those that a row lacks are
// left out.
func (a *answer) json(w io.Writer) error {
	rows := make([]ordered, len(a.rows))
	for i, r := range a.rows {
		rows[i] = ordered{a.columns, r}
	}
	return global.Print(w, rows)
}

// ordered is a row that becomes an object.
type ordered struct {
	columns []string
	row     map[string]string
}

// MarshalJSON implements json.Marshaler.
func (o ordered) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for _, c := range o.columns {
		value, there := o.row[c]
		if !there {
			continue
		}
		name, _ := json.Marshal(c) // texts never fail
		text, _ := json.Marshal(value)
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, name...), ':'), text...)
	}
	return append(b, '}'), nil
}

// csv prints rows below the columns' names.
func (a *answer) csv(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(a.columns); err != nil {
		return err
	}
	for _, r := range a.rows {
		cells := make([]string, len(a.columns))
		for i, c := range a.columns {
			cells[i] = r[c]
		}
		if err := out.Write(cells); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// table prints rows for people. The last column is as wide as it is.
func (a *answer) table(w io.Writer) error {
	if len(a.rows) == 0 {
		return nil
	}
	widths := make([]int, len(a.columns))
	for i, c := range a.columns {
		widths[i] = utf8.RuneCountInString(c)
		for _, r := range a.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(r[c]))
		}
	}
	print := func(cell func(column string) string) error {
		var b strings.Builder
		for i, c := range a.columns {
			text := global.Printable(cell(c))
			b.WriteString(text)
			if i < len(a.columns)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+2))
			}
		}
		_, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
		return err
	}
	if err := print(func(c string) string { return c }); err != nil {
		return err
	}
	for _, r := range a.rows {
		if err := print(func(c string) string { return r[c] }); err != nil {
			return err
		}
	}
	return nil
}

// summary tells how much was looked at.
func (a *answer) summary(w io.Writer) {
	fmt.Fprintf(w, "%s of %s, %.1f MB, in %v\n", count(float64(len(a.rows)), "row"), count(a.scanned, "event"), a.bytes/1e6, a.took.Round(time.Millisecond))
}

func count(n float64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%.0f %ss", n, what)
}
