package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"signalbox/models"
	"signalbox/models/modelstest"
	"signalbox/web"
)

// TestADeletedRunnerLosesItsJobs: what it runs fails with a reason, what it was offered goes back to the queue, and the
// tokens of both are dead at once.
func TestADeletedRunnerLosesItsJobs(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		token := w.ready(t)
		var mine struct{ ID int64 }
		w.must(200, "GET", "/runners/all", nil, &[]any{&mine})
		w.push("app", map[string]string{".gitlab-ci.yml": "runs: {script: x}\noffered: {script: x}"})
		w.pipeline("pending")
		runs := w.take(token, "v19.4-02")
		patch := func(j offered) int {
			t.Helper()
			req, _ := http.NewRequest("PATCH", fmt.Sprintf("%s/api/v4/jobs/%d/trace", w.node.Local, j.ID), strings.NewReader("x"))
			req.Header.Set("Job-Token", j.Token)
			req.Header.Set("Content-Range", "0-0")
			res, err := http.DefaultClient.Do(req)
			noError(t, err)
			res.Body.Close()
			return res.StatusCode
		}
		if got := patch(runs); got != 202 {
			t.Fatalf("the first bytes of a log: %d", got)
		}
		given := w.take(token, "v19.4-02")
		w.must(204, "DELETE", fmt.Sprintf("/runners/%d", mine.ID), nil, nil)
		for name, j := range map[string]offered{"running": runs, "offered": given} {
			if got := patch(j); got != 403 {
				t.Errorf("log of the %s job: %d", name, got)
			}
			if got := w.apiAsJob(j.Token, "/job"); got != 401 {
				t.Errorf("token of the %s job: %d", name, got)
			}
		}
		w.eventually("the running job to fail, and the offered one to wait", func() bool {
			byID := map[int64]jobJSON{}
			for _, j := range w.jobs(w.newest()) {
				byID[j.ID] = j
			}
			return byID[runs.ID].Status == "failed" && byID[runs.ID].FailureReason == "runner_system_failure" && byID[given.ID].Status == "pending"
		})
		if _, body, _ := w.visitor("root", "root-password").get(fmt.Sprintf("/root/app/-/jobs/%d", runs.ID)); !strings.Contains(body, "its runner was deleted") {
			t.Error("the page of the job does not say that its runner was deleted")
		}
	})
}

// apiAsJob asks the API with the token of a job.
func (w *world) apiAsJob(token, path string) int {
	w.t.Helper()
	req, _ := http.NewRequest("GET", w.node.Local+"/api/v4"+path, nil)
	req.Header.Set("JOB-TOKEN", token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// streamReader reads a live stream; ended is closed when the stream is over.
type streamReader struct{ ended chan struct{} }

func (v *visitor) listen(path string) *streamReader {
	v.w.t.Helper()
	res, err := v.c.Get(v.w.node.Local + path)
	if err != nil {
		v.w.t.Fatal(err)
	}
	if kind := res.Header.Get("Content-Type"); kind != "text/event-stream" {
		v.w.t.Fatalf("%s answers %d %s", path, res.StatusCode, kind)
	}
	l := &streamReader{make(chan struct{})}
	go func() {
		defer close(l.ended)
		defer res.Body.Close()
		io.Copy(io.Discard, res.Body)
	}()
	return l
}

func (l *streamReader) over(t *testing.T, what string) {
	t.Helper()
	select {
	case <-l.ended:
	case <-time.After(patience):
		t.Errorf("%s: the stream goes on", what)
	}
}

// streams are the addresses of a project's live streams, of a job that runs.
func (w *world) streams(job, pipeline, command int64) []string {
	return []string{
		fmt.Sprintf("/root/app/-/jobs/%d/live", job), fmt.Sprintf("/root/app/-/pipelines/%d/live", pipeline), "/root/app/-/pipelines/live",
		"/root/app/-/chat/commands/live", fmt.Sprintf("/root/app/-/chat/commands/%d/live", command),
	}
}

// TestEveryStreamIsAmongTheStreams that are tried below.
func TestEveryStreamIsAmongTheStreams(t *testing.T) {
	n := 0
	for _, p := range web.Pages() {
		if strings.HasSuffix(p.Path, "/live") && strings.Contains(p.Path, "/-/") { // the older addresses lead there
			n++
		}
	}
	if tried := (&world{}).streams(1, 1, 1); len(tried) != n {
		t.Errorf("pages have %d live streams, %d are tried", n, len(tried))
	}
}

// TestStreamsEndWithTheRightToReadThem: whoever loses the right while a stream is open hears nothing more, whether this
// node is told of it or finds it some seconds later.
func TestStreamsEndWithTheRightToReadThem(t *testing.T) {
	beside(t)
	w := start(t, models.Options{})
	token := w.ready(t)
	w.push("app", map[string]string{".gitlab-ci.yml": "job: {script: x}\nasked: {script: x, only: [chat]}"})
	w.pipeline("pending")
	job := w.take(token, "v19.4-02")
	var command struct{ ID int64 }
	w.must(201, "POST", "/projects/"+w.project+"/chat/commands", map[string]any{"text": "run asked"}, &command)
	elsewhere := modelstest.Open(t, models.Options{Dir: w.s.Data})
	id, _ := w.user("ada")
	member := func() {
		w.api("POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 30}, nil)
		w.api("POST", fmt.Sprintf("/users/%d/unblock", id), nil, nil)
		w.must(200, "PUT", fmt.Sprintf("/users/%d", id), map[string]any{"password": "ada-password"}, nil)
	}
	silently := func(f func(tx *models.Tx) error) { noError(t, elsewhere.Write(context.Background(), f)) }
	for name, lose := range map[string]func(v *visitor){
		"taken out of the project": func(*visitor) {
			w.must(204, "DELETE", fmt.Sprintf("/projects/%s/members/%d", w.project, id), nil, nil)
		},
		"blocked":    func(*visitor) { w.must(201, "POST", fmt.Sprintf("/users/%d/block", id), nil, nil) },
		"signed out": func(v *visitor) { v.post("/users/sign_out", nil, "") },
		"another password": func(*visitor) {
			w.must(200, "PUT", fmt.Sprintf("/users/%d", id), map[string]any{"password": "another-password"}, nil)
		},
		"blocked, unheard": func(*visitor) {
			silently(func(tx *models.Tx) error {
				u, err := tx.LockUser(id)
				if err != nil {
					return err
				}
				u.State = "blocked"
				return tx.UpdateUser(u)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			member()
			v := w.visitor("ada", "ada-password")
			var open []*streamReader
			for _, path := range w.streams(job.ID, w.newest(), command.ID) {
				open = append(open, v.listen(path))
			}
			lose(v)
			for i, path := range w.streams(job.ID, w.newest(), command.ID) {
				open[i].over(t, path)
			}
		})
	}
}

// TestANewPasswordEndsOtherSessions, whoever changed it; the one that changed it goes on.
func TestANewPasswordEndsOtherSessions(t *testing.T) {
	beside(t)
	w := start(t, models.Options{})
	id, _ := w.user("ada")
	in := func(v *visitor) bool {
		_, _, at := v.get("/-/profile")
		return at.Path == "/-/profile"
	}
	here, there := w.visitor("ada", "ada-password"), w.visitor("ada", "ada-password")
	if !in(here) || !in(there) {
		t.Fatal("nobody is signed in")
	}
	here.post("/-/profile/password", url.Values{"password": {"ada-password"}, "next_password": {"next-password"}}, "/-/profile")
	if !in(here) || in(there) {
		t.Errorf("after the owner's change: here %v, elsewhere %v", in(here), in(there))
	}
	w.must(200, "PUT", fmt.Sprintf("/users/%d", id), map[string]any{"password": "third-password"}, nil)
	if in(here) {
		t.Error("a session goes on after an administrator changed the password")
	}
}

// TestALateFormIsJudgedByWhoSendsItThen: who is blocked while the body of a request comes changes nothing by it.
func TestALateFormIsJudgedByWhoSendsItThen(t *testing.T) {
	beside(t)
	w := start(t, models.Options{})
	w.newProject("app")
	id, _ := w.user("ada")
	w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
	v := w.visitor("ada", "ada-password")
	in, out := io.Pipe()
	req, err := http.NewRequest("POST", w.node.Local+"/root/app/-/settings/ci_cd/variables", in)
	noError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	done := make(chan error, 1)
	go func() {
		res, err := v.c.Do(req)
		if err == nil {
			res.Body.Close()
		}
		done <- err
	}()
	_, err = io.WriteString(out, "key=LATE&") // it is under way
	noError(t, err)
	w.must(201, "POST", fmt.Sprintf("/users/%d/block", id), nil, nil)
	_, err = io.WriteString(out, "value=late-value")
	noError(t, err)
	out.Close()
	noError(t, <-done)
	if got := w.api("GET", "/projects/"+w.project+"/variables/LATE", nil, nil); got != 404 {
		t.Errorf("a blocked user made a variable: %d", got)
	}
}

// TestALateRequestIsJudgedByWhoSendsItThen is the same of the API, for bodies of known and unknown size.
func TestALateRequestIsJudgedByWhoSendsItThen(t *testing.T) {
	beside(t)
	w := start(t, models.Options{})
	w.newProject("app")
	body := `{"key": "LATE", "value": "late-value"}`
	for name, size := range map[string]int64{"known": int64(len(body)), "unknown": -1} {
		t.Run(name, func(t *testing.T) {
			id, token := w.user(name)
			w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
			in, out := io.Pipe()
			req, err := http.NewRequest("POST", w.node.Local+"/api/v4/projects/"+w.project+"/variables", in)
			noError(t, err)
			req.ContentLength = size
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("PRIVATE-TOKEN", token)
			done := make(chan int, 1)
			go func() {
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					done <- 0
					return
				}
				res.Body.Close()
				done <- res.StatusCode
			}()
			_, err = io.WriteString(out, body[:10])
			noError(t, err)
			w.must(201, "POST", fmt.Sprintf("/users/%d/block", id), nil, nil)
			_, err = io.WriteString(out, body[10:])
			noError(t, err)
			out.Close()
			if got := <-done; got != 403 {
				t.Errorf("the answer is %d", got)
			}
		})
	}
}

// TestAPipelineIsMadeForWhoMayThen: reading a configuration may take long, and who loses the right meanwhile gets no
// pipeline.
func TestAPipelineIsMadeForWhoMayThen(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		var during func()
		remote := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			during()
			io.WriteString(rw, "job: {script: x}")
		}))
		defer remote.Close()
		u, err := url.Parse(remote.URL)
		noError(t, err)
		w := start(t, o, func(s *Settings) { s.IncludeHosts = []string{u.Host} })
		w.newProject("app")
		id, token := w.user("ada")
		during = func() {}
		w.push("app", map[string]string{".gitlab-ci.yml": "include: [{remote: '" + remote.URL + "/x.yml'}]"})
		w.pipeline("pending")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
		during = func() { w.must(204, "DELETE", fmt.Sprintf("/projects/%s/members/%d", w.project, id), nil, nil) }
		var refused struct{ Message any }
		if got := w.apiAs(token, "POST", "/projects/"+w.project+"/pipeline", map[string]any{"ref": "main"}, &refused); got != 400 && got != 403 {
			t.Errorf("a pipeline for somebody who was taken out meanwhile: %d %v", got, refused.Message)
		}
		if all := w.pipelines(); len(all) != 1 {
			t.Errorf("%d pipelines", len(all))
		}
	})
}
