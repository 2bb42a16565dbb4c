package chatops

import (
	"context"
	"errors"
	"fmt"

	"signalbox/ci"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// deploy starts the manual job that brings to one environment what stands in another (facts: chatops 1.3). Of several the
// one named like the target is meant, else the first.
func (s *Service) deploy(ctx context.Context, g *given, a Action) error {
	var job *models.Job
	err := s.db.Read(ctx, func(tx *models.Tx) error {
		from, err := tx.EnvironmentByName(g.project.ID, a.From)
		if err != nil {
			return err
		}
		last, err := tx.LastDeployment(from.ID)
		if err != nil {
			return err
		}
		if last.JobID == nil {
			return models.ErrNotFound
		}
		deployed, err := tx.Job(*last.JobID)
		if err != nil {
			return err
		}
		to, err := tx.EnvironmentByName(g.project.ID, a.To)
		if err != nil {
			return err
		}
		jobs, err := tx.PipelineJobs(deployed.PipelineID, false)
		for _, j := range jobs {
			if j.When != enum.WhenManual || j.EnvironmentID == nil || *j.EnvironmentID != to.ID {
				continue
			}
			if job == nil || j.Name == a.To {
				job = j
			}
		}
		return err
	})
	if errors.Is(err, models.ErrNotFound) || err == nil && job == nil {
		return fault.New(fault.Invalid, "there is no manual job that deploys what is in %s to %s", code(a.From), code(a.To))
	}
	if err != nil {
		return err
	}
	err = s.db.Read(ctx, func(tx *models.Tx) error { return s.allowed(tx, g, []*models.Job{job}) })
	if err != nil {
		return err
	}
	if job, err = s.ci.PlayJob(ctx, g.actor(), job.ID, ci.Given{}); err != nil {
		return err
	}
	return s.announce(ctx, g.command, fmt.Sprintf("Deployment started from %s to %s. [Follow its progress](%s).", a.From, a.To, s.jobURL(g.project, job.ID)))
}
