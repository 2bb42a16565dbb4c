package app

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"signalbox/internal/limit"
)

// TestWhatIsHeldOpen is all that the bound of an address leaves out.
func TestWhatIsHeldOpen(t *testing.T) {
	for request, want := range map[string]bool{
		"POST /api/v4/jobs/request": true, "GET /group/app/-/jobs/1/live": true,
		"POST /group/app/-/jobs/1/live": false, "POST /live": false, "GET /api/v4/projects/live": false, "GET /group/app": false,
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := heldOpen(httptest.NewRequest(method, path, nil)); got != want {
			t.Errorf("%s: %v", request, got)
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
