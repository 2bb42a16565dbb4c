package app

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signalbox/ci"
)

// advertisement gathers the addresses of ours that answers name, each with where it was found.
type advertisement struct {
	*doorWorld
	address *regexp.Regexp
	found   map[string]string
}

// read gathers the addresses in the texts of a JSON value, alone or within sentences, and the paths of pages.
func (a *advertisement) read(from string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for key, one := range v {
			a.read(from+"."+key, one)
		}
	case []any:
		for _, one := range v {
			a.read(from, one)
		}
	case string:
		for _, address := range a.address.FindAllString(v, -1) {
			a.found[strings.TrimRight(address, ".,;")] = from
		}
		if strings.HasPrefix(v, "/team/app/-/") {
			a.found[a.node.URL+v] = from
		}
	}
}

// ask gets an address, as root, and gathers what the answer names.
func (a *advertisement) ask(address string) int {
	a.t.Helper()
	req, err := http.NewRequest("GET", address, nil)
	noError(a.t, err)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	switch {
	case strings.Contains(address, "/api/"):
		req.Header.Set("PRIVATE-TOKEN", rootToken)
	case strings.Contains(address, ".git/"):
		req.SetBasicAuth("root", rootToken)
	default:
		client.Jar = a.visitors["admin"].c.Jar
	}
	res, err := client.Do(req)
	noError(a.t, err)
	defer res.Body.Close()
	for _, name := range []string{"Location", "Link"} {
		for _, text := range res.Header.Values(name) {
			a.read(name+" of "+address, text)
		}
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	noError(a.t, err)
	var value any
	if json.Unmarshal(raw, &value) == nil {
		a.read(address, value)
	}
	return res.StatusCode
}

// served says whether an address leads somewhere: a page or an answer, or an endpoint that takes another method.
func (a *advertisement) served(address string) (int, bool) {
	u, err := url.Parse(address)
	noError(a.t, err)
	if u.Path == "/api/v4" { // what clients put paths behind
		return 0, true
	}
	if strings.HasSuffix(u.Path, ".git") {
		address += "/info/refs?service=git-upload-pack"
	}
	status := a.ask(strings.Replace(address, a.node.URL, a.node.Local, 1))
	return status, status < 400 && status != http.StatusNoContent || status == http.StatusMethodNotAllowed
}

// TestEveryAddressThatAnswersNameIsServed: REST answers of every kind, payloads of webhooks, the variables of a job, headers and
// what chat commands answer name no address of ours that leads nowhere. All answers are read; the addresses are gathered, not
// listed, and so are those that they lead to.
func TestEveryAddressThatAnswersNameIsServed(t *testing.T) {
	beside(t)
	w := newDoorWorld(t, false, "all")
	a := &advertisement{w, regexp.MustCompile(regexp.QuoteMeta(w.node.URL) + `[^\s"'<>|)\]}*` + "`" + `]*`), map[string]string{}}
	p := w.node.Local + "/api/v4/projects/" + w.project

	if out, err := w.tryPush("team/app", rootToken, "bridged", map[string]string{
		".gitlab-ci.yml": "include: more.yml\ndown: {trigger: {include: child.yml}}", "child.yml": "c: {script: x}", "more.yml": "more: {script: x, environment: {name: more, url: 'https://example.com/'}}",
	}); err != nil {
		t.Fatal(out)
	}
	var hook struct{ ID int64 }
	w.must(201, "POST", "/projects/"+w.project+"/hooks", map[string]any{"url": "http://127.0.0.1:1/"}, &hook)
	for _, event := range ci.HookEvents {
		w.api("POST", "/projects/"+w.project+"/hooks/"+itoa(hook.ID)+"/test/"+event, nil, nil) // nobody answers; what was sent is kept
	}
	a.ask(p + "/hooks/" + itoa(hook.ID) + "/events")
	for _, text := range []string{"help", "jobs", "status", "run no-such-job"} {
		w.must(201, "POST", "/projects/"+w.project+"/chat/commands", map[string]any{"text": text}, nil)
	}
	w.eventually("the child pipeline", func() bool { return len(w.pipelines()) >= 3 })
	for _, pl := range w.pipelines() {
		for _, part := range []string{"", "/jobs", "/bridges"} {
			a.ask(p + "/pipelines/" + itoa(pl.ID) + part)
		}
	}
	a.ask(p + "/ci/lint?include_jobs=true&content_ref=bridged")
	a.ask(p + "/pipelines?per_page=1")
	for _, d := range listedDoors(t) {
		if !d.page && d.method == http.MethodGet && d.role != "own" && !strings.Contains(d.path, "hook_logs") {
			a.ask(w.address(d))
		}
	}
	var r struct{ Token string }
	w.must(201, "POST", "/user/runners", map[string]any{"runner_type": "project_type", "project_id": w.project}, &r)
	_, body := w.replay(readCapture(t, "v19.4-02-jobs-request-201"), r.Token, "", 0)
	var payload map[string]any
	noError(t, json.Unmarshal([]byte(body), &payload))
	a.read("payload", payload)

	asked := map[string]bool{}
	for len(asked) < len(a.found) {
		for _, address := range slices.Collect(func(yield func(string) bool) {
			for address := range a.found {
				if !asked[address] && !yield(address) {
					return
				}
			}
		}) {
			asked[address] = true
			if len(asked) > 1000 {
				t.Fatal("there is no end to the addresses")
			}
			if status, ok := a.served(address); !ok {
				t.Errorf("%s leads to %s: %d", a.found[address], address, status)
			}
		}
	}
	if len(asked) < 40 || a.found[w.node.URL+"/team/app/-/jobs/"+itoa(w.job)] == "" {
		t.Fatalf("%d addresses were found", len(asked))
	}
}
