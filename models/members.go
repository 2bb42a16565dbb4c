package models

import (
	"slices"
	"time"

	"signalbox/models/enum"
)

// MemberFilter narrows a list of members; what is empty does not.
type MemberFilter struct {
	Query   string // in name or user name
	UserIDs []int64
	Skip    []int64
}

// place is the condition for the members of a project or of a group themselves.
func (m *Member) place(q *query) {
	if m.ProjectID != nil {
		q.where("project_id = ?", *m.ProjectID)
	} else {
		q.where("namespace_id = ?", *m.NamespaceID)
	}
}

func (f MemberFilter) where(tx *Tx, q *query) {
	if f.Query != "" {
		users := &query{tx.db.Model(&User{}).Select("id")}
		users.contains(f.Query, "username", "name")
		q.where("user_id IN (?)", users.db)
	}
	if len(f.UserIDs) > 0 {
		q.where("user_id IN ?", f.UserIDs)
	}
	if len(f.Skip) > 0 {
		q.where("user_id NOT IN ?", f.Skip)
	}
}

// ListMembers pages through the direct members of a place: a Member with only its project or its group set.
func (tx *Tx) ListMembers(place Member, f MemberFilter, p Page) ([]*Member, int64, error) {
	q := &query{tx.db.Model(&Member{})}
	place.place(q)
	f.where(tx, q)
	return list[Member](q.db, "id", p)
}

// ListAllMembers pages through the members of a place and of the groups above it, each user once with the
// highest role. The owner of a user's namespace counts as an owner.
func (tx *Tx) ListAllMembers(place Member, namespaceID int64, f MemberFilter, p Page) ([]*Member, int64, error) {
	ids, err := tx.namespacePath(namespaceID)
	if err != nil {
		return nil, 0, err
	}
	cond, args := "namespace_id IN ?", []any{ids}
	if place.ProjectID != nil {
		cond, args = "(project_id = ? OR namespace_id IN ?)", []any{*place.ProjectID, ids}
	}
	q := &query{tx.db.Table("(?) AS members", tx.db.Raw(`SELECT MIN(id) AS id, user_id, MAX(access_level) AS access_level, MIN(created_at) AS created_at,
		MAX(created_by_id) AS created_by_id, MAX(expires_at) AS expires_at FROM (
			SELECT id, user_id, access_level, created_at, created_by_id, expires_at FROM members WHERE `+cond+`
			UNION ALL SELECT 0, owner_id, 50, created_at, NULL, NULL FROM namespaces WHERE id IN ? AND owner_id IS NOT NULL
		) AS every_member GROUP BY user_id`, append(args, ids)...))}
	f.where(tx, q)
	var total int64
	if err := q.db.Count(&total).Error; err != nil {
		return nil, 0, err
	}
	var found []struct {
		UserID      int64
		AccessLevel enum.AccessLevel
	}
	if err := q.db.Order("user_id").Limit(p.limit()).Offset(p.offset()).Scan(&found).Error; err != nil {
		return nil, 0, err
	}
	var users []int64
	for _, m := range found {
		users = append(users, m.UserID)
	}
	var rows []*Member
	q = &query{tx.db.Where("user_id IN ?", users)}
	q.where(cond, args...)
	if err := q.db.Order("id").Find(&rows).Error; err != nil {
		return nil, 0, err
	}
	var out []*Member
	for _, m := range found {
		out = append(out, best(rows, m.UserID, m.AccessLevel))
	}
	return out, total, nil
}

// best is the row that gives a user its role; the owner of a user's namespace has none.
func best(rows []*Member, userID int64, level enum.AccessLevel) *Member {
	for _, r := range rows {
		if r.UserID == userID && r.AccessLevel == level {
			return r
		}
	}
	return &Member{UserID: userID, AccessLevel: level, CreatedAt: time.Unix(0, 0).UTC()}
}

// MemberOf finds a direct member of a place.
func (tx *Tx) MemberOf(place Member, userID int64) (*Member, error) {
	q := &query{tx.db.Where("user_id = ?", userID)}
	place.place(q)
	return first[Member](q.db)
}

// GroupAccessLevel is the highest role that a user holds in a group, directly or by a group above it.
func (tx *Tx) GroupAccessLevel(userID, namespaceID int64) (enum.AccessLevel, error) {
	return tx.AccessLevel(userID, &Project{NamespaceID: namespaceID})
}

// Roles are what a user is in a project: by itself, and by the groups above it.
type Roles struct{ Project, Group enum.AccessLevel }

// Level is the role that counts.
func (r Roles) Level() enum.AccessLevel { return max(r.Project, r.Group) }

// AccessLevels are the roles of one user in many projects, in two queries: for lists.
func (tx *Tx) AccessLevels(userID int64, projects []*Project) (map[int64]Roles, error) {
	out := map[int64]Roles{}
	if userID == 0 || len(projects) == 0 {
		return out, nil
	}
	var ids, spaces []int64
	for _, p := range projects {
		ids, spaces = append(ids, p.ID), append(spaces, p.NamespaceID)
	}
	found, err := tx.NamespacesByID(spaces)
	if err != nil {
		return nil, err
	}
	var all []int64
	for _, n := range found {
		all = append(all, n.Ancestry()...)
	}
	var rows []*Member
	err = tx.db.Where("user_id = ? AND (project_id IN ? OR namespace_id IN ?)", userID, ids, all).
		Where("expires_at IS NULL OR expires_at > ?", tx.now()).Find(&rows).Error
	if err != nil {
		return nil, err
	}
	for _, p := range projects {
		n := found[p.NamespaceID]
		if n == nil {
			continue
		}
		if n.OwnerID != nil && *n.OwnerID == userID {
			out[p.ID] = Roles{Project: enum.Owner}
			continue
		}
		above := n.Ancestry()
		for _, m := range rows {
			roles := out[p.ID]
			switch {
			case m.ProjectID != nil && *m.ProjectID == p.ID:
				roles.Project = m.AccessLevel
			case m.NamespaceID != nil && slices.Contains(above, *m.NamespaceID):
				roles.Group = max(roles.Group, m.AccessLevel)
			}
			out[p.ID] = roles
		}
	}
	return out, nil
}

// HighestRole is the highest role that a user holds anywhere.
func (tx *Tx) HighestRole(userID int64) (enum.AccessLevel, error) {
	var level *enum.AccessLevel
	err := tx.db.Model(&Member{}).Select("MAX(access_level)").Where("user_id = ?", userID).Scan(&level).Error
	if err != nil || level == nil {
		return enum.NoAccess, err
	}
	return *level, nil
}
