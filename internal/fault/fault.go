// Package fault is the one kind of error that crosses from the use cases to the edges: it says what sort of
// failure it is, what may be shown, and what only the log may hold.
package fault

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind is the sort of a failure. Each edge maps it to its own status in one place.
type Kind int

// The kinds. Internal is what everything else is.
const (
	Internal Kind = iota
	NotFound
	Forbidden
	Unauthorized
	Invalid
	Conflict
	TooLarge
	Unavailable
	NotAllowed    // the thing exists, but cannot be done to it in its state
	TooMany       // asked too often
	WrongMethod   // the thing cannot be asked in this way
	Precondition  // the thing was changed since the caller looked
	Unprocessable // what was given is understood and cannot be used
	TooSlow       // the caller did not do its part in time
	OutOfSpace    // a disk or a quota of the server is full
)

// Error is a failure with a message that is safe to show. It knows no protocol: faces that speak HTTP add the status.
type Error struct {
	Kind    Kind
	Message string // a sentence for people; "" says no more than the kind does
	// Missing is what was not found, if that is what the failure is: "Pipeline".
	Missing string
	// Titled says that programs read the title of the kind in front of the message, as they do where GitLab's API
	// refuses something by rule.
	Titled bool
	Cause  error // for the log alone
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.text() + ": " + e.Cause.Error()
	}
	return e.text()
}

func (e *Error) text() string {
	if e.Message != "" {
		return e.Message
	}
	return e.Kind.sentence()
}

// sentence says what a kind means to people where nobody said more.
func (k Kind) sentence() string {
	switch k {
	case NotFound:
		return "not found"
	case Forbidden:
		return "you are not allowed to do this"
	case Unauthorized:
		return "you are not signed in, or the token is not valid"
	case Invalid:
		return "the request cannot be understood"
	case Conflict:
		return "somebody else changed it at the same moment"
	case TooLarge:
		return "it is too large"
	case Unavailable:
		return "this is not available right now; try again"
	case NotAllowed:
		return "its state does not allow that"
	case TooMany:
		return "too many requests; try again later"
	case WrongMethod:
		return "this cannot be asked in this way"
	case Precondition:
		return "it was changed since you looked"
	case Unprocessable:
		return "what was given cannot be used"
	case TooSlow:
		return "the request took too long to come"
	case OutOfSpace:
		return "there is no space left on the server"
	case Internal:
	}
	return "internal error"
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Fields is what is wrong with the values of a new or changed thing, by field; base is the whole of it.
type Fields map[string][]string

func (f Fields) Error() string {
	names := slices.Sorted(maps.Keys(f))
	texts := make([]string, 0, len(f))
	for _, n := range names {
		text := strings.Join(f[n], ", ")
		if n != "base" {
			text = n + " " + text
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "; ")
}

// Field is what is wrong with one value.
func Field(name, format string, args ...any) Fields {
	return Fields{name: {fmt.Sprintf(format, args...)}}
}

// New makes an error of a kind.
func New(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}

// Refused makes an error that programs read with the title of its kind; "" says no more than that.
func Refused(k Kind, format string, args ...any) *Error {
	e := New(k, format, args...)
	e.Titled = true
	return e
}

// Missing makes the error that a thing was not found: "Pipeline", or "" for what has no name of its own.
func Missing(thing string, args ...any) *Error {
	thing = fmt.Sprintf(thing, args...)
	e := &Error{Kind: NotFound, Missing: thing}
	if thing != "" {
		e.Message = thing + " not found"
	}
	return e
}

// Because adds a cause, which is not shown.
func (e *Error) Because(cause error) *Error {
	e.Cause = cause
	return e
}

// Wrap makes an error of a kind with a cause that is not shown.
func Wrap(k Kind, cause error, format string, args ...any) *Error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// KindOf finds the kind of any error.
func KindOf(err error) Kind {
	var f *Error
	if errors.As(err, &f) && f.Kind != Internal && f.Kind != Unavailable {
		return f.Kind
	}
	var fields Fields
	switch {
	case f == nil && errors.As(err, &fields):
		return Invalid
	case err != nil && noSpace(err):
		return OutOfSpace
	case f != nil:
		return f.Kind
	}
	return Internal
}

// Message is what may be shown of any error; internal ones show nothing.
func Message(err error) string {
	if KindOf(err) == OutOfSpace {
		return "There is no space left on the server: its disk is full. Nothing was stored; an administrator has to make room."
	}
	var f *Error
	if errors.As(err, &f) && f.Kind != Internal {
		return f.text()
	}
	var fields Fields
	if errors.As(err, &fields) {
		return fields.Error()
	}
	return "Internal error"
}
