package app

import (
	"net/http/httptest"
	"strings"
	"testing"
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
