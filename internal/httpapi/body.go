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
