package rubyregexp

import (
	"errors"
	"strings"
	"testing"
)

func TestRubyPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{`^(?!docs/)`, "docs/a.md", false},
		{`^(?!docs/)`, "src/a.go", true},
		{`^src/.*\.go$`, "src/a.go", true},
		{`\A\h+\Z`, "0aF", true},
		{`\A\h+\Z`, "xyz", false},
		{`\\h`, `\h`, true},
		{`(?<dir>\w+)/\k<dir>`, "a/a", true},
		{`(\w+)/\1\.go`, "x/y.go", false},
		{`(?<=a)b`, "ab", true},
	} {
		re, err := Compile(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		if got, err := re.MatchString(c.text); err != nil || got != c.want {
			t.Errorf("%s on %s: %v, %v", c.pattern, c.text, got, err)
		}
	}
	for _, pattern := range []string{"(", "a{2,1}", `(?<x>a)\g<x>`, strings.Repeat("x", maxPattern+1), "[a"} {
		if _, err := Compile(pattern); err == nil {
			t.Errorf("%.20s is accepted", pattern)
		}
	}
	slow, err := Compile(`(?=x)?(a|aa)+$`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slow.MatchString(strings.Repeat("a", 60) + "b"); !errors.Is(err, ErrSlow) {
		t.Errorf("a pattern without end: %v", err)
	}
}
