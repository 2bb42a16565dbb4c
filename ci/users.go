package ci

import (
	"context"
	"errors"
	"net/mail"
	"slices"
	"strings"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
)

// MinPassword is the least number of characters of a password.
const MinPassword = 8

func checkUser(u *models.User) error {
	if err := CheckPath(u.Username, true); err != nil {
		return fault.Field("username", "%s", fault.Message(err))
	}
	if a, err := mail.ParseAddress(u.Email); err != nil || a.Address != u.Email || len(u.Email) > 255 {
		return fault.Field("email", "is invalid")
	}
	if len(u.Name) > 255 || u.Name == "" {
		return fault.Field("name", "must have from 1 to 255 characters")
	}
	return nil
}

// CreateUser makes a user with a password; "" makes one that nobody knows.
func (c *Coordinator) CreateUser(ctx context.Context, by access.Actor, u *models.User, password string) error {
	if !access.Allowed(by, access.AdminInstance, access.Subject{}) {
		return errForbidden
	}
	if err := checkUser(u); err != nil {
		return err
	}
	if password == "" {
		password = secret.NewToken("")
	}
	if err := checkPassword(password); err != nil {
		return err
	}
	u.PasswordHash = secret.HashPassword(password)
	u.CreatedByID = &by.User.ID
	return c.db.Write(ctx, func(tx *models.Tx) error {
		u.ID = 0
		if err := taken(tx, u); err != nil {
			return err
		}
		if err := tx.CreateUser(u); err != nil {
			return err
		}
		return audit(tx, by, "user_created", "user", u.ID, u.Username)
	})
}

func checkPassword(password string) error {
	switch {
	case len([]rune(password)) < MinPassword:
		return fault.Field("password", "is too short (minimum is %d characters)", MinPassword)
	case len(password) > 128:
		return fault.Field("password", "is too long (maximum is 128 characters)")
	}
	return nil
}

// taken says which of a user's unique values somebody else has.
func taken(tx *models.Tx, u *models.User) error {
	for _, c := range []struct {
		login, what string
	}{{u.Email, "Email"}, {u.Username, "Username"}} {
		other, err := tx.UserByLogin(c.login)
		if err == nil && other.ID != u.ID {
			return fault.New(fault.Conflict, "%s has already been taken", c.what)
		}
		if err != nil && !errors.Is(err, models.ErrNotFound) {
			return err
		}
	}
	n, err := tx.NamespaceByPath(u.Username)
	if err == nil && (n.OwnerID == nil || *n.OwnerID != u.ID) {
		return fault.New(fault.Conflict, "Username has already been taken")
	}
	if errors.Is(err, models.ErrNotFound) {
		return nil
	}
	return err
}

// UpdateUser changes a user, as an administrator, or its own name and password.
func (c *Coordinator) UpdateUser(ctx context.Context, by access.Actor, id int64, password string, change func(*models.User)) (u *models.User, err error) {
	if password != "" {
		if err := checkPassword(password); err != nil {
			return nil, err
		}
		password = secret.HashPassword(password)
	}
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		row, err := tx.LockUser(id)
		if err != nil {
			return notFound(err, "User")
		}
		u = row.User
		before := *u
		change(u)
		if password != "" {
			u.PasswordHash = password
		}
		if !access.Allowed(by, access.AdminInstance, access.Subject{}) && !ownChange(by, &before, u) {
			return errForbidden
		}
		if u.ID == by.ID() && before.Admin && !u.Admin {
			return fault.Refused(fault.Forbidden, "you cannot take the administrator's rights from yourself")
		}
		if err := errors.Join(checkUser(u), taken(tx, u)); err != nil {
			return err
		}
		if !strings.EqualFold(before.Username, u.Username) {
			if err := renameOwn(tx, before.Username, u.Username); err != nil {
				return err
			}
		}
		if err := tx.UpdateUser(row); err != nil {
			return err
		}
		return audit(tx, by, "user_updated", "user", u.ID, u.Username)
	})
	return u, err
}

// renameOwn moves the namespace of a user with the user's name, and all that lies in it.
func renameOwn(tx *models.Tx, before, now string) error {
	n, err := tx.NamespaceByPath(before)
	if err != nil {
		return err
	}
	row, err := tx.LockNamespace(n.ID)
	if err != nil {
		return err
	}
	return tx.RenameNamespace(row, now)
}

// ownChange says whether somebody changes only what is its own to change.
func ownChange(by access.Actor, before, after *models.User) bool {
	allowed := *before
	allowed.Name, allowed.Email, allowed.PasswordHash, allowed.PrivateProfile = after.Name, after.Email, after.PasswordHash, after.PrivateProfile
	return by.ID() == before.ID && allowed == *after
}

// userStates are what a user can be, by the word that makes it so.
var userStates = map[string]struct {
	state string
	from  []string
}{
	"block": {"blocked", []string{"active", "deactivated"}}, "unblock": {"active", []string{"blocked"}},
	"deactivate": {"deactivated", []string{"active"}}, "activate": {"active", []string{"deactivated"}},
	"ban": {"banned", []string{"active"}}, "unban": {"active", []string{"banned"}},
}

// SetUserState blocks, unblocks, deactivates, activates, bans or unbans a user. What was so before stays so; changed says that it
// was not.
func (c *Coordinator) SetUserState(ctx context.Context, by access.Actor, id int64, word string) (changed bool, err error) {
	if !access.Allowed(by, access.AdminInstance, access.Subject{}) {
		return false, errForbidden
	}
	move := userStates[word]
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		changed = false
		u, err := tx.LockUser(id)
		if err != nil {
			return notFound(err, "User")
		}
		switch {
		case u.ID == by.ID() && move.state != "active":
			return fault.Refused(fault.Forbidden, "you cannot %s yourself", word)
		case u.State == move.state:
			return nil
		case !slices.Contains(move.from, u.State):
			return fault.Refused(fault.Forbidden, "a user that is %s cannot be changed by %s", u.State, word)
		}
		u.State, changed = move.state, true
		if err := tx.UpdateUser(u); err != nil {
			return err
		}
		return audit(tx, by, "user_"+move.state, "user", u.ID, u.Username)
	})
	return changed, err
}

// DeleteUser removes a user. One that owns projects is not removed: they are moved or deleted first.
func (c *Coordinator) DeleteUser(ctx context.Context, by access.Actor, id int64) error {
	if !access.Allowed(by, access.AdminInstance, access.Subject{}) {
		return errForbidden
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		u, err := tx.LockUser(id)
		if err != nil {
			return notFound(err, "User")
		}
		if err := lockOwn(tx, id); err != nil {
			return err
		}
		if u.ID == by.ID() {
			return fault.Refused(fault.Forbidden, "you cannot delete yourself")
		}
		owns, err := tx.OwnsProjects(id)
		if err != nil {
			return err
		}
		if owns {
			return fault.New(fault.Conflict, "%s owns projects; delete or transfer them first", u.Username)
		}
		if err := tx.DeleteUser(id); err != nil {
			return err
		}
		return audit(tx, by, "user_deleted", "user", id, u.Username)
	})
}

// lockOwn lets no project come into the namespace of a user while that is judged.
func lockOwn(tx *models.Tx, userID int64) error {
	own, err := tx.NamespacesOfUsers([]int64{userID})
	if n := own[userID]; err == nil && n != nil { // a bot has none
		_, err = tx.LockNamespace(n.ID)
	}
	return err
}

var errForbidden = fault.Refused(fault.Forbidden, "")

// notFound turns a missing row into GitLab's words.
func notFound(err error, thing string) error {
	if errors.Is(err, models.ErrNotFound) {
		return fault.Missing("%s", thing)
	}
	return err
}

// audit stores that somebody changed something that matters for security.
func audit(tx *models.Tx, by access.Actor, action, entity string, id int64, details string) error {
	e := &models.AuditEvent{Action: action, EntityType: entity, EntityID: id, Details: details, IPAddress: by.IP}
	if by.User != nil {
		e.UserID = &by.User.ID
	}
	return tx.Audit(e)
}
