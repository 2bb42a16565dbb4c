package secret

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

const (
	argonTime   = 2
	argonMemory = 19 * 1024
	argonKey    = 32
)

// hashing bounds how many password hashes run at once: each takes 19 MiB, and a sign-in page is open to
// the world.
var hashing = make(chan struct{}, 4)

// HashPassword is what is stored of a password (argon2id, 19 MiB).
func HashPassword(password string) string {
	salt := make([]byte, 16)
	rand.Read(salt)
	sum := derive(password, salt)
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=1$%s$%s", argonMemory, argonTime,
		enc.EncodeToString(salt), enc.EncodeToString(sum))
}

// PasswordMatches compares in constant time. With an empty hash it spends the same time and says no, so
// that an unknown name is not told from a wrong password by the clock.
func PasswordMatches(password, hash string) bool {
	parts := strings.Split(hash, "$")
	salt, want := make([]byte, 16), make([]byte, argonKey)
	known := len(parts) == 6 && parts[1] == "argon2id"
	if known {
		var err1, err2 error
		salt, err1 = base64.RawStdEncoding.DecodeString(parts[4])
		want, err2 = base64.RawStdEncoding.DecodeString(parts[5])
		known = err1 == nil && err2 == nil
	}
	got := derive(password, salt)
	return subtle.ConstantTimeCompare(got, want) == 1 && known
}

func derive(password string, salt []byte) []byte {
	hashing <- struct{}{}
	defer func() { <-hashing }()
	return argon2.IDKey([]byte(password), salt, argonTime, argonMemory, 1, argonKey)
}
