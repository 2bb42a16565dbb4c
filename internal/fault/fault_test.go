package fault

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

type sqlError string

func (s sqlError) Error() string    { return "ERROR: could not extend file" }
func (s sqlError) SQLState() string { return string(s) }

// TestAFullDiskIsKnownByItsCause, wherever it was met.
func TestAFullDiskIsKnownByItsCause(t *testing.T) {
	for _, err := range []error{
		&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, fmt.Errorf("store: %w", syscall.EDQUOT), sqlError("53100"),
		errors.New("git hash-object: exit status 128: error: unable to write file: No space left on device"),
		errors.New("database or disk is full (13)"), Wrap(Unavailable, errors.New("database or disk is full (13)"), "the database cannot be reached"),
	} {
		if KindOf(err) != OutOfSpace || !strings.Contains(Message(err), "no space left") {
			t.Errorf("%v: %v, %q", err, KindOf(err), Message(err))
		}
	}
	for err, kind := range map[error]Kind{sqlError("53300"): Internal, errors.New("x"): Internal, New(Invalid, "No space left on device is no name"): Invalid} {
		if KindOf(err) != kind {
			t.Errorf("%v: %v", err, KindOf(err))
		}
	}
}
