package cron

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestNext(t *testing.T) {
	const form = "2006-01-02 15:04 -0700"
	for _, c := range []struct {
		expression, zone, after string
		want                    string // the next times, by comma
	}{
		{"cron(0 10 * * ? *)", "UTC", "2026-11-27 10:00 +0000", "2026-11-28 10:00 +0000, 2026-11-29 10:00 +0000"},
		{"cron(15 12 * * ? *)", "UTC", "2026-11-27 12:14 +0000", "2026-11-27 12:15 +0000, 2026-11-28 12:15 +0000"},
		{"cron(0 18 ? * MON-FRI *)", "UTC", "2026-11-27 18:00 +0000", "2026-11-30 18:00 +0000, 2026-12-01 18:00 +0000"},
		{"cron(0 18 ? * 2-6 *)", "UTC", "2026-11-27 18:00 +0000", "2026-11-30 18:00 +0000"},
		{"cron(0 8 1 * ? *)", "UTC", "2026-11-27 18:00 +0000", "2026-12-01 08:00 +0000, 2027-01-01 08:00 +0000"},
		{"cron(0/15 * * * ? *)", "UTC", "2026-11-27 18:50 +0000", "2026-11-27 19:00 +0000, 2026-11-27 19:15 +0000"},
		{"cron(1/10 * * * ? *)", "UTC", "2026-11-27 18:50 +0000", "2026-11-27 18:51 +0000, 2026-11-27 19:01 +0000"},
		{"cron(10-30/10,59 5 * * ? *)", "UTC", "2026-11-27 05:10 +0000", "2026-11-27 05:20 +0000, 2026-11-27 05:30 +0000, 2026-11-27 05:59 +0000, 2026-11-28 05:10 +0000"},
		{"cron(*/20 23 31 dec ? *)", "UTC", "2026-11-27 05:10 +0000", "2026-12-31 23:00 +0000, 2026-12-31 23:20 +0000, 2026-12-31 23:40 +0000, 2027-12-31 23:00 +0000"},
		{"cron(0/30 20-21 ? * MON-FRI *)", "UTC", "2026-11-27 20:30 +0000", "2026-11-27 21:00 +0000, 2026-11-27 21:30 +0000, 2026-11-30 20:00 +0000"},
		{"cron(0 0 31 * ? *)", "UTC", "2026-10-31 00:00 +0000", "2026-12-31 00:00 +0000, 2027-01-31 00:00 +0000, 2027-03-31 00:00 +0000"},
		{"cron(0 0 29 2 ? *)", "UTC", "2026-01-01 00:00 +0000", "2028-02-29 00:00 +0000, 2032-02-29 00:00 +0000"},
		{"cron(0 0 29 2 ? 2100)", "UTC", "2026-01-01 00:00 +0000", "never"}, // no leap year
		{"cron(0 0 30 FEB ? *)", "UTC", "2026-01-01 00:00 +0000", "never"},
		{"cron(0 0 1 1 ? 2199)", "UTC", "2026-01-01 00:00 +0000", "2199-01-01 00:00 +0000, never"},
		{"cron(0 0 1 1 ? 2020-2025)", "UTC", "2026-01-01 00:00 +0000", "never"},
		{"cron(0 0 L * ? *)", "UTC", "2028-01-31 12:00 +0000", "2028-02-29 00:00 +0000, 2028-03-31 00:00 +0000"},
		// 2026-08-31 is a Monday, 2026-10-31 a Saturday, 2027-01-31 a Sunday.
		{"cron(0 0 LW * ? *)", "UTC", "2026-08-30 12:00 +0000", "2026-08-31 00:00 +0000, 2026-09-30 00:00 +0000, 2026-10-30 00:00 +0000"},
		{"cron(0 0 LW 1 ? *)", "UTC", "2026-08-30 12:00 +0000", "2027-01-29 00:00 +0000"},
		// 2026-08-15 is a Saturday, 2026-11-15 a Sunday; 2026-08-01 a Saturday: August begins on the 3rd.
		{"cron(0 0 15W * ? *)", "UTC", "2026-08-01 12:00 +0000", "2026-08-14 00:00 +0000, 2026-09-15 00:00 +0000, 2026-10-15 00:00 +0000, 2026-11-16 00:00 +0000"},
		{"cron(0 0 1W * ? *)", "UTC", "2026-07-20 12:00 +0000", "2026-08-03 00:00 +0000"},
		{"cron(0 0 31W * ? *)", "UTC", "2026-09-01 00:00 +0000", "2026-10-30 00:00 +0000, 2026-12-31 00:00 +0000, 2027-01-29 00:00 +0000"},
		{"cron(0 0 ? * 6L *)", "UTC", "2026-11-01 00:00 +0000", "2026-11-27 00:00 +0000, 2026-12-25 00:00 +0000"},
		{"cron(0 0 ? * fril *)", "UTC", "2026-11-01 00:00 +0000", "2026-11-27 00:00 +0000"},
		{"cron(0 0 ? * L *)", "UTC", "2026-11-01 00:00 +0000", "2026-11-07 00:00 +0000, 2026-11-14 00:00 +0000"},
		{"cron(0 0 ? * 3#2 *)", "UTC", "2026-11-01 00:00 +0000", "2026-11-10 00:00 +0000, 2026-12-08 00:00 +0000"},
		{"cron(0 0 ? * TUE#5 *)", "UTC", "2026-11-01 00:00 +0000", "2026-12-29 00:00 +0000, 2027-03-30 00:00 +0000"},
		{"cron(0 0 ? * SUN,SAT *)", "UTC", "2026-11-27 00:00 +0000", "2026-11-28 00:00 +0000, 2026-11-29 00:00 +0000, 2026-12-05 00:00 +0000"},
		{"cron(30 9 * * ? *)", "Asia/Kolkata", "2026-11-27 03:59 +0000", "2026-11-27 09:30 +0530, 2026-11-28 09:30 +0530"},
		{"cron(0 0 1 * ? *)", "Pacific/Auckland", "2026-11-30 10:59 +0000", "2026-12-01 00:00 +1300"},
		// Berlin leaves out 02:00 to 03:00 on 2026-03-29, and has it twice on 2026-10-25.
		{"cron(30 2 * * ? *)", "Europe/Berlin", "2026-03-28 02:30 +0100", "2026-03-30 02:30 +0200"},
		{"cron(30 * * * ? *)", "Europe/Berlin", "2026-03-29 01:30 +0100", "2026-03-29 03:30 +0200"},
		{"cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-24 02:30 +0200", "2026-10-25 02:30 +0200, 2026-10-26 02:30 +0100"},
		{"cron(30 * * * ? *)", "Europe/Berlin", "2026-10-25 01:30 +0200", "2026-10-25 02:30 +0200, 2026-10-25 03:30 +0100"},
		{"cron(30 * * * ? *)", "Europe/Berlin", "2026-10-25 02:10 +0100", "2026-10-25 03:30 +0100"}, // within the hour that comes again
		// A zone that changes at midnight: 2026-09-06 begins at 01:00 in Santiago.
		{"cron(0 0 * * ? *)", "America/Santiago", "2026-09-05 00:00 -0400", "2026-09-07 00:00 -0300"},
		{"cron(30 0 * * ? *)", "UTC", "1901-01-01 00:00 +0000", "1970-01-01 00:30 +0000"},
	} {
		e, err := Parse(c.expression)
		if err != nil {
			t.Error(err)
			continue
		}
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(form, c.after)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for range strings.Split(c.want, ", ") {
			next, ok := e.Next(at, zone)
			if at = next; !ok {
				got = append(got, "never")
				break
			}
			got = append(got, next.Format(form))
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s in %s after %s: %s, not %s", c.expression, c.zone, c.after, text, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "is not cron(",
		"0 10 * * ? *":                "is not cron(",
		"rate(5 minutes)":             "is not cron(",
		"cron(0 10 * * ?)":            "5 fields instead of 6",
		"cron(0 10 * * * *)":          "must have a ?",
		"cron(0 10 ? * ? *)":          "must have a ?",
		"cron(0 10 1 * 2 *)":          "must have a ?",
		"cron(60 10 * * ? *)":         `"60" is not a value of minutes: 0 to 59`,
		"cron(-1 10 * * ? *)":         `"" is not a value of minutes`,
		"cron(+1 10 * * ? *)":         `"+1" is not a value of minutes`,
		"cron(0 24 * * ? *)":          "hours",
		"cron(0 10 0 * ? *)":          "day-of-month",
		"cron(0 10 32 * ? *)":         "day-of-month",
		"cron(0 10 32W * ? *)":        "day-of-month",
		"cron(0 10 W * ? *)":          "day-of-month",
		"cron(0 10 L-3 * ? *)":        "day-of-month",
		"cron(0 10 1,L * ? *)":        "day-of-month",
		"cron(0 10 * 13 ? *)":         "month",
		"cron(0 10 * JANUARY ? *)":    "month",
		"cron(0 10 ? * 0 *)":          "day-of-week",
		"cron(0 10 ? * 8 *)":          "day-of-week",
		"cron(0 10 ? * FRI-MON *)":    "ends before it begins",
		"cron(0 10 ? * 3#6 *)":        "after #",
		"cron(0 10 ? * 3#1,6#3 *)":    "after #",
		"cron(0 10 ? * 9L *)":         "day-of-week",
		"cron(0 10 * * ? 1969)":       "year",
		"cron(0 10 * * ? 2200)":       "year",
		"cron(0/0 10 * * ? *)":        "step",
		"cron(0/x 10 * * ? *)":        "step",
		"cron(5-1 10 * * ? *)":        "ends before it begins",
		"cron(1, 10 * * ? *)":         `"" is not a value of minutes`,
		"cron(0 10 * * ? *) ":         "is not cron(",
		"cron(0 10 * * ? * 2026)":     "7 fields",
		"cron(0 10 * * ? *":           "is not cron(",
		"cron(0 10 * FEB/2/2 ? *)":    "step",
		"cron(99999999999 1 * * ? *)": "minutes",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestMinutes compares Next with looking at each minute.
func TestMinutes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"}
	for range 60 {
		days := [][2]string{{pick("*", "L", "LW", "15W", "1-7", "28/1"), "?"}, {"?", pick("*", "SUN", "2-6", "1#1", "7L", "1L")}}[random.IntN(2)]
		text := "cron(" + strings.Join([]string{pick("0", "*/7", "30", "1-3,59"), pick("*", "2", "1-3", "0/6"), days[0], pick("*", "3,10,11", "APR-SEP"), days[1], pick("*", "2026", "2026-2027")}, " ") + ")"
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		zone, err := time.LoadLocation(zones[random.IntN(len(zones))])
		if err != nil {
			t.Fatal(err)
		}
		at := time.Date(2026, 1, 1, 0, random.IntN(300*24*60), 0, 0, time.UTC)
		want, found := slow(e, at, zone)
		got, ok := e.Next(at, zone)
		if found && (!ok || !got.Equal(want)) || !found && ok && got.Before(at.AddDate(0, 0, 70)) {
			t.Errorf("%s in %s after %s: %v, not %v", text, zone, at, got, want)
		}
	}
}

// slow looks at each minute of 70 days. One that the clocks showed before is not due.
func slow(e *Expression, after time.Time, zone *time.Location) (time.Time, bool) {
	for at := after.Truncate(time.Minute).Add(time.Minute); at.Before(after.AddDate(0, 0, 70)); at = at.Add(time.Minute) {
		l := at.In(zone)
		c := civil{l.Year(), l.Month(), l.Day()}
		if !e.years[c.year-firstYear] || !e.months.has(int(c.month)) || !e.onDay(c) || !e.hours.has(l.Hour()) || !e.minutes.has(l.Minute()) {
			continue
		}
		again := false
		for back := 30; back <= 120; back += 30 {
			b := at.Add(-time.Duration(back) * time.Minute).In(zone)
			again = again || b.Day() == l.Day() && b.Hour() == l.Hour() && b.Minute() == l.Minute()
		}
		if !again {
			return at, true
		}
	}
	return time.Time{}, false
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"cron(0 10 * * ? *)", "cron(1-3/2,5 L LW JAN 3#2 2026)", "cron(0 0 ? * 6L *)"} {
		f.Add(text)
	}
	from := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			return
		}
		if next, ok := e.Next(from, time.UTC); ok && !next.After(from) {
			t.Errorf("%s is due before it is asked: %s", text, next)
		}
	})
}
