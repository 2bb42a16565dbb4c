package chatops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"signalbox/ci"
	"signalbox/ci/plan"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// reading bounds the work that logs make: one that is large is read alone.
var reading = make(chan struct{}, 1)

const largeLog = 8 << 20

// reply does the task that the end of a chat's pipeline left: it takes the reply out of the log, keeps it where people see
// it, and sends it. Attempts that were tried again say nothing; the last one does.
func (s *Service) reply(ctx context.Context, t *models.Task) error {
	err := s.replies(ctx, t)
	if sealed(t, err) {
		return s.endReply(ctx, t, err)
	}
	return err
}

func (s *Service) replies(ctx context.Context, t *models.Task) error {
	var payload ci.ChatReply
	var p *models.Pipeline
	var jobs []*models.Job
	var waiting []*models.ChatCommand
	err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
		if payload.Pipeline, err = repliedPipeline(tx, t); err != nil {
			return err
		}
		if p, err = tx.Pipeline(payload.Pipeline); err != nil {
			return err
		}
		if jobs, err = tx.PipelineJobs(p.ID, false); err != nil {
			return err
		}
		waiting, err = tx.CommandsByPipeline(p.ID)
		return err
	})
	if errors.Is(err, models.ErrNotFound) || err == nil && len(waiting) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	// Who asked for another attempt waits beside the one who asked first. Everybody else has an answer already: a job that is
	// retried on its page replies to the last command.
	for _, c := range waiting[1:] {
		if c.State == enum.CommandRunning && c.Reply == nil {
			if err := s.replyTo(ctx, s.trying(t), c, p, jobs); err != nil {
				return err
			}
		}
	}
	return s.replyTo(ctx, s.trying(t), waiting[0], p, jobs)
}

// repliedPipeline reads the payload of a reply; older versions stored the job's number.
func repliedPipeline(tx *models.Tx, t *models.Task) (int64, error) {
	var p ci.ChatReply
	if json.Unmarshal([]byte(t.Payload), &p) == nil && p.Pipeline != 0 {
		return p.Pipeline, nil
	}
	id, err := strconv.ParseInt(t.Payload, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("payload %q of a reply", t.Payload)
	}
	j, err := tx.Job(id)
	if err != nil {
		return 0, err
	}
	return j.PipelineID, nil
}

func (s *Service) replyTo(ctx context.Context, t try, c *models.ChatCommand, p *models.Pipeline, jobs []*models.Job) error {
	if c.Reply != nil && c.State == enum.CommandRunning { // it is kept already
		if behind, err := s.behind(ctx, c); err != nil {
			return err
		} else if behind {
			return s.inTurn(ctx, c)
		}
	}
	var m Message
	var silent bool
	job, err := s.lead(ctx, c, jobs)
	switch {
	case err != nil:
		return err
	case job == nil && !p.Status.Completed():
		return nil // somebody let it go on meanwhile
	case job == nil:
		m, silent, err = s.summary(ctx, p, jobs, c)
	case !job.Status.Completed():
		return nil // it waits to be started by hand
	default:
		m, silent, err = s.message(ctx, job, c)
		m.Text += because(job, jobs)
	}
	if err != nil {
		return err
	}
	_, in, err := s.commandWith(ctx, c.ID)
	if err != nil {
		return err
	}
	if m.Buttons, err = s.buttons(ctx, in, p, jobs, job); err != nil {
		return err
	}
	m.KeepANSI = in != nil && in.KeepANSI
	if in != nil {
		if err := s.askedFor(ctx, c, &m, jobs); err != nil {
			return err
		}
	}
	if err := s.keep(ctx, c, in, job, m, silent); err != nil {
		return err
	}
	if silent {
		return s.hush(ctx, c.ID, m)
	}
	return s.deliver(ctx, t, c.ID, m, true)
}

// lead is the last attempt of the job that a command is about; nil if it is about several.
func (s *Service) lead(ctx context.Context, c *models.ChatCommand, jobs []*models.Job) (*models.Job, error) {
	if c.JobID == nil {
		return nil, nil
	}
	var first *models.Job
	err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
		first, err = tx.Job(*c.JobID)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		if j.Name == first.Name {
			return j, nil
		}
	}
	return first, nil
}

// because names what kept a job from being run.
func because(job *models.Job, jobs []*models.Job) string {
	if job.Status != enum.Skipped {
		return ""
	}
	for _, j := range jobs {
		if j.Status == enum.Failed && !j.AllowFailure {
			return fmt.Sprintf(": %s before it %s", j.Name, failed(j))
		}
	}
	return ": " + job.StatusReason
}

// summary is the reply of a pipeline of several jobs: how it ended, what its jobs replied, and how the first failed.
func (s *Service) summary(ctx context.Context, p *models.Pipeline, jobs []*models.Job, c *models.ChatCommand) (Message, bool, error) {
	m := Message{Kind: Succeeded, ChatUserID: c.ChatUserID, JobName: "Pipeline", JobID: p.ID}
	var replies, bad, stopped []string
	for _, j := range jobs {
		one, _, err := s.message(ctx, j, c)
		if err != nil {
			return m, false, err
		}
		if one.Kind == Failed && j.Status != enum.Skipped && j.Status.Completed() && !j.AllowFailure {
			if j.Status == enum.Canceled {
				stopped = append(stopped, j.Name)
				continue
			}
			bad = append(bad, j.Name)
			if len(bad) > 1 {
				continue
			}
			replies = append(replies, j.Name+" "+one.Text)
		}
		if one.Section == ChatReply || one.Kind == Failed && len(bad) == 1 && bad[0] == j.Name {
			replies = append(replies, one.Output)
		}
	}
	waiting := byHand(jobs)
	switch {
	case p.Status == enum.Success:
		m.Text = "passed"
	case p.Status == enum.Skipped && waiting != "":
		m.Kind, m.Text = Waits, "waits"
	default:
		m.Kind, m.Text = Failed, string(p.Status)
	}
	if p.Duration != nil {
		m.Text += " in " + roughly(time.Duration(*p.Duration)*time.Second)
	}
	m.Text += fmt.Sprintf(": %d %s", len(jobs), plural(len(jobs), "job"))
	if len(bad) > 0 {
		m.Text += ", failed: " + strings.Join(bad, ", ")
	}
	if len(stopped) > 0 {
		m.Text += ", canceled: " + strings.Join(stopped, ", ")
	}
	m.Text += waiting
	m.Output = strings.Join(replies, "\n")
	err := s.names(ctx, p.ProjectID, p.UserID, &m)
	m.JobURL = strings.Replace(m.JobURL, "/-/jobs/", "/-/pipelines/", 1)
	return m, false, err
}

// message makes the reply of a finished job.
func (s *Service) message(ctx context.Context, job *models.Job, c *models.ChatCommand) (m Message, silent bool, err error) {
	def, err := s.definition(ctx, job)
	if err != nil {
		return m, false, err
	}
	log, cut, release, err := s.readLog(ctx, job)
	if fault.KindOf(err) == fault.Forbidden {
		return s.withheld(ctx, job, c, err)
	}
	if err != nil {
		return m, false, err
	}
	defer release()
	e := Extract(log, len(def.Script) == 1 && len(def.BeforeScript) == 0)
	m = Message{
		Kind: Succeeded, ChatUserID: c.ChatUserID, JobName: job.Name, JobID: job.ID, Output: e.Text, Section: e.Section, Private: e.Private, Rich: e.Rich,
	}
	switch {
	case job.Status != enum.Success:
		m.Kind = Failed
		m.Text = failed(job)
		if e.Section != ChatReply {
			m.Output = LastOutput(log, 20)
		}
		if job.StartedAt == nil {
			m.Output = ""
		}
	case e.Section == Silent:
		return m, true, s.names(ctx, job.ProjectID, job.UserID, &m)
	case strings.TrimSpace(e.Text) == "" && e.Section != ChatReply:
		m.Text, m.Output = "finished, no output", ""
	}
	masked, err := s.ci.MaskedValues(ctx, job)
	if err != nil {
		return m, false, err
	}
	show := func(text string, as func(string) string) string {
		text = secret.MaskEverywhere(as(text), masked)
		if cut {
			text = bounded(text)
		}
		return text
	}
	if strings.Contains(m.Output, "\r") {
		m.Data = show(m.Output, asData)
	}
	m.Output, m.Private = show(m.Output, printable), show(m.Private, printable)
	if err := s.names(ctx, job.ProjectID, job.UserID, &m); err != nil {
		return m, false, err
	}
	for i := range m.Rich {
		m.Rich[i].eachText(func(text string) string { return secret.MaskEverywhere(printable(text), masked) })
		if image := m.Rich[i].Image; image != nil {
			image.URL = m.JobURL + "/artifacts/file/" + (&url.URL{Path: image.Artifact}).EscapedPath()
		}
	}
	return m, false, nil
}

// withheld is the reply of a job whose log is not for everybody in a channel.
func (s *Service) withheld(ctx context.Context, job *models.Job, c *models.ChatCommand, why error) (m Message, silent bool, err error) {
	m = Message{Kind: Succeeded, ChatUserID: c.ChatUserID, JobName: job.Name, JobID: job.ID, Text: fault.Message(why)}
	if job.Status != enum.Success {
		m.Kind, m.Text = Failed, failed(job)+". "+m.Text
	}
	return m, false, s.names(ctx, job.ProjectID, job.UserID, &m)
}

func (s *Service) definition(ctx context.Context, job *models.Job) (def plan.Definition, err error) {
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		text, err := tx.Definition(job.DefinitionID)
		if err != nil {
			return err
		}
		return json.Unmarshal([]byte(text), &def)
	})
	return def, err
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
func (s *Service) names(ctx context.Context, project, user int64, m *Message) error {
	return s.db.Read(ctx, func(tx *models.Tx) error {
		p, err := tx.Project(project)
		if err != nil {
			return err
		}
		m.JobURL = s.jobURL(p, m.JobID)
		u, err := tx.User(user)
		if err != nil {
			return err
		}
		m.StartedBy, m.StartedByAt = u.Name, s.ci.URL()+"/"+u.Username
		return nil
	})
}

// readLog reads a log, or of one that is large what a reply can be made of; cut says that something is missing.
func (s *Service) readLog(ctx context.Context, job *models.Job) (log []byte, cut bool, release func(), err error) {
	r, err := s.ci.ReplyLog(ctx, job)
	if err != nil {
		return nil, false, nil, err
	}
	defer r.Close()
	release = func() {}
	if r.Size() > largeLog {
		select {
		case reading <- struct{}{}:
			release = func() { <-reading }
		case <-ctx.Done():
			return nil, false, nil, ctx.Err()
		}
		log, cut, err = condense(r)
	} else {
		log = make([]byte, r.Size())
		_, err = io.ReadFull(r, log)
	}
	if err != nil {
		release()
		return nil, false, nil, fmt.Errorf("log of job %d: %w", job.ID, err)
	}
	return log, cut, release, nil
}
