package web

import (
	"errors"
	"fmt"
	"strings"

	"signalbox/chatops"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// chatDelivery is a request of a chat as the set-up page shows it.
type chatDelivery struct {
	chatops.Delivery
	Status string // the status whose looks it has
	Word   string
	Yours  bool // it may be replayed
}

// verdicts are the verdicts as people say them, with the status whose looks they have.
var verdicts = map[enum.Verdict][2]string{
	enum.Taken: {"success", "taken"}, enum.Repeated: {"skipped", "repeated"}, enum.WrongToken: {"failed", "wrong token"},
	enum.BadSignature: {"failed", "bad signature"}, enum.Stale: {"failed", "stale"}, enum.UnknownUser: {"pending", "unknown user"},
	enum.Refused: {"refused", "refused"}, enum.Ignored: {"skipped", "ignored"},
}

const shownDeliveries = 10

func (s *Server) chatDeliveries(r *request, in *models.ChatIntegration) ([]chatDelivery, error) {
	rows, _, err := s.chat.Deliveries(r.Context(), in, models.Page{PerPage: shownDeliveries, Uncounted: true})
	out := make([]chatDelivery, len(rows))
	for i, d := range rows {
		out[i] = chatDelivery{d, verdicts[d.Verdict][0], verdicts[d.Verdict][1], d.Yours(r.actor)}
	}
	return out, err
}

// chatOf finds the integration of the address, which must be set up.
func (s *Server) chatOf(r *request, c *inside, chat enum.Chat) (in *models.ChatIntegration, err error) {
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		in, err = tx.Integration(c.project.ID, chat)
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		err = fault.New(fault.Invalid, "Save the command's token first.")
	}
	return in, err
}

func (s *Server) testChat(r *request, c *inside, chat enum.Chat) error {
	in, err := s.chatOf(r, c, chat)
	if err != nil {
		return err
	}
	report, err := s.chat.SendTest(r.Context(), r.actor, c.project, in, strings.TrimSpace(r.PostFormValue("channel")))
	if err == nil {
		s.say(r, report)
	}
	return err
}

// replayDelivery gives the command of a delivery again, and leads to it.
func (s *Server) replayDelivery(r *request, c *inside) error {
	for _, k := range chats {
		if k.Slug != c.args[0] {
			continue
		}
		in, err := s.chatOf(r, c, k.Chat)
		if err != nil {
			return err
		}
		row, err := s.chat.Replay(r.Context(), r.actor, in, c.number(1))
		if err != nil {
			return err
		}
		return s.to(r, fmt.Sprintf("/%s/-/chat/commands/%d", c.project.FullPath, row.ID))
	}
	return notFound(r)
}
