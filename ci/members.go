package ci

import (
	"context"
	"errors"
	"time"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// NewMember is a role that somebody is given.
type NewMember struct {
	UserID    int64
	Level     enum.AccessLevel
	ExpiresAt *time.Time
	// KeepExpiry leaves the date of a role that is there already as it is.
	KeepExpiry bool
}

// SetMember gives somebody a role in the project or group of the subject, or changes it. create refuses to
// change one, and the opposite refuses to give one. Nobody gives or takes a role above its own.
func (c *Coordinator) SetMember(ctx context.Context, by access.Actor, s access.Subject, n NewMember, create bool) (m *models.Member, u *models.User, err error) {
	if !n.Level.Valid() {
		return nil, nil, fault.Field("access_level", "is not included in the list")
	}
	if n.ExpiresAt != nil && n.ExpiresAt.Before(c.db.Now().Truncate(24*time.Hour)) {
		return nil, nil, fault.Field("expires_at", "cannot be a date in the past")
	}
	if n.Level > s.Level {
		return nil, nil, fault.Refused(fault.Forbidden, "you cannot give a role above your own")
	}
	place, entity, id := placeOf(s)
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		if u, err = tx.User(n.UserID); err != nil {
			return notFound(err, "User")
		}
		old, err := tx.MemberOf(place, n.UserID)
		fresh := place
		fresh.UserID, fresh.AccessLevel, fresh.ExpiresAt, fresh.CreatedByID = n.UserID, n.Level, n.ExpiresAt, &by.User.ID
		switch {
		case err == nil && create:
			return fault.New(fault.Conflict, "Member already exists")
		case errors.Is(err, models.ErrNotFound) && !create:
			return fault.Missing("Member")
		case err != nil && !errors.Is(err, models.ErrNotFound):
			return err
		case err == nil && old.AccessLevel > s.Level:
			return errForbidden
		case err == nil:
			fresh.CreatedByID = old.CreatedByID
			if n.KeepExpiry {
				fresh.ExpiresAt = old.ExpiresAt
			}
			if err := lastOwner(tx, place, old, n.Level); err != nil {
				return err
			}
		}
		if err := tx.SetMember(&fresh); err != nil {
			return err
		}
		m = &fresh
		return audit(tx, by, "member_set", entity, id, u.Username+" "+n.Level.String())
	})
	return m, u, err
}

// lastOwner keeps a group from losing its last owner.
func lastOwner(tx *models.Tx, place models.Member, old *models.Member, next enum.AccessLevel) error {
	if place.NamespaceID == nil || old.AccessLevel < enum.Owner || next >= enum.Owner {
		return nil
	}
	rows, _, err := tx.ListMembers(place, models.MemberFilter{Skip: []int64{old.UserID}}, models.Page{PerPage: 100})
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.AccessLevel >= enum.Owner {
			return nil
		}
	}
	return fault.Refused(fault.Forbidden, "the last owner of a group cannot leave it")
}

// RemoveMember takes a role away. Everybody may leave.
func (c *Coordinator) RemoveMember(ctx context.Context, by access.Actor, s access.Subject, userID int64) error {
	place, entity, id := placeOf(s)
	ability := access.AdminMembers
	if s.Group != nil {
		ability = access.AdminGroupMembers
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		m, err := tx.MemberOf(place, userID)
		if err != nil {
			return notFound(err, "Member")
		}
		if by.ID() != userID && (!access.Allowed(by, ability, s) || m.AccessLevel > s.Level) {
			return errForbidden
		}
		if err := lastOwner(tx, place, m, enum.NoAccess); err != nil {
			return err
		}
		if err := tx.DeleteMember(m.ID); err != nil {
			return err
		}
		u, err := tx.User(userID)
		if err != nil {
			return err
		}
		return audit(tx, by, "member_removed", entity, id, u.Username)
	})
}
