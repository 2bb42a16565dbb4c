// Package rubyregexp holds paths against patterns of Ruby's own engine, which `regexp` of rules:changes and rules:exists
// take. It watches the clock, so it stands outside the packages that only compute.
package rubyregexp

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dlclark/regexp2"

	"signalbox/ci/expression"
)

// How long one text and all texts together may be held against a Ruby pattern, as in GitLab.
const (
	maxRubyMatch = 50 * time.Millisecond
	maxRubyTotal = 2 * time.Second
)

// ErrSlow says that a pattern took too long on one text.
var ErrSlow = errors.New("timed out (over 0.05s on a single path)")

var errExhausted = errors.New("exceeded the time budget (2s) while evaluating paths")

// Pattern is a regular expression of Ruby's engine. What RE2 can do, it does, in linear time; look-around and
// back-references need the other engine, whose time is bounded. It is for one goroutine.
type Pattern struct {
	simple *regexp.Regexp
	full   *regexp2.Regexp
	spent  time.Duration
}

var rubyWords = strings.NewReplacer(`\\`, `\\`, `\h`, `[0-9a-fA-F]`, `\H`, `[^0-9a-fA-F]`, `\Z`, `\z`)

// maxPattern is the longest pattern, in bytes.
const maxPattern = 1024

// Compile reads a pattern in Ruby's syntax.
func Compile(source string) (*Pattern, error) {
	switch {
	case len(source) > maxPattern:
		return nil, expression.ErrTooLarge
	case strings.Contains(source, `\g<`):
		return nil, errors.New(`uses a subroutine call (\g), which is not allowed`)
	}
	translated := rubyWords.Replace(source)
	if re, err := expression.Compile(translated); err == nil || errors.Is(err, expression.ErrTooLarge) {
		return &Pattern{simple: re}, err
	}
	re, err := regexp2.Compile(translated, regexp2.None)
	if err != nil {
		return nil, fmt.Errorf("%s: /%s/", strings.TrimSuffix(strings.SplitN(err.Error(), " in `", 2)[0], "."), source)
	}
	re.MatchTimeout = maxRubyMatch
	return &Pattern{full: re}, nil
}

// MatchString searches a text; ErrSlow if that took too long.
func (r *Pattern) MatchString(text string) (bool, error) {
	if r.simple != nil {
		return r.simple.MatchString(text), nil
	}
	if r.spent > maxRubyTotal {
		return false, errExhausted
	}
	from := time.Now()
	ok, err := r.full.MatchString(text)
	r.spent += time.Since(from)
	if err != nil {
		return false, ErrSlow
	}
	return ok, nil
}

// Check says what is wrong with a pattern.
func Check(source string) error {
	_, err := Compile(source)
	return err
}

// Any says whether one of some paths matches.
func Any(source string, paths []string) (bool, error) {
	re, err := Compile(source)
	if err != nil {
		return false, fmt.Errorf("is invalid: %w", err)
	}
	for _, p := range paths {
		if ok, err := re.MatchString(p); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
