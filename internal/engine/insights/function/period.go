package function

import (
	"fmt"
	"strings"
	"time"
)

// A Period is a length of time as bin, datefloor and dateceil take it. Boundaries are in
// UTC and counted from 1970, weeks from a Monday.
type Period struct {
	n      int64
	unit   int64 // in milliseconds; of months and longer, 0
	months int64
}

type unit struct {
	ms, months int64
	most       int64 // what larger counts are capped to: 90m is 60m
}

const (
	minute = 60_000
	hour   = 60 * minute
	day    = 24 * hour
	week   = 7 * day
	// monday is the first one after 1970-01-01.
	monday = 4 * day
)

var units = spelled(map[string]unit{
	"ms msec msecs millisecond milliseconds": {ms: 1, most: 1000},
	"s sec secs second seconds":              {ms: 1000, most: 60},
	"m min mins minute minutes":              {ms: minute, most: 60},
	"h hr hrs hour hours":                    {ms: hour, most: 24},
	"d day days":                             {ms: day},
	"w week weeks":                           {ms: week},
	"mo mon mons month months":               {months: 1},
	"q qtr qtrs quarter quarters":            {months: 3},
	"y yr yrs year years":                    {months: 12},
})

func spelled(lists map[string]unit) map[string]unit {
	all := map[string]unit{}
	for list, u := range lists {
		for name := range strings.FieldsSeq(list) {
			all[name] = u
		}
	}
	return all
}

// ParsePeriod reads a period: digits and a unit, in whatever case. Counts beyond the next
// larger unit are capped to it, from milliseconds to hours: 300s is 60s, 90m is 60m, 48h
// is 24h.
func ParsePeriod(s string) (Period, error) {
	n, u, err := parseSpan(s)
	if err != nil {
		return Period{}, err
	}
	if u.most > 0 {
		n = min(n, u.most)
	}
	return Period{n: n, unit: u.ms, months: u.months}, nil
}

// ParseDuration reads a period that is not capped, as offset, maxspan and timeshift take
// it, in milliseconds. Months have 30 days, years 365.
func ParseDuration(s string) (ms int64, err error) {
	n, u, err := parseSpan(s)
	if err != nil {
		return 0, err
	}
	switch u.months {
	case 0:
		return n * u.ms, nil
	case 12:
		return n * 365 * day, nil
	}
	return n * u.months * 30 * day, nil
}

// parseSpan reads a count, from 1, and a unit.
func parseSpan(s string) (n int64, u unit, err error) {
	i := 0
	for i < len(s) && s[i]-'0' < 10 {
		n = n*10 + int64(s[i]-'0')
		if i++; i > 9 {
			return 0, unit{}, fmt.Errorf("%q is too long a time", s)
		}
	}
	u, ok := units[strings.ToLower(strings.TrimSpace(s[i:]))]
	if i == 0 || !ok || n == 0 {
		return 0, unit{}, fmt.Errorf("%q is no period such as 30s, 5m or 1h", s)
	}
	if u.months > 0 && n > 12_000 || n*u.ms > 12_000*31*day {
		return 0, unit{}, fmt.Errorf("%q is too long a time", s)
	}
	return n, u, nil
}

// Floor is the latest boundary at or before a time, in milliseconds since 1970.
func (p Period) Floor(ms int64) int64 {
	if p.months == 0 {
		from := int64(0)
		if p.unit == week {
			from = monday
		}
		return floorTo(ms-from, p.n*p.unit) + from
	}
	t := time.UnixMilli(ms).UTC()
	month := int64(t.Year()-1970)*12 + int64(t.Month()) - 1
	return startOf(floorTo(month, p.n*p.months))
}

// Next is the boundary after one.
func (p Period) Next(boundary int64) int64 {
	if p.months == 0 {
		return boundary + p.n*p.unit
	}
	t := time.UnixMilli(boundary).UTC()
	return startOf(int64(t.Year()-1970)*12 + int64(t.Month()) - 1 + p.n*p.months)
}

// Ceil is the earliest boundary at or after a time.
func (p Period) Ceil(ms int64) int64 {
	if floor := p.Floor(ms); floor < ms {
		return p.Next(floor)
	}
	return ms
}

// startOf is when a month begins, counted from January 1970.
func startOf(month int64) int64 {
	return time.Date(1970, time.Month(1+month), 1, 0, 0, 0, 0, time.UTC).UnixMilli()
}

func floorTo(n, by int64) int64 {
	r := n % by
	if r < 0 {
		r += by
	}
	return n - r
}
