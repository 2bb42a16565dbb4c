package chatops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/tasks"
	"signalbox/models"
	"signalbox/models/enum"
)

// sendTask is one message to one channel.
type sendTask struct {
	Notification int64       `json:"notification"`
	Pipeline     int64       `json:"pipeline"`
	Job          int64       `json:"job,omitempty"`
	Status       enum.Status `json:"status"`
	At           time.Time   `json:"at"`
}

// notify finds which channels want to know how a pipeline or job ended, and stores a task for each.
func (s *Service) notify(ctx context.Context, t *models.Task) error {
	var e ci.ChatNotify
	if err := json.Unmarshal([]byte(t.Payload), &e); err != nil {
		return fmt.Errorf("payload of a notification: %w", err)
	}
	err := s.db.Write(ctx, func(tx *models.Tx) error {
		p, err := tx.Pipeline(e.Pipeline)
		if err != nil {
			return err
		}
		all, err := tx.ChatNotifications(p.ProjectID)
		if err != nil {
			return err
		}
		for _, n := range all {
			wants, err := wanted(tx, n, p, e)
			if err != nil || !wants {
				if err != nil {
					return err
				}
				continue
			}
			raw, err := json.Marshal(sendTask{n.ID, p.ID, e.Job, e.Status, tx.Now()})
			if err != nil {
				return err
			}
			key := fmt.Sprintf("%s:%d:%d", taskSend, n.ID, t.ID)
			tx.AfterCommit(s.tasks.Wake)
			if err := tx.AddTask(&models.Task{Kind: taskSend, Lane: models.LaneOutside, Share: tasks.ShareOf(p.ProjectID), Key: &key, Payload: string(raw)}); err != nil {
				return err
			}
		}
		return nil
	})
	return notThere(err)
}

// wanted says whether a channel is told. What a chat command started is told there by its reply already.
func wanted(tx *models.Tx, n *models.ChatNotification, p *models.Pipeline, e ci.ChatNotify) (bool, error) {
	if e.Job != 0 && !n.Jobs || e.Job == 0 && !n.Pipelines || len(n.Statuses) > 0 && !slices.Contains(n.Statuses, string(e.Status)) {
		return false, nil
	}
	if on, err := onBranches(tx, n.Branches, p); err != nil || !on {
		return false, err
	}
	if known, err := told(tx, n, p, e.Job); err != nil || known {
		return false, err
	}
	if !n.OnlyChanges {
		return true, nil
	}
	before, err := enum.Status(""), error(nil)
	if e.Job == 0 {
		before, err = tx.EarlierStatus(p)
	} else {
		var j *models.Job
		if j, err = tx.Job(e.Job); err == nil {
			before, err = tx.EarlierJobStatus(p, j.Name)
		}
	}
	return before != e.Status, err
}

// Words for branches that GitLab's settings of notifications have.
const (
	allBranches       = "all"
	defaultBranch     = "default"
	protectedBranches = "protected"
	defaultOrOthers   = "default_and_protected"
)

// onBranches says whether a pipeline's ref is one of those that a channel is told of: one of GitLab's words, or a name or pattern.
func onBranches(tx *models.Tx, words string, p *models.Pipeline) (bool, error) {
	if words == "" || words == allBranches || access.MatchesWildcard(words, p.Ref) {
		return true, nil
	}
	isDefault := false
	if words == defaultBranch || words == defaultOrOthers {
		project, err := tx.Project(p.ProjectID)
		if err != nil {
			return false, err
		}
		isDefault = !p.Tag && p.Ref == project.DefaultBranch
	}
	return isDefault || p.Protected && (words == protectedBranches || words == defaultOrOthers), nil
}

// told says whether the reply to a command in a channel tells how a pipeline, or one of its jobs, ended. All of what chat started is
// told; of what was there already, what a command waited for when it ended.
func told(tx *models.Tx, n *models.ChatNotification, p *models.Pipeline, jobID int64) (bool, error) {
	commands, err := tx.CommandsByPipeline(p.ID)
	if err != nil {
		return false, err
	}
	name, ended := "", p.FinishedAt
	if jobID != 0 {
		j, err := tx.Job(jobID)
		if err != nil {
			return false, err
		}
		name, ended = j.Name, j.FinishedAt
	}
	for _, c := range commands {
		switch {
		case c.Chat != n.Chat || c.ChannelID != n.Channel:
			continue
		case p.Source == enum.SourceChat:
			return true, nil
		case c.FinishedAt != nil && ended != nil && c.FinishedAt.Before(*ended):
			continue
		case c.JobID == nil:
			return true, nil
		}
		if same, err := tellsAs(tx, c, p, name); err != nil || same {
			return same, err
		}
	}
	return false, nil
}

// tellsAs says whether a reply about one job tells of the job of a name or, if that is "", of all of a pipeline.
func tellsAs(tx *models.Tx, c *models.ChatCommand, p *models.Pipeline, name string) (bool, error) {
	if name == "" {
		jobs, err := tx.PipelineJobs(p.ID, false)
		return len(jobs) == 1, err
	}
	j, err := tx.Job(*c.JobID)
	return err == nil && j.Name == name, err
}

// sendNotification posts one message as the bot of the project's integration.
func (s *Service) sendNotification(ctx context.Context, t *models.Task) error {
	var task sendTask
	if err := json.Unmarshal([]byte(t.Payload), &task); err != nil {
		return fmt.Errorf("payload of a message: %w", err)
	}
	var n *models.ChatNotification
	var p *models.Pipeline
	var project *models.Project
	var in *models.ChatIntegration
	m := Message{Kind: Announced}
	err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
		if n, err = tx.ChatNotification(task.Notification); err != nil {
			return err
		}
		if p, err = tx.Pipeline(task.Pipeline); err != nil {
			return err
		}
		if project, err = tx.Project(p.ProjectID); err != nil {
			return err
		}
		if in, err = tx.Integration(p.ProjectID, n.Chat); err != nil {
			return err
		}
		if err := inItsWorkspace(tx, in); err != nil {
			return err
		}
		m.Text, err = s.news(tx, project, p, task)
		return err
	})
	if err != nil {
		return notThere(err)
	}
	to, err := s.targetOf(&models.ChatCommand{}, in)
	if err != nil {
		return err
	}
	if to.Bot == "" || !in.Active {
		s.log.WarnContext(ctx, "a channel is not told of a pipeline: the integration has no bot token, or is switched off", "project", project.FullPath, "channel", n.Channel)
		return nil
	}
	to.Channel, to.Thread = n.Channel, ""
	s.trying(t).mark(&m, "news")
	err = s.through(ctx, in, to, fmt.Sprint("news ", t.ID), false, func(ctx context.Context) error {
		_, err := s.chats[n.Chat].Post(ctx, s.post, to, m)
		return s.outcome(&models.ChatCommand{CreatedAt: task.At}, err)
	})
	err = waiting(err)
	var gone *undeliverable
	if errors.As(err, &gone) {
		s.log.WarnContext(ctx, "a channel cannot be told of a pipeline", "project", project.FullPath, "channel", n.Channel, "reason", gone.reason)
		return nil
	}
	return err
}

// news puts in words how a pipeline or job ended.
func (s *Service) news(tx *models.Tx, project *models.Project, p *models.Pipeline, task sendTask) (string, error) {
	u, err := tx.User(p.UserID)
	if err != nil {
		return "", err
	}
	word := map[enum.Status]string{enum.Success: "passed", enum.Failed: "failed", enum.Canceled: "was canceled", enum.Skipped: "was skipped"}[task.Status]
	what := fmt.Sprintf("Pipeline [#%d](%s)", p.ID, s.pipelineURL(project, p.ID))
	more := ""
	if task.Job != 0 {
		j, err := tx.Job(task.Job)
		if err != nil {
			return "", err
		}
		what = fmt.Sprintf("Job [%s #%d](%s)", code(j.Name), j.ID, s.jobURL(project, j.ID))
		if j.FailureReason != "" && task.Status == enum.Failed {
			more = ": " + j.FailureReason.Sentence()
		}
	} else if p.Duration != nil {
		more = " in " + roughly(time.Duration(*p.Duration)*time.Second)
	}
	return fmt.Sprintf("%s of [%s](%s/%s) on %s %s%s – %s, started by %s", what, project.FullPath, s.ci.URL(), project.FullPath, code(p.Ref), word, more, code(p.CommitTitle), u.Name), nil
}
