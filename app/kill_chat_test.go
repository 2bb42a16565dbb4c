package app

import (
	"fmt"
	"strings"
	"testing"

	"signalbox/internal/testenv/chats"
	"signalbox/models"
)

// TestKillingBetweenPostAndRecord ends the node without warning when a chat has taken a message, before the node learns of it.
// After a restart that message is the one that is changed.
func TestKillingBetweenPostAndRecord(t *testing.T) {
	for _, k := range chatKinds {
		t.Run(k.name, func(t *testing.T) {
			onEither(t, func(t *testing.T, o models.Options) {
				if o.URL != "" {
					o = freshPostgres(t)
				}
				r := &room{chatKind: k, clock: &shiftingClock{}}
				r.opened = k.open(t, r.clock.now)
				var s Settings
				r.set(&s)
				p := spawn(t, o, "SIGNALBOX_PRIVATE_HOSTS="+strings.TrimPrefix(r.server.URL, "http://"), slackEnv+"="+s.SlackAPI, discordEnv+"="+s.DiscordAPI)
				r.world = p.world
				r.newProject("ops")
				r.push("ops", map[string]string{".gitlab-ci.yml": suiteConfig})
				r.connectChat(withBot)
				id, _ := r.user("anna")
				r.must(201, "POST", "/projects/"+r.project+"/members", map[string]any{"user_id": id, "access_level": 40}, nil)
				r.link(linkIn(t, r.say(r.anna, "run build").Message.Read()), "anna", "anna-password")

				r.Fail(chats.Fault{Kind: "post", Hang: true, Taken: true})
				job, _ := r.run("build")
				r.eventually("the message", func() bool { return len(r.saying(r.eve, "pending")) == 1 })
				p.kill()
				p.forgotten(o)
				p.run(laterEnv + "=30s") // nobody holds the command any more
				r.act(job, "cancel")
				r.eventually("the reply", func() bool { return len(r.saying(r.eve, "was canceled")) > 0 })
				r.eventually("the command has its reply", func() bool { return r.commands()[0].State == "replied" })
				if n := len(r.saying(r.eve, fmt.Sprintf("#%d", job))); n != 1 || len(r.saying(r.eve, "pending")) != 0 {
					t.Errorf("%d messages", n)
				}
				for _, wrong := range r.Wrong() {
					t.Error(wrong)
				}
			})
		})
	}
}
