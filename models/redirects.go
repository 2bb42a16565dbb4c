package models

import (
	"strings"
	"time"
)

// Redirect is a path that a project or a group had before it was renamed. A path that something has now comes
// first.
type Redirect struct {
	ID          int64
	Path        string // in lower case
	ProjectID   *int64
	NamespaceID *int64
	CreatedAt   time.Time
}

const redirectConflict = " ON CONFLICT (path) DO UPDATE SET project_id = excluded.project_id, namespace_id = excluded.namespace_id, created_at = excluded.created_at"

// RedirectProject remembers the path that a project had.
func (tx *Tx) RedirectProject(old string, projectID int64) error {
	return translate(tx.db.Exec("INSERT INTO redirects (path, project_id, created_at) VALUES (?, ?, ?)"+redirectConflict, strings.ToLower(old), projectID, tx.now()).Error)
}

// redirectBelow remembers the paths of a group and of everything in it, before they change.
func (tx *Tx) redirectBelow(n *Namespace) error {
	err := tx.db.Exec("INSERT INTO redirects (path, namespace_id, created_at) SELECT lower(full_path), id, ? FROM namespaces WHERE traversal LIKE ?"+redirectConflict,
		tx.now(), n.Traversal+"%").Error
	if err != nil {
		return translate(err)
	}
	below := tx.db.Model(&Namespace{}).Select("id").Where("traversal LIKE ?", n.Traversal+"%")
	return translate(tx.db.Exec("INSERT INTO redirects (path, project_id, created_at) SELECT lower(full_path), id, ? FROM projects WHERE namespace_id IN (?)"+redirectConflict,
		tx.now(), below).Error)
}

// ProjectByOldPath finds the project that had a path before.
func (tx *Tx) ProjectByOldPath(path string) (*Project, error) {
	r, err := first[Redirect](tx.db.Where("path = ? AND project_id IS NOT NULL", strings.ToLower(path)))
	if err != nil {
		return nil, err
	}
	return tx.Project(*r.ProjectID)
}

// NamespaceByOldPath finds the group that had a path before.
func (tx *Tx) NamespaceByOldPath(path string) (*Namespace, error) {
	r, err := first[Redirect](tx.db.Where("path = ? AND namespace_id IS NOT NULL", strings.ToLower(path)))
	if err != nil {
		return nil, err
	}
	return tx.Namespace(*r.NamespaceID)
}
