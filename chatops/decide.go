package chatops

import (
	"context"
	"errors"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
)

// recentRuns is how far back a job is looked for by its name.
const recentRuns = 50

// subject is what a command is about: a job of a pipeline or, if job is nil, all of a pipeline.
type subject struct {
	pipeline *models.Pipeline
	job      *models.Job
	next     *models.Job // the attempt that took the place of the job; nil: it is the latest one
	newest   int64       // attempt of the pipeline, if it is about all of it
	blocked  bool        // the job waits for the approval of its deployment
}

// decide finds what a command is about, once. It is stored with the command, and every later try acts on that and on nothing
// else: a name may stand for another job by then, and a number for one that was not there before. A job by number is that
// attempt; by name, or the last one, it is the attempt that is the latest now.
func (s *Service) decide(ctx context.Context, g *given, find func(tx *models.Tx) (pipeline int64, job *int64, err error)) (out subject, err error) {
	if err := s.mayLook(ctx, g); err != nil {
		return out, err
	}
	if g.command.DecidedPipelineID == nil {
		var pipeline int64
		var job *int64
		err := s.db.Read(ctx, func(tx *models.Tx) error {
			pipeline, job, err = find(tx)
			return err
		})
		if err != nil {
			return out, err
		}
		err = s.db.Write(ctx, func(tx *models.Tx) error {
			if _, err := tx.DecideCommand(g.command.ID, pipeline, job); err != nil {
				return err
			}
			fresh, err := tx.Command(g.command.ID) // another try may have decided first
			if err == nil {
				g.command.DecidedPipelineID, g.command.DecidedJobID = fresh.DecidedPipelineID, fresh.DecidedJobID
			}
			return err
		})
		if err != nil {
			return out, err
		}
		if g.command.DecidedPipelineID == nil {
			return out, errOver
		}
	}
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		out, err = subjectOf(tx, g.project.ID, *g.command.DecidedPipelineID, g.command.DecidedJobID)
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		err = fault.New(fault.NotFound, "what the command is about was deleted")
	}
	return out, err
}

// errOver ends a try of a command that another try has ended.
var errOver = errors.New("the command is over")

// mayLook refuses whoever may not see the project's jobs.
func (s *Service) mayLook(ctx context.Context, g *given) error {
	return s.db.Read(ctx, func(tx *models.Tx) error {
		subject, err := access.SubjectOf(tx, g.actor(), g.project)
		if err == nil && !access.Allowed(g.actor(), access.ReadJob, subject) {
			err = fault.New(fault.Forbidden, "its jobs are not yours to see")
		}
		return err
	})
}

// subjectOf reads what ids stand for, as it is now.
func subjectOf(tx *models.Tx, project, pipelineID int64, jobID *int64) (out subject, err error) {
	if out.pipeline, err = tx.Pipeline(pipelineID); err != nil {
		return out, err
	}
	if out.pipeline.ProjectID != project {
		return out, models.ErrNotFound
	}
	if jobID == nil {
		newest, err := tx.NewestJobs([]int64{pipelineID})
		out.newest = newest[pipelineID]
		return out, err
	}
	if out.job, err = tx.Job(*jobID); err != nil {
		return out, err
	}
	if out.job.Retried {
		if out.next, err = tx.JobByName(pipelineID, out.job.Name); notThere(err) != nil {
			return out, err
		}
	}
	d, err := tx.DeploymentOfJob(*jobID)
	out.blocked = err == nil && d.Status == "blocked"
	return out, notThere(err)
}

// target finds what a command about something that was run names: a job or a pipeline by number, the newest job of a name that
// was run from chat before, or what the asker ran last in this channel.
func (s *Service) target(ctx context.Context, g *given, a Action) (subject, error) {
	out, err := s.decide(ctx, g, func(tx *models.Tx) (int64, *int64, error) { return meantBy(tx, g, a) })
	if !errors.Is(err, models.ErrNotFound) {
		return out, err
	}
	switch {
	case a.Number != 0 && a.Pipeline:
		return out, fault.New(fault.Invalid, "the project has no pipeline #%d", a.Number)
	case a.Number != 0:
		return out, fault.New(fault.Invalid, "the project has no job or pipeline #%d", a.Number)
	case a.Name != "":
		return out, fault.New(fault.Invalid, "no job %s was run from chat lately; name it by its number", code(a.Name))
	}
	return out, fault.New(fault.Invalid, "you have run nothing in this channel yet; say which job is meant, by name or number")
}

// meantBy resolves the words of a command.
func meantBy(tx *models.Tx, g *given, a Action) (pipeline int64, job *int64, err error) {
	switch {
	case a.Number != 0 && a.Pipeline:
		return ofProject(tx, g.project.ID, a.Number)
	case a.Number != 0:
		j, err := tx.Job(a.Number)
		if err == nil && j.ProjectID == g.project.ID {
			return j.PipelineID, &j.ID, nil
		}
		if notThere(err) != nil {
			return 0, nil, err
		}
		return ofProject(tx, g.project.ID, a.Number)
	case a.Name != "":
		id, err := newestOf(tx, g, a.Name)
		if err != nil {
			return 0, nil, err
		}
		return latest(tx, id)
	}
	last, err := tx.LastRun(g.command)
	switch {
	case err != nil:
		return 0, nil, err
	case last.JobID == nil:
		return *last.PipelineID, nil, nil
	}
	return latest(tx, *last.JobID)
}

// ofProject is a pipeline of a project.
func ofProject(tx *models.Tx, project, id int64) (int64, *int64, error) {
	p, err := tx.Pipeline(id)
	if err == nil && p.ProjectID != project {
		err = models.ErrNotFound
	}
	return id, nil, err
}

// latest is the newest attempt of a job.
func latest(tx *models.Tx, id int64) (pipeline int64, job *int64, err error) {
	j, err := tx.Job(id)
	if err != nil {
		return 0, nil, err
	}
	if j.Retried {
		next, err := tx.JobByName(j.PipelineID, j.Name)
		if err == nil {
			j = next
		} else if notThere(err) != nil {
			return 0, nil, err
		}
	}
	return j.PipelineID, &j.ID, nil
}

// newestOf is the newest job of a name that was run from chat before the command was given.
func newestOf(tx *models.Tx, g *given, name string) (int64, error) {
	runs, err := tx.RecentRuns(g.project.ID, g.command.ID, recentRuns)
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
