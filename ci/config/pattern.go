package config

import (
	"errors"
	"regexp"
	"strings"

	"signalbox/ci/expression"
)

var slashes = regexp.MustCompile(`(?s)^/(.*)/([ismU]*)$`)

// CompilePattern reads `/regex/flags` as only/except write it. It answers false for a text that is no
// regular expression, and an error for one that RE2 refuses.
func CompilePattern(text string) (*regexp.Regexp, bool, error) {
	m := slashes.FindStringSubmatch(text)
	if m == nil {
		return nil, false, nil
	}
	if strings.Contains(m[1], "(?<") { // the RE2 of GitLab knows (?P<name>…) alone
		return nil, true, errNamedGroup
	}
	flags := ""
	if m[2] != "" {
		flags = "(?" + m[2] + ")"
	}
	re, err := expression.Compile(flags + m[1])
	return re, true, err
}

// compileBare reads a pattern without slashes.
func compileBare(text string) (*regexp.Regexp, error) {
	if strings.Contains(text, "(?<") {
		return nil, errNamedGroup
	}
	return expression.Compile(text)
}

func validPattern(ref string) bool {
	pattern, _, _ := strings.Cut(ref, "@")
	_, _, err := CompilePattern(pattern)
	return err == nil
}

var errNamedGroup = errors.New("named groups are written (?P<name>…)")
