package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// Prefixes of tokens, as GitLab's, so that scanners and clients recognise them.
const (
	PersonalToken = "glpat-"
	RunnerToken   = "glrt-"
	// RegisteredRunner is of runners that came with a registration token.
	RegisteredRunner = "glrtr-"
	TriggerToken     = "glptt-"
	JobToken         = "glcbt-"
	Registration     = "GR1348941"
)

// LooksLikeToken says whether a text has the prefix and at least the length of a token of this installation.
func LooksLikeToken(text string) bool {
	for _, prefix := range []string{PersonalToken, RunnerToken, RegisteredRunner, TriggerToken, JobToken, Registration} {
		if strings.HasPrefix(text, prefix) && len(text) >= len(prefix)+tokenLength {
			return true
		}
	}
	return false
}

// tokenLength is of what NewToken puts behind a prefix.
var tokenLength = base64.RawURLEncoding.EncodedLen(20)

// NewToken makes a random token of 160 bits behind a prefix. The caller shows it once and keeps its hash.
func NewToken(prefix string) string {
	b := make([]byte, 20)
	rand.Read(b)
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}

// Hash is what is stored of a token. Tokens are long and random, so one SHA-256 is enough and allows an
// index; passwords have HashPassword.
func Hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Matches compares a token with a stored hash in constant time. An empty hash matches nothing.
func Matches(token, hash string) bool {
	if hash == "" {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(Hash(token)), []byte(hash)) == 1
}
