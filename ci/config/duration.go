package config

import (
	"regexp"
	"strconv"
	"strings"

	"signalbox/ci/config/yaml"
)

// The units of durations in seconds: a month has 30 days, a year 365.25.
var units = map[string]float64{
	"s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1,
	"m": 60, "min": 60, "mins": 60, "minute": 60, "minutes": 60,
	"h": 3600, "hr": 3600, "hrs": 3600, "hour": 3600, "hours": 3600,
	"d": 86400, "dy": 86400, "day": 86400, "days": 86400,
	"w": 604800, "wk": 604800, "wks": 604800, "week": 604800, "weeks": 604800,
	"mo": 2592000, "mos": 2592000, "month": 2592000, "months": 2592000,
	"y": 31557600, "yr": 31557600, "yrs": 31557600, "year": 31557600, "years": 31557600,
}

var numberWords = map[string]string{
	"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
	"ten": "10", "eleven": "11", "twelve": "12", "fifteen": "15", "twenty": "20", "thirty": "30", "sixty": "60",
}

var (
	clockText = regexp.MustCompile(`^\d+(?::\d+){1,2}(?:\.\d+)?$`)
	durations = regexp.MustCompile(`(\d+(?:\.\d+)?)|([a-z]+)|([^\s,])`)
)

// ParseDuration reads a duration as people write it ("2 hrs 20 min", "1h30m", "42") and returns seconds;
// false if it is none, or zero (facts: ci-yaml 11.15).
func ParseDuration(text string) (int, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	if clockText.MatchString(text) {
		sum := 0.0
		for _, part := range strings.Split(text, ":") {
			v, _ := strconv.ParseFloat(part, 64)
			sum = sum*60 + v
		}
		return seconds(sum), sum >= 1
	}
	sum, number, open := 0.0, 0.0, false
	for _, m := range durations.FindAllStringSubmatch(text, -1) {
		word := m[2]
		if n, ok := numberWords[word]; ok {
			m[1], word = n, ""
		}
		switch {
		case m[3] != "":
			return 0, false
		case m[1] != "":
			if open {
				return 0, false
			}
			number, _ = strconv.ParseFloat(m[1], 64)
			open = true
		case word == "and" || word == "with" || word == "plus":
		case open && units[word] > 0:
			sum += number * units[word]
			open = false
		default:
			return 0, false
		}
	}
	if open {
		sum += number // a bare number means seconds
	}
	return seconds(sum), sum >= 1
}

// seconds keeps a time within what a number holds.
func seconds(sum float64) int { return int(min(sum, 1<<31)) }

func (l *loader) duration(v *yaml.Node, location string, limit int) int {
	seconds, ok := ParseDuration(v.Text)
	valid := v.IsText() && ok
	switch {
	case !valid:
		l.bad(v, location, "should be a duration")
		l.also(v, location, "should not exceed the limit")
	case seconds > limit:
		l.bad(v, location, "should not exceed the limit")
	}
	return seconds
}
