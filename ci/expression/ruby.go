package expression

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// How long one text and all texts together may be held against a Ruby pattern, as in GitLab.
const (
	maxRubyMatch = 50 * time.Millisecond
	maxRubyTotal = 2 * time.Second
)

// ErrSlow says that a pattern took too long on one text.
var ErrSlow = errors.New("timed out (over 0.05s on a single path)")

var errExhausted = errors.New("exceeded the time budget (2s) while evaluating paths")

// Ruby is a regular expression of Ruby's own engine: rules on paths take those, all others RE2's. What RE2 can do, it
// does, in linear time; look-around and back-references need the other engine, whose time is bounded. It is for one
// goroutine.
type Ruby struct {
	simple *regexp.Regexp
	full   *regexp2.Regexp
	spent  time.Duration
}

var rubyWords = strings.NewReplacer(`\\`, `\\`, `\h`, `[0-9a-fA-F]`, `\H`, `[^0-9a-fA-F]`, `\Z`, `\z`)

// CompileRuby reads a pattern in Ruby's syntax.
func CompileRuby(source string) (*Ruby, error) {
	switch {
	case len(source) > maxPattern:
		return nil, ErrTooLarge
	case strings.Contains(source, `\g<`):
		return nil, errors.New(`uses a subroutine call (\g), which is not allowed`)
	}
	translated := rubyWords.Replace(source)
	if re, err := Compile(translated); err == nil || errors.Is(err, ErrTooLarge) {
		return &Ruby{simple: re}, err
	}
	re, err := regexp2.Compile(translated, regexp2.None)
	if err != nil {
		return nil, fmt.Errorf("%s: /%s/", strings.TrimSuffix(strings.SplitN(err.Error(), " in `", 2)[0], "."), source)
	}
	re.MatchTimeout = maxRubyMatch
	return &Ruby{full: re}, nil
}

// MatchString searches a text; ErrSlow if that took too long.
func (r *Ruby) MatchString(text string) (bool, error) {
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
