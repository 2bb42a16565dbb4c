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
	State        string // active, blocked, deactivated or banned
	Admin        bool
	// Bot is the user behind a project's or a group's access token; it cannot sign in.
	Bot             bool
	External        bool
	CanCreateGroup  bool
	ProjectsLimit   int
	Note            string // of the administrators
	PrivateProfile  bool
	CreatedByID     *int64
	SignInCount     int
	CurrentSignInAt *time.Time
	LastSignInAt    *time.Time
	LastActivityAt  *time.Time
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// Blocked says whether the user may do nothing at all.
func (u *User) Blocked() bool { return u.State != "active" }

// PersonalAccessToken lets a program act as its user, within its scopes.
type PersonalAccessToken struct {
	ID          int64
	UserID      int64
	Name        string
	TokenHash   string
	Description string
	Scopes      []string `gorm:"serializer:json"`
	// ProjectID or NamespaceID is set for the token of a project or a group; its user is a bot.
	ProjectID   *int64
	NamespaceID *int64
	ExpiresAt   *time.Time
	Revoked     bool
	LastUsedAt  *time.Time
	CreatedAt   time.Time
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
	CreatedByID *int64
	CreatedAt   time.Time
}

// CreateUser stores a user together with the namespace of its own that GitLab gives each user. A bot gets
// none.
func (tx *Tx) CreateUser(u *User) error {
	if u.State == "" {
		u.State = "active"
	}
	if u.ProjectsLimit == 0 {
		u.ProjectsLimit = 100_000
	}
	u.CreatedAt, u.UpdatedAt = tx.now(), tx.now()
	if err := tx.db.Create(u).Error; err != nil {
		return translate(err)
	}
	if u.Bot {
		return nil
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

// UserFilter narrows a list of users; what is empty does not.
type UserFilter struct {
	Username      string // exact
	Search        string // in name, user name or e-mail address
	States        []string
	Admins        bool
	Humans        bool
	Bots          bool
	External      *bool
	WithoutMember bool // without any project
	CreatedAfter  *time.Time
	CreatedBefore *time.Time
	ByEmail       bool // Search may match e-mail addresses: for administrators
}

// ListUsers pages through users.
func (tx *Tx) ListUsers(f UserFilter, p Page) ([]*User, int64, error) {
	q := tx.db.Model(&User{})
	if f.Username != "" {
		q = q.Where("lower(username) = ?", strings.ToLower(f.Username))
	}
	if f.Search != "" {
		columns := []string{"username", "name"}
		if f.ByEmail {
			columns = append(columns, "email")
		}
		narrowed := &query{q}
		narrowed.contains(f.Search, columns...)
		q = narrowed.db
	}
	if len(f.States) > 0 {
		q = q.Where("state IN ?", f.States)
	}
	if f.Admins {
		q = q.Where("admin = ?", true)
	}
	if f.Humans {
		q = q.Where("bot = ?", false)
	}
	if f.Bots {
		q = q.Where("bot = ?", true)
	}
	if f.External != nil {
		q = q.Where("external = ?", *f.External)
	}
	if f.WithoutMember {
		q = q.Where("id NOT IN (?)", tx.db.Model(&Member{}).Select("user_id").Where("project_id IS NOT NULL"))
	}
	if f.CreatedAfter != nil {
		q = q.Where("created_at >= ?", *f.CreatedAfter)
	}
	if f.CreatedBefore != nil {
		q = q.Where("created_at <= ?", *f.CreatedBefore)
	}
	return list[User](q, "id", p)
}

// OwnsProjects says whether a user still has projects of its own.
func (tx *Tx) OwnsProjects(userID int64) (bool, error) {
	return some(tx.db.Model(&Project{}).Where("namespace_id IN (?)", tx.db.Model(&Namespace{}).Select("id").Where("owner_id = ?", userID)))
}

// DeleteUser removes a user with its namespace, tokens, roles and chat accounts. What it started keeps its id.
func (tx *Tx) DeleteUser(id int64) error {
	tx.changesAuthority(UserAuthority, id)
	own, err := tx.NamespacesOfUsers([]int64{id})
	if err != nil {
		return err
	}
	if n := own[id]; n != nil {
		if err := tx.DeleteNamespace(n.ID); err != nil {
			return err
		}
	}
	return tx.db.Where("id = ?", id).Delete(&User{}).Error
}

// NoteSignIn stores that a user signed in.
func (tx *Tx) NoteSignIn(id int64) error {
	now := tx.now()
	return tx.db.Exec(`UPDATE users SET sign_in_count = sign_in_count + 1, last_sign_in_at = current_sign_in_at,
		current_sign_in_at = ?, last_activity_at = ? WHERE id = ?`, now, now, id).Error
}

// UpdateUser stores all fields of u, which LockUser gave in this transaction.
func (tx *Tx) UpdateUser(u LockedUser) error {
	u.UpdatedAt = tx.now()
	return tx.storeLocked(u.in, UserAuthority, u.ID, u.User)
}

// CreateToken stores a personal access token, or that of a group or a project, which must not be about to go.
func (tx *Tx) CreateToken(t *PersonalAccessToken) error {
	if err := tx.placeTakesMore(t.NamespaceID, t.ProjectID); err != nil {
		return err
	}
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

// SetMember gives a user a role, replacing the one it had there. What is being deleted takes no new member.
func (tx *Tx) SetMember(m *Member) error {
	tx.changesAuthority(UserAuthority, m.UserID)
	q := tx.db.Where("user_id = ?", m.UserID)
	if m.ProjectID != nil {
		q = q.Where("project_id = ?", *m.ProjectID)
	} else {
		q = q.Where("namespace_id = ?", *m.NamespaceID)
	}
	old, err := first[Member](q)
	if err == ErrNotFound {
		if err := tx.placeTakesMore(m.NamespaceID, m.ProjectID); err != nil {
			return err
		}
		m.CreatedAt = tx.now()
		return translate(tx.db.Create(m).Error)
	}
	if err != nil {
		return err
	}
	m.ID, m.CreatedAt = old.ID, old.CreatedAt
	return translate(tx.db.Save(m).Error)
}

// DeleteMember takes a direct member's role away.
func (tx *Tx) DeleteMember(id int64) error {
	m, err := first[Member](tx.db.Where("id = ?", id))
	if err == ErrNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	tx.changesAuthority(UserAuthority, m.UserID)
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
