package function

// Grain is a length of time, in milliseconds, of which all boundaries of a period are
// multiples, counted from 1970: a time rounded down to one is in the same period.
func (p Period) Grain() int64 {
	switch {
	case p.months != 0, p.unit == week:
		return day
	}
	return p.n * p.unit
}
