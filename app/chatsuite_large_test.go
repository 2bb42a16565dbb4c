package app

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"

	"signalbox/models"
	"signalbox/models/modelstest"
)

// TestALargeReply: a job whose reply is as large as logs may be is answered with its beginning and its end, and with a link;
// what is hidden stays so, the memory holds no such log, and others are answered meanwhile.
func TestALargeReply(t *testing.T) {
	size := 12 << 20
	if os.Getenv(crowdEnv) != "" {
		size = 97 << 20
	}
	modelstest.Each(t, func(t *testing.T, o models.Options) { // alone: it looks at the memory of all
		const hidden = "value-that-nobody-may-read"
		r := enter(t, chatKinds[0], o, withBot)
		r.must(201, "POST", "/projects/"+r.project+"/variables", map[string]any{"key": "TOKEN", "value": hidden, "masked": true}, nil)
		big, _ := r.run("build")
		r.until("the message", func() bool { return len(r.saying(r.eve, "pending")) == 1 })
		r.h.run(big)
		part := strings.Repeat("a line of a log, with the "+hidden+" in it\n", 1<<20/64)
		r.log(big, "before the reply\nsection_start:1:chat_reply\r\x1b[0K\nthe first line\n"+hidden+"\n")
		for r.sent[big] < int64(size) {
			r.log(big, part)
		}
		r.log(big, hidden+"\nthe last line\nsection_end:2:chat_reply\r\x1b[0K\nafter the reply\n")
		other, _ := r.run("other")

		before := live()
		r.h.success(big)
		r.reply(other, section("chat_reply", "meanwhile"))
		var most int64
		seen := func(text string) func() bool {
			return func() bool {
				most = max(most, live()-before)
				return len(r.saying(r.eve, text)) > 0
			}
		}
		r.until("the other reply", seen("meanwhile"))
		r.until("the reply", seen("the last line"))
		r.eventually("the file", func() bool {
			seen("")()
			return len(r.Calls("upload")) >= 3
		})
		if most > 64<<20 {
			t.Errorf("%d MB more are held while a log of %d MB is answered", most>>20, size>>20)
		}
		m := r.once(r.eve, "the last line")
		if text := m.Read(); !strings.Contains(text, "the first line") || !strings.Contains(text, fmt.Sprintf("/-/jobs/%d", big)) || len(text) > 8<<10 {
			t.Errorf("%d bytes: %s", len(text), text)
		}
		for _, m := range r.Said(r.channel, r.eve) {
			all := m.Read()
			for _, f := range m.Files {
				all += string(f.Content)
			}
			if strings.Contains(all, hidden) || strings.Contains(all, "before the reply") {
				t.Error("what is hidden is shown")
			}
			if len(m.Files) == 1 && (len(m.Files[0].Content) > 8<<20 || !strings.Contains(all, "bytes are left out here")) {
				t.Errorf("the file has %d bytes", len(m.Files[0].Content))
			}
		}
		var page struct{ Reply string }
		r.must(200, "GET", fmt.Sprintf("/projects/%s/chat/commands/%d", r.project, r.answered(big).ID), nil, &page)
		if strings.Contains(page.Reply, hidden) || len(page.Reply) > 8<<20 {
			t.Errorf("the page shows %d bytes", len(page.Reply))
		}
	})
}

// answered is the command that a job replies to.
func (r *room) answered(job int64) commandJSON {
	r.t.Helper()
	for _, c := range r.commands() {
		if c.JobID != nil && *c.JobID == job {
			return c
		}
	}
	r.t.Fatalf("no command has job %d", job)
	return commandJSON{}
}

// live is how many bytes are held by what is in use.
func live() int64 {
	runtime.GC()
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}
