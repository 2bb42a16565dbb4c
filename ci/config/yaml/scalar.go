package yaml

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// The patterns of Psych's scalar scanner, in the order in which they are tried.
var (
	isTime        = regexp.MustCompile(`^-?\d{4}-\d{1,2}-\d{1,2}(?:[Tt]|\s+)\d{1,2}:\d\d:\d\d(?:\.\d*)?(?:\s*(?:Z|[-+]\d{1,2}:?(?:\d\d)?))?$`)
	isDate        = regexp.MustCompile(`^\d{4}-(?:1[012]|0\d|\d)-(?:[12]\d|3[01]|0\d|\d)$`)
	isClock       = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}$`)
	isClockFloat  = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}\.[0-9_]*$`)
	isFloat       = regexp.MustCompile(`^[-+]?(?:[0-9][0-9_,]*)?\.[0-9]*(?:[eE][+-][0-9]+)?$`)
	isInteger     = regexp.MustCompile(`^(?:[-+]?0[b][0-1_,]+|[-+]?0[0-7_,]+|[-+]?(?:0|[1-9](?:[0-9]|,[0-9]|_[0-9])*)|[-+]?0[x][0-9a-fA-F_,]+)$`)
	isEmptyNumber = regexp.MustCompile(`^[-+]?\.?$`)
)

// plain gives a plain scalar the type that Psych gives it.
func plain(n *Node, text string) *Error {
	n.Kind, n.Text = String, text
	switch {
	case text == "" || text == "~" || strings.EqualFold(text, "null"):
		n.Kind = Null
	case foldedIn(text, "yes", "true", "on"):
		n.Kind, n.Bool = Bool, true
	case foldedIn(text, "no", "false", "off"):
		n.Kind = Bool
	case strings.Contains(text, "\n"):
	case isTime.MatchString(text):
		return &Error{Message: "Tried to load unspecified class: Time (quote it to make it a string)", Line: n.Line, Column: n.Column}
	case isDate.MatchString(text):
		return &Error{Message: "Tried to load unspecified class: Date (quote it to make it a string)", Line: n.Line, Column: n.Column}
	case strings.EqualFold(text, ".inf"), strings.EqualFold(text, "+.inf"):
		n.Kind, n.Float = Float, math.Inf(1)
	case strings.EqualFold(text, "-.inf"):
		n.Kind, n.Float = Float, math.Inf(-1)
	case strings.EqualFold(text, ".nan"):
		n.Kind, n.Float = Float, math.NaN()
	case len(text) > 1 && text[0] == ':':
		n.Kind, n.Text = Symbol, unquote(text[1:])
	case isClock.MatchString(text), isClockFloat.MatchString(text):
		clock(n, text)
	case isEmptyNumber.MatchString(text):
	case isFloat.MatchString(text):
		float(n, text)
	case isInteger.MatchString(text):
		integer(n, text)
	}
	return nil
}

func foldedIn(text string, words ...string) bool {
	for _, w := range words {
		if strings.EqualFold(text, w) {
			return true
		}
	}
	return false
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// clock reads base-60 numbers as Psych does, which weighs the parts from the left: 1:30 is 5400.
func clock(n *Node, text string) {
	sum, weight := 0.0, 3600.0
	for _, part := range strings.Split(strings.ReplaceAll(text, "_", ""), ":") {
		v, _ := strconv.ParseFloat(part, 64)
		sum += v * weight
		weight /= 60
	}
	n.Kind, n.Int = Int, int64(sum)
	if strings.Contains(text, ".") {
		n.Kind, n.Float = Float, sum
	}
}

// separators are what numbers may be grouped with.
var separators = strings.NewReplacer(",", "", "_", "")

func float(n *Node, text string) {
	clean := separators.Replace(text)
	if v, err := strconv.ParseFloat(clean, 64); err == nil {
		n.Kind, n.Float = Float, v
	}
}

// integer leaves numbers over 64 bits as text: nothing in a configuration can mean one.
func integer(n *Node, text string) {
	clean := separators.Replace(text)
	sign, digits := "", clean
	if clean[0] == '-' || clean[0] == '+' {
		sign, digits = clean[:1], clean[1:]
	}
	base := 10
	switch {
	case strings.HasPrefix(digits, "0b"):
		base, digits = 2, digits[2:]
	case strings.HasPrefix(digits, "0x"):
		base, digits = 16, digits[2:]
	case len(digits) > 1 && digits[0] == '0':
		base = 8
	}
	if v, err := strconv.ParseInt(strings.TrimPrefix(sign, "+")+digits, base, 64); err == nil {
		n.Kind, n.Int = Int, v
	}
}
