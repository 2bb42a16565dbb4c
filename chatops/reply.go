package chatops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"signalbox/ci/plan"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// reading bounds the memory for logs: one that is large is read alone.
var reading = make(chan struct{}, 1)

const largeLog = 8 << 20

// reply does the task that a chat job's end left: it takes the reply out of the log, keeps it where people
// see it, and sends it. A job that was tried again says nothing; its last attempt does.
func (s *Service) reply(ctx context.Context, t *models.Task) error {
	id, err := strconv.ParseInt(t.Payload, 10, 64)
	if err != nil {
		return fmt.Errorf("payload %q of a reply", t.Payload)
	}
	var job *models.Job
	var c *models.ChatCommand
	var def plan.Definition
	err = s.db.Read(ctx, func(tx *models.Tx) (err error) {
		if job, err = tx.Job(id); err != nil {
			return err
		}
		if c, err = tx.CommandByPipeline(job.PipelineID); err != nil {
			return err
		}
		text, err := tx.Definition(job.DefinitionID)
		if err != nil {
			return err
		}
		return json.Unmarshal([]byte(text), &def)
	})
	if errors.Is(err, models.ErrNotFound) || err == nil && job.Retried {
		return nil
	}
	if err != nil {
		return err
	}
	m, silent, err := s.message(ctx, job, &def, c)
	if err != nil {
		return err
	}
	if err := s.keep(ctx, c.ID, job, m, silent); err != nil || silent {
		return err
	}
	return s.deliver(ctx, c.ID, m, true)
}

// message makes the reply of a finished job.
func (s *Service) message(ctx context.Context, job *models.Job, def *plan.Definition, c *models.ChatCommand) (m Message, silent bool, err error) {
	log, release, err := s.readLog(ctx, job.ID)
	if err != nil {
		return m, false, err
	}
	defer release()
	section, output := Extract(log, len(def.Script) == 1 && len(def.BeforeScript) == 0)
	m = Message{Kind: Succeeded, ChatUserID: c.ChatUserID, JobName: job.Name, JobID: job.ID, Output: output}
	switch {
	case job.Status != enum.Success:
		m.Kind = Failed
		m.Text = failed(job)
		if section != ChatReply {
			m.Output = LastOutput(log, 20)
		}
		if job.StartedAt == nil {
			m.Output = ""
		}
	case section == Silent:
		return m, true, nil
	case strings.TrimSpace(output) == "" && section != ChatReply:
		m.Text, m.Output = "finished, no output", ""
	}
	masked, err := s.ci.MaskedValues(ctx, job)
	if err != nil {
		return m, false, err
	}
	m.Output = secret.Mask(m.Output, masked)
	return m, false, s.names(ctx, job, &m)
}

func failed(job *models.Job) string {
	switch {
	case job.Status == enum.Canceled:
		return "was canceled"
	case job.Status == enum.Skipped:
		return "was skipped"
	case job.FailureReason == enum.ScriptFailure && job.ExitCode != nil:
		return fmt.Sprintf("failed: its script ended with exit status %d", *job.ExitCode)
	}
	return "failed: " + job.FailureReason.Sentence()
}

// names fills in who ran the job and where its page is.
func (s *Service) names(ctx context.Context, job *models.Job, m *Message) error {
	return s.db.Read(ctx, func(tx *models.Tx) error {
		p, err := tx.Project(job.ProjectID)
		if err != nil {
			return err
		}
		m.JobURL = s.jobURL(p, job.ID)
		u, err := tx.User(job.UserID)
		if err != nil {
			return err
		}
		m.StartedBy, m.StartedByAt = u.Name, s.ci.URL()+"/"+u.Username
		return nil
	})
}

func (s *Service) readLog(ctx context.Context, jobID int64) ([]byte, func(), error) {
	r, err := s.ci.OpenTrace(ctx, jobID)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	release := func() {}
	if r.Size() > largeLog {
		select {
		case reading <- struct{}{}:
			release = func() { <-reading }
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
	log := make([]byte, r.Size())
	if _, err := io.ReadFull(r, log); err != nil {
		release()
		return nil, nil, fmt.Errorf("log of job %d: %w", jobID, err)
	}
	return log, release, nil
}

// keep stores the reply on the command, before anything is sent.
func (s *Service) keep(ctx context.Context, commandID int64, job *models.Job, m Message, silent bool) error {
	return s.db.Write(ctx, func(tx *models.Tx) error {
		c, err := tx.Command(commandID)
		if err != nil {
			return err
		}
		text := replyText(m)
		c.JobID, c.Reply, c.FinishedAt = &job.ID, &text, nil
		c.State, c.DeliveryError = enum.CommandRunning, ""
		if silent {
			now := tx.Now()
			c.State, c.FinishedAt = enum.CommandSilent, &now
		}
		tx.AfterCommit(func() { s.hub.Publish(topic(c.DeliveryKey)) })
		return tx.UpdateCommand(c)
	})
}

// replyText is the reply as it stands on the command: the output, and what is said of the job if it is said.
func replyText(m Message) string {
	if m.Text == "" {
		return m.Output
	}
	text := fmt.Sprintf("%s %s", code(m.JobName), m.Text)
	if m.Output != "" {
		text += "\n" + m.Output
	}
	return text
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
