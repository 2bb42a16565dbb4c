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

// approve approves or rejects the deployment of a job.
func (s *Service) approve(ctx context.Context, g *given, a Action, u subject) error {
	var d *models.Deployment
	err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
		d, err = tx.DeploymentOfJob(u.job.ID)
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return fault.New(fault.Invalid, "job #%d deploys nothing that could be approved", u.job.ID)
	}
	if err != nil {
		return err
	}
	titled := s.titled(g, u.pipeline, u.job)
	_, err = s.ci.ApproveDeployment(ctx, g.actor(), d.ID, a.Verb == Approve, "from chat", func(tx *models.Tx, said *models.DeploymentApproval) error {
		return s.endWithin(tx, g.command.ID, announcing(fmt.Sprintf("The deployment of %s was %s by %s.", strings.ToLower(titled[:1])+titled[1:], said.Status, g.user.Name)))
	})
	return err
}

// play starts a job. The command waits for the reply of its pipeline if nobody else does any more.
func (s *Service) play(ctx context.Context, g *given, u subject) error {
	if g.pressed() {
		if err := s.unable(ctx, g, Action{Verb: Start}, u); err != nil {
			return err
		}
	}
	_, err := s.ci.PlayJob(ctx, g.actor(), u.job.ID, ci.Given{}, func(tx *models.Tx, job *models.Job) error {
		text := s.titled(g, u.pipeline, job) + " was started by " + g.user.Name + "."
		answered, err := answered(tx, u.pipeline)
		if err != nil {
			return err
		}
		if answered {
			return s.followWithin(tx, g, u.pipeline, nil, text)
		}
		return s.endWithin(tx, g.command.ID, announcing(text))
	})
	return err
}

// answered says whether a pipeline of several jobs was run from chat and every command about it has its reply.
func answered(tx *models.Tx, p *models.Pipeline) (bool, error) {
	rows, err := tx.CommandsByPipeline(p.ID)
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
