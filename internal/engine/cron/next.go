package cron

import "time"

// Next is the first time after another that the expression is due, by the clocks of a
// zone; false when there is none up to the year 2199.
func (e *Expression) Next(after time.Time, zone *time.Location) (time.Time, bool) {
	year, month, day := after.In(zone).Date()
	for c := (civil{year, month, day}); c.year <= lastYear; c = c.next() {
		switch {
		case c.year < firstYear || !e.years[c.year-firstYear]:
			c = civil{c.year, time.December, 31}
			continue
		case !e.months.has(int(c.month)):
			c.day = c.daysIn()
			continue
		case !e.onDay(c):
			continue
		}
		if due, ok := e.within(c, after, zone); ok {
			return due, true
		}
	}
	return time.Time{}, false
}

func (c civil) next() civil {
	if c.day < c.daysIn() {
		return civil{c.year, c.month, c.day + 1}
	}
	if c.month < time.December {
		return civil{c.year, c.month + 1, 1}
	}
	return civil{c.year + 1, time.January, 1}
}

// within is the first time of a day that is after another.
func (e *Expression) within(day civil, after time.Time, zone *time.Location) (time.Time, bool) {
	for hour := range 24 {
		if !e.hours.has(hour) {
			continue
		}
		for minute := range 60 {
			if !e.minutes.has(minute) {
				continue
			}
			if due, ok := first(day.at(hour, minute), zone); ok && due.After(after) {
				return due, true
			}
		}
	}
	return time.Time{}, false
}

// first is when the clocks of a zone first show a time that is written in UTC; false when
// they pass it over.
func first(wall time.Time, zone *time.Location) (found time.Time, ok bool) {
	for _, near := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := wall.Add(near).In(zone).Zone()
		at := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		if shows(at, wall) && (!ok || at.Before(found)) {
			found, ok = at, true
		}
	}
	return found, ok
}

func shows(at, wall time.Time) bool {
	_, offset := at.Zone()
	return at.Unix()+int64(offset) == wall.Unix()
}
