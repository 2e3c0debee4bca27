package pattern

import "math/bits"

// sizes counts numbers by their size: how many bits their whole part has.
type sizes struct{ count [65]int64 }

func (s *sizes) add(number string) { s.addN(number, 1) }

func (s *sizes) addN(number string, n int64) { s.count[sizeOf(number)] += n }

func (s *sizes) merge(other *sizes) {
	for i, n := range other.count {
		s.count[i] += n
	}
}

// sizeOf is the number of bits of a number's whole part, without its sign.
func sizeOf(s string) int {
	if s[0] == '-' || s[0] == '+' {
		s = s[1:]
	}
	v := uint64(0)
	for i := range len(s) {
		d := uint64(s[i] - '0')
		if d > 9 {
			break
		}
		if v > (1<<64-1)/10-1 {
			return 64
		}
		v = v*10 + d
	}
	return bits.Len64(v)
}

// quantile is the size that a share of all numbers does not exceed.
func (s *sizes) quantile(q float64) int {
	total := int64(0)
	for _, n := range s.count {
		total += n
	}
	seen := int64(0)
	for size, n := range s.count {
		if seen += n; float64(seen) >= q*float64(total) && seen > 0 {
			return size
		}
	}
	return 0
}
