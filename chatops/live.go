package chatops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"signalbox/ci/tasks"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// followed says whether a message of the bot's follows the jobs of a command.
func (s *Service) followed(c *models.ChatCommand, in *models.ChatIntegration) bool {
	return in != nil && !in.Quiet && in.HasBot() && c.Chat != enum.Console && s.chats[c.Chat].Traits().Live
}

// begin stores the task that shows how a command goes on.
func (s *Service) begin(tx *models.Tx, c *models.ChatCommand, in *models.ChatIntegration) error {
	if !s.followed(c, in) {
		return nil
	}
	key := liveKey(c.ID)
	return tx.AddTask(&models.Task{Kind: taskLive, Lane: models.LaneOutside, Share: tasks.ShareOf(c.ProjectID), Key: &key, Payload: payload(c.ID)})
}

func liveKey(command int64) string { return fmt.Sprintf("%s:%d", taskLive, command) }

// live posts one message about a command and edits it while its job waits and runs; the reply takes its place. A chat that
// refuses the bot gets no such message, and the reply by the other ways. A message whose reply cannot come says so at the end.
func (s *Service) live(ctx context.Context, t *models.Task) error {
	var p struct{ Command int64 }
	if err := json.Unmarshal([]byte(t.Payload), &p); err != nil {
		return fmt.Errorf("payload of a message: %w", err)
	}
	c, in, err := s.commandWith(ctx, p.Command)
	if errors.Is(err, models.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if free, err := s.claim(ctx, c, in); err != nil {
		return err
	} else if !free {
		return &tasks.Later{At: s.db.Now().Add(time.Second)}
	}
	defer s.release(ctx, c, in)
	if in == nil || !in.Active || !in.HasBot() {
		return nil
	}
	settles := t.Unsure && c.MessageID == "" // it may stand there, and nobody could change it
	m, again, err := s.shownOf(ctx, c, in, settles)
	if err != nil || m == nil {
		return errors.Join(notThere(err), later(again))
	}
	m.KeepANSI, m.ActionURL = in.KeepANSI, s.actionURL(in)
	s.trying(t).mark(m, partLive)
	on := false
	to, err := s.targetOf(c, in)
	if err != nil {
		return s.cannotShow(ctx, c, err)
	}
	edit := m.Kind == Progress && c.MessageID != "" && !c.Ended()
	err = s.through(ctx, in, to, m.Key, edit, func(ctx context.Context) error {
		on, err = s.showProgress(ctx, c, in, *m)
		return err
	})
	if err != nil || !on || m.Kind == Failed || c.Ended() {
		return waiting(err)
	}
	age := s.db.Now().Sub(c.CreatedAt)
	if age > followedFor {
		return nil
	}
	return &tasks.Later{At: s.db.Now().Add(pace(age))}
}

// shownElsewhere stands for what a message shows whose reply is a message of its own.
const shownElsewhere = "elsewhere"

// endLive lets the message that follows a command show how that ended, where the reply did not take its place.
func (s *Service) endLive(tx *models.Tx, c *models.ChatCommand) error {
	key := liveKey(c.ID) + ":end" // the task that followed it may be waiting, or was given up
	tx.AfterCommit(s.tasks.Wake)
	return tx.AddTask(&models.Task{Kind: taskLive, Lane: models.LaneOutside, Share: tasks.ShareOf(c.ProjectID), Key: &key, Payload: payload(c.ID)})
}

// later is an error that asks for another look; nil if there is to be none.
func later(at time.Time) error {
	if at.IsZero() {
		return nil
	}
	return &tasks.Later{At: at}
}

// shownOf is what the message that follows a command shows now; nil if nothing is to be shown, and when to look again if that may change.
func (s *Service) shownOf(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration, settles bool) (m *Message, again time.Time, err error) {
	now := s.db.Now()
	if m = s.atTheEnd(ctx, c); m != nil {
		if c.MessageID == "" && !settles {
			return nil, again, nil // it was never shown
		}
		if c.State == enum.CommandRefused {
			return m, again, nil
		}
		return m, again, s.askedFor(ctx, c, m, nil)
	}
	switch {
	case c.Reply != nil && c.State == enum.CommandRunning && settles:
		return nil, now.Add(pace(0)), nil // its reply finds it
	case c.Reply != nil && (!settles || c.State != enum.CommandSilent):
		return nil, again, nil
	case c.State == enum.CommandWaiting:
		m, err = s.waits(ctx, c, in)
		return m, again, err
	case c.State == enum.CommandAccepted: // approved, and about to run
		return nil, now.Add(time.Second), nil
	case c.State != enum.CommandRunning && !settles || c.PipelineID == nil:
		return nil, again, nil
	}
	progress, err := s.progress(ctx, c, in)
	switch {
	case err != nil:
		return nil, again, err
	case progress.Kind == Succeeded && !settles:
		return nil, again, nil // the reply comes
	case progress.Kind == Succeeded:
		progress.Kind, progress.Text = Progress, "is done"
	}
	return &progress, again, nil
}

// atTheEnd is the end of a message in whose place no reply comes: it says why, leads to the command, and has no buttons. It is nil
// for a command that goes on, or whose reply took the place of the message.
func (s *Service) atTheEnd(ctx context.Context, c *models.ChatCommand) *Message {
	m := &Message{Kind: Failed, ChatUserID: c.ChatUserID, JobName: "Command", JobID: c.ID, JobURL: s.commandURL(ctx, c)}
	switch {
	case (c.State == enum.CommandExpired || c.State == enum.CommandUndeliverable) && c.Reply == nil:
		m.Text = "is over without a reply: " + c.DeliveryError + "."
	case c.State == enum.CommandExpired || c.State == enum.CommandUndeliverable:
		m.Text = "is over, but its reply could not be shown: " + c.DeliveryError + ". It stands on the page of the command."
	case c.State == enum.CommandReplied && c.Shown == shownElsewhere:
		m.Kind, m.Text = Progress, "is over; its reply is a message of its own"
	case c.State == enum.CommandRefused:
		m.Text = c.Refusal
	default:
		return nil
	}
	return m
}

// commandURL is the page of a command; "" if its project is gone.
func (s *Service) commandURL(ctx context.Context, c *models.ChatCommand) (address string) {
	err := s.db.Read(ctx, func(tx *models.Tx) error {
		p, err := tx.Project(c.ProjectID)
		if err == nil {
			address = fmt.Sprintf("%s/%s/-/chat/commands/%d", s.ci.URL(), p.FullPath, c.ID)
		}
		return err
	})
	if err != nil {
		s.log.InfoContext(ctx, "the page of a command is not known", "command", c.ID, "error", err)
	}
	return address
}

// followedFor is how long a message follows a job, such as one that nobody starts. The reply takes its place all the same.
const followedFor = 7 * 24 * time.Hour

func notThere(err error) error {
	if errors.Is(err, models.ErrNotFound) {
		return nil
	}
	return err
}

// waits shows a command that others have to approve.
func (s *Service) waits(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration) (*Message, error) {
	text, _, _ := strings.Cut(c.Acknowledgement, " Others answer with")
	m := &Message{
		Kind: Progress, ChatUserID: c.ChatUserID, JobName: "Command", JobID: c.ID, JobURL: s.commandURL(ctx, c), Text: "waits. " + text, StartedBy: c.ChatUserName,
	}
	err := s.db.Read(ctx, func(tx *models.Tx) error {
		approvals, err := tx.ChatApprovals(c.ID)
		if n := len(approvals); n > 0 {
			m.Text += fmt.Sprintf(" (%d so far)", n)
		}
		return err
	})
	for _, b := range []struct {
		label string
		style ButtonStyle
		verb  Verb
	}{{"Approve", Primary, Approve}, {"Reject", Danger, Reject}} {
		m.Buttons = append(m.Buttons, s.button(in, b.label, b.style, fmt.Sprintf("%s command %d", b.verb, c.ID)))
	}
	return m, errors.Join(err, s.askedFor(ctx, c, m, nil))
}

// pace is how long a message stands before it is looked at again: the longer a job takes, the less often.
func pace(age time.Duration) time.Duration {
	return min(5*time.Minute, max(2*time.Second, min(30*time.Second, age/20), age/120))
}

// showProgress posts or edits the message; false if the chat does not let the bot.
func (s *Service) showProgress(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration, m Message) (on bool, err error) {
	shown := secret.Fingerprint(m.Text, m.Output, labels(m.Buttons))
	if c.MessageID != "" && shown == c.Shown {
		return true, nil
	}
	to, err := s.targetOf(c, in)
	if err != nil {
		return false, err
	}
	id := c.MessageID
	if id == "" {
		var posted Posted
		posted, err = s.posted(ctx, c, to, m)
		id = posted.ID
	} else {
		err = s.tried(ctx, c, enum.PostEdit, viaBot, s.chats[c.Chat].Update(ctx, s.post, to, id, m))
	}
	if err = s.outcome(c, err); err != nil {
		return false, s.cannotShow(ctx, c, err)
	}
	return id != "", s.db.Write(ctx, func(tx *models.Tx) error { return tx.ShowCommand(c.ID, id, shown) })
}

// cannotShow notes that the bot is kept from showing how a job is, if that is for good.
func (s *Service) cannotShow(ctx context.Context, c *models.ChatCommand, err error) error {
	var gone *undeliverable
	switch {
	case !errors.As(err, &gone):
		return err
	case c.State == enum.CommandReplied:
		return nil // in a message of its own, because this one is gone
	case c.Ended():
		return s.noteUnended(ctx, c.ID, gone.reason)
	}
	return s.noteFinally(ctx, c.ID, "the bot cannot show how the job is: "+gone.reason)
}

// notGone is an error but for a message that can never be sent.
func notGone(err error) error {
	var gone *undeliverable
	if errors.As(err, &gone) {
		return nil
	}
	return err
}

// hush ends the message that follows a job which says nothing: it shows that the job is over, and no more.
func (s *Service) hush(ctx context.Context, id int64, m Message) error {
	c, in, err := s.commandWith(ctx, id)
	if err != nil || !s.followed(c, in) {
		return notThere(err)
	}
	if free, err := s.claim(ctx, c, in); err != nil {
		return err
	} else if !free {
		return &tasks.Later{At: s.db.Now().Add(time.Second)}
	}
	defer s.release(ctx, c, in)
	if open, err := s.unsettled(ctx, c, in); err != nil {
		return err
	} else if open != nil {
		return &tasks.Later{At: s.db.Now().Add(time.Second)}
	}
	if c.MessageID == "" {
		return nil
	}
	to, err := s.targetOf(c, in)
	if err != nil {
		return err
	}
	m.Kind, m.Text, m.ActionURL = Progress, "is done", s.actionURL(in)
	err = s.outcome(c, s.tried(ctx, c, enum.PostEdit, viaBot, s.chats[c.Chat].Update(ctx, s.post, to, c.MessageID, m)))
	return notGone(err) // somebody removed the message
}

func labels(buttons []Button) string {
	var out []string
	for _, b := range buttons {
		out = append(out, b.Label)
	}
	return strings.Join(out, " ")
}

// progress says how the job of a command stands, or its pipeline, with the last lines of the log.
func (s *Service) progress(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration) (m Message, err error) {
	var p *models.Pipeline
	var jobs []*models.Job
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		if p, err = tx.Pipeline(*c.PipelineID); err != nil {
			return err
		}
		jobs, err = tx.PipelineJobs(p.ID, false)
		return err
	})
	if err != nil {
		return m, err
	}
	m = Message{Kind: Progress, ChatUserID: c.ChatUserID, JobName: "Pipeline", JobID: p.ID}
	job, err := s.lead(ctx, c, jobs)
	if err != nil {
		return m, err
	}
	shown, done := job, 0
	for _, j := range jobs {
		if j.Status.Completed() {
			done++
		}
		if (shown == nil || shown.Status == enum.Created) && j.Status == enum.Running {
			shown = j
		}
	}
	if job != nil {
		m.JobName, m.JobID = job.Name, job.ID
	}
	switch {
	case job == nil && p.Status.Completed() || job != nil && job.Status.Completed():
		m.Kind = Succeeded
		return m, nil
	case shown == nil:
		m.Text = fmt.Sprintf("is %s: %d of %d jobs are done", p.Status, done, len(jobs)) + byHand(jobs)
	case shown != job:
		m.Text = fmt.Sprintf("waits; %s is %s (%d of %d jobs are done)", shown.Name, s.standing(ctx, shown), done, len(jobs))
	case shown.Status == enum.Manual && shown.StatusReason != "":
		m.Text = shown.StatusReason
	default:
		m.Text = "is " + s.standing(ctx, shown)
	}
	if shown != nil && shown.Status == enum.Running {
		if m.Output, err = s.said(ctx, shown); err != nil {
			return m, err
		}
	}
	if err := s.names(ctx, p.ProjectID, p.UserID, &m); err != nil {
		return m, err
	}
	if m.Buttons, err = s.buttons(ctx, in, p, jobs, job); err != nil {
		return m, err
	}
	if job == nil {
		m.JobURL = strings.Replace(m.JobURL, "/-/jobs/", "/-/pipelines/", 1)
	}
	return m, s.askedFor(ctx, c, &m, jobs)
}

// liveLines is how much of a log a message shows.
const liveLines = 5

// said is what a running job says of how far it is: its newest chat_progress section, or its last lines.
func (s *Service) said(ctx context.Context, j *models.Job) (string, error) {
	r, err := s.ci.ReplyLog(ctx, j)
	if fault.KindOf(err) == fault.Forbidden {
		return "", nil // its log is not for everybody: the message says how it stands
	}
	if err != nil {
		return "", err
	}
	defer r.Close()
	end, err := s.lastBytes(j, r)
	if err != nil {
		return "", err
	}
	if text := Said(end); text != "" {
		masked, err := s.ci.MaskedValues(ctx, j)
		return secret.MaskEverywhere(printable(text), masked), err
	}
	return s.tail(ctx, j, liveLines, scriptOnly)
}
