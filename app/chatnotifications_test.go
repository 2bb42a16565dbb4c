package app

import (
	"strings"
	"testing"

	"signalbox/models"
)

// TestChatNotifications tell channels how pipelines and jobs end, by branch, status and change, and never beside a reply.
func TestChatNotifications(t *testing.T) {
	each(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("ops")
		h := w.hand(false)
		s := chatSides[0]
		w.integrate(s, map[string]any{"bot_token": "xoxb-bot", "quiet": true})
		base := "/projects/" + w.project + "/chat/notifications"
		var n struct {
			ID     int64
			Events []string
		}
		w.must(201, "POST", base, map[string]any{"chat": "slack", "channel": "C9", "branches": "main", "only_changes": true}, &n)
		if len(n.Events) != 1 || n.Events[0] != "pipeline" {
			t.Errorf("%+v", n)
		}
		w.must(201, "POST", base, map[string]any{"chat": "slack", "channel": "CJOBS", "events": []string{"job"}, "statuses": []string{"failed"}}, nil)
		w.refused(400, "POST", base, map[string]any{"chat": "slack", "channel": ""}, `{"message":{"channel":["can't be blank"]}}`)
		w.push("ops", map[string]string{".gitlab-ci.yml": "test: {script: x}"})
		w.eventually("the pipeline", func() bool { return len(w.pipelines()) == 1 })
		told := func(channel string) []string {
			var texts []string
			for _, p := range w.chat.all("/api/chat.postMessage") {
				if p.Body["channel"] == channel {
					texts = append(texts, p.text())
				}
			}
			return texts
		}
		end := func(success bool) {
			t.Helper()
			id := w.newest()
			if success {
				h.success(w.jobs(id)["test"].ID)
			} else {
				h.fail(w.jobs(id)["test"].ID)
			}
			w.settled()
		}
		end(true)
		w.eventually("the first result", func() bool { return len(told("C9")) == 1 })
		if text := told("C9")[0]; !strings.Contains(text, "passed") || !strings.Contains(text, "`main`") || !strings.Contains(text, "|#1>") {
			t.Errorf("%q", text)
		}
		w.create("main", nil)
		end(true)
		w.create("main", nil)
		end(false)
		w.eventually("the change", func() bool { return len(told("C9")) == 2 })
		if text := told("C9")[1]; !strings.Contains(text, "failed") {
			t.Errorf("%q", text)
		}
		w.eventually("the failed job", func() bool { return len(told("CJOBS")) == 1 })
		if text := told("CJOBS")[0]; !strings.Contains(text, "`test`") {
			t.Errorf("%q", text)
		}
		if out, err := w.tryPush("ops", rootToken, "topic", map[string]string{"x": "y"}); err != nil {
			t.Fatal(out)
		}
		w.eventually("the pipeline of the branch", func() bool { return len(w.pipelines()) == 4 })
		end(true)

		// Where a reply tells it, a notification would say the same again.
		w.connect(s, "U1", "anna")
		w.must(201, "POST", base, map[string]any{"chat": "slack", "channel": "C1"}, nil)
		w.say(s, "U1", "run test")
		w.eventually("the command's job waits", func() bool { return w.jobs(w.newest())["test"].Status == "pending" })
		end(true)
		w.command("replied")
		w.settled()
		if got := told("C1"); len(got) != 0 {
			t.Errorf("beside the reply: %q", got)
		}
		if got := told("C9"); len(got) != 3 || !strings.Contains(got[2], "passed") {
			t.Errorf("in the end: %q", got)
		}
	})
}
