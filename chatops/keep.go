package chatops

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"signalbox/models"
	"signalbox/models/enum"
)

// kept says whether a command has a reply already, of an earlier try.
func kept(c *models.ChatCommand, job *models.Job, text string, m Message) bool {
	private := ""
	if c.PrivateReply != nil {
		private = *c.PrivateReply
	}
	return c.State == enum.CommandRunning && c.Reply != nil && *c.Reply == text && c.FinishedAt == nil && private == m.Private && (c.Rich != "") == (len(m.Rich) > 0) &&
		(job == nil || c.JobID != nil && *c.JobID == job.ID)
}

// keep stores the reply on the command, before anything is sent.
func (s *Service) keep(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration, job *models.Job, m Message, silent bool) error {
	if !silent && kept(c, job, replyText(m), m) {
		return nil
	}
	commandID := c.ID
	return s.db.Write(ctx, func(tx *models.Tx) error {
		c, err := tx.Command(commandID)
		if err != nil {
			return err
		}
		text := replyText(m)
		if c.Reply == nil || *c.Reply != text { // else it is tried again, and why stays to be seen
			c.DeliveryError = ""
		}
		c.Reply, c.FinishedAt, c.PrivateReply, c.Rich = &text, nil, nil, ""
		if m.Private != "" {
			c.PrivateReply = &m.Private
		}
		if len(m.Rich) > 0 {
			raw, err := json.Marshal(m.Rich)
			if err != nil {
				return err
			}
			c.Rich = string(raw)
		}
		if job != nil {
			c.JobID = &job.ID
		}
		c.State = enum.CommandRunning
		if silent {
			now := tx.Now()
			c.State, c.FinishedAt = enum.CommandSilent, &now
		} else if err := s.attach(tx, c, in, m); err != nil {
			return err
		}
		tx.AfterCommit(func() { s.changed(c) })
		return tx.UpdateCommand(c)
	})
}

// replyText is the reply as it stands on the command: the output, and what is said of the job if it is said.
func replyText(m Message) string {
	var parts []string
	if m.Text != "" {
		parts = append(parts, code(m.JobName)+" "+m.Text)
	}
	for _, part := range []string{cmp.Or(m.Data, m.Output), PlainRich(m.Rich)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "\n")
}

// Shorten cuts a text to the bytes a chat takes, keeping its head and its tail. It says whether it did.
func Shorten(text string, limit int) (string, bool) {
	if len(text) <= limit {
		return text, false
	}
	const gap = "\n…\n"
	head, tail := (limit-len(gap))*2/3, (limit-len(gap))/3
	start, end := text[:head], text[len(text)-tail:]
	for len(start) > 0 && !utf8.ValidString(start) {
		start = start[:len(start)-1]
	}
	for len(end) > 0 && !utf8.RuneStart(end[0]) {
		end = end[1:]
	}
	return start + gap + end, true
}
