package cron

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestDaylightSaving walks through the two days on which Berlin changes its clocks: each time of day comes once, whether the
// day has it twice or not at all.
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
	for _, c := range []struct {
		line, day string
		want      []string
	}{
		{"30 2 * * *", "2027-03-28", nil},
		{"30 2 * * *", "2027-10-31", []string{"02:30"}},
		{"0 * * * *", "2027-03-28", without(hours)},
		{"0 * * * *", "2027-10-31", hours},
		{"*/15 * * * *", "2027-03-28", without(quarters)},
		{"*/15 * * * *", "2027-10-31", quarters},
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
