package variable

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"
)

// The limits of a dotenv report (facts: pipeline-semantics 6.4): bytes as they are sent, and variables.
const (
	MaxDotenvSize      = 5120
	MaxDotenvVariables = 20
)

// dotenvKey is what a variable's name may be.
var dotenvKey = regexp.MustCompile(`^[a-zA-Z0-9_]{1,255}$`)

// DotenvError is what is wrong with a dotenv report, in GitLab's words, and where.
type DotenvError struct {
	Text string
	Line int // 0: of no single line
}

func (e *DotenvError) Error() string {
	if e.Line == 0 {
		return e.Text
	}
	return fmt.Sprintf("%s (line %d)", e.Text, e.Line)
}

// ParseDotenv reads the files of a dotenv report in GitLab's strict way: every line is KEY=VALUE, of two values for a
// key the later one counts, and quotes, comments and references mean nothing. Its errors are DotenvErrors. See
// https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv.
func ParseDotenv(files ...[]byte) (Collection, error) {
	var out Collection
	index := map[string]int{}
	for _, file := range files {
		n := 0
		for line := range strings.Lines(utf8Text(file)) {
			n++
			v, wrong := dotenvLine(line)
			if wrong != "" {
				return nil, &DotenvError{wrong, n}
			}
			i, again := index[v.Key]
			if again {
				out[i] = v
				continue
			}
			index[v.Key] = len(out)
			out = append(out, v)
		}
	}
	if len(out) > MaxDotenvVariables {
		return nil, &DotenvError{fmt.Sprintf("Dotenv files cannot have more than %d variables", MaxDotenvVariables), 0}
	}
	return out, nil
}

// dotenvLine reads one line. A NUL, which no environment can hold, is no part of a value.
func dotenvLine(line string) (v Variable, wrong string) {
	key, value, ok := strings.Cut(line, "=")
	if !ok || strings.ContainsRune(line, 0) {
		return v, "Invalid Format"
	}
	v = Variable{Key: strings.TrimSpace(key), Value: strings.TrimSpace(value)}
	switch {
	case v.Key == "":
		return v, "Validation failed: Key can't be blank, Key can contain only letters, digits and '_'."
	case !dotenvKey.MatchString(v.Key):
		return v, "Validation failed: Key can contain only letters, digits and '_'."
	}
	return v, ""
}

// utf8Text is a file without the mark of its encoding, which PowerShell writes.
func utf8Text(file []byte) string {
	var order func(b []byte) uint16
	switch {
	case bytes.HasPrefix(file, []byte{0xff, 0xfe}):
		order = func(b []byte) uint16 { return uint16(b[0]) | uint16(b[1])<<8 }
	case bytes.HasPrefix(file, []byte{0xfe, 0xff}):
		order = func(b []byte) uint16 { return uint16(b[1]) | uint16(b[0])<<8 }
	default:
		return strings.ToValidUTF8(string(bytes.TrimPrefix(file, []byte("\ufeff"))), "\ufffd")
	}
	units := make([]uint16, 0, len(file)/2)
	for b := file[2:]; len(b) > 1; b = b[2:] {
		units = append(units, order(b))
	}
	return string(utf16.Decode(units))
}
