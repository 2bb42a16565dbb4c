package httpapi

import (
	"errors"
	"testing"

	"github.com/gin-gonic/gin"

	"signalbox/internal/fault"
)

// TestText pins what programs read, byte by byte, as GitLab's helpers of the API write it, and what people read of the same.
func TestText(t *testing.T) {
	for _, c := range []struct {
		err             error
		status          int
		program, person string
	}{
		{fault.Missing("Pipeline"), 404, "404 Pipeline Not Found", "Pipeline not found"},
		{fault.Missing("User with ID or username '%s'", "ada"), 404, "404 User with ID or username 'ada' Not Found", "User with ID or username 'ada' not found"},
		{fault.Missing(""), 404, "404 Not found", "not found"},
		{fault.Refused(fault.NotFound, ""), 404, "404 Not Found", "not found"},
		{fault.Refused(fault.Forbidden, ""), 403, "403 Forbidden", "you are not allowed to do this"},
		{fault.Refused(fault.Forbidden, "Job is not retryable"), 403, "403 Forbidden - Job is not retryable", "Job is not retryable"},
		{fault.New(fault.Forbidden, "Insufficient permissions"), 403, "Insufficient permissions", "Insufficient permissions"},
		{fault.Refused(fault.Invalid, "Unplayable Job"), 400, "400 Bad request - Unplayable Job", "Unplayable Job"},
		{fault.New(fault.Invalid, "Reference not found"), 400, "Reference not found", "Reference not found"},
		{fault.Refused(fault.Unauthorized, ""), 401, "401 Unauthorized", "you are not signed in, or the token is not valid"},
		{fault.Refused(fault.TooLarge, ""), 413, "413 Request Entity Too Large", "it is too large"},
		{fault.Refused(fault.Unavailable, "the database cannot be reached; try again").Because(errors.New("dial")), 503, "503 Service Unavailable - the database cannot be reached; try again", "the database cannot be reached; try again"},
		{errors.New("nobody expected it"), 500, "500 Internal Server Error", "Internal error"},
	} {
		status, body := Render(c.err)
		if text := body.(gin.H)["message"]; status != c.status || text != c.program {
			t.Errorf("%v: %d %q, want %d %q", c.err, status, text, c.status, c.program)
		}
		if got := fault.Message(c.err); got != c.person {
			t.Errorf("%v: people read %q, want %q", c.err, got, c.person)
		}
	}
}
