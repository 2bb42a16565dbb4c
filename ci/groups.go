package ci

import (
	"context"
	"errors"
	"fmt"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// NewGroup says what group to make.
type NewGroup struct {
	Name, Path, Description string
	ParentID                int64 // 0: at the top
	Visibility              enum.Visibility
}

// FindGroup finds a group by id or full path that the actor may use in a way. One that it may not see is as
// unknown as one that does not exist.
func (c *Coordinator) FindGroup(ctx context.Context, a access.Actor, id string, ability access.Ability) (g *models.Namespace, s access.Subject, err error) {
	moved := false
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		var n int64
		if _, scanErr := fmt.Sscanf(id, "%d", &n); scanErr == nil && fmt.Sprint(n) == id {
			g, err = tx.Namespace(n)
		} else if g, err = tx.NamespaceByPath(id); errors.Is(err, models.ErrNotFound) {
			g, err = tx.NamespaceByOldPath(id)
			moved = err == nil
		}
		if err == nil && g.Kind != "group" {
			err = models.ErrNotFound
		}
		if err != nil {
			return err
		}
		s, err = access.GroupSubject(tx, a, g)
		return err
	})
	if errors.Is(err, models.ErrNotFound) || err == nil && !access.Allowed(a, access.ReadGroup, s) {
		return nil, s, fault.Missing("Group")
	}
	if err != nil {
		return nil, s, err
	}
	if moved {
		return nil, s, &Moved{g.ID, g.FullPath}
	}
	if !access.Allowed(a, ability, s) {
		return nil, s, errForbidden
	}
	return g, s, nil
}

func checkGroup(g *models.Namespace, top bool) error {
	if g.Name == "" || len(g.Name) > 255 {
		return fault.Field("name", "must have from 1 to 255 characters")
	}
	if err := CheckPath(g.Path, top); err != nil {
		return fault.Field("path", "%s", fault.Message(err))
	}
	if len(g.Description) > 500 {
		return fault.Field("description", "is too long (maximum is 500 characters)")
	}
	return nil
}

// CreateGroup makes a group with the actor as its owner. At the top those may whose account allows it, in a
// group its maintainers.
func (c *Coordinator) CreateGroup(ctx context.Context, by access.Actor, n NewGroup) (*models.Namespace, error) {
	if !access.Allowed(by, access.CreateNamespace, access.Subject{}) {
		return nil, errForbidden
	}
	g := &models.Namespace{Kind: "group", Name: n.Name, Path: n.Path, Description: n.Description, Visibility: n.Visibility}
	if g.Visibility == "" {
		g.Visibility = enum.Private
	}
	if err := checkGroup(g, n.ParentID == 0); err != nil {
		return nil, err
	}
	err := c.db.Write(ctx, func(tx *models.Tx) error {
		var parent *models.Namespace
		if n.ParentID == 0 && !by.User.CanCreateGroup && !by.User.Admin {
			return errForbidden
		}
		if n.ParentID != 0 {
			var err error
			if parent, err = tx.Namespace(n.ParentID); err != nil || parent.Kind != "group" {
				return notFound(errors.Join(err, models.ErrNotFound), "Group")
			}
			s, err := access.GroupSubject(tx, by, parent)
			if err != nil {
				return err
			}
			if !access.Allowed(by, access.ReadGroup, s) {
				return fault.Missing("Group")
			}
			if !access.Allowed(by, access.CreateSubgroup, s) {
				return errForbidden
			}
			if wider(g.Visibility, parent.Visibility) {
				return fault.Field("visibility_level", "%s is not allowed since the parent group has a %s visibility.", g.Visibility, parent.Visibility)
			}
		}
		g.ID = 0
		if err := tx.CreateNamespace(g, parent); err != nil {
			return err
		}
		owner := &models.Member{UserID: by.User.ID, NamespaceID: &g.ID, AccessLevel: enum.Owner, CreatedByID: &by.User.ID}
		if err := tx.SetMember(owner); err != nil {
			return err
		}
		return audit(tx, by, "group_created", "group", g.ID, g.FullPath)
	})
	if errors.Is(err, models.ErrDuplicate) {
		return nil, fault.Field("path", "has already been taken")
	}
	return g, err
}

// wider says whether more people see the first visibility than the second.
func wider(a, b enum.Visibility) bool {
	rank := map[enum.Visibility]int{enum.Private: 0, enum.Internal: 1, enum.Public: 2}
	return rank[a] > rank[b]
}

// UpdateGroup changes a group; a new path moves all that lies in it.
func (c *Coordinator) UpdateGroup(ctx context.Context, by access.Actor, id int64, change func(*models.Namespace)) (g *models.Namespace, err error) {
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		row, err := tx.LockNamespace(id)
		if err != nil {
			return notFound(err, "Group")
		}
		g = row.Namespace
		path := g.Path
		change(g)
		if err := checkGroup(g, g.ParentID == nil); err != nil {
			return err
		}
		if g.Path != path {
			next := g.Path
			g.Path = path
			if err := tx.RenameNamespace(row, next); err != nil {
				return err
			}
		} else if err := tx.UpdateNamespace(row); err != nil {
			return err
		}
		return audit(tx, by, "group_updated", "group", g.ID, g.FullPath)
	})
	if errors.Is(err, models.ErrDuplicate) {
		return nil, fault.Field("path", "has already been taken")
	}
	return g, err
}
