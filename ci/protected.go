package ci

import (
	"context"
	"errors"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// ProtectLevels are the roles that a rule for a protected ref can name; 0 is nobody.
var ProtectLevels = []enum.AccessLevel{enum.NoAccess, enum.Developer, enum.Maintainer, enum.AdminAccess}

func checkProtected(r *models.ProtectedRef) error {
	if r.Name == "" || len(r.Name) > 255 {
		return fault.Field("name", "must have from 1 to 255 characters")
	}
	for _, level := range []enum.AccessLevel{r.PushLevel, r.MergeLevel} {
		ok := false
		for _, l := range ProtectLevels {
			ok = ok || l == level
		}
		if !ok {
			return fault.Field("access_level", "is not included in the list")
		}
	}
	return nil
}

// Protect makes a rule for branches or tags.
func (c *Coordinator) Protect(ctx context.Context, by access.Actor, r *models.ProtectedRef) error {
	if err := checkProtected(r); err != nil {
		return err
	}
	err := c.db.Write(ctx, func(tx *models.Tx) error {
		r.ID = 0
		if err := tx.CreateProtectedRef(r); err != nil {
			return err
		}
		return audit(tx, by, "protected_"+r.Kind+"_created", "project", r.ProjectID, r.Name)
	})
	if errors.Is(err, models.ErrDuplicate) {
		thing := map[string]string{"branch": "Protected branch", "tag": "Protected tag"}[r.Kind]
		return fault.New(fault.Conflict, "%s '%s' already exists", thing, r.Name)
	}
	return err
}

// ChangeProtected changes a rule, as it stands then, and returns it.
func (c *Coordinator) ChangeProtected(ctx context.Context, by access.Actor, id int64, change func(r *models.ProtectedRef) error) (r *models.ProtectedRef, err error) {
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		row, err := tx.LockProtectedRef(id)
		if err != nil {
			return notFound(err, "Protected Ref")
		}
		r = row.ProtectedRef
		if err := change(r); err != nil {
			return err
		}
		if err := checkProtected(r); err != nil {
			return err
		}
		if err := tx.UpdateProtectedRef(row); err != nil {
			return err
		}
		return audit(tx, by, "protected_"+r.Kind+"_updated", "project", r.ProjectID, r.Name)
	})
	return r, err
}

// Unprotect removes a rule.
func (c *Coordinator) Unprotect(ctx context.Context, by access.Actor, projectID int64, kind, name string) error {
	return c.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.DeleteProtectedRef(projectID, kind, name); err != nil {
			return notFound(err, "Protected Ref")
		}
		return audit(tx, by, "protected_"+kind+"_removed", "project", projectID, name)
	})
}
