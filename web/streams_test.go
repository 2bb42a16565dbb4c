package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

// TestStreamsAreBounded: neither one person, nor one network, nor visitors without an account take the live pages of others.
func TestStreamsAreBounded(t *testing.T) {
	s := newStreams()
	ask := func(user int64, address string) *request {
		r := &request{Request: httptest.NewRequest("GET", "/group/app/-/jobs/1/live", nil)}
		if r.RemoteAddr = address + ":1"; user > 0 {
			r.actor = access.Actor{User: &models.User{ID: user}}
		}
		return r
	}
	var held []func()
	fill := func(what string, want int, next func(i int) *request) {
		t.Helper()
		for n := 0; ; n++ {
			give, err := s.enter(next(n), nil)
			if err == nil && n < want {
				held = append(held, give)
				continue
			}
			if n != want || fault.KindOf(err) != fault.TooMany {
				t.Errorf("%s: %d are open, %v", what, n, err)
			}
			return
		}
	}
	fill("one user from many networks", streamsOfUser, func(i int) *request { return ask(1, fmt.Sprintf("10.0.1.%d", i)) })
	fill("visitors of one network", streamsOfNobody, func(int) *request { return ask(0, "10.0.2.1") })
	fill("users of that network", streamsOfNetwork-streamsOfNobody, func(i int) *request { return ask(int64(i+2), "10.0.2.1") })
	fill("visitors of all networks", streamsOfVisits-streamsOfNobody, func(i int) *request { return ask(0, fmt.Sprintf("10.1.%d.%d", i/200, i%200)) })
	if give, err := s.enter(ask(1000, "10.0.3.1"), nil); err != nil {
		t.Errorf("a user of another network is refused: %v", err)
	} else {
		give()
	}
	for _, give := range held {
		give()
	}
	fill("once all were closed", streamsOfUser, func(int) *request { return ask(1, "10.0.2.1") })
}

// TestAStreamCountsAsOne: it has a place of its own, and none of the requests of its address that are worked on. One that is
// refused is answered first.
func TestAStreamCountsAsOne(t *testing.T) {
	s := newStreams()
	for i := range streamsOfNobody + 1 {
		counted := true
		r := httptest.NewRequest("GET", "/group/app/-/jobs/1/live", nil)
		give, err := s.enter(&request{Request: httpapi.Counted(r, func() { counted = false })}, nil)
		if refused := i == streamsOfNobody; refused != (err != nil) || counted != refused {
			t.Errorf("stream %d: %v, and counted: %v", i, err, counted)
		}
		if err == nil {
			defer give()
		}
	}
}

// TestAStreamTooManyIsRefused with a status that programs understand.
func TestAStreamTooManyIsRefused(t *testing.T) {
	w := httptest.NewRecorder()
	r := &request{Request: httptest.NewRequest("GET", "/group/app/-/jobs/1/live", nil), w: w}
	r.Header.Set("Accept", "text/event-stream")
	(&Server{}).fail(r, errTooManyStreams)
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
