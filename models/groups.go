package models

import "signalbox/models/enum"

// GroupFilter narrows a list of groups; what is empty does not.
type GroupFilter struct {
	Kind       string // group or user; "" is both
	Search     string
	TopLevel   bool
	Owned      bool
	MinLevel   enum.AccessLevel
	Skip       []int64
	ParentID   int64 // directly below this one
	Below      *Namespace
	Visibility enum.Visibility
}

// ListGroups pages through the groups, or the namespaces of any kind, that somebody may see.
func (tx *Tx) ListGroups(v VisibleTo, f GroupFilter, p Page) ([]*Namespace, int64, error) {
	q := &query{tx.db.Model(&Namespace{})}
	if f.Kind != "" {
		q.where("kind = ?", f.Kind)
	}
	if err := tx.visibleGroups(q, v, f); err != nil {
		return nil, 0, err
	}
	if f.Search != "" {
		q.contains(f.Search, "name", "full_path")
	}
	if f.TopLevel {
		q.where("parent_id IS NULL")
	}
	if f.ParentID != 0 {
		q.where("parent_id = ?", f.ParentID)
	}
	if f.Below != nil {
		q.where("traversal LIKE ? AND id <> ?", f.Below.Traversal+"%", f.Below.ID)
	}
	if len(f.Skip) > 0 {
		q.where("id NOT IN ?", f.Skip)
	}
	if f.Visibility != "" {
		q.where("visibility = ?", f.Visibility)
	}
	return list[Namespace](q.db, "id", p)
}

// visibleGroups narrows to what somebody may see, and to the groups in which it holds a role if that is asked.
func (tx *Tx) visibleGroups(q *query, v VisibleTo, f GroupFilter) error {
	least := max(f.MinLevel, enum.MinimalAccess)
	if f.Owned {
		least = enum.Owner
	}
	mine := f.Owned || f.MinLevel > 0
	if v.All && !mine {
		return nil
	}
	own := tx.db.Where("owner_id = ?", v.UserID)
	if v.UserID == 0 {
		own = tx.db.Where("1 = 0")
	} else {
		var roots []string
		err := tx.db.Model(&Namespace{}).Where("id IN (?)", tx.db.Model(&Member{}).Select("namespace_id").
			Where("user_id = ? AND namespace_id IS NOT NULL AND access_level >= ?", v.UserID, least).
			Where("expires_at IS NULL OR expires_at > ?", tx.now())).Limit(1000).Pluck("traversal", &roots).Error
		if err != nil {
			return err
		}
		for _, root := range roots {
			own = own.Or("traversal LIKE ?", root+"%")
		}
	}
	if !mine {
		own = own.Or("kind = ? AND visibility = ?", "group", enum.Public)
		if v.UserID != 0 {
			own = own.Or("kind = ? AND visibility = ?", "group", enum.Internal)
		}
	}
	q.db = q.db.Where(own)
	return nil
}

// NamespacesByID finds namespaces, for lists; a missing one is left out.
func (tx *Tx) NamespacesByID(ids []int64) (map[int64]*Namespace, error) {
	out := map[int64]*Namespace{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []*Namespace
	err := tx.db.Where("id IN ?", ids).Find(&rows).Error
	for _, n := range rows {
		out[n.ID] = n
	}
	return out, err
}

// UpdateNamespace stores all fields of n, which LockNamespace gave in this transaction. Its path stays what it was; see
// RenameNamespace.
func (tx *Tx) UpdateNamespace(n LockedNamespace) error {
	return tx.storeLocked(n.in, GroupAuthority, n.ID, n.Namespace)
}

// HasInside says whether a group holds subgroups or projects.
func (tx *Tx) HasInside(id int64) (bool, error) {
	if groups, err := some(tx.db.Model(&Namespace{}).Where("parent_id = ?", id)); groups || err != nil {
		return groups, err
	}
	return some(tx.db.Model(&Project{}).Where("namespace_id = ?", id))
}

// DeleteNamespace removes a group without projects, with its members, variables and runners.
func (tx *Tx) DeleteNamespace(id int64) error {
	n, err := tx.Namespace(id)
	if err == ErrNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	tx.changesAuthority(GroupAuthority, id)
	var runners []int64
	below := tx.db.Model(&Namespace{}).Select("id").Where("traversal LIKE ?", n.Traversal+"%") // go with it
	if err := tx.db.Model(&Runner{}).Where("namespace_id IN (?)", below).Pluck("id", &runners).Error; err != nil {
		return err
	}
	if err := tx.deleteRunners(runners); err != nil {
		return err
	}
	if err := tx.db.Where("scope = ? AND scope_id = ?", "group", id).Delete(&Variable{}).Error; err != nil {
		return err
	}
	return tx.db.Where("id = ?", id).Delete(&Namespace{}).Error
}

// RenameNamespace changes the path of a group and of all that lies below it: one statement each.
func (tx *Tx) RenameNamespace(n LockedNamespace, path string) error {
	old := n.FullPath
	full := path
	if at := len(old) - len(n.Path); at > 0 {
		full = old[:at] + path
	}
	if err := tx.redirectBelow(n.Namespace); err != nil {
		return err
	}
	n.Path, n.FullPath = path, full
	if err := tx.UpdateNamespace(n); err != nil {
		return err
	}
	below := tx.db.Model(&Namespace{}).Select("id").Where("traversal LIKE ?", n.Traversal+"%")
	err := tx.db.Exec("UPDATE namespaces SET full_path = ? || substr(full_path, ?) WHERE traversal LIKE ? AND id <> ?",
		full, len(old)+1, n.Traversal+"%", n.ID).Error
	if err != nil {
		return translate(err)
	}
	return translate(tx.db.Exec("UPDATE projects SET full_path = ? || substr(full_path, ?) WHERE namespace_id IN (?)", full, len(old)+1, below).Error)
}

// NamespacesOfUsers finds the own namespaces of users, by the user's id.
func (tx *Tx) NamespacesOfUsers(userIDs []int64) (map[int64]*Namespace, error) {
	out := map[int64]*Namespace{}
	if len(userIDs) == 0 {
		return out, nil
	}
	var rows []*Namespace
	err := tx.db.Where("owner_id IN ?", userIDs).Find(&rows).Error
	for _, n := range rows {
		out[*n.OwnerID] = n
	}
	return out, err
}

// InnermostFirst lists a group and the groups in it, those that lie deepest first.
func (tx *Tx) InnermostFirst(g *Namespace, limit int) ([]*Namespace, error) {
	var rows []*Namespace
	err := tx.db.Where("traversal LIKE ?", g.Traversal+"%").Order("length(traversal) - length(replace(traversal, '/', '')) DESC, id").Limit(limit).Find(&rows).Error
	return rows, err
}

// ProjectsBelow lists projects of a group and of all groups in it, those too that are being deleted.
func (tx *Tx) ProjectsBelow(g *Namespace, limit int) ([]*Project, error) {
	var rows []*Project
	below := tx.db.Model(&Namespace{}).Select("id").Where("traversal LIKE ?", g.Traversal+"%")
	err := tx.db.Where("namespace_id IN (?)", below).Order("id").Limit(limit).Find(&rows).Error
	return rows, err
}

// NamespacesBelow lists the ids of a group and of all groups in it.
func (tx *Tx) NamespacesBelow(g *Namespace) ([]int64, error) {
	var ids []int64
	err := tx.db.Model(&Namespace{}).Where("traversal LIKE ?", g.Traversal+"%").Limit(10_000).Pluck("id", &ids).Error
	return ids, err
}
