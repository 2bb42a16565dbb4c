package chatops

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"signalbox/ci"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// startByHand starts a job that waits for somebody, or approves or rejects its deployment.
func (s *Service) startByHand(ctx context.Context, g *given, a Action, p *models.Pipeline, job *models.Job) error {
	if job == nil {
		return fault.New(fault.Invalid, "pipeline #%d has several jobs; say which one is meant, by number", p.ID)
	}
	if a.Verb == Start {
		return s.play(ctx, g, p, job)
	}
	var d *models.Deployment
	err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
		d, err = tx.DeploymentOfJob(job.ID)
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return fault.New(fault.Invalid, "job #%d deploys nothing that could be approved", job.ID)
	}
	if err != nil {
		return err
	}
	if _, err := s.ci.ApproveDeployment(ctx, g.actor(), d.ID, a.Verb == Approve, "from chat"); err != nil {
		return err
	}
	word := "approved"
	if a.Verb == Reject {
		word = "rejected"
	}
	return s.announce(ctx, g.command, fmt.Sprintf("The deployment of %s was %s by %s.", strings.ToLower(s.titled(g, p, job)[:1])+s.titled(g, p, job)[1:], word, g.user.Name))
}

// play starts a job. The command waits for the reply of its pipeline if nobody else does any more.
func (s *Service) play(ctx context.Context, g *given, p *models.Pipeline, job *models.Job) error {
	// Typed, it tries a job again that was started before, as on GitLab. A button says Start, and may be an old one.
	if g.command.TriggerWord == buttonTrigger && job.Status != enum.Manual && job.Status != enum.Scheduled {
		return fault.New(fault.Invalid, "job #%d does not wait to be started any more; it is %s", job.ID, strings.ReplaceAll(string(job.Status), "_", " "))
	}
	answered, err := s.answered(ctx, p)
	if err != nil {
		return err
	}
	if _, err := s.ci.PlayJob(ctx, g.actor(), job.ID, ci.Given{}); err != nil {
		return err
	}
	text := s.titled(g, p, job) + " was started by " + g.user.Name + "."
	if answered {
		return s.follow(ctx, g, p, nil, text)
	}
	return s.announce(ctx, g.command, text)
}

// answered says whether a pipeline of several jobs was run from chat and every command about it has its reply.
func (s *Service) answered(ctx context.Context, p *models.Pipeline) (bool, error) {
	var rows []*models.ChatCommand
	err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
		rows, err = tx.CommandsByPipeline(p.ID)
		return err
	})
	waits := func(c *models.ChatCommand) bool { return c.State == enum.CommandRunning && c.Reply == nil }
	return len(rows) > 0 && rows[len(rows)-1].JobID == nil && !slices.ContainsFunc(rows, waits), err
}

// waiting posts the reply of a pipeline that waits as the bot, which alone has buttons: what comes later takes its place.
func (s *Service) waiting(ctx context.Context, c *models.ChatCommand, to Target, m Message) error {
	p, err := s.posted(ctx, c, to, m)
	if err != nil {
		return s.outcome(c, err)
	}
	return s.db.Write(ctx, func(tx *models.Tx) error { return tx.ShowCommand(c.ID, p.ID, "") })
}
