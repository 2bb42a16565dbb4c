package app

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox/models"
)

func TestAPIConventions(t *testing.T) {
	clock := &shiftingClock{}
	w := start(t, models.Options{}, func(s *Settings) { s.Now = clock.now })
	id := w.newProject("app")
	_, stranger := w.user("stranger")
	call := func(method, path, token string) (int, string, http.Header) {
		t.Helper()
		req, err := http.NewRequest(method, w.node.Local+"/api/v4"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("PRIVATE-TOKEN", token)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body), res.Header
	}
	for _, c := range []struct {
		method, path, token string
		status              int
		body                string
	}{
		{"GET", "/user", "", 401, `{"message":"401 Unauthorized"}`},
		{"GET", "/user", "glpat-unknown", 401, `{"message":"401 Unauthorized"}`},
		{"GET", "/nowhere", rootToken, 404, `{"error":"404 Not Found"}`},
		{"DELETE", "/version", rootToken, 405, `{"error":"405 Not Allowed"}`},
		{"GET", fmt.Sprintf("/projects/%d", id), stranger, 404, `{"message":"404 Project Not Found"}`},
		{"GET", fmt.Sprintf("/projects/%d", id), "", 404, `{"message":"404 Project Not Found"}`},
		{"GET", "/projects/root%2Fapp", rootToken, 200, `"path_with_namespace":"root/app"`},
		{"GET", "/projects/ROOT%2Fapp", rootToken, 200, `"path_with_namespace":"root/app"`},
		{"HEAD", "/projects/root%2Fapp", rootToken, 200, ""},
		{"GET", "/projects?per_page=0", rootToken, 400, `{"error":"per_page has a value not allowed"}`},
		{"POST", fmt.Sprintf("/projects/%d/pipeline", id), rootToken, 400, `{"error":"ref is missing"}`},
		{"POST", fmt.Sprintf("/projects/%d/pipeline?ref=main", id), rootToken, 400, `{"message":{"base":["Reference not found"]}}`},
		{"GET", fmt.Sprintf("/projects/%d/pipelines/99", id), rootToken, 404, `{"message":"404 Pipeline Not Found"}`},
		{"GET", fmt.Sprintf("/projects/%d/pipelines?status=odd", id), rootToken, 400, `{"error":"status does not have a valid value"}`},
		{"POST", "/users", stranger, 403, `{"message":"403 Forbidden"}`},
	} {
		status, body, _ := call(c.method, c.path, c.token)
		if status != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, status, body, c.status, c.body)
		}
	}
	_, _, header := call("GET", "/projects?per_page=1", rootToken)
	if header.Get("X-Total") != "1" || header.Get("X-Next-Page") != "" || !strings.Contains(header.Get("Link"), `rel="first"`) || header.Get("X-Request-Id") == "" {
		t.Errorf("headers %v", header)
	}
	var read struct{ Token string }
	w.must(201, "POST", "/users/1/personal_access_tokens", map[string]any{"name": "r", "scopes": []string{"read_api"}}, &read)
	if status, _, _ := call("GET", fmt.Sprintf("/projects/%d", id), read.Token); status != 200 {
		t.Errorf("a reading token reads: %d", status)
	}
	if status, body, _ := call("POST", fmt.Sprintf("/projects/%d/pipeline?ref=main", id), read.Token); status != 403 || !strings.Contains(body, "insufficient_scope") {
		t.Errorf("a reading token writes: %d %s", status, body)
	}
	w.must(201, "POST", "/users/1/personal_access_tokens", map[string]any{"name": "e", "scopes": []string{"api"}, "expires_at": time.Now().UTC().Add(48 * time.Hour).Format(time.DateOnly)}, &read)
	clock.set(72 * time.Hour)
	if status, body, _ := call("GET", "/user", read.Token); status != 401 || !strings.Contains(body, "Token is expired") {
		t.Errorf("an expired token: %d %s", status, body)
	}
}
