// Package cron reads the times of schedules as GitLab does, whose parser is Ruby's Fugit: five fields, a time zone by its
// name in the IANA database or in Rails, and no time twice or not at all because of daylight saving.
package cron

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/adhocore/gronx"
)

// ErrSyntax says that a text is no cron line of five fields, or one that never comes.
var ErrSyntax = errors.New("syntax is invalid")

// ErrZone says that a time zone has no such name.
var ErrZone = errors.New("is not a time zone")

var named = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@noon": "0 12 * * *", "@hourly": "0 * * * *",
}

// Line is a cron line in a time zone.
type Line struct {
	text     string
	zone     *time.Location
	frequent bool // it comes in every hour
}

// Parse reads a cron line and the zone that it is meant in; "" is UTC.
func Parse(text, zone string) (*Line, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if full, ok := named[text]; ok {
		text = full
	}
	at, err := Zone(zone)
	if err != nil {
		return nil, err
	}
	parts := strings.Fields(text)
	if len(parts) != len(fields) {
		return nil, ErrSyntax
	}
	parts = plain(parts)
	l := &Line{strings.Join(parts, " "), at, slices.Contains(everyHour, parts[hours])}
	if !gronx.IsValid(l.text) {
		return nil, ErrSyntax
	}
	if _, err := l.Next(time.Now()); err != nil {
		return nil, err
	}
	return l, nil
}

// everyHour are the ways to write an hour that is each of them.
var everyHour = []string{"*", "?", "*/1", "0-23", "0-23/1", "0/1"}

// Next is the first time after the given one, in UTC. A line that comes in every hour goes on in real time when daylight saving
// ends; one that names hours comes once at each, in the first of the two hours that the clocks show twice.
func (l *Line) Next(after time.Time) (time.Time, error) {
	if l.frequent {
		return l.nextReal(after)
	}
	return l.nextOnce(after)
}

// nextReal looks for the next time in each stretch in which the zone keeps its offset.
func (l *Line) nextReal(after time.Time) (time.Time, error) {
	for at, inclusive := after, false; ; inclusive = true {
		local := at.In(l.zone)
		_, offset := local.Zone()
		_, end := local.ZoneBounds()
		face, err := gronx.NextTickAfter(l.text, reading(local), inclusive)
		if err != nil {
			return time.Time{}, ErrSyntax
		}
		if next := face.Add(-time.Duration(offset) * time.Second); end.IsZero() || next.Before(end) {
			return next.UTC(), nil
		}
		at = end
	}
}

// nextOnce looks on the face of a clock that nobody puts forward or back, so that whoever asks within an hour that comes twice
// gets no time that was there in the first of the two.
func (l *Line) nextOnce(after time.Time) (time.Time, error) {
	face := reading(after.In(l.zone))
	for {
		next, err := gronx.NextTickAfter(l.text, face, false)
		if err != nil {
			return time.Time{}, ErrSyntax
		}
		if at := l.first(next); reading(at).Equal(next) && at.After(after) {
			return at.UTC(), nil
		}
		face = next // daylight saving leaves it out, or it was there before
	}
}

// reading is what a clock shows, as a time in UTC.
func reading(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.Add(time.Duration(offset) * time.Second).UTC()
}

// first is the first time at which the clocks of the zone show what a face does. If they never do, they show something else.
func (l *Line) first(face time.Time) time.Time {
	at := time.Date(face.Year(), face.Month(), face.Day(), face.Hour(), face.Minute(), face.Second(), 0, l.zone)
	if changed, _ := at.ZoneBounds(); !changed.IsZero() {
		_, before := changed.Add(-time.Second).Zone()
		if earlier := face.Add(-time.Duration(before) * time.Second).In(l.zone); earlier.Before(at) && reading(earlier).Equal(face) {
			return earlier
		}
	}
	return at
}

// Previous is the last time at or before the given one, in UTC.
func (l *Line) Previous(before time.Time) (time.Time, error) {
	previous, err := gronx.PrevTickBefore(l.text, before.In(l.zone), true)
	if err != nil {
		return time.Time{}, ErrSyntax
	}
	return previous.UTC(), nil
}

// Zone finds a time zone by its name.
func Zone(name string) (*time.Location, error) {
	if other, ok := rails[name]; ok {
		name = other
	}
	if name == "" {
		return time.UTC, nil
	}
	if name == "Local" {
		return nil, ErrZone
	}
	at, err := time.LoadLocation(name)
	if err != nil {
		return nil, ErrZone
	}
	return at, nil
}
