package ci

import (
	"context"
	"strconv"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
)

// maxJobTokenSources is how many projects, and how many groups, a project may let in.
const maxJobTokenSources = 200

// AllowJobTokens lets the jobs of another project, or of a group's projects, reach a project with their tokens. What they
// may do there is what their user may.
func (c *Coordinator) AllowJobTokens(ctx context.Context, by access.Actor, p *models.Project, kind string, source int64) error {
	// Whoever lets others in sees them; what one does not see is not there.
	var err error
	if id := strconv.FormatInt(source, 10); kind == "group" {
		_, _, err = c.FindGroup(ctx, by, id, access.ReadGroup)
	} else {
		_, _, err = c.FindProject(ctx, by, id, access.ReadProject)
	}
	if err != nil {
		return err
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		if kind == "project" && source == p.ID {
			return fault.New(fault.Invalid, "Validation failed: Target project can't be the same as the source project")
		}
		known, err := tx.JobTokenSources(p.ID, kind)
		if err != nil {
			return err
		}
		if len(known) >= maxJobTokenSources {
			return fault.New(fault.Invalid, "the list is full: it has %d entries", maxJobTokenSources)
		}
		if err := tx.AllowJobTokens(&models.JobTokenScope{ProjectID: p.ID, Kind: kind, SourceID: source}); err != nil {
			return err
		}
		return audit(tx, by, "job_tokens_allowed", "project", p.ID, kind)
	})
}
