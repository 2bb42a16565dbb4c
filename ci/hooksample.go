package ci

import (
	"cmp"
	"context"

	"signalbox/internal/fault"
	"signalbox/models"
)

// sample finds the newest thing that an event can be about.
func (c *Coordinator) sample(ctx context.Context, h *happening) error {
	return c.db.Read(ctx, func(tx *models.Tx) error {
		none := fault.New(fault.Unprocessable, "Ensure the project has one to be told of: there is nothing yet for %s", h.Event)
		newest := models.Page{PerPage: 1, Descending: true, Uncounted: true}
		switch h.Event {
		case PipelineEvents, PushEvents, TagPushEvents: // a push of the newest pipeline's commit stands for both kinds
			rows, _, err := tx.ListPipelines(h.Project, models.PipelineFilter{}, newest)
			if err != nil || len(rows) == 0 {
				return cmp.Or(err, error(none))
			}
			p := rows[0]
			h.ID, h.Push = p.ID, &RefChange{Ref: "refs/heads/" + p.Ref, Old: p.BeforeSHA, New: p.SHA}
		case JobEvents:
			runners := false
			rows, _, err := tx.ListJobs(models.JobFilter{ProjectID: h.Project, Bridges: &runners}, newest)
			if err != nil || len(rows) == 0 {
				return cmp.Or(err, error(none))
			}
			h.ID = rows[0].ID
		case DeploymentEvents:
			rows, _, err := tx.Deployments(h.Project, models.DeploymentFilter{}, newest)
			if err != nil || len(rows) == 0 {
				return cmp.Or(err, error(none))
			}
			h.ID = rows[0].ID
		case ReleaseEvents:
			r, err := tx.LatestRelease(h.Project)
			if err != nil {
				return cmp.Or(notThere(err), error(none))
			}
			h.ID, h.Action = r.ID, "create"
		case MergeRequestEvents:
			rows, _, err := tx.ListMergeRequests(models.MergeRequestFilter{ProjectID: h.Project}, newest)
			if err != nil || len(rows) == 0 {
				return cmp.Or(err, error(none))
			}
			h.ID, h.Action = rows[0].ID, actionOpen
		default:
			return fault.New(fault.Unprocessable, "there is no event %s", h.Event)
		}
		return nil
	})
}
