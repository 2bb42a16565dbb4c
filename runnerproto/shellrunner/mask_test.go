package shellrunner

import (
	"strings"
	"testing"
)

// TestSecretsAreMaskedWhole however a log comes in pieces, and whichever secret begins another.
func TestSecretsAreMaskedWhole(t *testing.T) {
	const text = "a password, a password-of-production, abcab, abcabcab, passwor, password-of and password"
	const want = "a [MASKED], a [MASKED], [MASKED], [MASKED]cab, passwor, [MASKED]-of and [MASKED]"
	secrets := []string{"password", "password-of-production", "", "abcab"}
	for size := 1; size <= len(text); size++ {
		m := newMasker(secrets)
		var out strings.Builder
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			out.Write(m.write([]byte(rest[:n])))
			rest = rest[n:]
		}
		out.Write(m.flush())
		if out.String() != want {
			t.Fatalf("in pieces of %d: %s", size, out.String())
		}
	}
}
