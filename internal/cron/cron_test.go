package cron

import (
	"testing"
	"time"
)

func TestNext(t *testing.T) {
	for _, c := range []struct{ line, zone, after, want string }{
		{"0 1 * * *", "UTC", "2026-03-01T00:59:59Z", "2026-03-01T01:00:00Z"},
		{"0 1 * * *", "UTC", "2026-03-01T01:00:00Z", "2026-03-02T01:00:00Z"},
		{"*/15 * * * *", "", "2026-03-01T01:01:00Z", "2026-03-01T01:15:00Z"},
		{"0 9 * * 1", "Europe/Berlin", "2026-03-01T00:00:00Z", "2026-03-02T08:00:00Z"},
		{"0 9 * * MON", "Berlin", "2026-03-01T00:00:00Z", "2026-03-02T08:00:00Z"},
		{"0 9 * * 7", "UTC", "2026-03-02T00:00:00Z", "2026-03-08T09:00:00Z"},
		{"@midnight", "UTC", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"},
		{"0 12 1 * 1", "UTC", "2026-03-03T00:00:00Z", "2026-03-09T12:00:00Z"}, // the first of a month, or a Monday
		{"0 0 l * *", "UTC", "2026-02-03T00:00:00Z", "2026-02-28T00:00:00Z"},
		{"0 0 -1 * *", "UTC", "2026-02-03T00:00:00Z", "2026-02-28T00:00:00Z"},
		{"0 0 last * *", "UTC", "2028-02-03T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"0 0 1,l * *", "UTC", "2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"},
		{"0 0 * * sun#-1", "UTC", "2026-02-03T00:00:00Z", "2026-02-22T00:00:00Z"},
		{"0 0 * * 7#last", "UTC", "2026-02-03T00:00:00Z", "2026-02-22T00:00:00Z"},
		{"0 22-2 * * *", "UTC", "2026-02-03T02:00:00Z", "2026-02-03T22:00:00Z"},
		{"0 22-2 * * *", "UTC", "2026-02-03T23:00:00Z", "2026-02-04T00:00:00Z"},
		{"0 22-4/3 * * *", "UTC", "2026-02-03T22:00:00Z", "2026-02-04T01:00:00Z"},
		{"0 24 * * *", "UTC", "2026-02-03T01:00:00Z", "2026-02-04T00:00:00Z"},
		{"0 0 * * FRI-MON", "UTC", "2026-02-03T00:00:00Z", "2026-02-06T00:00:00Z"},
		{"0 0 * * fri-mon", "UTC", "2026-02-09T00:00:00Z", "2026-02-13T00:00:00Z"},
		{"0 0 1 nov-feb *", "UTC", "2026-02-03T00:00:00Z", "2026-11-01T00:00:00Z"},
		{"0 0 1 nov-feb *", "UTC", "2026-12-03T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"0 0 * * 5-7", "UTC", "2026-02-07T00:00:00Z", "2026-02-08T00:00:00Z"},
		{"0 0 * * 5#1", "UTC", "2026-02-10T00:00:00Z", "2026-03-06T00:00:00Z"},
		{"30 2 * * *", "America/New_York", "2026-03-08T00:00:00-05:00", "2026-03-09T06:30:00Z"}, // 2:30 does not exist on the 8th
		{"30 1 * * *", "America/New_York", "2026-11-01T00:00:00-04:00", "2026-11-01T05:30:00Z"}, // twice on the 1st: once
		{"30 1 * * *", "America/New_York", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"},
		{"30 1 * * *", "America/New_York", "2026-11-01T05:59:59Z", "2026-11-02T06:30:00Z"}, // still the first of the two hours
		{"30 1 * * *", "America/New_York", "2026-11-01T06:10:00Z", "2026-11-02T06:30:00Z"},
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"0 5 * * *", "Pacific Time (US & Canada)", "2026-06-01T00:00:00Z", "2026-06-01T12:00:00Z"},
	} {
		l, err := Parse(c.line, c.zone)
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		after, err := time.Parse(time.RFC3339, c.after)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := l.Next(after); err != nil || got.Format(time.RFC3339) != c.want {
			t.Errorf("%s in %s after %s: %s %v, want %s", c.line, c.zone, c.after, got.Format(time.RFC3339), err, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		line, zone string
		want       error
	}{
		{"", "UTC", ErrSyntax},
		{"* * * *", "UTC", ErrSyntax},
		{"* * * * * *", "UTC", ErrSyntax},
		{"60 * * * *", "UTC", ErrSyntax},
		{"0 0 30 2 *", "UTC", ErrSyntax},
		{"soon", "UTC", ErrSyntax},
		{"0 0 * * 22-2", "UTC", ErrSyntax},
		{"0 22-2/0 * * *", "UTC", ErrSyntax},
		{"0 25 * * *", "UTC", ErrSyntax},
		{"0 0 -2 * *", "UTC", ErrSyntax},
		{"0 0 * * *", "Nowhere/Else", ErrZone},
		{"0 0 * * *", "Local", ErrZone},
		{"0 0 * * *", "../../etc/passwd", ErrZone},
	} {
		if _, err := Parse(c.line, c.zone); err != c.want {
			t.Errorf("%q in %q: %v, want %v", c.line, c.zone, err, c.want)
		}
	}
}

func TestRailsZonesExist(t *testing.T) {
	for name := range rails {
		if _, err := Zone(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
