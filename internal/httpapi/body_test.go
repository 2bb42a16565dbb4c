package httpapi

import (
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
)

// TestAwaitBody: what was awaited is read as it came, with its end.
func TestAwaitBody(t *testing.T) {
	cut := errors.New("cut off")
	for name, tc := range map[string]struct {
		body io.Reader
		want string
		err  error
	}{
		"none":  {nil, "", nil},
		"small": {iotest.OneByteReader(strings.NewReader("small")), "small", nil},
		"large": {strings.NewReader(strings.Repeat("x", 3*smallBody)), strings.Repeat("x", 3*smallBody), nil},
		"cut":   {io.MultiReader(strings.NewReader("begun"), iotest.ErrReader(cut)), "begun", cut},
	} {
		r := httptest.NewRequest("POST", "/", tc.body)
		AwaitBody(r)
		got, err := io.ReadAll(r.Body)
		if string(got) != tc.want || err != tc.err {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if err := r.Body.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
