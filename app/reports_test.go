package app

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox/models"
	"signalbox/runnerproto"
)

// gzipped packs each file for itself, one after another, as runners do.
func gzipped(files ...string) *bytes.Buffer {
	var out bytes.Buffer
	for _, f := range files {
		z := gzip.NewWriter(&out)
		fmt.Fprint(z, f)
		z.Close()
	}
	return &out
}

func (h *hand) upload(id int64, kind, format, name string, body *bytes.Buffer) {
	h.t.Helper()
	noError(h.t, h.client.Upload(context.Background(), h.offer(id), runnerproto.Artifact{Type: kind, Format: format, ExpireIn: "1 day"}, name, body))
}

// TestJUnitReports are read from all files of a job, by the API and on a page.
func TestJUnitReports(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": "unit: {script: x, artifacts: {reports: {junit: '*.xml'}}}\nbroken: {script: x, artifacts: {reports: {junit: r.xml}}}\nnone: {script: x}"})
		jobs := w.jobs(id)
		h.run(jobs["unit"].ID)
		h.upload(jobs["unit"].ID, "junit", "gzip", "junit.xml.gz", gzipped(
			`<?xml version="1.0"?><testsuite><testcase name="adds" classname="Sum" time="0.25"/><testcase name="carries" classname="Sum" time="1"><failure message="want 3">at sum.go:7</failure></testcase></testsuite>`,
			"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><testsuite><testcase name=\"caf\xe9\"><skipped/></testcase></testsuite>"))
		h.success(jobs["unit"].ID)
		h.run(jobs["broken"].ID)
		h.upload(jobs["broken"].ID, "junit", "gzip", "junit.xml.gz", gzipped("<testsuite><testcase"))
		h.success(jobs["broken"].ID)
		var report struct {
			Count  int     `json:"total_count"`
			Failed int     `json:"failed_count"`
			Time   float64 `json:"total_time"`
			Suites []struct {
				Name  string
				Count int     `json:"total_count"`
				Error *string `json:"suite_error"`
				Cases []struct {
					Status, Name string
					Output       *string `json:"system_output"`
				} `json:"test_cases"`
			} `json:"test_suites"`
		}
		path := fmt.Sprintf("/projects/%s/pipelines/%d", w.project, id)
		w.must(200, "GET", path+"/test_report", nil, &report)
		if report.Count != 3 || report.Failed != 1 || report.Time != 1.25 || len(report.Suites) != 2 {
			t.Fatalf("report %+v", report)
		}
		unit, broken := report.Suites[0], report.Suites[1]
		if unit.Cases[2].Name != "café" || unit.Cases[2].Status != "skipped" || *unit.Cases[1].Output != "want 3\nat sum.go:7" || broken.Error == nil {
			t.Errorf("suites %+v", report.Suites)
		}
		var sum struct {
			Total struct{ Count, Failed int }
		}
		w.must(200, "GET", path+"/test_report_summary", nil, &sum)
		if sum.Total.Count != 3 || sum.Total.Failed != 1 {
			t.Errorf("summary %+v", sum)
		}
		v := w.visitor("root", "root-password")
		if _, page, _ := v.get(fmt.Sprintf("/root/app/-/pipelines/%d", id)); !strings.Contains(page, "/test_report") {
			t.Error("the pipeline's page does not lead to its tests")
		}
		if _, page, _ := v.get(fmt.Sprintf("/root/app/-/pipelines/%d/test_report", id)); !strings.Contains(page, "carries") || !strings.Contains(page, "want 3") || !strings.Contains(page, "cannot be read") {
			t.Errorf("the page of tests: %s", page)
		}
	})
}

// TestTheLatestArtifactsStay past their expiry, until a newer pipeline of the ref has succeeded.
func TestTheLatestArtifactsStay(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		clock := &shiftingClock{}
		w := start(t, o, func(s *Settings) { s.Now, s.AcceptWithin = clock.now, 30*24*time.Hour })
		h := w.hand(false)
		first := w.pushed("app", map[string]string{".gitlab-ci.yml": "job: {script: x, artifacts: {paths: [a], expire_in: 1 day}}"})
		leave := func(pipeline int64) int64 {
			t.Helper()
			job := w.jobs(pipeline)["job"].ID
			h.run(job)
			h.upload(job, "archive", "zip", "artifacts.zip", bytes.NewBufferString("PK\x05\x06"+strings.Repeat("\x00", 18)))
			h.success(job)
			return job
		}
		status := func(job int64) int {
			t.Helper()
			req, _ := http.NewRequest("GET", fmt.Sprintf("%s/api/v4/projects/%s/jobs/%d/artifacts", w.node.Local, w.project, job), nil)
			req.Header.Set("PRIVATE-TOKEN", rootToken)
			res, err := http.DefaultClient.Do(req)
			noError(t, err)
			res.Body.Close()
			return res.StatusCode
		}
		old := leave(first)
		clock.set(48 * time.Hour)
		if got := status(old); got != 200 {
			t.Errorf("the latest ones are gone: %d", got)
		}
		failed := w.create("main", nil).ID
		h.fail(w.jobs(failed)["job"].ID)
		w.settled()
		if got := status(old); got != 200 {
			t.Errorf("after a newer pipeline that failed: %d", got)
		}
		next := leave(w.create("main", nil).ID)
		w.settled()
		w.eventually("the older ones are removed", func() bool { return status(old) == 404 })
		if got := status(next); got != 200 {
			t.Errorf("the newer ones: %d", got)
		}
		w.must(200, "PUT", "/projects/"+w.project, map[string]any{"keep_latest_artifact": false}, nil)
		last := leave(w.create("main", nil).ID)
		clock.set(96 * time.Hour)
		w.eventually("a project that keeps none", func() bool { return status(last) == 404 })
	})
}

// TestArtifactsForSome are read by those alone for whom a job keeps them.
func TestArtifactsForSome(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		h := w.hand(false)
		id := w.pushed("app", map[string]string{".gitlab-ci.yml": `
all: {script: x, artifacts: {paths: [a]}}
private: {script: x, artifacts: {paths: [a], public: false}}
developer: {script: x, artifacts: {paths: [a], access: developer}}
maintainer: {script: x, artifacts: {paths: [a], access: maintainer}}
none: {script: x, artifacts: {paths: [a], access: none}}
`})
		w.must(200, "PUT", "/projects/"+w.project, map[string]any{"visibility": "public"}, nil)
		tokens := map[string]string{"": "", "root": rootToken}
		for name, level := range map[string]int{"reporter": 20, "developer": 30} {
			uid, token := w.user(name)
			w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": uid, "access_level": level}, nil)
			tokens[name] = token
		}
		for job, readers := range map[string]string{
			"all": " reporter developer root", "private": "developer root", "developer": "developer root", "maintainer": "root", "none": "",
		} {
			j := w.jobs(id)[job].ID
			h.run(j)
			h.upload(j, "archive", "zip", "artifacts.zip", bytes.NewBufferString("PK\x05\x06"+strings.Repeat("\x00", 18)))
			h.success(j)
			for who, token := range tokens {
				req, _ := http.NewRequest("GET", fmt.Sprintf("%s/api/v4/projects/%s/jobs/%d/artifacts", w.node.Local, w.project, j), nil)
				if token != "" {
					req.Header.Set("PRIVATE-TOKEN", token)
				}
				res, err := http.DefaultClient.Do(req)
				noError(t, err)
				res.Body.Close()
				may := strings.Contains(readers, who) && (who != "" || strings.HasPrefix(readers, " "))
				if (res.StatusCode == 200) != may {
					t.Errorf("%q reads the artifacts of %s: %d", who, job, res.StatusCode)
				}
			}
		}
	})
}
