package shellrunner

import (
	"bytes"
	"slices"

	"signalbox/internal/secret"
)

// masker replaces secrets in a stream, also where a secret comes in pieces. Of secrets that begin at the same place
// the longest counts, even if its end comes later.
type masker struct {
	secrets [][]byte // the longest first
	first   [256]bool
	held    []byte // the end of what came, if a secret may have begun there
}

func newMasker(secrets []string) masker {
	var m masker
	for _, s := range secrets {
		if s != "" {
			m.secrets = append(m.secrets, []byte(s))
			m.first[s[0]] = true
		}
	}
	slices.SortStableFunc(m.secrets, func(a, b []byte) int { return len(b) - len(a) })
	return m
}

// write takes a piece and gives what may be shown of it and of what was held.
func (m *masker) write(p []byte) []byte { return m.take(append(m.held, p...), false) }

// flush gives what was held, when nothing more will come.
func (m *masker) flush() []byte { return m.take(m.held, true) }

func (m *masker) take(b []byte, last bool) []byte {
	out := make([]byte, 0, len(b))
	at := 0
	for at < len(b) {
		if !m.first[b[at]] {
			out = append(out, b[at])
			at++
			continue
		}
		n, begun := m.secretAt(b[at:])
		switch {
		case begun && !last:
			m.held = append([]byte(nil), b[at:]...)
			return out
		case n > 0:
			out = append(out, secret.Masked...)
			at += n
		default:
			out = append(out, b[at])
			at++
		}
	}
	m.held = nil
	return out
}

// secretAt is the length of the longest secret at the beginning of b; begun says that a longer one may have begun.
func (m *masker) secretAt(b []byte) (n int, begun bool) {
	for _, s := range m.secrets {
		if bytes.HasPrefix(b, s) {
			return len(s), begun
		}
		begun = begun || len(b) < len(s) && bytes.HasPrefix(s, b)
	}
	return 0, begun
}
