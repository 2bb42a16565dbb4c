package httpapi

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"signalbox/internal/fault"
)

// The least speed of a body: it may stand still for bodyGrace in all, and for a second more with each bodyRate bytes that
// came. These are the values that Apache's mod_reqtimeout recommends.
const (
	bodyGrace = 20 * time.Second
	bodyRate  = 500
	// restWithin is for what a handler leaves of a body, which the server reads before it takes the next request.
	restWithin = 5 * time.Second
)

// ErrSlowBody says that a body came too slowly. What holds a place while it reads one gets it, and lets the place go.
var ErrSlowBody = fault.New(fault.TooSlow, "The body of the request came too slowly")

// LeastSpeed cuts bodies that come too slowly, by the bytes that came in the time that somebody waited for them: a large body
// may take as long as it needs. It goes around all handlers of a server.
func LeastSpeed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		b := &slowBody{ReadCloser: r.Body, deadline: http.NewResponseController(w).SetReadDeadline, left: bodyGrace, now: time.Now}
		withBody := *r
		withBody.Body = b
		defer func() {
			if !b.ended {
				b.deadline(time.Now().Add(restWithin))
			}
		}()
		next.ServeHTTP(w, &withBody)
	})
}

// slowBody is a body with a least speed.
type slowBody struct {
	io.ReadCloser
	deadline func(time.Time) error
	now      func() time.Time
	left     time.Duration // that it may stand still
	ended    bool
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, ErrSlowBody
	}
	began := b.now()
	// A connection without deadlines is one that was taken over, or a test's.
	_ = b.deadline(began.Add(b.left))
	n, err := b.ReadCloser.Read(p)
	_ = b.deadline(time.Time{})
	b.left += time.Duration(n)*time.Second/bodyRate - b.now().Sub(began)
	b.left = min(b.left, bodyGrace+time.Minute) // what came fast long ago does not pay for a stall
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.left, err = 0, ErrSlowBody
	}
	b.ended = b.ended || err != nil
	return n, err
}
