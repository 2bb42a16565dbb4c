package ci

import (
	"context"
	"fmt"
	"time"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
)

// StopStale lets a project's environments be stopped that nothing happened to since a time, but for protected ones. The
// sweep stops them, as those whose time is over.
func (c *Coordinator) StopStale(ctx context.Context, by access.Actor, p *models.Project, before time.Time) error {
	now := c.db.Now()
	if before.Before(now.AddDate(-10, 0, 0)) || before.After(now.AddDate(0, 0, -7)) {
		return fault.Refused(fault.Invalid, "Invalid Date")
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.StopStale(p.ID, before); err != nil {
			return err
		}
		return audit(tx, by, "environments_stopped", "project", p.ID, "not changed since "+before.UTC().Format(time.RFC3339))
	})
}

// keepsReviewApp is how long a review app that is to be deleted stays.
const keepsReviewApp = 7 * 24 * time.Hour

// ReviewApps are the environments that are to be deleted, or, if there is one that the asker may not delete, those.
type ReviewApps struct {
	Scheduled     []*models.Environment
	Unprocessable []*models.Environment
}

// DeleteReviewApps lets stopped review apps that are older than a time be deleted in a week, all that it finds or none. A
// dry run changes nothing.
func (c *Coordinator) DeleteReviewApps(ctx context.Context, by access.Actor, p *models.Project, before time.Time, limit int, dry bool) (out ReviewApps, err error) {
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		out = ReviewApps{}
		subject, err := access.SubjectOf(tx, by, p)
		if err != nil {
			return err
		}
		rows, err := tx.StoppedReviewApps(p.ID, before, limit)
		if err != nil {
			return err
		}
		var ids []int64
		for _, e := range rows {
			g, err := tx.ProtectedEnvironment(p.ID, e.Name)
			may := err == models.ErrNotFound
			if err == nil {
				may, err = Granted(tx, by.User, subject.Level, g.Deployers)
			}
			if err := notThere(err); err != nil {
				return err
			}
			if may {
				out.Scheduled, ids = append(out.Scheduled, e), append(ids, e.ID)
			} else {
				out.Unprocessable = append(out.Unprocessable, e)
			}
		}
		if len(out.Unprocessable) > 0 {
			out.Scheduled = nil
		}
		if dry || len(out.Scheduled) == 0 {
			return nil
		}
		if err := tx.DeleteEnvironmentsAt(ids, tx.Now().Add(keepsReviewApp)); err != nil {
			return err
		}
		return audit(tx, by, "environments_deleted", "project", p.ID, fmt.Sprintf("%d review apps in a week", len(ids)))
	})
	return out, err
}

// sweepReviewApps deletes environments whose time has come, if they are still stopped.
func (c *Coordinator) sweepReviewApps(ctx context.Context) error {
	var due []*models.Environment
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		due, err = tx.EnvironmentsToDelete(sweepBatch)
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, c, due, func(e *models.Environment) string { return fmt.Sprint("environment ", e.ID) }, func(e *models.Environment) error {
		err := c.DeleteEnvironment(ctx, access.Actor{}, e.ID)
		if kind := fault.KindOf(err); kind == fault.Forbidden || kind == fault.NotFound {
			return nil // it was started again, or somebody deleted it
		}
		return err
	})
}
