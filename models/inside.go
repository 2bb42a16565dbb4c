package models

import (
	"gorm.io/gorm/clause"

	"signalbox/internal/fault"
)

// What is put into a group that is being deleted would be deleted with it, after its maker was told that it is there. So each
// query that stores something new in a group or a project asks one of the functions of this file, in its own transaction.

// takesMore refuses what is to be put into a group that is being deleted, or into one below such a group. It returns the
// namespace as it is, which keeps its path and the groups above it until the transaction ends.
func (tx *Tx) takesMore(namespaceID int64) (*Namespace, error) {
	ids, err := tx.namespacePath(namespaceID)
	if err != nil {
		return nil, err
	}
	q := tx.db.Where("id IN ?", ids).Order("id")
	if tx.postgres {
		q = q.Clauses(clause.Locking{Strength: "SHARE"}) // whoever deletes or renames one of them comes before or after
	}
	var path []*Namespace
	if err := q.Find(&path).Error; err != nil {
		return nil, err
	}
	var own *Namespace
	for _, n := range path {
		if n.Deleting {
			return nil, fault.New(fault.Conflict, "the group %s is being deleted: nothing can be put into it any more", n.FullPath)
		}
		if n.ID == namespaceID {
			own = n
		}
	}
	if own == nil || len(path) != len(ids) {
		return nil, ErrNotFound
	}
	return own, nil
}

// projectTakesMore is takesMore of a project's group, and refuses a project that is being deleted itself. The groups come first,
// as for whoever renames one of them, who changes its projects after it.
func (tx *Tx) projectTakesMore(id int64) error {
	p, err := tx.Project(id)
	if err != nil {
		return err
	}
	if _, err := tx.takesMore(p.NamespaceID); err != nil { // projects stay in their groups
		return err
	}
	q := tx.db.Where("id = ?", id)
	if tx.postgres {
		q = q.Clauses(clause.Locking{Strength: "SHARE"})
	}
	if p, err = first[Project](q); err != nil {
		return err
	}
	if p.PendingDelete {
		return fault.New(fault.Conflict, "the project is being deleted: nothing can be put into it any more")
	}
	return nil
}

// placeTakesMore asks of the group or the project that is named, if one is.
func (tx *Tx) placeTakesMore(namespaceID, projectID *int64) error {
	if projectID != nil {
		if err := tx.projectTakesMore(*projectID); err != nil {
			return err
		}
	}
	if namespaceID != nil {
		if _, err := tx.takesMore(*namespaceID); err != nil {
			return err
		}
	}
	return nil
}
