package insights

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
)

// A Table is a lookup table.
type Table struct {
	Columns []string
	Rows    [][]string // as many texts each as there are columns; fewer are absent
}

// table is a lookup table by its name. Over nothing, any is there.
func (c *compiler) table(name syntax.Field) *Table {
	if c.x.dry {
		return nil
	}
	if c.x.env.Table == nil {
		panic(failure{fmt.Errorf("lookup table %s: there are no lookup tables here", name.Name)})
	}
	t, err := c.x.env.Table(c.ctx, name.Name)
	if err != nil {
		panic(failure{fmt.Errorf("lookup table %s: %w", name.Name, err)})
	}
	return t
}

// column is a column's place.
func (t *Table) column(table syntax.Field, name string) int {
	if t == nil {
		return 0
	}
	i := slices.Index(t.Columns, name)
	if i < 0 {
		panic(failure{fmt.Errorf("lookup table %s has no column %s: its columns are %s", table.Name, name, strings.Join(t.Columns, ", "))})
	}
	return i
}

// cell is a value of a table; null if the row ends before it.
func (t *Table) cell(row, column int) value.Value {
	if column >= len(t.Rows[row]) {
		return value.Value{}
	}
	return value.OfText(t.Rows[row][column])
}

// lookup compiles lookup. Of rows with the same key, the first counts.
func (s *scope) lookup(e *syntax.Lookup) {
	t := s.c.table(e.Table)
	var columns []int
	var keys []*node
	for _, k := range e.Keys {
		columns = append(columns, t.column(e.Table, k.Name))
		keys = append(keys, s.resolve(k.As))
	}
	index := map[string]int{}
	if t != nil {
		for row := range t.Rows {
			values := make([]value.Value, len(columns))
			for i, c := range columns {
				values[i] = t.cell(row, c)
			}
			if key, ok := joinKey(values); ok {
				if _, twice := index[key]; !twice {
					index[key] = row
				}
			}
		}
	}
	s.output(t, e.Table, e.Output, e.New, keys, func(values []value.Value) (int, bool) {
		key, ok := joinKey(values)
		row, found := index[key]
		return row, ok && found
	})
}

// joinKey is one text of several values, false if one is null, a list or a map.
func joinKey(values []value.Value) (string, bool) {
	var b []byte
	for _, v := range values {
		if v.IsNull() || v.IsComposite() {
			return "", false
		}
		text := v.String()
		b = strconv.AppendInt(b, int64(len(text)), 10)
		b = append(append(b, ':'), text...)
	}
	return string(b), true
}

// output makes the columns that a lookup adds. Where no row of the table fits, and with
// OUTPUTNEW where the event has the field, the field stays what it is.
func (s *scope) output(t *Table, name syntax.Field, fields []syntax.LookupField, isNew bool, keys []*node, find func([]value.Value) (int, bool)) {
	var made []shownColumn
	for _, f := range fields {
		column := t.column(name, f.Name)
		n := s.c.call(func(a []value.Value) value.Value {
			old := a[len(keys)]
			if isNew && !old.IsNull() {
				return old
			}
			row, ok := find(a[:len(keys)])
			if !ok {
				return old
			}
			return t.cell(row, column)
		}, append(slices.Clone(keys), s.resolve(f.As))...)
		made = append(made, shownColumn{f.As, n})
	}
	for _, m := range made {
		s.make(m.name, m.node)
	}
}

// cidrLookup compiles cidrlookup: of the ranges that an address is in, the smallest
// counts. Ranges are in the column that the query names, or else in the one called cidr,
// or else in the first.
func (s *scope) cidrLookup(e *syntax.CIDRLookup) {
	t := s.c.table(e.Table)
	column := 0
	if t != nil && e.Column == "" {
		column = max(0, slices.Index(t.Columns, "cidr"))
	} else {
		column = t.column(e.Table, e.Column)
	}
	ranges := map[netip.Prefix]int{}
	lengths := map[int]bool{}
	if t != nil {
		for row := range t.Rows {
			p, err := netip.ParsePrefix(strings.TrimSpace(t.cell(row, column).String()))
			if err != nil {
				continue // no range: no address is in it
			}
			if _, twice := ranges[p.Masked()]; !twice {
				ranges[p.Masked()] = row
			}
			lengths[p.Bits()] = true
		}
	}
	var bits []int
	for b := range lengths {
		bits = append(bits, b)
	}
	slices.SortFunc(bits, func(a, b int) int { return b - a })
	s.output(t, e.Table, e.Output, e.New, []*node{s.resolve(e.IP.Name)}, func(v []value.Value) (int, bool) {
		a, err := netip.ParseAddr(v[0].String())
		if err != nil {
			return 0, false
		}
		for _, b := range bits {
			p, err := a.Prefix(b)
			if err != nil {
				continue // longer than an IPv4 address
			}
			if row, ok := ranges[p]; ok {
				return row, true
			}
		}
		return 0, false
	})
}
