package expression

import (
	"regexp"
	"strings"
)

// maxTokens is GitLab's limit of the parts of an expression.
const maxTokens = 100

type token struct {
	kind, text string
	at         int
}

// lexemes are tried in this order at every place.
var lexemes = []struct {
	kind string
	re   *regexp.Regexp
}{
	{"(", regexp.MustCompile(`^\(`)},
	{")", regexp.MustCompile(`^\)`)},
	{"input", regexp.MustCompile(`^\$\[\[\s*inputs\.([\w-]+)\s*\]\]`)},
	{"variable", regexp.MustCompile(`^\$(\w+)`)},
	{"string", regexp.MustCompile(`^(?:"(.*?)"|'(.*?)')`)},
	{"pattern", regexp.MustCompile(`^/(?:[^/]|\\/)+[^\\]/[ismU]*`)},
	{"null", regexp.MustCompile(`^null\b`)},
	{"bool", regexp.MustCompile(`^(?:true|false)\b`)},
	{"op", regexp.MustCompile(`^(?:==|=~|!=|!~|&&|\|\|)`)},
	{"!", regexp.MustCompile(`^!`)},
}

func tokens(text string) ([]token, error) {
	var out []token
	for at := 0; ; {
		rest := text[at:]
		at += len(rest) - len(strings.TrimLeft(rest, " \t\r\n\v\f"))
		if at == len(text) {
			return out, nil
		}
		if len(out) == maxTokens {
			return nil, &Error{"the expression has more than 100 parts", at}
		}
		t, size := next(text[at:])
		if size == 0 {
			return nil, &Error{"this is no part of an expression: " + shorten(text[at:]), at}
		}
		t.at = at
		out = append(out, t)
		at += size
	}
}

func next(text string) (token, int) {
	for _, l := range lexemes {
		m := l.re.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		t := token{kind: l.kind, text: m[0]}
		for _, group := range m[1:] {
			if l.kind == "input" || l.kind == "variable" || l.kind == "string" {
				t.text = group
			}
			if group != "" {
				break
			}
		}
		return t, len(m[0])
	}
	return token{}, 0
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 20 {
		return string(r[:20]) + "…"
	}
	return s
}

// Parse reads an expression. Its errors are *Error.
func Parse(text string) (*Expr, error) {
	list, err := tokens(text)
	if err != nil {
		return nil, err
	}
	p := &parser{list: list, end: len(text)}
	root, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	if t, more := p.peek(); more {
		if t.kind == ")" {
			return nil, &Error{"this parenthesis was not opened", t.at}
		}
		return nil, &Error{"an operator is missing before this", t.at}
	}
	return &Expr{root}, nil
}

type parser struct {
	list []token
	at   int
	end  int
}

func (p *parser) peek() (token, bool) {
	if p.at < len(p.list) {
		return p.list[p.at], true
	}
	return token{at: p.end}, false
}

// levels are the operators from the loosest to the tightest; those of one level go from left to right.
var levels = [][]string{{"||"}, {"&&"}, {"==", "!=", "=~", "!~"}}

func (p *parser) binary(level int) (node, error) {
	if level == len(levels) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	if err != nil {
		return nil, err
	}
	for {
		t, ok := p.peek()
		if !ok || t.kind != "op" || !contains(levels[level], t.text) {
			return left, nil
		}
		p.at++
		right, err := p.binary(level + 1)
		if err != nil {
			return nil, err
		}
		left = binary{t.text, left, right}
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func (p *parser) unary() (node, error) {
	t, ok := p.peek()
	if !ok {
		return nil, &Error{"something is missing at the end", t.at}
	}
	p.at++
	switch t.kind {
	case "!":
		of, err := p.unary()
		return not{of}, err
	case "(":
		inner, err := p.binary(0)
		if err != nil {
			return nil, err
		}
		if end, ok := p.peek(); !ok || end.kind != ")" {
			return nil, &Error{"this parenthesis is not closed", t.at}
		}
		p.at++
		return inner, nil
	case "variable":
		return variable{t.text}, nil
	case "input":
		return input{t.text}, nil
	case "string":
		return constant{t.text}, nil
	case "null":
		return constant{nil}, nil
	case "bool":
		return constant{t.text == "true"}, nil
	case "pattern":
		re, _, err := Pattern(t.text)
		if err != nil {
			return nil, &Error{"this regular expression is not in RE2's syntax: " + reason(err), t.at}
		}
		return pattern{re}, nil
	}
	return nil, &Error{"something is missing before this", t.at}
}

func reason(err error) string { return strings.TrimPrefix(err.Error(), "error parsing regexp: ") }
