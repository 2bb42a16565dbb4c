package chatops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/trace"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/internal/terminal"
	"signalbox/models"
	"signalbox/models/enum"
)

// recentRuns is how far back a job is looked for by its name.
const recentRuns = 50

// target finds what retry, cancel, status and logs are about: a job or a pipeline by number, the newest job of a name that was
// run from chat, or what the asker ran last in this channel. job is nil if it is a pipeline of several.
func (s *Service) target(ctx context.Context, g *given, a Action) (p *models.Pipeline, job *models.Job, err error) {
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		subject, err := access.SubjectOf(tx, g.actor(), g.project)
		if err != nil {
			return err
		}
		if !access.Allowed(g.actor(), access.ReadJob, subject) {
			return fault.New(fault.Forbidden, "its jobs are not yours to see")
		}
		var pipeline, id int64
		switch {
		case a.Number != 0 && a.Pipeline:
			pipeline = a.Number
		case a.Number != 0:
			id = a.Number
		case a.Name != "":
			id, err = newestOf(tx, g.project.ID, a.Name)
		default:
			var last *models.ChatCommand
			if last, err = tx.LastRun(g.command); err == nil && last.JobID != nil {
				id = *last.JobID
			} else if err == nil {
				pipeline = *last.PipelineID
			}
		}
		if err != nil {
			return err
		}
		if id != 0 {
			job, err = tx.Job(id)
			switch {
			case err == nil && job.ProjectID == g.project.ID:
				old := job
				if job.Retried {
					job, err = tx.JobByName(job.PipelineID, job.Name)
				}
				if err == nil && a.Verb == Retry && a.Number != 0 && old.ID != job.ID {
					err = retried(old, job)
				}
				if err != nil {
					return err
				}
				pipeline = job.PipelineID
			case err == nil || errors.Is(err, models.ErrNotFound):
				job, pipeline = nil, id
			default:
				return err
			}
		}
		if p, err = tx.Pipeline(pipeline); err == nil && p.ProjectID != g.project.ID {
			err = models.ErrNotFound
		}
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		switch {
		case a.Number != 0 && a.Pipeline:
			return nil, nil, fault.New(fault.Invalid, "the project has no pipeline #%d", a.Number)
		case a.Number != 0:
			return nil, nil, fault.New(fault.Invalid, "the project has no job or pipeline #%d", a.Number)
		case a.Name != "":
			return nil, nil, fault.New(fault.Invalid, "no job %s was run from chat lately; name it by its number", code(a.Name))
		}
		return nil, nil, fault.New(fault.Invalid, "you have run nothing in this channel yet; say which job is meant, by name or number")
	}
	return p, job, err
}

func newestOf(tx *models.Tx, project int64, name string) (int64, error) {
	runs, err := tx.RecentRuns(project, recentRuns)
	if err != nil {
		return 0, err
	}
	var ids []int64
	for _, c := range runs {
		ids = append(ids, *c.JobID)
	}
	jobs, err := tx.JobsByID(ids)
	if err != nil {
		return 0, err
	}
	newest := int64(0)
	for _, j := range jobs {
		if j.Name == name {
			newest = max(newest, j.ID)
		}
	}
	if newest == 0 {
		return 0, models.ErrNotFound
	}
	return newest, nil
}

// control does retry, cancel, status and logs.
func (s *Service) control(ctx context.Context, g *given, a Action) error {
	p, job, err := s.target(ctx, g, a)
	if err != nil {
		return err
	}
	if a.Verb == Retry || a.Verb == Start {
		err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
			jobs := []*models.Job{job}
			if job == nil {
				if jobs, err = tx.PipelineJobs(p.ID, false); err != nil {
					return err
				}
			}
			return s.allowed(tx, g, jobs)
		})
		if err != nil {
			return err
		}
	}
	switch a.Verb {
	case Retry:
		return s.retry(ctx, g, p, job)
	case Cancel:
		if job != nil {
			_, err = s.ci.CancelJob(ctx, g.actor(), job.ID, false)
		} else {
			_, err = s.ci.CancelPipeline(ctx, g.actor(), p.ID)
		}
		if err != nil {
			return err
		}
		return s.tell(ctx, g.command, s.titled(g, p, job)+" is canceled.")
	case Watch:
		if p.Status.Completed() || job != nil && job.Status.Completed() {
			break // there is nothing to wait for
		}
		return s.follow(ctx, g, p, job, s.titled(g, p, job)+" is watched; how it ends is told here.")
	case Start, Approve, Reject:
		return s.startByHand(ctx, g, a, p, job)
	case Logs:
		if job == nil {
			return fault.New(fault.Invalid, "pipeline #%d has several jobs; say which log is meant, by number", p.ID)
		}
		text, err := s.tail(ctx, job, 30)
		if err != nil {
			return err
		}
		return s.tell(ctx, g.command, fmt.Sprintf("%s is %s.\n```\n%s\n```", s.titled(g, p, job), s.standing(ctx, job), strings.ReplaceAll(text, "```", "'''")))
	}
	if job != nil {
		return s.tell(ctx, g.command, s.titled(g, p, job)+" is "+s.standing(ctx, job)+".")
	}
	text, err := s.overview(ctx, g, p)
	if err != nil {
		return err
	}
	return s.tell(ctx, g.command, text)
}

// retry makes another attempt, whose reply comes to where it was asked for.
func (s *Service) retry(ctx context.Context, g *given, p *models.Pipeline, job *models.Job) error {
	if job == nil {
		if _, err := s.ci.RetryPipeline(ctx, g.actor(), p.ID); err != nil {
			return err
		}
		return s.follow(ctx, g, p, nil, s.titled(g, p, nil)+" runs again.")
	}
	next, err := s.ci.RetryJob(ctx, g.actor(), job.ID, ci.Given{})
	if err != nil {
		return err
	}
	return s.follow(ctx, g, p, next, s.titled(g, p, next)+" runs again.")
}

// follow lets a command wait for the reply of a pipeline that is there already.
func (s *Service) follow(ctx context.Context, g *given, p *models.Pipeline, job *models.Job, text string) error {
	return s.db.Write(ctx, func(tx *models.Tx) error {
		fresh, err := tx.Command(g.command.ID)
		if err != nil || fresh.State != enum.CommandAccepted {
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
	})
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
	text := fmt.Sprintf("%s on %s is %s.", s.titled(g, p, nil), code(p.Ref), p.Status)
	for i, j := range jobs {
		if i == 30 {
			text += fmt.Sprintf("\n… and %d more", len(jobs)-i)
			break
		}
		text += fmt.Sprintf("\n• [%s](%s): %s", code(j.Name), s.jobURL(g.project, j.ID), s.standing(ctx, j))
	}
	return text, err
}

// tailBytes bounds what is read of a log for its last lines.
const tailBytes = 32 << 10

// tail is the end of a job's log as it stands, without markers and colours, and with secrets masked.
func (s *Service) tail(ctx context.Context, job *models.Job, lines int) (string, error) {
	r, err := s.ci.ReplyLog(ctx, job)
	if err != nil {
		return "", err
	}
	defer r.Close()
	text, err := s.lastBytes(job, r)
	if err != nil {
		return "", err
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
