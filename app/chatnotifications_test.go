package app

import (
	"fmt"
	"strings"
	"testing"

	"signalbox/models"
)

// TestChatNotifications tell channels how pipelines and jobs end, by branch, status and change, and never beside a reply.
func TestChatNotifications(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("ops")
		h := w.hand(false)
		s := chatSides[0]
		if o.URL != "" {
			s = chatSides[1]
		}
		w.integrate(s, map[string]any{"bot_token": "xoxb-bot", "quiet": true, "server_url": w.chat.URL})
		base := "/projects/" + w.project + "/chat/notifications"
		var n struct {
			ID     int64
			Events []string
		}
		w.must(201, "POST", base, map[string]any{"chat": s.name, "channel": "C9", "branches": "main", "only_changes": true}, &n)
		if len(n.Events) != 1 || n.Events[0] != "pipeline" {
			t.Errorf("%+v", n)
		}
		w.must(201, "POST", base, map[string]any{"chat": s.name, "channel": "CJOBS", "events": []string{"job"}, "statuses": []string{"failed"}}, nil)
		w.refused(400, "POST", base, map[string]any{"chat": s.name, "channel": ""}, `{"message":{"channel":["can't be blank"]}}`)
		w.push("ops", map[string]string{".gitlab-ci.yml": "test: {script: x}"})
		w.eventually("the pipeline", func() bool { return len(w.pipelines()) == 1 })
		told := func(channel string) []string {
			var texts []string
			for _, p := range w.chat.all("/api/") {
				if p.Body["channel"] == channel {
					texts = append(texts, p.text())
				} else if text, ok := p.Body["message"].(string); ok && p.Body["channel_id"] == channel {
					texts = append(texts, text)
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
		if text := told("C9")[0]; !strings.Contains(text, "passed") || !strings.Contains(text, "`main`") || !strings.Contains(text, "|#1>") && !strings.Contains(text, "[#1](http") {
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
		w.must(201, "POST", base, map[string]any{"chat": s.name, "channel": "C1"}, nil)
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

		// What was there already is told, unless somebody in the channel waits for just that.
		w.push("ops", map[string]string{".gitlab-ci.yml": "test: {script: x}\nother: {script: x}"})
		w.eventually("the pipeline of two jobs", func() bool { return len(w.jobs(w.newest())) == 2 })
		for i, watched := range []string{"test", ""} {
			if i > 0 {
				w.create("main", nil)
			}
			jobs := w.jobs(w.newest())
			subject := fmt.Sprint("#", jobs["test"].ID)
			if watched == "" {
				subject = fmt.Sprint("pipeline #", w.newest())
			}
			w.say(s, "U1", "watch "+subject)
			h.fail(jobs["other"].ID)
			h.success(jobs["test"].ID)
			w.command("replied")
			w.settled()
			if got := told("C1"); len(got) != 1 || !strings.Contains(got[0], "failed") {
				t.Errorf("beside what was told of %s: %q", subject, got)
			}
		}
	})
}
