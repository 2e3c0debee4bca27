package rows

import "github.com/eksact/eksact/internal/engine/insights/value"

// Accum is the running sum of a column; null where that has no number.
func Accum(column []value.Value) []value.Value {
	out := make([]value.Value, len(column))
	sum := 0.0
	for i, v := range column {
		if x, ok := v.Number(); ok {
			sum += x
			out[i] = value.OfNumber(sum)
		}
	}
	return out
}

// Autoregress is a column moved down by so many rows: each row has the value that the
// row so many before it has.
func Autoregress(column []value.Value, by int) []value.Value {
	out := make([]value.Value, len(column))
	if by < len(column) {
		copy(out[by:], column)
	}
	return out
}

// FillDown is a column with nulls replaced by the last value before them.
func FillDown(column []value.Value) []value.Value {
	out := make([]value.Value, len(column))
	var last value.Value
	for i, v := range column {
		if !v.IsNull() {
			last = v
		}
		out[i] = last
	}
	return out
}

// RowTotals is, for each row, the sum of its numbers in the columns; null if it has none.
// Times are no numbers here.
func RowTotals(columns [][]value.Value, rows int) []value.Value {
	out := make([]value.Value, rows)
	for i := range out {
		sum, has := 0.0, false
		for _, c := range columns {
			if x, ok := summand(c[i]); ok {
				sum, has = sum+x, true
			}
		}
		if has {
			out[i] = value.OfNumber(sum)
		}
	}
	return out
}

// ColumnTotal is the sum of a column's numbers; null if it has none.
func ColumnTotal(column []value.Value) value.Value {
	return RowTotals(transposed(column), 1)[0]
}

func transposed(column []value.Value) [][]value.Value {
	rows := make([][]value.Value, len(column))
	for i := range column {
		rows[i] = column[i : i+1]
	}
	return rows
}

func summand(v value.Value) (float64, bool) {
	if v.Kind() == value.Time {
		return 0, false
	}
	return v.Number()
}

// MaxMissing is how many rows fillmissing adds.
const MaxMissing = 100_000

// Missing are the periods without a row between the first and the last that have one, in
// order. Next gives the beginning of the period after one. At most MaxMissing are given.
func Missing(periods []value.Value, next func(int64) int64) []int64 {
	has := map[int64]bool{}
	first, last := int64(0), int64(0)
	for _, v := range periods {
		ms, ok := v.Milliseconds()
		if !ok {
			continue
		}
		if len(has) == 0 {
			first, last = ms, ms
		}
		first, last = min(first, ms), max(last, ms)
		has[ms] = true
	}
	var out []int64
	for at := first; at < last && len(out) < MaxMissing; {
		if !has[at] {
			out = append(out, at)
		}
		after := next(at)
		if after <= at {
			break
		}
		at = after
	}
	return out
}
