package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"signalbox/models"
)

// TestARunnerSaysThatItsLogShowsAll: a runner may be in debug mode by its own settings, and says so with what it sends. From the
// first of those bytes on the log is for Developers.
func TestARunnerSaysThatItsLogShowsAll(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		runner := w.ready(t)
		id, guest := w.user("guest")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 10}, nil)
		w.push("app", map[string]string{".gitlab-ci.yml": "job: {script: x}"})
		w.pipeline("pending")
		j := w.take(runner, "v19.4-02")
		sent := 0
		for _, c := range []struct {
			query string
			want  int
		}{{"", 200}, {"?debug_trace=false", 200}, {"?debug_trace=true", 403}, {"?debug_trace=false", 403}} {
			req, err := http.NewRequest("PATCH", fmt.Sprintf("%s/api/v4/jobs/%d/trace%s", w.node.Local, j.ID, c.query), strings.NewReader("line\n"))
			noError(t, err)
			req.Header.Set("Job-Token", j.Token)
			req.Header.Set("Content-Type", "text/plain")
			req.Header.Set("Content-Range", fmt.Sprintf("%d-%d", sent, sent+4))
			sent += 5
			res, err := http.DefaultClient.Do(req)
			noError(t, err)
			res.Body.Close()
			if res.StatusCode != 202 {
				t.Fatalf("a patch%s: %d", c.query, res.StatusCode)
			}
			log := fmt.Sprintf("%s/api/v4/projects/%s/jobs/%d/trace", w.node.Local, w.project, j.ID)
			for token, want := range map[string]int{guest: c.want, rootToken: 200} {
				req, err := http.NewRequest("GET", log, nil)
				noError(t, err)
				req.Header.Set("PRIVATE-TOKEN", token)
				res, err := http.DefaultClient.Do(req)
				noError(t, err)
				res.Body.Close()
				if res.StatusCode != want {
					t.Errorf("after a patch%s the log answers %d, want %d", c.query, res.StatusCode, want)
				}
			}
		}
	})
}
