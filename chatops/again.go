package chatops

import (
	"context"
	"errors"
	"net"
	"strconv"
	"time"

	"signalbox/internal/secret"
	"signalbox/models"
)

// try is one run of a task that sends messages.
type try struct {
	key   string
	since time.Time // if not zero: an earlier run, which began after that, may have sent them
}

// trying says what a task's run must know to send nothing twice. Its time is part of the key: a database that was restored
// gives the same ids again.
func (s *Service) trying(t *models.Task) try {
	out := try{key: secret.Fingerprint(s.ci.URL(), t.Kind, strconv.FormatInt(t.ID, 10), t.CreatedAt.UTC().Format(time.RFC3339Nano))}
	if t.Unsure {
		out.since = t.CreatedAt
	}
	return out
}

// mark gives a message the key of its task and of what it is among the messages of that.
func (t try) mark(m *Message, part string) {
	m.Key, m.Since = t.part(part), t.since
}

// maxKey is what the chat with the shortest keys takes.
const maxKey = 24

// partLive is the message that follows a command.
const partLive = "live"

func (t try) part(name string) string { return secret.Fingerprint(t.key, name)[:maxKey] }

// unsure says whether a post that failed may stand in the chat all the same.
func unsure(err error) bool {
	var refused *Refused
	var busy *Busy
	var network *net.OpError
	switch {
	case err == nil, errors.As(err, &refused), errors.As(err, &busy), errors.Is(err, errBlocked):
		return false
	case errors.As(err, &network):
		return network.Op != "dial"
	}
	return true
}

// lasting adds to what a chat said of a post that it cannot know it again after so long.
func (t Traits) lasting(p Posted, m Message, now time.Time) Posted {
	if p.Note == "" && t.Recalls != 0 && !m.Since.IsZero() && now.Sub(m.Since) > t.Recalls {
		p.Note = NoteLate
	}
	return p
}

// unsettled finds the task of the message that follows a command, if that may stand in the chat without our knowing which it is.
func (s *Service) unsettled(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration) (t *models.Task, err error) {
	if c.MessageID != "" || !s.followed(c, in) {
		return nil, nil
	}
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		t, err = tx.OpenTask(liveKey(c.ID))
		return err
	})
	return t, notThere(err)
}

// settle finds the message that follows a command by sending it again: the reply, which then takes its place, comes once.
func (s *Service) settle(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration, to Target, m Message) error {
	t, err := s.unsettled(ctx, c, in)
	if err != nil || t == nil {
		return err
	}
	t.Unsure = true
	s.trying(t).mark(&m, partLive)
	p, err := s.posted(ctx, c, to, m)
	var refused *Refused
	if errors.As(err, &refused) {
		return nil // it comes by other ways
	}
	if err != nil {
		return s.outcome(c, err)
	}
	c.MessageID = p.ID
	return s.db.Write(ctx, func(tx *models.Tx) error { return tx.ShowCommand(c.ID, p.ID, "") })
}
