package app

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"signalbox/internal/httpapi"
	"signalbox/internal/limit"
)

// TestRequestsAreCountedUntilTheyWait, whatever their addresses look like: a file of a repository may be named live.
func TestRequestsAreCountedUntilTheyWait(t *testing.T) {
	const address = "192.0.2.1"
	for _, waits := range []bool{true, false} {
		crowd := limit.NewPlaces(1<<20, 4)
		counted := -1
		h := bounded(crowd, nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if waits {
				httpapi.Uncount(r)
			}
			counted = crowd.Wanted(address)
		}))
		r := httptest.NewRequest("GET", "/group/app/-/raw/main/live", nil)
		r.RemoteAddr = address + ":1"
		h.ServeHTTP(httptest.NewRecorder(), r)
		if waits == (counted != 0) {
			t.Errorf("it waits: %v, and %d requests are counted", waits, counted)
		}
		if n := crowd.Wanted(address); n != 0 {
			t.Errorf("%d requests are counted that are answered", n)
		}
	}
}

// TestBodiesOfPollsAreCounted while they come; a poll that is held is not.
func TestBodiesOfPollsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const address = "192.0.2.1"
		crowd, end := limit.NewPlaces(1<<20, 4), make(chan struct{})
		var bodies []string
		h := bounded(crowd, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			bodies = append(bodies, string(body))
			<-end
		}))
		var senders []*io.PipeWriter
		poll := func() {
			body, sender := io.Pipe()
			senders = append(senders, sender)
			r := httptest.NewRequest("POST", "/api/v4/jobs/request", body)
			r.RemoteAddr = address + ":1"
			go h.ServeHTTP(httptest.NewRecorder(), r)
			synctest.Wait()
		}
		for range 3 {
			poll()
		}
		if n := crowd.Wanted(address); n != 3 || len(bodies) != 0 {
			t.Errorf("%d of 3 polls are counted while their bodies come; %d go on", n, len(bodies))
		}
		for _, s := range senders {
			io.WriteString(s, `{"token":`)
			io.WriteString(s, `""}`)
			s.Close()
		}
		synctest.Wait()
		if n := crowd.Wanted(address); n != 0 || len(bodies) != 3 || bodies[0] != `{"token":""}` {
			t.Errorf("%d polls are counted that are held; bodies: %q", n, bodies)
		}
		close(end)
	})
}
