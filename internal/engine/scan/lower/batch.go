package lower

import (
	"github.com/eksact/eksact/internal/engine/scan"
)

// A Block is some rows of an answer: a column for each of the statement's, which it is to
// be read into by its type.
type Block struct {
	Rows    int
	Columns []Column
}

// A Column holds a block's values in the list of its type.
type Column struct {
	Ints  []int64    // Int64, UInt64
	Bytes []uint8    // UInt8
	Texts []string   // String
	Lists [][]string // Array(String)
}

// Batch are a block's rows that meet the request; nil if there are none. It takes the
// block's lists over.
func (s *Statement) Batch(b *Block) *scan.Batch {
	rows := s.choose(b)
	if len(rows) == 0 {
		return nil
	}
	out := &scan.Batch{Rows: len(rows)}
	for _, from := range s.fields {
		if from.time >= 0 {
			v := scan.Vector{Form: scan.Times, Ints: make([]int64, len(rows))}
			for i, row := range rows {
				v.Ints[i] = b.Columns[from.time].Ints[row]
			}
			out.Columns = append(out.Columns, v)
			continue
		}
		all := make([]scan.Value, len(rows))
		for i, row := range rows {
			all[i] = b.at(from, row)
		}
		out.Columns = append(out.Columns, scan.Code(all))
	}
	for i := range s.extracts {
		for _, all := range s.extracts[i].columns(b, rows) {
			out.Columns = append(out.Columns, scan.Code(all))
		}
	}
	if s.counts >= 0 {
		out.Counts = make([]int64, len(rows))
		for i, row := range rows {
			out.Counts[i] = b.Columns[s.counts].Ints[row]
		}
	}
	return out
}

// Beyond reports whether a request has no use any more for rows that come after a block.
func (s *Statement) Beyond(b *Block) bool {
	if !s.Ordered || b.Rows == 0 {
		return false
	}
	last, cutoff := b.Columns[s.time].Ints[b.Rows-1], s.request.Cutoff.Load()
	if s.request.Order == scan.Newest {
		return last < cutoff
	}
	return last > cutoff
}

// choose are the rows that meet what SQL could not decide.
func (s *Statement) choose(b *Block) []int {
	rows := make([]int, 0, b.Rows)
	known := make([]map[scan.Value]bool, len(s.checks))
	for i, c := range s.checks {
		if c.from.kind >= 0 { // a field whose values repeat
			known[i] = map[scan.Value]bool{}
		}
	}
next:
	for row := range b.Rows {
		for i, c := range s.checks {
			v := b.at(c.from, row)
			if c.decided && v.Text == "" {
				continue
			}
			yes, ok := known[i][v]
			if !ok {
				yes = c.of.Match(v)
				if known[i] != nil {
					known[i][v] = yes
				}
			}
			if !yes {
				continue next
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// at is a field of a row.
func (b *Block) at(from source, row int) scan.Value {
	if from.time >= 0 {
		v := scan.Vector{Form: scan.Times, Ints: b.Columns[from.time].Ints}
		return v.At(row)
	}
	text := b.Columns[from.text].Texts[row]
	if from.kind < 0 {
		return scan.Value{Kind: scan.Text, Text: text}
	}
	return valueOf(b.Columns[from.kind].Bytes[row], text)
}

// columns are an extract's columns of some rows.
func (x *extract) columns(b *Block, rows []int) [][]scan.Value {
	n := x.of.Columns()
	out := make([][]scan.Value, n)
	for c := range out {
		out[c] = make([]scan.Value, len(rows))
	}
	room := make([]string, n)
	for i, row := range rows {
		if !x.apply(b, row, room) {
			continue
		}
		for c := range out {
			out[c][i] = scan.Value{Kind: scan.Text, Text: room[c]}
		}
	}
	return out
}

// apply takes a row's text apart, as far as SQL hasn't.
func (x *extract) apply(b *Block, row int, out []string) bool {
	if x.list < 0 {
		v := b.at(x.from, row)
		return v.Kind != scan.Null && x.of.Apply(v.Text, out)
	}
	list := b.Columns[x.list].Lists[row]
	switch len(list) {
	case 0:
		return false
	case x.count + 1:
		return x.of.Apply(list[0], out)
	}
	for i, g := range x.groups {
		out[i] = list[g-1]
	}
	return true
}

// Remaining are the fields of the predicates that Batch asks again.
func (s *Statement) Remaining() (fields []string) {
	for _, c := range s.checks {
		fields = append(fields, c.of.Field)
	}
	return fields
}
