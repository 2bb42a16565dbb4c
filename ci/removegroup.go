package ci

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"signalbox/ci/access"
	"signalbox/ci/tasks"
	"signalbox/internal/fault"
	"signalbox/models"
)

type groupTask struct {
	Group int64 `json:"group"`
	User  int64 `json:"user"` // who deleted it
}

const (
	// groupBatch is how many projects or groups one run of the task removes.
	groupBatch = 100
	// groupPause is the wait until what its projects hold may be gone.
	groupPause = time.Second
)

// DeleteGroup removes a group, with its subgroups and projects bit by bit after this returns: its projects are gone first, and
// the group is there until all of it is gone. Meanwhile nothing is put into it or below it. An empty one is gone at once.
func (c *Coordinator) DeleteGroup(ctx context.Context, by access.Actor, g *models.Namespace) error {
	return c.db.Write(ctx, func(tx *models.Tx) error {
		fresh, err := tx.LockNamespace(g.ID)
		if err != nil {
			return notFound(err, "Group")
		}
		inside, err := tx.HasInside(g.ID)
		if err != nil {
			return err
		}
		if inside {
			fresh.Deleting = true // what is put into it from now on would be deleted too
			if err = tx.UpdateNamespace(fresh); err != nil {
				return err
			}
			err = c.later(tx, TaskDeleteGroup, fmt.Sprintf("%s:%d", TaskDeleteGroup, g.ID), groupTask{Group: g.ID, User: by.ID()})
		} else {
			err = tx.DeleteNamespace(g.ID)
		}
		if err != nil {
			return err
		}
		return audit(tx, by, "group_deleted", "group", g.ID, fresh.FullPath)
	})
}

// runDeleteGroup deletes the projects of a group, waits until they are gone, and then removes the groups, the innermost first.
func (c *Coordinator) runDeleteGroup(ctx context.Context, t *models.Task) error {
	var task groupTask
	if err := json.Unmarshal([]byte(t.Payload), &task); err != nil {
		return fmt.Errorf("payload of a deleted group: %w", err)
	}
	if err := c.markDeleting(ctx, task.Group); err != nil {
		return notThere(err)
	}
	var by access.Actor
	var projects []*models.Project
	err := c.db.Read(ctx, func(tx *models.Tx) error {
		g, err := tx.Namespace(task.Group)
		if err != nil {
			return err
		}
		if user, err := tx.User(task.User); err == nil {
			by.User = user // for the record; whether it may was asked when it asked
		}
		projects, err = tx.ProjectsBelow(g, groupBatch)
		return err
	})
	if err != nil {
		return notThere(err)
	}
	for _, p := range projects {
		if p.PendingDelete {
			continue
		}
		if err := c.DeleteProject(ctx, by, p); err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	if len(projects) > 0 {
		return &tasks.Later{At: c.db.Now().Add(groupPause)}
	}
	return c.removeGroups(ctx, task.Group)
}

// markDeleting marks a group whose deletion was asked for by a version that did not.
func (c *Coordinator) markDeleting(ctx context.Context, id int64) error {
	var g *models.Namespace
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		g, err = tx.Namespace(id)
		return err
	})
	if err != nil || g.Deleting {
		return err
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		g, err := tx.LockNamespace(id)
		if err != nil {
			return err
		}
		g.Deleting = true
		return tx.UpdateNamespace(g)
	})
}

// removeGroups removes a group without projects and those in it. One that got a project meanwhile is looked at again.
func (c *Coordinator) removeGroups(ctx context.Context, id int64) error {
	var inner []*models.Namespace
	err := c.db.Read(ctx, func(tx *models.Tx) error {
		g, err := tx.Namespace(id)
		if err == nil {
			inner, err = tx.InnermostFirst(g, groupBatch)
		}
		return err
	})
	if err != nil {
		return notThere(err)
	}
	for _, g := range inner {
		left := false
		err := c.db.Write(ctx, func(tx *models.Tx) (err error) {
			if _, err = tx.LockNamespace(g.ID); err != nil {
				return notThere(err)
			}
			if left, err = tx.HasInside(g.ID); err != nil || left {
				return err
			}
			return tx.DeleteNamespace(g.ID)
		})
		if err != nil {
			return err
		}
		if g.ID == id && !left {
			return nil
		}
	}
	return &tasks.Later{At: c.db.Now().Add(groupPause)}
}
