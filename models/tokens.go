package models

import "time"

// TokenFilter narrows a list of access tokens; what is empty does not.
type TokenFilter struct {
	UserID      int64
	ProjectID   int64 // tokens of this project
	NamespaceID int64 // tokens of this group
	Personal    bool  // no tokens of projects and groups
	Revoked     *bool
	Active      *bool
	Search      string
	Created     TimeRange
	LastUsed    TimeRange
	Expires     TimeRange
}

// TimeRange is from After to Before, both included; nil ends are open.
type TimeRange struct{ After, Before *time.Time }

func (r TimeRange) where(q *query, column string) {
	if r.After != nil {
		q.where(column+" >= ?", *r.After)
	}
	if r.Before != nil {
		q.where(column+" <= ?", *r.Before)
	}
}

// ListTokens pages through access tokens.
func (tx *Tx) ListTokens(f TokenFilter, p Page) ([]*PersonalAccessToken, int64, error) {
	q := &query{tx.db.Model(&PersonalAccessToken{})}
	if f.UserID != 0 {
		q.where("user_id = ?", f.UserID)
	}
	if f.ProjectID != 0 {
		q.where("project_id = ?", f.ProjectID)
	}
	if f.NamespaceID != 0 {
		q.where("namespace_id = ?", f.NamespaceID)
	}
	if f.Personal {
		q.where("project_id IS NULL AND namespace_id IS NULL")
	}
	if f.Revoked != nil {
		q.where("revoked = ?", *f.Revoked)
	}
	if f.Active != nil && *f.Active {
		q.where("revoked = ? AND (expires_at IS NULL OR expires_at > ?)", false, tx.now())
	}
	if f.Active != nil && !*f.Active {
		q.where("(revoked = ? OR expires_at <= ?)", true, tx.now())
	}
	if f.Search != "" {
		q.contains(f.Search, "name")
	}
	f.Created.where(q, "created_at")
	f.LastUsed.where(q, "last_used_at")
	f.Expires.where(q, "expires_at")
	return list[PersonalAccessToken](q.db, "id", p)
}
