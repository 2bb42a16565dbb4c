package models

import (
	"strings"
	"time"

	"signalbox/models/enum"
)

// User is a person, or a program that acts as one.
type User struct {
	ID           int64
	Username     string
	Name         string
	Email        string
	PasswordHash string
	State        string // active or blocked
	Admin        bool
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Blocked says whether the user may do nothing at all.
func (u *User) Blocked() bool { return u.State != "active" }

// PersonalAccessToken lets a program act as its user, within its scopes.
type PersonalAccessToken struct {
	ID         int64
	UserID     int64
	Name       string
	TokenHash  string
	Scopes     []string `gorm:"serializer:json"`
	ExpiresAt  *time.Time
	Revoked    bool
	LastUsedAt *time.Time
	CreatedAt  time.Time
}

// Active says whether the token is good at the given time.
func (t *PersonalAccessToken) Active(now time.Time) bool {
	return !t.Revoked && (t.ExpiresAt == nil || now.Before(*t.ExpiresAt))
}

// Member is a user's role in a group or a project.
type Member struct {
	ID          int64
	UserID      int64
	NamespaceID *int64
	ProjectID   *int64
	AccessLevel enum.AccessLevel
	ExpiresAt   *time.Time
	CreatedAt   time.Time
}

// CreateUser stores a user together with the namespace of its own that GitLab gives each user.
func (tx *Tx) CreateUser(u *User) error {
	if u.State == "" {
		u.State = "active"
	}
	u.CreatedAt, u.UpdatedAt = tx.now(), tx.now()
	if err := tx.db.Create(u).Error; err != nil {
		return translate(err)
	}
	return tx.CreateNamespace(&Namespace{
		Kind: "user", OwnerID: &u.ID, Path: u.Username, Name: u.Name, Visibility: enum.Private,
	}, nil)
}

// User finds a user by id.
func (tx *Tx) User(id int64) (*User, error) { return first[User](tx.db.Where("id = ?", id)) }

// Users finds users by id, for pages and lists; a missing one is left out.
func (tx *Tx) Users(ids []int64) (map[int64]*User, error) {
	var rows []*User
	err := tx.db.Where("id IN ?", ids).Find(&rows).Error
	out := make(map[int64]*User, len(rows))
	for _, u := range rows {
		out[u.ID] = u
	}
	return out, err
}

// UserByName finds a user by name, whatever its case.
func (tx *Tx) UserByName(name string) (*User, error) {
	return first[User](tx.db.Where("lower(username) = ?", strings.ToLower(name)))
}

// UserByLogin finds a user by name or e-mail address.
func (tx *Tx) UserByLogin(login string) (*User, error) {
	l := strings.ToLower(login)
	return first[User](tx.db.Where("lower(username) = ? OR lower(email) = ?", l, l).Order("id"))
}

// ListUsers pages through users, newest last. An exact username narrows it.
func (tx *Tx) ListUsers(username string, p Page) ([]*User, int64, error) {
	q := tx.db.Model(&User{})
	if username != "" {
		q = q.Where("lower(username) = ?", strings.ToLower(username))
	}
	return list[User](q, "id", p)
}

// UpdateUser stores all fields of u.
func (tx *Tx) UpdateUser(u *User) error {
	u.UpdatedAt = tx.now()
	return translate(tx.db.Save(u).Error)
}

// CreateToken stores a personal access token.
func (tx *Tx) CreateToken(t *PersonalAccessToken) error {
	t.CreatedAt = tx.now()
	return translate(tx.db.Create(t).Error)
}

// TokenByHash finds a personal access token by its hash, good or not.
func (tx *Tx) TokenByHash(hash string) (*PersonalAccessToken, error) {
	return first[PersonalAccessToken](tx.db.Where("token_hash = ?", hash))
}

// Token finds a personal access token by id.
func (tx *Tx) Token(id int64) (*PersonalAccessToken, error) {
	return first[PersonalAccessToken](tx.db.Where("id = ?", id))
}

// TouchToken notes that a token was used. The caller bounds how often.
func (tx *Tx) TouchToken(id int64, at time.Time) error {
	return tx.db.Model(&PersonalAccessToken{}).Where("id = ?", id).Update("last_used_at", at).Error
}

// RevokeToken makes a token useless for ever.
func (tx *Tx) RevokeToken(id int64) error {
	return tx.db.Model(&PersonalAccessToken{}).Where("id = ?", id).Update("revoked", true).Error
}

// SetMember gives a user a role, replacing the one it had there.
func (tx *Tx) SetMember(m *Member) error {
	q := tx.db.Where("user_id = ?", m.UserID)
	if m.ProjectID != nil {
		q = q.Where("project_id = ?", *m.ProjectID)
	} else {
		q = q.Where("namespace_id = ?", *m.NamespaceID)
	}
	old, err := first[Member](q)
	if err == ErrNotFound {
		m.CreatedAt = tx.now()
		return translate(tx.db.Create(m).Error)
	}
	if err != nil {
		return err
	}
	m.ID, m.CreatedAt = old.ID, old.CreatedAt
	return translate(tx.db.Save(m).Error)
}

// ProjectMembers lists the direct members of a project.
func (tx *Tx) ProjectMembers(projectID int64, p Page) ([]*Member, int64, error) {
	return list[Member](tx.db.Model(&Member{}).Where("project_id = ?", projectID), "id", p)
}

// ProjectMember finds a direct member of a project.
func (tx *Tx) ProjectMember(projectID, userID int64) (*Member, error) {
	return first[Member](tx.db.Where("project_id = ? AND user_id = ?", projectID, userID))
}

// DeleteMember takes a direct member's role away.
func (tx *Tx) DeleteMember(id int64) error {
	return tx.db.Where("id = ?", id).Delete(&Member{}).Error
}

// AccessLevel is the highest role that a user holds in a project, directly or by one of the groups above
// it; NoAccess if none.
func (tx *Tx) AccessLevel(userID int64, project *Project) (enum.AccessLevel, error) {
	ids, err := tx.namespacePath(project.NamespaceID)
	if err != nil {
		return enum.NoAccess, err
	}
	var owned int64
	err = tx.db.Model(&Namespace{}).Where("id IN ? AND owner_id = ?", ids, userID).Count(&owned).Error
	if err != nil || owned > 0 {
		return enum.Owner, err
	}
	var level *enum.AccessLevel
	err = tx.db.Model(&Member{}).Select("MAX(access_level)").
		Where("user_id = ? AND (project_id = ? OR namespace_id IN ?)", userID, project.ID, ids).
		Where("expires_at IS NULL OR expires_at > ?", tx.now()).Scan(&level).Error
	if err != nil || level == nil {
		return enum.NoAccess, err
	}
	return *level, nil
}
