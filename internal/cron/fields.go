package cron

import (
	"slices"
	"strconv"
	"strings"
)

// field is one of the five of a line: the values that it counts through, and their names.
type field struct {
	from, count int
	names       []string // of the values from `from` on
}

var fields = []field{
	{0, 60, nil},
	{0, 24, nil},
	{1, 31, nil},
	{1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

const (
	hours    = 1
	days     = 2
	weekdays = 4
)

// plain writes what Fugit understands beyond other parsers as these know it: ranges over the end, such as 22-2 or fri-mon,
// the hour 24, -1 and last for the last day of a month, and sun#-1 for its last Sunday. Texts are in lower case.
func plain(texts []string) []string {
	out := slices.Clone(texts)
	for i, f := range fields {
		items := strings.Split(out[i], ",")
		for k, item := range items {
			switch {
			case i == hours && item == "24":
				items[k] = "0"
			case i == days && (item == "-1" || item == "last"):
				items[k] = "l"
			case i == weekdays && strings.Contains(item, "#"):
				items[k] = f.last(item)
			default:
				items[k] = f.wrapped(item)
			}
		}
		out[i] = strings.Join(items, ",")
	}
	return out
}

// last writes the last one of a weekday in a month.
func (f field) last(item string) string {
	day, which, _ := strings.Cut(item, "#")
	n, ok := f.value(day)
	if !ok || which != "-1" && which != "l" && which != "last" {
		return item
	}
	return strconv.Itoa(n%f.count) + "l"
}

// wrapped lists the values of a range that goes over the end.
func (f field) wrapped(item string) string {
	within, by, stepped := strings.Cut(item, "/")
	first, second, ranged := strings.Cut(within, "-")
	a, known := f.value(first)
	b, also := f.value(second)
	if !ranged || !known || !also || a <= b {
		return item
	}
	step := 1
	if stepped {
		var err error
		if step, err = strconv.Atoi(by); err != nil || step < 1 {
			return item
		}
	}
	var values []string
	for v := a; v <= b+f.count; v += step {
		values = append(values, strconv.Itoa((v-f.from)%f.count+f.from))
	}
	return strings.Join(values, ",")
}

// value reads a value of the field, by its number or its name.
func (f field) value(text string) (int, bool) {
	if i := slices.Index(f.names, text); i >= 0 {
		return f.from + i, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= f.from && n <= f.from+f.count
}
