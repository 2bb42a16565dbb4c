package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/internal/secret"
	"signalbox/models"
)

// TestChatTasksThatAreGivenUp: a reply and a command that fail for ever end in a state that the page shows, and the chat hears of it.
func TestChatTasksThatAreGivenUp(t *testing.T) {
	beside(t)
	for _, k := range chatKinds[:2] {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			r := enter(t, k, models.Options{Dir: t.TempDir()}, withBot)
			r.variable("BROKEN", "value")
			id, _ := r.run("build")
			r.until("the message", func() bool { return len(r.saying(r.eve, "pending")) == 1 })
			m := r.saying(r.eve, "pending")[0]
			r.h.run(id)
			other, err := secret.NewKeyring([]byte(strings.Repeat("k", 32)))
			noError(t, err)
			noError(t, r.node.db.Write(t.Context(), func(tx *models.Tx) error {
				project, err := tx.ProjectByPath("root/ops")
				if err != nil {
					return err
				}
				rows, err := tx.VariablesByKey("project", project.ID, "BROKEN")
				if err != nil || len(rows) != 1 {
					return fmt.Errorf("%d variables, %w", len(rows), err)
				}
				rows[0].Value = other.Seal("elsewhere", "value")
				return tx.UpdateVariable(rows[0])
			}))
			r.log(id, section("chat_reply", "nobody can mask this"))
			r.h.success(id)
			wait := func() {
				if !r.holdsTasks() { // the claim of one that runs must not end
					r.pass(time.Minute)
				}
			}
			r.until("the reply is given up", func() bool { wait(); return r.commands()[0].State == "undeliverable" })
			if c := r.commands()[0]; !strings.Contains(deref(c.DeliveryError), "cannot be opened") || c.Reply != nil {
				t.Errorf("%+v: %q", c, deref(c.DeliveryError))
			}
			r.until("the message says so", func() bool {
				r.pass(time.Second)
				m, _ = r.Message(m.ID)
				return strings.Contains(m.Read(), "is over without a reply") && len(m.Labels()) == 0
			})
			r.say(r.anna, "run build")
			r.until("the command is given up", func() bool { wait(); return r.commands()[0].State == "refused" })
			if text := deref(r.commands()[0].Refusal); !strings.Contains(text, "could not be done in 8 tries") {
				t.Errorf("%q", text)
			}
			r.told(r.anna, "could not be done in 8 tries")
		})
	}
}
