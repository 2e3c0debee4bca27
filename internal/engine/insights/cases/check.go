package cases

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// AnyError is expected where AWS's words are not known.
const AnyError = "any"

// Check says what is wrong with what a query gave: rows by their fields, without @ptr, or
// an error. It is "" if that is what the case expects, or if it is known to fail.
func (c *Case) Check(rows []map[string]string, err error) string {
	problem := c.problem(rows, err)
	switch {
	case c.Known == "":
		return problem
	case problem == "":
		return "holds: it is no longer known to fail"
	}
	return ""
}

func (c *Case) problem(rows []map[string]string, err error) string {
	switch {
	case c.Error != "" && err == nil:
		return fmt.Sprintf("gave %d rows; it must fail: %s", len(rows), c.Error)
	case c.Error != "":
		if c.Error != AnyError && !strings.HasPrefix(err.Error(), c.Error) {
			return fmt.Sprintf("failed: %v\nwant: %s", err, c.Error)
		}
		return ""
	case err != nil:
		return fmt.Sprintf("failed: %v", err)
	}
	got, want := lines(rows), lines(c.Rows)
	if c.Unordered {
		slices.Sort(got)
		slices.Sort(want)
	}
	if slices.Equal(got, want) {
		return ""
	}
	return fmt.Sprintf("gave\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
}

func lines(rows []map[string]string) []string {
	list := make([]string, len(rows))
	for i, row := range rows {
		var fields []string
		for _, name := range slices.Sorted(maps.Keys(row)) {
			if name != "@ptr" {
				fields = append(fields, fmt.Sprintf("%s=%q", name, row[name]))
			}
		}
		list[i] = strings.Join(fields, " ")
	}
	return list
}
