package cron

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Expression is a cron expression. It is immutable.
type Expression struct {
	minutes, hours, months set
	years                  [lastYear - firstYear + 1]bool
	monthDays              set
	weekDays               set // 1 is Sunday
	monthSpecial           special
	weekSpecial            special
	byWeek                 bool // the day of the week decides, not that of the month
}

const firstYear, lastYear = 1970, 2199

// set is numbers below 64.
type set uint64

func (s set) has(n int) bool { return s&(1<<n) != 0 }

// special is what a field of days says with a letter instead of a list.
type special struct {
	kind kind
	day  int // of the month or of the week
	nth  int
}

type kind int

const (
	none        kind = iota
	last             // the last day of the month; of the week: the last such day of the month
	lastWeekday      // LW: the last weekday of the month
	nearest          // 15W: the weekday next to a day of the month
	nth              // 6#3: a day of the week for the nth time
)

var (
	monthNames = strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")
	dayNames   = strings.Fields("SUN MON TUE WED THU FRI SAT")
)

// field is what is asked of one of the six.
type field struct {
	name     string
	from, to int
	names    []string // of from and what follows
}

// Parse reads an expression, "cron(0 6 ? * MON-FRI *)". Its errors say which field is
// wrong, and how.
func Parse(text string) (*Expression, error) {
	inner, opened := strings.CutPrefix(text, "cron(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !opened || !closed {
		return nil, fmt.Errorf("%q is not cron(minutes hours day-of-month month day-of-week year)", text)
	}
	fields := strings.Fields(inner)
	if len(fields) != 6 {
		return nil, fmt.Errorf("%q has %d fields instead of 6: minutes, hours, day-of-month, month, day-of-week, year", text, len(fields))
	}
	e := &Expression{byWeek: fields[2] == "?"}
	if e.byWeek == (fields[4] == "?") {
		return nil, fmt.Errorf("%q must have a ? as one of day-of-month and day-of-week", text)
	}
	for _, one := range []struct {
		into  *set
		text  string
		field field
	}{
		{&e.minutes, fields[0], field{"minutes", 0, 59, nil}},
		{&e.hours, fields[1], field{"hours", 0, 23, nil}},
		{&e.months, fields[3], field{"month", 1, 12, monthNames}},
	} {
		if err := one.field.read(one.text, func(n int) { *one.into |= 1 << n }); err != nil {
			return nil, err
		}
	}
	if err := (field{"year", firstYear, lastYear, nil}).read(fields[5], func(n int) { e.years[n-firstYear] = true }); err != nil {
		return nil, err
	}
	if e.byWeek {
		return e, e.readWeek(strings.ToUpper(fields[4]))
	}
	return e, e.readMonth(strings.ToUpper(fields[2]))
}

func (e *Expression) readMonth(text string) error {
	f := field{"day-of-month", 1, 31, nil}
	switch day, ok := strings.CutSuffix(text, "W"); {
	case text == "L":
		e.monthSpecial.kind = last
	case text == "LW":
		e.monthSpecial.kind = lastWeekday
	case ok:
		n, err := f.number(day)
		e.monthSpecial = special{kind: nearest, day: n}
		return err
	default:
		return f.read(text, func(n int) { e.monthDays |= 1 << n })
	}
	return nil
}

func (e *Expression) readWeek(text string) (err error) {
	f := field{"day-of-week", 1, 7, dayNames}
	if day, count, ok := strings.Cut(text, "#"); ok {
		e.weekSpecial.kind = nth
		if e.weekSpecial.day, err = f.number(day); err != nil {
			return err
		}
		e.weekSpecial.nth, err = field{"day-of-week's number after #", 1, 5, nil}.number(count)
		return err
	}
	if day, ok := strings.CutSuffix(text, "L"); ok && day != "" {
		e.weekSpecial.kind = last
		e.weekSpecial.day, err = f.number(day)
		return err
	}
	if text == "L" {
		text = "7"
	}
	return f.read(text, func(n int) { e.weekDays |= 1 << n })
}

// read reads a list of values, ranges and steps.
func (f field) read(text string, add func(int)) error {
	for part := range strings.SplitSeq(strings.ToUpper(text), ",") {
		span, stride, stepped := strings.Cut(part, "/")
		from, to, step := f.from, f.to, 1
		var err error
		switch first, second, ranged := strings.Cut(span, "-"); {
		case span == "*":
		case ranged:
			if from, err = f.number(first); err != nil {
				return err
			}
			if to, err = f.number(second); err != nil {
				return err
			}
			if to < from {
				return fmt.Errorf("the range %s of %s ends before it begins", span, f.name)
			}
		default:
			if from, err = f.number(span); err != nil {
				return err
			}
			if !stepped {
				to = from
			}
		}
		if stepped {
			if step, err = strconv.Atoi(stride); err != nil || step < 1 || step > f.to {
				return fmt.Errorf("%q is not a step of %s", stride, f.name)
			}
		}
		for n := from; n <= to; n += step {
			add(n)
		}
	}
	return nil
}

func (f field) number(text string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(text, name) {
			return f.from + i, nil
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < f.from || n > f.to || text[0] == '+' || text[0] == '-' {
		return 0, fmt.Errorf("%q is not a value of %s: %d to %d", text, f.name, f.from, f.to)
	}
	return n, nil
}

// onDay says whether an expression is due on a day of a month that it names.
func (e *Expression) onDay(day civil) bool {
	end := day.daysIn()
	if !e.byWeek {
		switch s := e.monthSpecial; s.kind {
		case last:
			return day.day == end
		case lastWeekday:
			return day.day == day.weekdayNear(end)
		case nearest:
			return s.day <= end && day.day == day.weekdayNear(s.day)
		}
		return e.monthDays.has(day.day)
	}
	week := int(day.weekday()) + 1
	switch s := e.weekSpecial; s.kind {
	case last:
		return week == s.day && day.day > end-7
	case nth:
		return week == s.day && (day.day-1)/7+1 == s.nth
	}
	return e.weekDays.has(week)
}

// civil is a day of the calendar.
type civil struct {
	year  int
	month time.Month
	day   int
}

func (c civil) at(hour, minute int) time.Time {
	return time.Date(c.year, c.month, c.day, hour, minute, 0, 0, time.UTC)
}

func (c civil) weekday() time.Weekday { return c.at(0, 0).Weekday() }

func (c civil) daysIn() int { return civil{c.year, c.month + 1, 0}.at(0, 0).Day() }

// weekdayNear is the day from Monday to Friday that is next to a day, in the same month.
func (c civil) weekdayNear(day int) int {
	switch (civil{c.year, c.month, day}).weekday() {
	case time.Saturday:
		if day > 1 {
			return day - 1
		}
		return day + 2
	case time.Sunday:
		if day < c.daysIn() {
			return day + 1
		}
		return day - 2
	}
	return day
}
