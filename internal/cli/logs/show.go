package logs

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/eksact/eksact/internal/cli/global"
)

// tidied is the answer without @ptr, which only programs of AWS's use.
func (a *answer) tidied() *answer {
	a.columns = slices.DeleteFunc(a.columns, func(c string) bool { return c == "@ptr" })
	return a
}

// json prints rows as objects; fields that a row lacks are left out.
func (a *answer) json(w io.Writer) error {
	rows := make([]map[string]string, 0, len(a.rows))
	for _, r := range a.rows {
		delete(r, "@ptr")
		rows = append(rows, r)
	}
	return global.Print(w, rows)
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
	fmt.Fprintf(w, "%d rows of %.0f events, %.1f MB, in %v\n", len(a.rows), a.scanned, a.bytes/1e6, a.took.Round(time.Millisecond))
}
