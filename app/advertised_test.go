package app

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"signalbox/runnerproto"
)

// addressesIn gathers the texts of a JSON value that are addresses of ours.
func addressesIn(base string, value any, into map[string]bool) {
	switch v := value.(type) {
	case map[string]any:
		for _, one := range v {
			addressesIn(base, one, into)
		}
	case []any:
		for _, one := range v {
			addressesIn(base, one, into)
		}
	case string:
		if strings.HasPrefix(v, base) {
			into[v] = true
		}
	}
}

// TestAdvertisedAddressesLeadSomewhere: every address of ours in any answer of the API and in any variable of a job is one
// that is served. All answers are read: the addresses are gathered, not listed.
func TestAdvertisedAddressesLeadSomewhere(t *testing.T) {
	w := newDoorWorld(t, false, "all")
	get := func(address string) (int, []byte) {
		t.Helper()
		req, err := http.NewRequest("GET", address, nil)
		noError(t, err)
		client := &http.Client{}
		if strings.Contains(address, "/api/") || strings.Contains(address, ".git") {
			req.SetBasicAuth("root", "root-password")
			req.Header.Set("PRIVATE-TOKEN", rootToken)
		} else {
			client.Jar = w.visitors["admin"].c.Jar
		}
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // leads on, perhaps to elsewhere
		res, err := client.Do(req)
		noError(t, err)
		defer res.Body.Close()
		raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		noError(t, err)
		return res.StatusCode, raw
	}
	found := map[string]bool{}
	for _, d := range listedDoors(t) {
		if d.page || d.method != http.MethodGet || d.role == "own" || strings.Contains(d.path, "hook_logs") {
			continue
		}
		var value any
		if _, raw := get(w.address(d)); json.Unmarshal(raw, &value) == nil {
			addressesIn(w.node.URL, value, found)
		}
	}
	var r struct{ Token string }
	w.must(201, "POST", "/user/runners", map[string]any{"runner_type": "project_type", "project_id": w.project}, &r)
	w.must(201, "POST", "/projects/"+w.project+"/pipeline?ref=main", nil, nil)
	_, body := w.replay(readCapture(t, "v19.4-02-jobs-request-201"), r.Token, "", 0)
	var job runnerproto.Job
	noError(t, json.Unmarshal([]byte(body), &job))
	if len(job.Variables) == 0 {
		t.Fatal("no job was given")
	}
	for _, v := range job.Variables {
		addressesIn(w.node.URL, v.Value, found)
	}
	if len(found) < 20 {
		t.Fatalf("only %d addresses were found", len(found))
	}
	for address := range found {
		switch {
		case address == w.node.URL+"/api/v4": // what clients put paths behind
		case strings.HasSuffix(address, "_bot"), strings.HasSuffix(address, "/-/releases/v1"): // identities of GitLab's entities, without a page here
		case strings.HasSuffix(address, ".git"):
			address += "/info/refs?service=git-upload-pack"
			fallthrough
		default:
			if status, _ := get(address); status == http.StatusNotFound || status >= 500 {
				t.Errorf("%s: %d", address, status)
			}
		}
	}
}
