package secret

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func ring(t *testing.T) *Keyring {
	t.Helper()
	k, err := NewKeyring([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealOpensOnlyInItsPlace(t *testing.T) {
	k := ring(t)
	s := k.Seal("variables/1", "hunter2")
	if strings.Contains(string(s.b), "hunter2") {
		t.Fatal("sealed value holds the plain text")
	}
	if got, err := k.Open("variables/1", s); err != nil || got != "hunter2" {
		t.Fatalf("Open = %q, %v", got, err)
	}
	if _, err := k.Open("variables/2", s); err == nil {
		t.Fatal("opened in another place")
	}
	if s.String() != "[SEALED]" {
		t.Fatalf("String = %q", s.String())
	}
}

func TestLoadKeyringKeepsItsKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if _, err := LoadKeyring(path, false); err == nil {
		t.Fatal("missing file accepted")
	}
	a, err := LoadKeyring(path, true)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	b, err := LoadKeyring(path, true)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := b.Open("p", a.Seal("p", "x")); err != nil || got != "x" {
		t.Fatalf("second load opens %q, %v", got, err)
	}
	if err := os.WriteFile(path, []byte("c2hvcnQ="), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeyring(path, true); err == nil || !strings.Contains(err.Error(), "want 32") {
		t.Fatalf("short key: %v", err)
	}
}

func TestTokensAndPasswords(t *testing.T) {
	tok := NewToken(PersonalToken)
	if !strings.HasPrefix(tok, "glpat-") || len(tok) < 30 {
		t.Fatalf("token %q", tok)
	}
	if !Matches(tok, Hash(tok)) || Matches(tok+"x", Hash(tok)) || Matches("", "") {
		t.Fatal("token comparison")
	}
	h := HashPassword("correct horse")
	if !PasswordMatches("correct horse", h) || PasswordMatches("wrong", h) || PasswordMatches("", "") {
		t.Fatal("password comparison")
	}
}

func TestMaskLongestFirst(t *testing.T) {
	got := Mask("a secretkey and secret", []string{"secret", "secretkey", ""})
	if got != "a [MASKED] and [MASKED]" {
		t.Fatal(got)
	}
}
