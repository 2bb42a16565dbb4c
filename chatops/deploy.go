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
	u, err := s.decide(ctx, g, func(tx *models.Tx) (int64, *int64, error) {
		job, err := deploys(tx, g.project.ID, a)
		if err != nil {
			return 0, nil, err
		}
		return job.PipelineID, &job.ID, nil
	})
	if errors.Is(err, models.ErrNotFound) {
		return fault.New(fault.Invalid, "there is no manual job that deploys what is in %s to %s", code(a.From), code(a.To))
	}
	if err != nil {
		return err
	}
	if err := s.mayRun(ctx, g, u); err != nil {
		return err
	}
	_, err = s.ci.PlayJob(ctx, g.actor(), u.job.ID, ci.Given{}, func(tx *models.Tx, job *models.Job) error {
		return s.endWithin(tx, g.command.ID, announcing(fmt.Sprintf("Deployment started from %s to %s. [Follow its progress](%s).", a.From, a.To, s.jobURL(g.project, job.ID))))
	})
	if kind := fault.KindOf(err); err != nil && (kind == fault.Invalid || kind == fault.Forbidden || kind == fault.Conflict) {
		return s.stateOr(ctx, g, Action{Verb: Start}, u, err)
	}
	return err
}

// deploys finds the manual job that brings to one environment what stands in another.
func deploys(tx *models.Tx, project int64, a Action) (job *models.Job, err error) {
	from, err := tx.EnvironmentByName(project, a.From)
	if err != nil {
		return nil, err
	}
	last, err := tx.LastDeployment(from.ID)
	if err != nil {
		return nil, err
	}
	if last.JobID == nil {
		return nil, models.ErrNotFound
	}
	deployed, err := tx.Job(*last.JobID)
	if err != nil {
		return nil, err
	}
	to, err := tx.EnvironmentByName(project, a.To)
	if err != nil {
		return nil, err
	}
	jobs, err := tx.PipelineJobs(deployed.PipelineID, false)
	for _, j := range jobs {
		if j.When == enum.WhenManual && j.EnvironmentID != nil && *j.EnvironmentID == to.ID && (job == nil || j.Name == a.To) {
			job = j
		}
	}
	if err == nil && job == nil {
		err = models.ErrNotFound
	}
	return job, err
}
