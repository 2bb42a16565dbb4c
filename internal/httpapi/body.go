package httpapi

import (
	"bytes"
	"io"
	"net/http"
)

// smallBody is the most bytes of a body that are read before it is known who asks.
const smallBody = 64 << 10

// TakeSmallBody reads a body of known, small size, so that whoever sends it slowly is judged when it is there and not
// when it began. It says whether the whole body is here; of a larger one, or one of unknown size, nothing is read.
func TakeSmallBody(r *http.Request) (here bool, err error) {
	if r.Body == nil || r.ContentLength == 0 {
		return true, nil
	}
	if r.ContentLength < 0 || r.ContentLength > smallBody {
		return false, nil
	}
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		return false, bodyError(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return true, nil
}

// AwaitBody reads a body, at most the bytes that a small one has, and puts it back: whoever reads it then need not wait for it,
// and finds the error that ended it.
func AwaitBody(r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	rest := r.Body
	body, err := io.ReadAll(io.LimitReader(rest, smallBody+1))
	then := io.Reader(rest)
	if err != nil {
		then = broken{err}
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), then), rest}
}

// broken is where a body ended that did not come whole.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
