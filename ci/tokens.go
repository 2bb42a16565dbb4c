package ci

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// TokenScopes are the scopes that an access token may have.
var TokenScopes = []string{
	"api", "read_api", "read_user", "read_repository", "write_repository", "create_runner", "manage_runner", "sudo", "self_rotate",
}

// NewToken says what access token to make.
type NewToken struct {
	Name        string
	Description string
	Scopes      []string
	ExpiresAt   *time.Time
	AccessLevel enum.AccessLevel // of a project's or a group's token
}

func (n NewToken) check(now time.Time) error {
	switch {
	case strings.TrimSpace(n.Name) == "":
		return fault.Field("name", "can't be blank")
	case len(n.Name) > 255:
		return fault.Field("name", "is too long (maximum is 255 characters)")
	case len(n.Description) > 255:
		return fault.Field("description", "is too long (maximum is 255 characters)")
	case len(n.Scopes) == 0:
		return fault.Field("scopes", "can't be blank")
	case n.ExpiresAt != nil && n.ExpiresAt.Before(now.Truncate(24*time.Hour)):
		return fault.Field("expires_at", "must be a date in the future")
	}
	for _, s := range n.Scopes {
		if !slices.Contains(TokenScopes, s) {
			return fault.Field("scopes", "can only contain available scopes")
		}
	}
	return nil
}

func (n NewToken) row(token string) *models.PersonalAccessToken {
	return &models.PersonalAccessToken{
		Name: n.Name, Description: n.Description, Scopes: n.Scopes, ExpiresAt: n.ExpiresAt, TokenHash: secret.Hash(token),
	}
}

// CreateToken makes a personal access token of a user: one's own, or as an administrator anybody's. The
// token that it returns is shown once.
func (c *Coordinator) CreateToken(ctx context.Context, by access.Actor, userID int64, n NewToken) (row *models.PersonalAccessToken, token string, err error) {
	if by.ID() != userID && !access.Allowed(by, access.AdminInstance, access.Subject{}) {
		return nil, "", errForbidden
	}
	if err := n.check(c.db.Now()); err != nil {
		return nil, "", err
	}
	token = secret.NewToken(secret.PersonalToken)
	row = n.row(token)
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		u, err := tx.User(userID)
		if err != nil {
			return notFound(err, "User")
		}
		if slices.Contains(n.Scopes, "sudo") && !u.Admin {
			return fault.Field("scopes", "can only contain available scopes")
		}
		row.ID, row.UserID = 0, userID
		if err := tx.CreateToken(row); err != nil {
			return err
		}
		return audit(tx, by, "token_created", "user", userID, n.Name)
	})
	return row, token, err
}

// CreateResourceToken makes an access token of a project or a group, with a bot as its user.
func (c *Coordinator) CreateResourceToken(ctx context.Context, by access.Actor, s access.Subject, n NewToken) (row *models.PersonalAccessToken, token string, err error) {
	if err := n.check(c.db.Now()); err != nil {
		return nil, "", err
	}
	switch {
	case !n.AccessLevel.Valid() || n.AccessLevel < enum.Guest:
		return nil, "", fault.Field("access_level", "is not included in the list")
	case n.AccessLevel > s.Level:
		return nil, "", fault.Refused(fault.Forbidden, "you cannot give a role above your own")
	case slices.Contains(n.Scopes, "sudo"):
		return nil, "", fault.Field("scopes", "can only contain available scopes")
	}
	token = secret.NewToken(secret.PersonalToken)
	row = n.row(token)
	place, entity, id := placeOf(s)
	row.ProjectID, row.NamespaceID = place.ProjectID, place.NamespaceID
	bot := &models.User{Name: n.Name, Bot: true, Username: entity + "_" + newKey() + "_bot"}
	bot.Email = bot.Username + "@noreply.invalid"
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		row.ID, bot.ID = 0, 0
		if err := tx.CreateUser(bot); err != nil {
			return err
		}
		m := place
		m.UserID, m.AccessLevel, m.CreatedByID = bot.ID, n.AccessLevel, &by.User.ID
		if err := tx.SetMember(&m); err != nil {
			return err
		}
		row.UserID = bot.ID
		if err := tx.CreateToken(row); err != nil {
			return err
		}
		return audit(tx, by, "token_created", entity, id, n.Name)
	})
	return row, token, err
}

// placeOf is the place that members of a subject belong to, with its words for the audit log.
func placeOf(s access.Subject) (m models.Member, entity string, id int64) {
	if s.Project != nil {
		return models.Member{ProjectID: &s.Project.ID}, "project", s.Project.ID
	}
	return models.Member{NamespaceID: &s.Group.ID}, "group", s.Group.ID
}

// RotateToken replaces a token by a new one of the same name and scopes, which is shown once. Without a date
// the new one lives a week.
func (c *Coordinator) RotateToken(ctx context.Context, by access.Actor, id int64, expires *time.Time) (row *models.PersonalAccessToken, token string, err error) {
	if expires == nil {
		at := c.db.Now().Truncate(24*time.Hour).AddDate(0, 0, 7)
		expires = &at
	}
	if expires.Before(c.db.Now().Truncate(24 * time.Hour)) {
		return nil, "", fault.Field("expires_at", "must be a date in the future")
	}
	token = secret.NewToken(secret.PersonalToken)
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		old, err := tx.Token(id)
		if err != nil {
			return err
		}
		if !old.Active(tx.Now()) {
			return fault.Refused(fault.Invalid, "Token already revoked")
		}
		if err := tx.RevokeToken(id); err != nil {
			return err
		}
		fresh := *old
		fresh.ID, fresh.TokenHash, fresh.LastUsedAt, fresh.ExpiresAt = 0, secret.Hash(token), nil, expires
		if err := tx.CreateToken(&fresh); err != nil {
			return err
		}
		row = &fresh
		return audit(tx, by, "token_rotated", "user", old.UserID, old.Name)
	})
	return row, token, err
}

// RevokeToken makes a token useless. With the last token of a bot goes its role.
func (c *Coordinator) RevokeToken(ctx context.Context, by access.Actor, id int64) error {
	return c.db.Write(ctx, func(tx *models.Tx) error {
		t, err := tx.Token(id)
		if err != nil {
			return err
		}
		if err := tx.RevokeToken(id); err != nil {
			return err
		}
		if t.ProjectID != nil || t.NamespaceID != nil {
			m, err := tx.MemberOf(models.Member{ProjectID: t.ProjectID, NamespaceID: t.NamespaceID}, t.UserID)
			if err == nil {
				err = tx.DeleteMember(m.ID)
			}
			if err != nil && !errors.Is(err, models.ErrNotFound) {
				return err
			}
		}
		return audit(tx, by, "token_revoked", "user", t.UserID, t.Name)
	})
}
