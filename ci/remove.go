package ci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// purge is what is left in the stores of deleted jobs.
type purge struct {
	Blobs  []string `json:"blobs,omitempty"`
	Traces []int64  `json:"traces,omitempty"`
}

// DeletePipeline removes a pipeline with its jobs, logs and artifacts. What still runs is canceled first.
// Its child pipelines go first: if that is interrupted, the rest is still there to be deleted.
func (c *Coordinator) DeletePipeline(ctx context.Context, by access.Actor, id int64) error {
	var children []*models.Pipeline
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		children, err = tx.ChildPipelines(id)
		return err
	})
	if err != nil {
		return err
	}
	for _, child := range children {
		if err := c.DeletePipeline(ctx, by, child.ID); err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		m, err := c.lock(tx, id)
		if err != nil {
			return notFound(err, "Pipeline")
		}
		jobs, err := tx.PipelineJobs(id, true)
		if err != nil {
			return err
		}
		var p purge
		for _, j := range jobs {
			if j.Status.Cancelable() && !j.Retried {
				if err := m.cancel(j, true, "its pipeline is deleted"); err != nil {
					return err
				}
			}
			p.Traces = append(p.Traces, j.ID)
		}
		artifacts, err := tx.Artifacts(p.Traces...)
		if err != nil {
			return err
		}
		for _, a := range artifacts {
			p.Blobs = append(p.Blobs, a.BlobKey)
		}
		if err := c.later(tx, TaskPurge, fmt.Sprintf("%s:%d", TaskPurge, id), p); err != nil {
			return err
		}
		if err := m.mirrored(enum.Canceled); err != nil {
			return err
		}
		if err := tx.EndCommands(id, "its pipeline was deleted before it could reply"); err != nil {
			return err
		}
		if err := tx.DeletePipeline(id); err != nil {
			return err
		}
		return audit(tx, by, "pipeline_deleted", "project", m.pipeline.ProjectID, fmt.Sprint(id))
	})
}

// later stores a task in the transaction that causes it.
func (c *Coordinator) later(tx *models.Tx, kind, key string, payload any) error {
	text, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	tx.AfterCommit(c.tasks.Wake)
	return tx.AddTask(&models.Task{Kind: kind, Key: &key, Payload: string(text)})
}

func (c *Coordinator) runPurge(ctx context.Context, t *models.Task) error {
	var p purge
	if err := json.Unmarshal([]byte(t.Payload), &p); err != nil {
		return err
	}
	for _, key := range p.Blobs {
		if err := c.blobs.Delete(ctx, key); err != nil {
			return err
		}
	}
	for _, id := range p.Traces {
		if err := c.traces.Delete(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

type projectTask struct {
	Project int64 `json:"project"`
}

// DeleteProject makes a project disappear at once; what it holds is removed bit by bit afterwards.
func (c *Coordinator) DeleteProject(ctx context.Context, by access.Actor, p *models.Project) error {
	err := c.db.Write(ctx, func(tx *models.Tx) error {
		fresh, err := tx.LockProject(p.ID)
		if err != nil {
			return notFound(err, "Project")
		}
		path := fresh.FullPath
		fresh.PendingDelete = true
		suffix := fmt.Sprintf("-deleted-%d", p.ID) // the path is free again
		fresh.Path, fresh.FullPath = fresh.Path+suffix, fresh.FullPath+suffix
		if err := tx.UpdateProject(fresh); err != nil {
			return err
		}
		if err := c.later(tx, TaskDeleteProject, fmt.Sprintf("%s:%d", TaskDeleteProject, p.ID), projectTask{p.ID}); err != nil {
			return err
		}
		return audit(tx, by, "project_deleted", "project", p.ID, path)
	})
	return err
}

func (c *Coordinator) runDeleteProject(ctx context.Context, t *models.Task) error {
	var task projectTask
	if err := json.Unmarshal([]byte(t.Payload), &task); err != nil {
		return err
	}
	for {
		var rows []*models.Pipeline
		err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
			rows, _, err = tx.ListPipelines(task.Project, models.PipelineFilter{Children: true}, models.Page{PerPage: 100, Uncounted: true})
			return err
		})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			break
		}
		for _, r := range rows {
			if err := c.DeletePipeline(ctx, access.Actor{}, r.ID); err != nil && fault.KindOf(err) != fault.NotFound {
				return err
			}
		}
	}
	var p *models.Project
	err := c.db.Write(ctx, func(tx *models.Tx) (err error) {
		if p, err = tx.Project(task.Project); err != nil {
			return err
		}
		return tx.DeleteProject(p.ID)
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return c.Repo(p).Delete()
}

// RenamePipeline gives a pipeline a name.
func (c *Coordinator) RenamePipeline(ctx context.Context, id int64, name string) (p *models.Pipeline, err error) {
	if len([]rune(name)) > 255 {
		return nil, fault.Field("name", "is too long (maximum is 255 characters)")
	}
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		if p, err = tx.LockPipeline(id); err != nil {
			return err
		}
		p.Name = name
		return tx.RenamePipeline(p)
	})
	return p, err
}

// KeepArtifacts lets the artifacts of a job stay for ever.
func (c *Coordinator) KeepArtifacts(ctx context.Context, jobID int64) error {
	return c.db.Write(ctx, func(tx *models.Tx) error {
		n, err := tx.KeepArtifacts(jobID)
		if err == nil && n == 0 {
			return fault.Refused(fault.NotFound, "")
		}
		return err
	})
}

// DeleteArtifacts removes the artifacts of a job.
func (c *Coordinator) DeleteArtifacts(ctx context.Context, by access.Actor, jobID int64) error {
	return c.db.Write(ctx, func(tx *models.Tx) error {
		rows, err := tx.Artifacts(jobID)
		if err != nil {
			return err
		}
		return c.dropArtifacts(tx, by, rows)
	})
}

func (c *Coordinator) dropArtifacts(tx *models.Tx, by access.Actor, rows []*models.Artifact) error {
	if len(rows) == 0 {
		return nil
	}
	var p purge
	var ids []int64
	for _, a := range rows {
		p.Blobs, ids = append(p.Blobs, a.BlobKey), append(ids, a.ID)
	}
	if err := tx.DeleteArtifacts(ids); err != nil {
		return err
	}
	if err := c.later(tx, TaskPurge, TaskPurge+":"+newKey(), p); err != nil {
		return err
	}
	return audit(tx, by, "artifacts_deleted", "project", rows[0].ProjectID, fmt.Sprintf("%d artifacts", len(rows)))
}

// DeleteProjectArtifacts removes the artifacts of all finished jobs of a project, bit by bit.
func (c *Coordinator) DeleteProjectArtifacts(ctx context.Context, projectID int64) error {
	return c.db.Write(ctx, func(tx *models.Tx) error {
		return c.later(tx, TaskDropArtifacts, TaskDropArtifacts+":"+newKey(), projectTask{projectID})
	})
}

func (c *Coordinator) runDropArtifacts(ctx context.Context, t *models.Task) error {
	var task projectTask
	if err := json.Unmarshal([]byte(t.Payload), &task); err != nil {
		return err
	}
	for more := true; more; {
		err := c.db.Write(ctx, func(tx *models.Tx) error {
			rows, err := tx.ProjectArtifacts(task.Project, t.CreatedAt, 100)
			if err != nil {
				return err
			}
			more = len(rows) == 100
			return c.dropArtifacts(tx, access.Actor{}, rows)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
