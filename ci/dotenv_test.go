package ci

import (
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUnpack: gzip files one after another stay apart, and none of them unfolds beyond the limit.
func TestUnpack(t *testing.T) {
	packed := func(texts ...string) []byte {
		var b bytes.Buffer
		for _, text := range texts {
			z := gzip.NewWriter(&b)
			if _, err := z.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
		}
		return b.Bytes()
	}
	files, err := unpack(packed("A=1", "B=2\n", ""), 100)
	if diff := cmp.Diff([][]byte{[]byte("A=1"), []byte("B=2\n"), {}}, files); err != nil || diff != "" {
		t.Errorf("%v: (-want +got)\n%s", err, diff)
	}
	if _, err := unpack(packed(strings.Repeat("x", 60), strings.Repeat("x", 41)), 100); !errors.Is(err, errTooLong) {
		t.Errorf("a bomb: %v", err)
	}
	cut := packed("A=1")
	for _, raw := range [][]byte{nil, []byte("A=1"), cut[:len(cut)-1], append(packed("A=1"), "rest"...)} {
		if _, err := unpack(raw, 100); err == nil {
			t.Errorf("%q was unpacked", raw)
		}
	}
}
