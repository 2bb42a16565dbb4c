// Package expression is the language of rules:if, workflow:rules:if, include:rules:if, only:variables and the
// rules of inputs: it reads an expression once and answers for any variables whether it holds. It knows no
// configuration and no pipeline (facts: ci-yaml section 13).
package expression

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Expr is an expression that was read. It may be used by several goroutines.
type Expr struct{ root node }

// Error says what is wrong in an expression and where.
type Error struct {
	Text   string
	Column int // in bytes, from 0
}

func (e *Error) Error() string { return fmt.Sprintf("%s at character %d", e.Text, e.Column+1) }

// Values are what an expression may ask for.
type Values struct {
	// Variable gives the text of a variable; false if it is not defined. nil: none is.
	Variable func(name string) (string, bool)
	// Inputs are those of a file with `spec`, with their types.
	Inputs map[string]any
}

// Matches says whether the expression holds.
func (e *Expr) Matches(v Values) bool { return !blank(e.root.eval(&v)) }

// Value is what the expression as such gives: nil, a text, a truth, or an input's value.
func (e *Expr) Value(v Values) any { return e.root.eval(&v) }

// node is a part of an expression.
type node interface{ eval(v *Values) any }

type (
	constant struct{ value any }
	variable struct{ name string }
	input    struct{ name string }
	pattern  struct{ re *regexp.Regexp } // a literal between slashes
	not      struct{ of node }
	binary   struct {
		op          string
		left, right node
	}
)

func (c constant) eval(*Values) any { return c.value }

func (n variable) eval(v *Values) any {
	if v.Variable != nil {
		if text, ok := v.Variable(n.name); ok {
			return text
		}
	}
	return nil
}

func (n input) eval(v *Values) any { return v.Inputs[n.name] }

func (p pattern) eval(*Values) any { return p.re }

func (n not) eval(v *Values) any { return blank(n.of.eval(v)) }

func (b binary) eval(v *Values) any {
	left := b.left.eval(v)
	switch b.op {
	case "&&":
		if falsy(left) {
			return left
		}
		return b.right.eval(v)
	case "||":
		if !falsy(left) {
			return left
		}
		return b.right.eval(v)
	}
	right := b.right.eval(v)
	switch b.op {
	case "==":
		return same(left, right)
	case "!=":
		return !same(left, right)
	case "=~":
		return matches(left, right)
	}
	return !matches(left, right)
}

// same: nothing is only nothing. A truth beside a text is compared as text.
func same(a, b any) bool {
	if truth, ok := a.(bool); ok {
		if text, ok := b.(string); ok {
			return strconv.FormatBool(truth) == text
		}
	}
	if _, ok := b.(bool); ok {
		if _, ok := a.(string); ok {
			return same(b, a)
		}
	}
	if pa, ok := a.(*regexp.Regexp); ok {
		pb, ok := b.(*regexp.Regexp)
		return ok && pa.String() == pb.String()
	}
	switch a.(type) {
	case []any, map[string]any:
		return false
	}
	switch b.(type) {
	case []any, map[string]any:
		return false
	}
	return a == b
}

// falsy are the values that && and || stop at. An empty text is none of them.
func falsy(v any) bool { return v == nil || v == false }

// blank are the values that make a whole expression untrue.
func blank(v any) bool {
	if text, ok := v.(string); ok {
		return strings.TrimSpace(text) == ""
	}
	return falsy(v)
}

// matches asks whether the left side matches the right one. A text on the right that is no pattern must hold the
// left side, not the other way round: so GitLab does it.
func matches(left, right any) bool {
	text, ok := left.(string)
	if !ok && left != nil {
		text = fmt.Sprint(left)
	}
	switch r := right.(type) {
	case *regexp.Regexp:
		return r.MatchString(text)
	case string:
		re, isPattern, err := Pattern(r)
		if isPattern {
			return err == nil && re.MatchString(text)
		}
		return strings.Contains(r, text)
	}
	return false
}

var slashes = regexp.MustCompile(`(?s)^/(.+)/([ismU]*)$`)

// Pattern reads a text of the form /…/flags as a regular expression in RE2's syntax; isPattern is false for
// other texts.
func Pattern(text string) (re *regexp.Regexp, isPattern bool, err error) {
	m := slashes.FindStringSubmatch(text)
	if m == nil {
		return nil, false, nil
	}
	source := strings.ReplaceAll(m[1], `\/`, "/")
	if m[2] != "" {
		source = "(?" + m[2] + ")" + source
	}
	re, err = Compile(source)
	return re, true, err
}

// Inputs lists the inputs that an expression asks about.
func (e *Expr) Inputs() []string {
	if e == nil {
		return nil
	}
	return inputsOf(e.root)
}

func inputsOf(n node) []string {
	switch n := n.(type) {
	case input:
		return []string{n.name}
	case not:
		return inputsOf(n.of)
	case binary:
		return append(inputsOf(n.left), inputsOf(n.right)...)
	}
	return nil
}
