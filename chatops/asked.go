package chatops

import (
	"cmp"
	"context"
	"strings"

	"signalbox/internal/secret"
	"signalbox/models"
)

// askedFor lets a message that everybody sees say who asked for what, as the command was given. Values that the jobs hide are hidden;
// where no job says what is hidden, the arguments are not shown.
func (s *Service) askedFor(ctx context.Context, c *models.ChatCommand, m *Message, jobs []*models.Job) error {
	m.AskedBy, m.Asked = whose(c), spoken(c, c.Text)
	first, err := s.began(ctx, c)
	if err != nil {
		return err
	}
	if first != nil {
		m.AgainBy, m.Again = m.AskedBy, m.Asked
		m.AskedBy, m.Asked = whose(first), spoken(first, first.Text)
		c = first
	}
	if len(jobs) == 0 {
		m.Asked = spoken(c, withoutArguments(c.Text))
		return nil
	}
	masked, err := s.ci.MaskedValues(ctx, jobs[0])
	m.Asked = secret.MaskEverywhere(printable(m.Asked), masked)
	return err
}

// whose is the name of whoever gave a command.
func whose(c *models.ChatCommand) string { return cmp.Or(c.ChatUserName, c.ChatUserID) }

// began is the command that ran what another one is about; nil if that did so itself, or no chat did.
func (s *Service) began(ctx context.Context, c *models.ChatCommand) (*models.ChatCommand, error) {
	if a, ok := Parse(c.Text); c.PipelineID == nil || ok && a.Verb == Run {
		return nil, nil
	}
	return s.runOf(ctx, *c.PipelineID, func(run *models.ChatCommand) bool { return run.ID < c.ID && run.ChannelID == c.ChannelID })
}

// spoken is a command with the word that calls us.
func spoken(c *models.ChatCommand, text string) string {
	if c.TriggerWord == "" || c.TriggerWord == buttonTrigger {
		return text
	}
	if word := strings.TrimPrefix(c.TriggerWord, "/"); strings.HasPrefix(text, word+" ") { // the chat's command is the verb itself
		return c.TriggerWord + strings.TrimPrefix(text, word)
	}
	return c.TriggerWord + " " + text
}

// withoutArguments is a command without what stands behind the name.
func withoutArguments(text string) string {
	a, ok := Parse(text)
	if !ok || strings.TrimSpace(a.Input) == "" {
		return text
	}
	return strings.TrimSpace(a.withInput("")) + " …"
}
