package pattern

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// A Kind is what is unusual about a pattern. CloudWatch Logs names these five.
type Kind uint8

// Kinds of anomalies.
const (
	Frequency Kind = iota
	NewPattern
	TokenVariation
	NumericToken
	HTTPErrors
)

// String is the kind's name.
func (k Kind) String() string {
	return [...]string{"PatternFrequency", "NewPattern", "TokenVariation", "NumericalToken", "HttpErrorCode"}[k]
}

// An Anomaly is something unusual about a pattern.
type Anomaly struct {
	*Pattern
	Kind        Kind
	Score       float64 // how unusual, from 0 to 1
	Description string
}

// What counts as unusual.
const (
	// A bin is unusual that lies so many scaled median deviations, and this factor,
	// above the pattern's median. Six deviations are rarer than one in a million.
	deviations = 6
	factor     = 3
	leastCount = 10 // messages that a bin, or a pattern, must have for a judgement
	// A value is unusual that fewer than one in a hundred messages have, of a token that
	// has one value in nine of ten.
	rareValue   = 0.01
	commonValue = 0.9
	// A number is unusual that has so many more bits than three quarters of them:
	// sixteen times as large.
	moreBits = 4
	// New is a pattern of the last fifth of the time, if others are older.
	lastPart = 0.2
	// Answers of 400 and more are unusual if they are more than a twentieth but not most.
	errorShare = 0.05
)

// Anomalies finds what is unusual in patterns that were counted by bins, the most unusual
// first. A pattern may be unusual in several ways.
func Anomalies(patterns []Pattern) []Anomaly {
	var list []Anomaly
	for i := range patterns {
		p := &patterns[i]
		add := func(k Kind, score float64, format string, args ...any) {
			list = append(list, Anomaly{p, k, math.Round(max(0, min(1, score))*1000) / 1000, fmt.Sprintf(format, args...)})
		}
		if first := firstBin(p); isNew(p, first, patterns) {
			add(NewPattern, 0.5+0.5*float64(first)/float64(len(p.Bins)), "The pattern was not seen in the first %d of %d parts of the time.", first, len(p.Bins))
		} else if bin, median, is := burst(p); is {
			add(Frequency, 1-float64(median)/float64(p.Bins[bin]), "%d events in part %d of %d of the time, where the median is %d.", p.Bins[bin], bin+1, len(p.Bins), median)
		}
		for j := range p.Tokens {
			t := &p.Tokens[j]
			if code, share, is := httpErrors(t); is {
				add(HTTPErrors, 0.5+share, "%s of answers at %s are errors, most of them %s.", percent(share), t.Text, code)
				continue
			}
			if v, n, is := rare(t); is {
				add(TokenVariation, 1-float64(n)/float64(p.Count)/rareValue/2, "%s is %q in %d of %d events.", t.Text, v, n, p.Count)
			}
			if usual, largest, n, is := oversized(t); is {
				add(NumericToken, 1-math.Pow(2, float64(usual-largest)), "%s is %s or more in %d events, three quarters are below %s.", t.Text, bits2(largest-1), n, bits2(usual))
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Anomaly) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Text, b.Text), cmp.Compare(a.Kind, b.Kind))
	})
	return list
}

// bits2 is two to the power of n.
func bits2(n int) string { return strconv.FormatFloat(math.Pow(2, float64(max(0, n))), 'f', -1, 64) }

func percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1000)/10, 'f', -1, 64) + "%"
}

// firstBin is the first bin with messages, or their number.
func firstBin(p *Pattern) int {
	if i := slices.IndexFunc(p.Bins, func(n uint32) bool { return n > 0 }); i >= 0 {
		return i
	}
	return len(p.Bins)
}

// isNew reports whether a pattern came late to a log that was there before.
func isNew(p *Pattern, first int, all []Pattern) bool {
	if p.Count == 0 || p.Before > 0 || float64(first) < (1-lastPart)*float64(len(p.Bins)) || len(p.Bins) == 0 {
		return false
	}
	return slices.ContainsFunc(all, func(q Pattern) bool { return float64(firstBin(&q)) < float64(len(q.Bins))/2 })
}

// burst finds the bin with most messages, if that is far above the median.
func burst(p *Pattern) (bin int, median uint32, is bool) {
	if len(p.Bins) < 5 {
		return 0, 0, false
	}
	sorted := slices.Sorted(slices.Values(p.Bins))
	median = sorted[len(sorted)/2]
	away := make([]float64, len(sorted))
	for i, n := range sorted {
		away[i] = math.Abs(float64(n) - float64(median))
	}
	slices.Sort(away)
	for i, n := range p.Bins {
		if n > p.Bins[bin] {
			bin = i
		}
	}
	top := float64(p.Bins[bin])
	deviation := max(1, 1.4826*away[len(away)/2])
	return bin, median, top >= leastCount && top > factor*float64(median) && top-float64(median) > deviations*deviation
}

// rare finds the rarest value of a token that has one almost always.
func rare(t *Token) (v string, n int64, is bool) {
	if t.class == number || len(t.Values) < 2 {
		return "", 0, false
	}
	total, most := int64(0), int64(0)
	for _, k := range slices.Sorted(maps.Keys(t.Values)) {
		count := t.Values[k]
		total += count
		most = max(most, count)
		if v == "" || count < n {
			v, n = k, count
		}
	}
	return v, n, float64(most) >= commonValue*float64(total) && float64(n) < rareValue*float64(total)
}

// oversized finds numbers far larger than most.
func oversized(t *Token) (usual, largest int, n int64, is bool) {
	if t.class != number || t.sizes == nil {
		return 0, 0, 0, false
	}
	usual = t.sizes.quantile(0.75)
	total := int64(0)
	for size, count := range t.sizes.count {
		total += count
		if size >= usual+moreBits && count > 0 {
			if n == 0 {
				largest = size
			}
			n += count
		}
	}
	return usual, largest, n, n > 0 && total >= 5*leastCount && float64(n) < rareValue*float64(total)*5
}

// httpErrors finds the most frequent code from 400 on of a token that holds HTTP codes,
// and their share.
func httpErrors(t *Token) (code string, errors float64, is bool) {
	if t.class != number || !isStatus(t.label) {
		return "", 0, false
	}
	total, bad, most := int64(0), int64(0), int64(0)
	for _, v := range slices.Sorted(maps.Keys(t.Values)) {
		n, err := strconv.Atoi(v)
		if err != nil || n < 100 || n > 599 {
			return "", 0, false
		}
		total += t.Values[v]
		if n >= 400 {
			bad += t.Values[v]
			if t.Values[v] > most {
				code, most = v, t.Values[v]
			}
		}
	}
	errors = share(bad, total)
	return code, errors, total >= leastCount && errors > errorShare && errors < 0.5
}

func isStatus(label string) bool {
	switch label {
	case "code", "status", "statusCode", "status_code", "httpStatus", "http_status", "resp", "responseCode", "response_code", "sc_status":
		return true
	}
	return false
}
