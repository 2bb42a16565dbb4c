package chatops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"signalbox/ci"
	"signalbox/ci/trace"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/internal/terminal"
	"signalbox/models"
	"signalbox/models/enum"
)

// control does retry, cancel, play, approve, reject, status, watch and logs.
func (s *Service) control(ctx context.Context, g *given, a Action) error {
	u, err := s.target(ctx, g, a)
	if err != nil {
		return err
	}
	if err := s.current(g, u); err != nil {
		return err
	}
	if a.Verb == Retry || a.Verb == Start {
		if err := s.mayRun(ctx, g, u); err != nil {
			return err
		}
	}
	if u.job == nil || a.Verb == Logs || a.Verb == Watch {
		if err := s.unable(ctx, g, a, u); err != nil {
			return err
		}
	}
	err = s.doTo(ctx, g, a, u)
	switch fault.KindOf(err) {
	case fault.Forbidden, fault.Invalid, fault.NotAllowed, fault.Conflict:
		return s.stateOr(ctx, g, a, u, err)
	}
	return err
}

// stateOr tells the state of a job that kept something from being done with it, if that is why it was refused.
func (s *Service) stateOr(ctx context.Context, g *given, a Action, u subject, cause error) error {
	var job *int64
	if u.job != nil {
		job = &u.job.ID
	}
	var now subject
	err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
		now, err = subjectOf(tx, g.project.ID, u.pipeline.ID, job)
		return err
	})
	if err != nil {
		return errors.Join(cause, err)
	}
	if why := s.unable(ctx, g, a, now); why != nil {
		return why
	}
	return cause
}

// unfit refuses a command for how what it is about stands; its text is a whole sentence.
type unfit struct{ text string }

func (u *unfit) Error() string { return u.text }

// gone begins what is said to whoever pressed a button that is not for what it is about any more.
const gone = "This button is gone: "

// unable refuses what cannot be done with what a command is about, as that stands.
func (s *Service) unable(ctx context.Context, g *given, a Action, u subject) error {
	standing := ""
	if u.job != nil {
		standing = s.standing(ctx, u.job)
	}
	text := u.unable(a.Verb, g.pressed(), s.titled(g, u.pipeline, u.job), standing)
	if text == "" {
		return nil
	}
	if g.pressed() {
		text = gone + strings.ToLower(text[:1]) + text[1:]
	}
	return &unfit{text}
}

// current refuses the press of a button about a pipeline that had other attempts when the button was made.
func (s *Service) current(g *given, u subject) error {
	if g.command.Turn == 0 || u.job != nil || u.newest == g.command.Turn {
		return nil
	}
	return &unfit{fmt.Sprintf("%s%s has other attempts by now. Press a button of the message as it is now, or give the command.", gone, s.titled(g, u.pipeline, nil))}
}

// mayRun asks the rules of the project.
func (s *Service) mayRun(ctx context.Context, g *given, u subject) error {
	return s.db.Read(ctx, func(tx *models.Tx) (err error) {
		jobs := []*models.Job{u.job}
		if u.job == nil {
			if jobs, err = tx.PipelineJobs(u.pipeline.ID, false); err != nil {
				return err
			}
		}
		return s.allowed(tx, g, jobs)
	})
}

// doTo does what a command asks for with what it is about.
func (s *Service) doTo(ctx context.Context, g *given, a Action, u subject) error {
	p, job := u.pipeline, u.job
	switch a.Verb {
	case Retry:
		return s.retry(ctx, g, u)
	case Cancel:
		return s.cancel(ctx, g, u)
	case Watch:
		if watched, err := s.watch(ctx, g, &u); watched || err != nil {
			return err
		}
		p, job = u.pipeline, u.job // there is nothing to wait for
	case Start:
		return s.play(ctx, g, u)
	case Approve, Reject:
		return s.approve(ctx, g, a, u)
	case Logs:
		text, err := s.tail(ctx, job, 30, nil)
		if err != nil {
			return err
		}
		return s.tell(ctx, g.command, fmt.Sprintf("%s is %s.\n```\n%s\n```", s.titled(g, p, job), s.standing(ctx, job), strings.ReplaceAll(text, "```", "'''")))
	}
	if job == nil {
		text, err := s.overview(ctx, g, p)
		if err != nil {
			return err
		}
		return s.tell(ctx, g.command, text)
	}
	text := s.titled(g, p, job) + " is " + s.standing(ctx, job)
	if u.next != nil {
		text += fmt.Sprintf("; it was tried again, as #%d, which is %s", u.next.ID, s.standing(ctx, u.next))
	}
	return s.tell(ctx, g.command, text+".")
}

// cancel stops a job or a pipeline, and says what became of it.
func (s *Service) cancel(ctx context.Context, g *given, u subject) (err error) {
	say := func(tx *models.Tx, now enum.Status) error {
		return s.endWithin(tx, g.command.ID, telling(s.titled(g, u.pipeline, u.job)+stopped(now)))
	}
	if u.job != nil {
		_, err = s.ci.CancelJob(ctx, g.actor(), u.job.ID, false, func(tx *models.Tx, j *models.Job) error { return say(tx, j.Status) })
	} else {
		_, err = s.ci.CancelPipeline(ctx, g.actor(), u.pipeline.ID, func(tx *models.Tx, p *models.Pipeline) error { return say(tx, p.Status) })
	}
	return err
}

// stopped says what became of what was to be canceled.
func stopped(now enum.Status) string {
	switch {
	case now == enum.Canceling:
		return " is being canceled: its runner cleans up first."
	case now.Completed() && now != enum.Canceled:
		return " is over: " + word(now) + "."
	}
	return " is canceled."
}

// retry makes another attempt, whose reply comes to where it was asked for.
func (s *Service) retry(ctx context.Context, g *given, u subject) (err error) {
	const again = " runs again."
	if u.job == nil {
		_, err = s.ci.RetryPipeline(ctx, g.actor(), u.pipeline.ID, func(tx *models.Tx, p *models.Pipeline) error {
			return s.followWithin(tx, g, p, nil, s.titled(g, p, nil)+again)
		})
		return err
	}
	_, err = s.ci.RetryJob(ctx, g.actor(), u.job.ID, ci.Given{}, func(tx *models.Tx, next *models.Job) error {
		return s.followWithin(tx, g, u.pipeline, next, s.titled(g, u.pipeline, next)+again)
	})
	return err
}

// watch lets a command wait for the end of a job or a pipeline; false if that has ended, which nobody tells any more. u becomes what
// it is now.
func (s *Service) watch(ctx context.Context, g *given, u *subject) (watched bool, err error) {
	err = s.db.Write(ctx, func(tx *models.Tx) error {
		p, err := tx.LockPipeline(u.pipeline.ID) // whoever ends it comes before or after
		if err != nil {
			return err
		}
		u.pipeline = p
		if u.job != nil {
			if u.job, err = tx.Job(u.job.ID); err != nil {
				return err
			}
		}
		if watched = !p.Status.Completed() && (u.job == nil || !u.job.Status.Completed()); !watched {
			return nil
		}
		return s.followWithin(tx, g, p, u.job, s.titled(g, p, u.job)+" is watched; how it ends is told here.")
	})
	return watched, err
}

// followWithin lets a command wait for the reply of a pipeline that is there already, in the transaction that does what it asks
// for. errOver undoes what another try did.
func (s *Service) followWithin(tx *models.Tx, g *given, p *models.Pipeline, job *models.Job, text string) error {
	fresh, err := openCommand(tx, g.command.ID)
	if err != nil {
		return err
	}
	fresh.State, fresh.PipelineID, fresh.Acknowledgement, fresh.InChannel = enum.CommandRunning, &p.ID, text, !s.followed(fresh, g.integration)
	if job != nil {
		fresh.JobID = &job.ID
	}
	if err := s.begin(tx, fresh, g.integration); err != nil {
		return err
	}
	if g.command.TriggerWord != buttonTrigger || !s.followed(fresh, g.integration) || s.traits(fresh).AnswerDue { // else the message shows it
		if err := s.lateAnswer(tx, fresh); err != nil {
			return err
		}
	}
	tx.AfterCommit(func() { s.changed(fresh) })
	return tx.UpdateCommand(fresh)
}

func (s *Service) titled(g *given, p *models.Pipeline, job *models.Job) string {
	if job == nil {
		return fmt.Sprintf("Pipeline [#%d](%s)", p.ID, s.pipelineURL(g.project, p.ID))
	}
	return fmt.Sprintf("Job [%s #%d](%s)", code(job.Name), job.ID, s.jobURL(g.project, job.ID))
}

// standing says how a job is, since when, and why.
func (s *Service) standing(ctx context.Context, j *models.Job) string {
	now := s.db.Now()
	text := string(j.Status)
	switch {
	case j.FinishedAt != nil && j.StartedAt != nil:
		text += fmt.Sprintf(", after %s, %s ago", roughly(j.FinishedAt.Sub(*j.StartedAt)), roughly(now.Sub(*j.FinishedAt)))
	case j.FinishedAt != nil:
		text += ", " + roughly(now.Sub(*j.FinishedAt)) + " ago"
	case j.StartedAt != nil:
		text += " for " + roughly(now.Sub(*j.StartedAt))
	case j.QueuedAt != nil:
		text += " for " + roughly(now.Sub(*j.QueuedAt))
	}
	switch {
	case j.FailureReason != "":
		text += ": " + j.FailureReason.Sentence()
	case j.Status == enum.WaitingForResource:
		text = "queued" + s.heldBy(ctx, j)
	case j.StatusReason != "":
		text += ": " + j.StatusReason
	}
	return text
}

// heldBy names whose job holds the resource that a job waits for.
func (s *Service) heldBy(ctx context.Context, j *models.Job) (text string) {
	if j.ResourceGroupID == nil {
		return ""
	}
	err := s.db.Read(ctx, func(tx *models.Tx) error {
		group, err := tx.ResourceGroup(*j.ResourceGroupID)
		if err != nil || group.HolderID == nil {
			return err
		}
		holder, err := tx.Job(*group.HolderID)
		if err != nil {
			return err
		}
		u, err := tx.User(holder.UserID)
		if err == nil {
			text = fmt.Sprintf(" behind job #%d of @%s, which holds %s", holder.ID, u.Username, code(group.Key))
		}
		return err
	})
	if err != nil {
		s.log.InfoContext(ctx, "who holds a resource is not known", "job", j.ID, "error", err)
	}
	return text
}

// roughly is a time as people say it.
func roughly(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// overview is a pipeline with its jobs, at most thirty of them.
func (s *Service) overview(ctx context.Context, g *given, p *models.Pipeline) (string, error) {
	var jobs []*models.Job
	err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
		jobs, err = tx.PipelineJobs(p.ID, false)
		return err
	})
	failed := ""
	if n := failures(jobs); n > 0 {
		failed = fmt.Sprintf(", %d failed", n)
	}
	text := fmt.Sprintf("%s on %s is %s%s.", s.titled(g, p, nil), code(p.Ref), p.Status, failed)
	for i, j := range jobs {
		if i == 30 {
			text += fmt.Sprintf("\n… and %d more", len(jobs)-i)
			break
		}
		text += fmt.Sprintf("\n• [%s](%s): %s", code(j.Name), s.jobURL(g.project, j.ID), s.standing(ctx, j))
	}
	return text, err
}

// failures counts the jobs that failed and were not allowed to, which the status of a pipeline may say nothing of.
func failures(jobs []*models.Job) (n int) {
	for _, j := range jobs {
		if j.Status == enum.Failed && !j.AllowFailure {
			n++
		}
	}
	return n
}

// tailBytes bounds what is read of a log for its last lines.
const tailBytes = 32 << 10

// tail is the end of a job's log as it stands, without markers and colours, and with secrets masked. part takes out of the end of the log
// what is wanted of it; nil is all.
func (s *Service) tail(ctx context.Context, job *models.Job, lines int, part func(end []byte, whole bool) []byte) (string, error) {
	r, err := s.ci.ReplyLog(ctx, job)
	if err != nil {
		return "", err
	}
	defer r.Close()
	text, err := s.lastBytes(job, r)
	if err != nil {
		return "", err
	}
	if part != nil {
		text = part(text, r.Size() <= tailBytes)
	}
	masked, err := s.ci.MaskedValues(ctx, job)
	if err != nil {
		return "", err
	}
	out := strings.Split(strings.TrimRight(terminal.Strip(secret.MaskEverywhere(printable(valid(clean(text))), masked)), "\n"), "\n")
	return strings.Join(out[max(0, len(out)-lines):], "\n"), nil
}

// lastBytes is the end of a job's log, without the headers of lines and without what is for the asker alone.
func (s *Service) lastBytes(job *models.Job, r trace.Reader) ([]byte, error) {
	from := max(0, r.Size()-tailBytes)
	buf := make([]byte, r.Size()-from)
	n, err := r.ReadAt(buf, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	buf = buf[:n]
	if from > 0 { // begins with a whole line
		if i := strings.IndexByte(string(buf), '\n'); i >= 0 {
			buf, from = buf[i+1:], from+int64(i)+1
		}
	}
	open, err := s.hidden.within(job.ID, r, from)
	return public(stripTimes(buf), open), err
}
