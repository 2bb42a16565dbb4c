package ci

import (
	"context"

	"signalbox/ci/access"
	"signalbox/models"
)

// Related is a pipeline that another one started, or was started by, with its project.
type Related struct {
	Pipeline *models.Pipeline
	Project  *models.Project
}

// Downstream finds the pipelines that bridges started, by bridge: those that the actor may read.
func (c *Coordinator) Downstream(ctx context.Context, a access.Actor, jobs []*models.Job) (map[int64]Related, error) {
	var ids []int64
	for _, j := range jobs {
		if j.Bridge {
			ids = append(ids, j.ID)
		}
	}
	out := map[int64]Related{}
	err := c.db.Read(ctx, func(tx *models.Tx) error {
		found, err := tx.DownstreamsOf(ids)
		if err != nil {
			return err
		}
		seen := map[int64]*models.Project{}
		for id, p := range found {
			project, known := seen[p.ProjectID]
			if !known {
				if project, err = readable(tx, a, p.ProjectID); err != nil {
					return err
				}
				seen[p.ProjectID] = project
			}
			if project != nil {
				out[id] = Related{p, project}
			}
		}
		return nil
	})
	return out, err
}

// Mirrored finds the pipelines that bridges show without having started them, by bridge: those that the actor may read.
func (c *Coordinator) Mirrored(ctx context.Context, a access.Actor, jobs []*models.Job) (map[int64]Related, error) {
	out := map[int64]Related{}
	var ids []int64
	for _, j := range jobs {
		if j.MirrorsID != nil && *j.MirrorsID != 0 {
			ids = append(ids, *j.MirrorsID)
		}
	}
	if ids == nil {
		return out, nil
	}
	err := c.db.Read(ctx, func(tx *models.Tx) error {
		found, err := tx.Pipelines(ids)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			if j.MirrorsID == nil || found[*j.MirrorsID] == nil {
				continue
			}
			p := found[*j.MirrorsID]
			project, err := readable(tx, a, p.ProjectID)
			if err != nil {
				return err
			}
			if project != nil {
				out[j.ID] = Related{p, project}
			}
		}
		return nil
	})
	return out, err
}

// Upstream finds the pipeline and the job that started a pipeline; nil if none did, or the actor may not read it.
func (c *Coordinator) Upstream(ctx context.Context, a access.Actor, p *models.Pipeline) (up *Related, job *models.Job, err error) {
	if p.UpstreamID == nil {
		return nil, nil, nil
	}
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		pipeline, err := tx.Pipeline(*p.UpstreamID)
		if err != nil {
			return err
		}
		project, err := readable(tx, a, pipeline.ProjectID)
		if err != nil || project == nil {
			return err
		}
		up = &Related{pipeline, project}
		job, err = tx.Job(*p.SourceJobID)
		return err
	})
	return up, job, notThere(err)
}

// readable finds a project whose pipelines the actor may read; nil if it is not.
func readable(tx *models.Tx, a access.Actor, id int64) (*models.Project, error) {
	project, err := tx.Project(id)
	if err != nil {
		return nil, notThere(err)
	}
	subject, err := access.SubjectOf(tx, a, project)
	if err != nil || !access.Allowed(a, access.ReadPipelines, subject) {
		return nil, err
	}
	return project, nil
}
