package cron

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDaylightSaving walks through the two days on which Berlin changes its clocks: what comes every hour goes on in real time,
// other times of day come once, and those that the day has not do not come.
func TestDaylightSaving(t *testing.T) {
	var quarters, hours []string
	for m := 0; m < 24*60; m += 15 {
		quarters = append(quarters, fmt.Sprintf("%02d:%02d", m/60, m%60))
		if m%60 == 0 {
			hours = append(hours, fmt.Sprintf("%02d:00", m/60))
		}
	}
	without := func(all []string) (out []string) {
		for _, at := range all {
			if !strings.HasPrefix(at, "02:") {
				out = append(out, at)
			}
		}
		return out
	}
	twice := func(all []string) (out []string) {
		from, to := slices.Index(all, "02:00"), slices.Index(all, "03:00")
		return append(append(append(out, all[:to]...), all[from:to]...), all[to:]...)
	}
	for _, c := range []struct {
		line, day string
		want      []string
	}{
		{"30 2 * * *", "2027-03-28", nil},
		{"30 2 * * *", "2027-10-31", []string{"02:30"}},
		{"0 * * * *", "2027-03-28", without(hours)},
		{"0 * * * *", "2027-10-31", twice(hours)},
		{"*/15 * * * *", "2027-03-28", without(quarters)},
		{"*/15 * * * *", "2027-10-31", twice(quarters)},
		{"*/15 0-23 * * *", "2027-10-31", twice(quarters)},
		{"*/30 2 * * *", "2027-10-31", []string{"02:00", "02:30"}},
		{"0 */2 * * *", "2027-10-31", []string{"00:00", "02:00", "04:00", "06:00", "08:00", "10:00", "12:00", "14:00", "16:00", "18:00", "20:00", "22:00"}},
		{"0,30 1-3 * * *", "2027-10-31", []string{"01:00", "01:30", "02:00", "02:30", "03:00", "03:30"}},
	} {
		l, err := Parse(c.line, "Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		for _, late := range []time.Duration{0, 2 * time.Second, 14 * time.Minute} { // slots are looked at a little later
			at, err := time.ParseInLocation(time.DateOnly, c.day, l.zone)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for at = at.Add(-time.Second); err == nil; {
				if at, err = l.Next(at); at.In(l.zone).Format(time.DateOnly) != c.day {
					break
				}
				got = append(got, at.In(l.zone).Format("15:04"))
				at = at.Add(late)
			}
			if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("%s on %s, %v late: %v %v", c.line, c.day, late, got, err)
			}
		}
	}
}
