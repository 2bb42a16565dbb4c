package app

import (
	"net/http"
	"strings"
	"testing"

	"signalbox/models"
)

// TestConventionsOfAnswers pins ETags, 405 with what is allowed, HEAD, keyset pages and their ends.
func TestConventionsOfAnswers(t *testing.T) {
	w := start(t, models.Options{})
	w.newProject("a")
	w.newProject("b")
	call := func(method, path string, header ...string) *http.Response {
		t.Helper()
		req, err := http.NewRequest(method, w.node.Local+"/api/v4"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+rootToken)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res
	}
	first := call("GET", "/projects/root%2Fa")
	if tag := first.Header.Get("ETag"); !strings.HasPrefix(tag, `W/"`) || call("GET", "/projects/root%2Fa", "If-None-Match", tag).StatusCode != 304 {
		t.Errorf("ETag %q", tag)
	}
	if res := call("PATCH", "/version"); res.StatusCode != 405 || !strings.Contains(res.Header.Get("Allow"), "GET") {
		t.Errorf("%d, allowed %q", res.StatusCode, res.Header.Get("Allow"))
	}
	if res := call("HEAD", "/projects"); res.StatusCode != 200 || res.Header.Get("X-Total") != "2" || res.ContentLength > 0 && res.Header.Get("ETag") == "" {
		t.Errorf("HEAD %d %v", res.StatusCode, res.Header)
	}
	page := call("GET", "/projects?pagination=keyset&order_by=id&per_page=1&private_token="+rootToken)
	link := page.Header.Get("Link")
	if page.Header.Get("X-Total") != "" || !strings.Contains(link, `rel="next"`) || !strings.Contains(link, "id_before=") || strings.Contains(link, rootToken) {
		t.Errorf("keyset page %q", link)
	}
	if res := call("GET", "/projects?page=99"); res.StatusCode != 200 || res.Header.Get("X-Next-Page") != "" {
		t.Errorf("a page past the end: %d", res.StatusCode)
	}
	if res := call("GET", "/projects/root%2Fa/jobs?page=9000&per_page=100"); res.StatusCode != 405 {
		t.Errorf("a page too deep: %d", res.StatusCode)
	}
	if got := first.Header.Get("X-Gitlab-Meta"); !strings.Contains(got, first.Header.Get("X-Request-Id")) {
		t.Errorf("correlation %q", got)
	}
}
