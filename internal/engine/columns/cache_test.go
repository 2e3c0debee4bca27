package columns

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestScansDoNotDriveOutWhatTheyUsed: of parts that are asked for again and again in one
// order, as many are found as there is room for.
func TestScansDoNotDriveOutWhatTheyUsed(t *testing.T) {
	c := NewCache(100_000)
	ask := func(parts, of int) (loads int) {
		c.begin()
		for i := range parts {
			_, err := get(c, cacheKey{part: part8(of), number: int32(i)}, func() (int, int, error) { loads++; return i, 800, nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		return loads
	}
	if n := ask(200, 1); n != 200 {
		t.Errorf("%d of 200 were loaded at first", n)
	}
	room := 200 - ask(200, 1)
	if room < 80 || c.Bytes() > 100_000 {
		t.Errorf("%d of 200 were found again, and there are %d bytes", room, c.Bytes())
	}
	if n := ask(room, 2); n != room {
		t.Errorf("%d of %d others were loaded", n, room)
	}
	if n := ask(room, 2); n != 0 {
		t.Errorf("%d of %d others were loaded again: what scans before used was not driven out", n, room)
	}
}

func TestIntegersAreThoseThatWereGiven(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, reach := range []int64{1, 1 << 15, 1 << 16, 1 << 31, 1 << 33, math.MaxInt64} {
		all := make([]int64, 1+r.IntN(700))
		for i := range all {
			all[i] = r.Int64N(reach) - r.Int64N(reach)
		}
		a := newIntegers(all)
		from := r.IntN(len(all))
		part := make([]int64, r.IntN(len(all)-from+1))
		a.fill(part, from)
		for i, want := range all {
			if got := a.at(i); got != want {
				t.Fatalf("reach %d: %d at %d, want %d", reach, got, i, want)
			}
			if j := i - from; j >= 0 && j < len(part) && part[j] != want {
				t.Fatalf("reach %d: filled with %d at %d, want %d", reach, part[j], i, want)
			}
		}
	}
}
