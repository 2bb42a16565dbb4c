package app

import (
	"encoding/json"
	"testing"
	"time"

	"signalbox/models"
)

// TestAnIdlePollWritesNothing counts the writes of the database around polls that find nothing.
func TestAnIdlePollWritesNothing(t *testing.T) {
	w := start(t, models.Options{}, func(s *Settings) { s.HoldPolls = 20 * time.Millisecond })
	token := w.ready(t)
	first := readCapture(t, "v19.4-03-jobs-request-204")
	res, _ := w.replay(first, token, "", 0) // the machine is seen for the first time: this one writes
	version := res.Header.Get("X-GitLab-Last-Update")
	held := readCapture(t, "v19.4-04-jobs-request-204-with-last-update")
	held.body = replaceVersion(t, held.body, version)
	before := w.node.db.Writes()
	for range 20 {
		if res, _ := w.replay(first, token, "", 0); res.StatusCode != 204 {
			t.Fatalf("poll: %d", res.StatusCode)
		}
		if res, _ := w.replay(held, token, "", 0); res.StatusCode != 204 || res.Header.Get("X-GitLab-Last-Update") != version {
			t.Fatalf("held poll: %d", res.StatusCode)
		}
	}
	if after := w.node.db.Writes(); after != before {
		t.Errorf("%d writes during idle polls", after-before)
	}
}

func replaceVersion(t *testing.T, body, version string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatal(err)
	}
	m["last_update"] = version
	raw, _ := json.Marshal(m)
	return string(raw)
}
