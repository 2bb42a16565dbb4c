// Package secret makes and checks what must not leak: encryption at rest, tokens and their hashes,
// passwords, and the masking of values in texts. It knows no model and stores nothing.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Keyring seals values with a key that lies outside the database.
type Keyring struct{ aead cipher.AEAD }

// Sealed is an encrypted value as a column holds it. Only a Keyring can make one, so that plain text in
// such a column does not compile.
type Sealed struct{ b []byte }

// ErrSealed says that a value cannot be opened: another key, another place, or damage.
var ErrSealed = errors.New("sealed value cannot be opened: wrong key or damaged data")

// NewKeyring makes a keyring of a 32-byte key.
func NewKeyring(key []byte) (*Keyring, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("secret key has %d bytes, want 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Keyring{aead: aead}, nil
}

// LoadKeyring reads a key file (base64 of 32 bytes). With create it makes a missing file, readable by its
// owner alone.
func LoadKeyring(path string, create bool) (*Keyring, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && create {
		raw, err = createKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("secret key file: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil {
		return nil, fmt.Errorf("secret key file %s: not base64", path)
	}
	ring, err := NewKeyring(key)
	if err != nil {
		return nil, fmt.Errorf("secret key file %s: %w", path, err)
	}
	return ring, nil
}

// createKey writes the whole key under another name first: a key cut off by a crash would make every
// sealed value unreadable.
func createKey(path string) ([]byte, error) {
	key := make([]byte, 32)
	rand.Read(key)
	text := []byte(base64.StdEncoding.EncodeToString(key) + "\n")
	tmp, err := os.CreateTemp(filepath.Dir(path), ".secret-key-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, werr := tmp.Write(text)
	if err := errors.Join(werr, tmp.Sync(), tmp.Close()); err != nil {
		return nil, err
	}
	return text, os.Rename(tmp.Name(), path)
}

// Seal encrypts plain for one place, such as "variables.value/project/7/KEY". Open wants the same place,
// so that a sealed value moved to another row does not open.
func (k *Keyring) Seal(place, plain string) Sealed {
	return Sealed{b: k.aead.Seal(nil, nil, []byte(plain), []byte(place))}
}

// Open decrypts a value that was sealed for place. An empty value opens as "".
func (k *Keyring) Open(place string, s Sealed) (string, error) {
	if len(s.b) == 0 {
		return "", nil
	}
	plain, err := k.aead.Open(nil, nil, s.b, []byte(place))
	if err != nil {
		return "", ErrSealed
	}
	return string(plain), nil
}

// Empty says whether nothing is stored.
func (s Sealed) Empty() bool { return len(s.b) == 0 }

// String hides the value wherever it would be printed.
func (s Sealed) String() string { return "[SEALED]" }

// Value stores the bytes; it is the sql driver's method.
func (s Sealed) Value() (driver.Value, error) {
	if s.b == nil {
		return nil, nil
	}
	return s.b, nil
}

// Scan reads the bytes; it is the sql driver's method.
func (s *Sealed) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		s.b = nil
	case []byte:
		s.b = append([]byte(nil), v...)
	case string:
		s.b = []byte(v)
	default:
		return fmt.Errorf("sealed column holds %T", v)
	}
	return nil
}

// GormDataType names the column's type to the object mapper, which cannot see it through the struct.
func (Sealed) GormDataType() string { return "bytes" }

// Fingerprint is a short hash of a value, for comparing without keeping it.
func Fingerprint(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// SealText encrypts plain for one place, as text that others keep for us and hand back.
func (k *Keyring) SealText(place, plain string) string {
	return base64.RawURLEncoding.EncodeToString(k.Seal(place, plain).b)
}

// OpenText decrypts what SealText made for the same place.
func (k *Keyring) OpenText(place, text string) (string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) == 0 {
		return "", ErrSealed
	}
	return k.Open(place, Sealed{b: raw})
}
