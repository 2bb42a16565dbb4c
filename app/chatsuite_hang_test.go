package app

import (
	"fmt"
	"testing"
	"time"

	"signalbox/internal/testenv/chats"
	"signalbox/models"
)

// TestAChatThatHangs: while a chat takes connections and answers nobody, commands are run all the same.
func TestAChatThatHangs(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		if o.URL != "" {
			o = freshPostgres(t)
		}
		const hanging = 20 // more than are sent at a time
		r := enter(t, chatKinds[0], o, nil, func(s *Settings) { s.PostTimeout = 50 * time.Second })
		var jobs []int64
		for i := range hanging {
			before := len(r.pipelines())
			r.Say(chats.Command{Channel: fmt.Sprint("C", 10+i), ChannelName: "ops", User: r.anna, Text: "run build"})
			r.eventually("a pipeline", func() bool { return len(r.pipelines()) > before })
			jobs = append(jobs, r.jobs(r.newest())["build"].ID)
		}
		r.Fail(chats.Fault{Kind: "respond", Hang: true, Times: -1})
		for _, id := range jobs {
			r.h.run(id)
			r.h.success(id)
		}
		r.eventually("replies to hang", func() bool { return len(r.Calls("respond")) >= 5 }) // one project has no more places for them
		id, _ := r.run("other")
		r.h.run(id)
		r.h.success(id)
		for _, c := range r.commands() {
			if c.DeliveryError != nil {
				t.Fatalf("a reply was given up before others were run: %s", *c.DeliveryError)
			}
		}
		r.Heal()
	})
}
