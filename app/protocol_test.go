package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/models"
)

// capture is a recorded request of a real runner and the status that it was answered with.
type capture struct {
	method, path string
	header       http.Header
	body         string
	status       int
}

func readCapture(t *testing.T, name string) capture {
	t.Helper()
	raw, err := os.ReadFile("../runnerproto/testdata/captures/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	request, response, ok := strings.Cut(string(raw), "\n==== response ====\n")
	if !ok {
		t.Fatalf("%s has no response", name)
	}
	head, body, _ := strings.Cut(request, "\n\n")
	lines := strings.Split(head, "\n")
	first := strings.Fields(lines[0])
	c := capture{method: first[0], path: first[1], header: http.Header{}, body: strings.TrimSuffix(body, "\n")}
	for _, l := range lines[1:] {
		k, v, _ := strings.Cut(l, ": ")
		switch k {
		case "Host", "Content-Length", "Transfer-Encoding", "Accept-Encoding":
		default:
			c.header.Set(k, v)
		}
	}
	if strings.HasPrefix(c.body, `"`) {
		quoted, err := strconv.QuotedPrefix(c.body)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if c.body, err = strconv.Unquote(quoted); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	c.status, err = strconv.Atoi(strings.Fields(response)[0])
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c
}

var jobPath = regexp.MustCompile(`/jobs/\d+`)

// replay sends a recorded request with our token and job in the places of the recorded ones.
func (w *world) replay(c capture, runnerToken, jobToken string, job int64) (*http.Response, string) {
	w.t.Helper()
	path := jobPath.ReplaceAllString(c.path, fmt.Sprintf("/jobs/%d", job))
	body := c.body
	if strings.Contains(c.header.Get("Content-Type"), "json") {
		var m map[string]any
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			w.t.Fatal(err)
		}
		if _, ok := m["token"]; ok {
			m["token"] = runnerToken
			if strings.Contains(path, "/jobs/"+fmt.Sprint(job)) {
				m["token"] = jobToken
			}
		}
		raw, _ := json.Marshal(m)
		body = string(raw)
	}
	req, err := http.NewRequest(c.method, w.node.Local+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header = c.header.Clone()
	if req.Header.Get("Job-Token") != "" {
		req.Header.Set("Job-Token", jobToken)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	return res, string(raw)
}

const protocolConfig = `
job:
  script: [echo one]
  artifacts: {paths: [out], reports: {junit: junit.xml}}
`

// ready makes a project with a job that waits, and a runner of the given kind.
func (w *world) ready(t *testing.T) (token string) {
	t.Helper()
	var r struct{ Token string }
	w.must(201, "POST", "/user/runners", map[string]any{"runner_type": "instance_type"}, &r)
	w.newProject("app")
	w.must(200, "PUT", "/projects/"+w.project, map[string]any{"auto_cancel_pending_pipelines": "disabled"}, nil) // jobs come from several pushes
	return r.Token
}

func (w *world) newJob() {
	w.t.Helper()
	before := len(w.pipelines())
	w.push("app", map[string]string{".gitlab-ci.yml": protocolConfig})
	w.eventually("a pipeline", func() bool { all := w.pipelines(); return len(all) > before && all[0].Status == "pending" })
}

type offered struct {
	ID    int64
	Token string
}

func (w *world) take(token, version string) (o offered) {
	w.t.Helper()
	res, body := w.replay(readCapture(w.t, version+"-jobs-request-201"), token, "", 0)
	if res.StatusCode != 201 {
		w.t.Fatalf("jobs/request: %d %s", res.StatusCode, body)
	}
	if err := json.Unmarshal([]byte(body), &o); err != nil {
		w.t.Fatal(err)
	}
	return o
}

func TestRecordedRunners(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o, func(s *Settings) { s.HoldPolls = 50 * time.Millisecond })
		var reg struct{ Token string }
		w.must(201, "POST", "/runners/reset_registration_token", nil, &reg)
		token := w.ready(t)
		send := func(name string, job offered) (*http.Response, string) {
			t.Helper()
			c := readCapture(t, name)
			res, body := w.replay(c, token, job.Token, job.ID)
			if res.StatusCode != c.status {
				t.Errorf("%s: %d %s, recorded was %d", name, res.StatusCode, body, c.status)
			}
			return res, body
		}
		for _, name := range []string{"v12.10-01-register", "v19.4-regtoken-01-register"} {
			c := readCapture(t, name)
			res, body := w.replay(c, reg.Token, "", 0)
			var r struct {
				ID             int64
				Token          string
				TokenExpiresAt *string `json:"token_expires_at"`
			}
			if json.Unmarshal([]byte(body), &r); res.StatusCode != 201 || r.ID == 0 || r.Token == "" {
				t.Errorf("%s: %d %s", name, res.StatusCode, body)
			}
			if res, _ := w.replay(c, "wrong", "", 0); res.StatusCode != 403 {
				t.Errorf("%s with a wrong token: %d", name, res.StatusCode)
			}
		}
		none := offered{}
		for _, name := range []string{"v12.10-02-verify", "v19.4-01-verify"} {
			if _, body := send(name, none); strings.HasPrefix(name, "v19") && !strings.Contains(body, `"id":`) {
				t.Errorf("verify: %s", body)
			}
		}
		for _, name := range []string{"v12.10-04-jobs-request-204", "v19.4-03-jobs-request-204", "v19.4-04-jobs-request-204-with-last-update"} {
			if res, _ := send(name, none); res.Header.Get("X-GitLab-Last-Update") == "" {
				t.Errorf("%s: no X-GitLab-Last-Update", name)
			}
		}
		for version, request := range map[string]string{"v12.10": "v12.10-03", "v19.4": "v19.4-02"} {
			w.newJob()
			job := w.take(token, request)
			if version == "v19.4" {
				send("v19.4-05-update-running-at-pickup", job)
			}
			first, last := "v12.10-06-trace-patch-first", "v12.10-07-trace-patch-last"
			if version == "v19.4" {
				first, last = "v19.4-06-trace-patch-first", "v19.4-07-trace-patch-last"
			}
			c := readCapture(t, first)
			res, _ := send(first, job)
			if want := fmt.Sprintf("0-%d", len(c.body)); res.Header.Get("Range") != want || res.Header.Get("Job-Status") != "running" || res.Header.Get("X-GitLab-Trace-Update-Interval") == "" {
				t.Errorf("%s: headers %v, want range %s", first, res.Header, want)
			}
			gap := readCapture(t, last)
			gap.header.Set("Content-Range", "9000-9001")
			if res, _ := w.replay(gap, token, job.Token, job.ID); res.StatusCode != 416 || res.Header.Get("Range") != fmt.Sprintf("0-%d", len(c.body)) {
				t.Errorf("gap: %d %s", res.StatusCode, res.Header.Get("Range"))
			}
			send(version+"-09-artifact-upload-archive-zip", job)
			send(version+"-10-artifact-upload-junit-gzip", job)
			down := version + "-11-artifact-download"
			if res, body := send(down, job); res.StatusCode == 200 && !strings.HasPrefix(body, "PK") {
				t.Errorf("%s: %q", down, body[:20])
			}
			if version == "v12.10" {
				send("v12.10-12-update-failed-exit3", job)
				if j := w.jobs(w.pipelines()[0].ID)["job"]; j.Status != "failed" || j.FailureReason != "script_failure" {
					t.Errorf("job %+v", j)
				}
			} else {
				u := readCapture(t, "v19.4-08-update-success")
				if res, _ := w.replay(u, token, job.Token, job.ID); res.StatusCode != 412 {
					t.Errorf("a wrong checksum: %d", res.StatusCode)
				}
				send(first, job) // the runner sends its log again from the first byte
				sum := fmt.Sprintf("crc32:%08x", crc32.ChecksumIEEE([]byte(c.body)))
				u.body = strings.NewReplacer("crc32:535f14f5", sum, "6913", fmt.Sprint(len(c.body))).Replace(u.body)
				if res, body := w.replay(u, token, job.Token, job.ID); res.StatusCode != 200 {
					t.Errorf("the right checksum: %d %s", res.StatusCode, body)
				}
				if log := w.trace(job.ID); log != c.body {
					t.Errorf("stored log differs: %d bytes, want %d", len(log), len(c.body))
				}
				if res, _ := w.replay(u, token, job.Token, job.ID); res.StatusCode != 403 || res.Header.Get("Job-Status") != "success" {
					t.Errorf("the final update again: %d, Job-Status %q", res.StatusCode, res.Header.Get("Job-Status"))
				}
			}
		}
		w.newJob()
		job := w.take(token, "v12.10-03")
		send("v12.10-06-trace-patch-first", job)
		w.must(201, "POST", fmt.Sprintf("/projects/%s/jobs/%d/cancel", w.project, job.ID), nil, nil)
		for _, name := range []string{"v12.10-07-trace-patch-last", "v12.10-08-update-success"} {
			if res, _ := w.replay(readCapture(t, name), token, job.Token, job.ID); res.StatusCode != 403 || res.Header.Get("Job-Status") != "canceled" {
				t.Errorf("%s after a cancel: %d %q", name, res.StatusCode, res.Header.Get("Job-Status"))
			}
		}
		_, body := send("v19.4-25-reset-token", none)
		var fresh struct{ Token string }
		if json.Unmarshal([]byte(body), &fresh); fresh.Token == "" || fresh.Token == token {
			t.Errorf("reset: %s", body)
		}
		if res, _ := w.replay(readCapture(t, "v12.10-02-verify"), token, "", 0); res.StatusCode != 403 {
			t.Errorf("the old token after a reset: %d", res.StatusCode)
		}
		token = fresh.Token
		send("v19.4-19-unregister", none)
		send("v12.10-19-unregister", none)
		if res, _ := w.replay(readCapture(t, "v12.10-04-jobs-request-204"), token, "", 0); res.StatusCode != 403 {
			t.Errorf("a removed runner: %d", res.StatusCode)
		}
	})
}

func TestAJobIsItsRunnersAlone(t *testing.T) {
	w := start(t, models.Options{})
	token := w.ready(t)
	w.newJob()
	a := w.take(token, "v19.4-02")
	w.newJob()
	b := w.take(token, "v19.4-02")
	patch := readCapture(t, "v19.4-06-trace-patch-first")
	for name, job := range map[string]offered{"another's": {a.ID, b.Token}, "none": {a.ID, "glcbt-x"}, "no job": {99999, a.Token}} {
		if res, body := w.replay(patch, token, job.Token, job.ID); res.StatusCode != 403 || res.Header.Get("Job-Status") != "" {
			t.Errorf("%s token: %d %s", name, res.StatusCode, body)
		}
	}
	bad := patch
	bad.header = patch.header.Clone()
	bad.header.Set("Content-Range", "x")
	if res, _ := w.replay(bad, token, a.Token, a.ID); res.StatusCode != 400 {
		t.Errorf("wrong content range: %d", res.StatusCode)
	}
	bad.header.Del("Content-Range")
	if res, _ := w.replay(bad, token, a.Token, a.ID); res.StatusCode != 400 {
		t.Errorf("no content range: %d", res.StatusCode)
	}
}

func TestALateAcceptIsRefusedAndTheJobGoesToSomebodyElse(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		var clock shiftingClock
		w := start(t, o, func(s *Settings) { s.Now = clock.now })
		token := w.ready(t)
		w.newJob()
		late := w.take(token, "v19.4-02")
		clock.set(61 * time.Second)
		var again offered
		w.eventually("the job to return", func() bool {
			res, body := w.replay(readCapture(t, "v12.10-03-jobs-request-201"), token, "", 0)
			return res.StatusCode == 201 && json.Unmarshal([]byte(body), &again) == nil
		})
		if again.ID != late.ID || again.Token == late.Token {
			t.Fatalf("offered %+v, then %+v", late, again)
		}
		running := readCapture(t, "v19.4-05-update-running-at-pickup")
		if res, _ := w.replay(running, token, late.Token, late.ID); res.StatusCode != 403 {
			t.Errorf("the late runner: %d", res.StatusCode)
		}
		if res, _ := w.replay(running, token, again.Token, again.ID); res.StatusCode != 200 {
			t.Errorf("the second runner: %d", res.StatusCode)
		}
	})
}

func TestTheAnswerIsLostOnTheWay(t *testing.T) {
	beside(t)
	var clock shiftingClock
	w := start(t, models.Options{}, func(s *Settings) { s.Now = clock.now })
	token := w.ready(t)
	w.newJob()
	c := readCapture(t, "v19.4-02-jobs-request-201")
	body := strings.Replace(c.body, "glrt-abcdefghijklmnopqrst", token, 1)
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.node.Local, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /api/v4/jobs/request HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	half := make([]byte, 20)
	if _, err := io.ReadFull(conn, half); err != nil || !bytes.Contains(half, []byte("201")) {
		t.Fatalf("%q %v", half, err)
	}
	conn.Close()
	clock.set(61 * time.Second)
	w.eventually("the job to be offered again", func() bool {
		res, _ := w.replay(c, token, "", 0)
		return res.StatusCode == 201
	})
}

func TestArtifactsAreWholeOrAbsent(t *testing.T) {
	w := start(t, models.Options{}, func(s *Settings) { s.MaxArtifact = 1000 })
	token := w.ready(t)
	w.newJob()
	job := w.take(token, "v19.4-02")
	up := readCapture(t, "v19.4-09-artifact-upload-archive-zip")
	whole := up.body
	cut := up
	cut.body = whole[:len(whole)-60]
	if res, _ := w.replay(cut, token, job.Token, job.ID); res.StatusCode != 400 {
		t.Errorf("cut off: %d", res.StatusCode)
	}
	big := up
	big.body = strings.Replace(whole, "PK\x03\x04", "PK\x03\x04"+strings.Repeat("x", 2000), 1)
	if res, _ := w.replay(big, token, job.Token, job.ID); res.StatusCode != 413 {
		t.Errorf("too large: %d", res.StatusCode)
	}
	if res, _ := w.replay(readCapture(t, "v12.10-11-artifact-download"), token, job.Token, job.ID); res.StatusCode != 404 {
		t.Errorf("something is there: %d", res.StatusCode)
	}
	if res, _ := w.replay(up, token, job.Token, job.ID); res.StatusCode != 201 {
		t.Errorf("whole: %d", res.StatusCode)
	}
	if res, _ := w.replay(up, token, job.Token, job.ID); res.StatusCode != 201 {
		t.Errorf("the same again: %d", res.StatusCode)
	}
	other := up
	other.body = strings.Replace(whole, "out.txt", "OUT.txt", 1)
	if res, _ := w.replay(other, token, job.Token, job.ID); res.StatusCode != 400 {
		t.Errorf("other content: %d", res.StatusCode)
	}
}

func TestALogOverItsLimitFailsTheJob(t *testing.T) {
	w := start(t, models.Options{}, func(s *Settings) { s.MaxTrace = 1000 })
	token := w.ready(t)
	w.newJob()
	job := w.take(token, "v19.4-02")
	patch := readCapture(t, "v19.4-06-trace-patch-first")
	if len(patch.body) <= 1000 {
		t.Fatal("the recorded log is too short for this test")
	}
	if res, _ := w.replay(patch, token, job.Token, job.ID); res.StatusCode != 403 {
		t.Errorf("%d", res.StatusCode)
	}
	if j := w.jobs(w.pipelines()[0].ID)["job"]; j.Status != "failed" || j.FailureReason != "trace_size_exceeded" {
		t.Errorf("%+v", j)
	}
}

func TestASilentRunnerLosesItsJob(t *testing.T) {
	beside(t)
	var clock shiftingClock
	w := start(t, models.Options{}, func(s *Settings) { s.Now = clock.now })
	token := w.ready(t)
	w.newJob()
	job := w.take(token, "v19.4-02")
	w.replay(readCapture(t, "v19.4-05-update-running-at-pickup"), token, job.Token, job.ID)
	clock.set(11 * time.Minute)
	w.eventually("the job to fail", func() bool {
		j := w.jobs(w.pipelines()[0].ID)["job"]
		return j.Status == "failed" && j.FailureReason == "runner_system_failure"
	})
}

// TestManyFirstRequests: a new machine may ask with all its slots at once, and is one machine all the same.
func TestManyFirstRequests(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		token := w.ready(t)
		const slots, rounds = 8, 5
		for round := range rounds {
			answers := make(chan int, slots)
			for range slots {
				go func() {
					body := fmt.Sprintf(`{"token":%q,"system_id":"s_%d","info":{"name":"x","version":"17.0.0"}}`, token, round)
					res, err := http.Post(w.node.Local+"/api/v4/jobs/request", "application/json", strings.NewReader(body))
					if err != nil {
						answers <- 0
						return
					}
					res.Body.Close()
					answers <- res.StatusCode
				}()
			}
			for range slots {
				if status := <-answers; status != http.StatusNoContent {
					t.Errorf("round %d: status %d", round, status)
				}
			}
		}
		var machines []struct {
			SystemID string `json:"system_id"`
		}
		w.must(200, "GET", "/runners/1/managers", nil, &machines)
		if len(machines) != rounds {
			t.Errorf("machines: %+v", machines)
		}
	})
}
