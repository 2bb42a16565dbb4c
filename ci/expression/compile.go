package expression

import (
	"errors"
	"regexp"
	"regexp/syntax"
)

// Limits of one regular expression: of its text in bytes, and of the program that repetitions make of it. A few bytes
// can ask for a program of hundreds of megabytes.
const (
	maxPattern = 8 << 10
	maxProgram = 20_000
)

// ErrTooLarge says that a regular expression is larger than any should be.
var ErrTooLarge = errors.New("the regular expression is too large")

// Compile reads a regular expression in RE2's syntax, if it is of a bounded size.
func Compile(source string) (*regexp.Regexp, error) {
	if len(source) > maxPattern {
		return nil, ErrTooLarge
	}
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, err
	}
	if program(tree) > maxProgram {
		return nil, ErrTooLarge
	}
	return regexp.Compile(source)
}

// program estimates how many instructions a regular expression becomes.
func program(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)/8
	for _, sub := range re.Sub {
		n = min(n+program(sub), maxProgram+1)
	}
	if re.Op == syntax.OpRepeat {
		n = (n - 1) * max(1, re.Min, re.Max)
	}
	return min(n, maxProgram+1)
}

// Weight is about how many instructions the regular expressions of an expression hold.
func (e *Expr) Weight() int { return weight(e.root) }

func weight(n node) int {
	switch n := n.(type) {
	case pattern:
		tree, err := syntax.Parse(n.re.String(), syntax.Perl)
		if err != nil {
			return 0
		}
		return program(tree)
	case not:
		return weight(n.of)
	case binary:
		return weight(n.left) + weight(n.right)
	}
	return 0
}
