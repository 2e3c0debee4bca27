package function

import "testing"

func TestTimesRoundedToAGrainAreInTheSamePeriod(t *testing.T) {
	for _, text := range []string{"1ms", "7s", "5m", "1h", "1d", "3d", "1w", "2w", "1mo", "1q", "1y"} {
		p, err := ParsePeriod(text)
		if err != nil {
			t.Fatal(err)
		}
		for i := range int64(500) {
			at := i*i*i*31_337_123 - 1_000_000_007
			if rounded := floorTo(at, p.Grain()); p.Floor(rounded) != p.Floor(at) {
				t.Fatalf("%s: %d is in %d, rounded to %d in %d", text, at, p.Floor(at), rounded, p.Floor(rounded))
			}
		}
	}
}
