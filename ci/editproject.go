package ci

import (
	"context"
	"errors"
	"path"
	"strings"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/models"
)

// UpdateProject changes a project. A new default branch must exist, unless the repository is empty.
func (c *Coordinator) UpdateProject(ctx context.Context, by access.Actor, id int64, change func(*models.Project) error) (p *models.Project, err error) {
	branch := ""
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		if p, err = tx.Project(id); err != nil {
			return notFound(err, "Project")
		}
		before := p.DefaultBranch
		err := change(p)
		if p.DefaultBranch != before {
			branch = p.DefaultBranch
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if branch != "" {
		if err := c.defaultBranch(ctx, p, branch); err != nil {
			return nil, err
		}
	}
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		row, err := tx.LockProject(id)
		if err != nil {
			return err
		}
		p = row.Project
		before := *p
		oldPath, seen := p.Path, p.Visibility
		if err := change(p); err != nil {
			return err
		}
		if p.Visibility != seen {
			subject, err := access.SubjectOf(tx, by, p)
			if err != nil {
				return err
			}
			if !access.Allowed(by, access.ChangeVisibility, subject) {
				return fault.Refused(fault.Forbidden, "only owners change who sees a project")
			}
		}
		if err := checkProject(p, oldPath); err != nil {
			return err
		}
		if p.Path != oldPath {
			if err := tx.RedirectProject(p.FullPath, p.ID); err != nil {
				return err
			}
		}
		p.FullPath = path.Dir(p.FullPath) + "/" + p.Path
		ns, err := tx.Namespace(p.NamespaceID)
		if err != nil {
			return err
		}
		if ns.Kind == "group" && wider(p.Visibility, ns.Visibility) {
			return fault.Field("visibility_level", "%s is not allowed in a %s group.", p.Visibility, ns.Visibility)
		}
		if err := tx.UpdateProject(row); err != nil {
			return err
		}
		if err := c.moveQueued(tx, &before, p); err != nil {
			return err
		}
		return audit(tx, by, "project_updated", "project", p.ID, p.FullPath)
	})
	if errors.Is(err, models.ErrDuplicate) {
		return nil, fault.Field("path", "has already been taken")
	}
	return p, err
}

// moveQueued lets the waiting jobs of a project go to the runners that it takes now. This node's mirror of the queue
// learns it with the commit, those of others when they are told to compare it with the table; a claim reads the row anyway.
func (c *Coordinator) moveQueued(tx *models.Tx, before, now *models.Project) error {
	if before.SharedRunnersEnabled == now.SharedRunnersEnabled && before.GroupRunnersEnabled == now.GroupRunnersEnabled {
		return nil
	}
	id, shared, group := now.ID, now.SharedRunnersEnabled, now.GroupRunnersEnabled
	tx.AfterCommit(func() {
		c.queue.moveProject(id, shared, group)
		c.hub.Announce(TopicQueueMoved)
	})
	return tx.MovePendingOf(now)
}

func checkProject(p *models.Project, oldPath string) error {
	switch {
	case p.Name == "" || len(p.Name) > 255:
		return fault.Field("name", "must have from 1 to 255 characters")
	case len(p.Description) > 2000:
		return fault.Field("description", "is too long (maximum is 2000 characters)")
	case !p.Visibility.Valid():
		return fault.Field("visibility_level", "is not included in the list")
	case p.BuildTimeout < 600 || p.BuildTimeout > 2_592_000:
		return fault.Field("build_timeout", "needs to be between 10 minutes and 1 month")
	case p.GitDepth < 0 || p.GitDepth > 1000:
		return fault.Field("ci_default_git_depth", "must be from 0 to 1000")
	case strings.Contains("/"+p.CIConfigPath+"/", "/../"):
		return fault.Field("ci_config_path", "cannot include directory traversal.")
	case p.Settings.DeletePipelinesAfter != 0 && p.Settings.DeletePipelinesAfter < 86_400:
		return fault.Field("ci_delete_pipelines_in_seconds", "must be greater than or equal to 1 day")
	case p.Settings.KeepCommandsDays < 0 || p.Settings.KeepCommandsDays > 36_500:
		return fault.Field("chat_commands_keep_days", "must be from 0 to 36500 days")
	case len(p.CIConfigPath) > 255:
		return fault.Field("ci_config_path", "is too long (maximum is 255 characters)")
	case p.Settings.MaxArtifactsSize < 0:
		return fault.Field("max_artifacts_size", "must be greater than or equal to 0")
	}
	if p.Path != oldPath {
		if err := CheckPath(p.Path, false); err != nil {
			return fault.Field("path", "%s", fault.Message(err))
		}
	}
	return nil
}

func (c *Coordinator) defaultBranch(ctx context.Context, p *models.Project, branch string) error {
	repo := c.Repo(p)
	empty, err := repo.Empty()
	if err != nil {
		return err
	}
	if !gitrepo.ValidRef("refs/heads/" + branch) {
		return fault.Field("default_branch", "is not a valid branch name")
	}
	if !empty {
		if _, err := repo.Resolve(ctx, "refs/heads/"+branch); err != nil {
			return fault.Field("base", "Could not change HEAD: branch '%s' does not exist", branch)
		}
	}
	return repo.SetHead(ctx, branch)
}
