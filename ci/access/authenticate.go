package access

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
)

// Authenticator proves who somebody is.
type Authenticator struct {
	db      *models.DB
	mu      sync.Mutex
	brakes  Brakes
	touched map[int64]time.Time  // tokens whose use was noted lately
	seen    map[string]time.Time // sign-ins by user and network that were noted lately
}

// NewAuthenticator makes an Authenticator.
func NewAuthenticator(db *models.DB, brakes Brakes) *Authenticator {
	return &Authenticator{db: db, brakes: brakes, touched: map[int64]time.Time{}, seen: map[string]time.Time{}}
}

var errUnauthorized = fault.Refused(fault.Unauthorized, "")

// InvalidToken is a personal access token that was good once.
type InvalidToken struct{ Description string }

func (e *InvalidToken) Error() string { return e.Description }

// Token finds who a personal access token acts for.
func (a *Authenticator) Token(ctx context.Context, token string) (Actor, error) {
	var out Actor
	var row *models.PersonalAccessToken
	err := a.db.Read(ctx, func(tx *models.Tx) (err error) {
		if row, err = tx.TokenByHash(secret.Hash(token)); err != nil {
			return err
		}
		out.User, err = tx.User(row.UserID)
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return Actor{}, errUnauthorized
	}
	if err != nil {
		return Actor{}, err
	}
	switch {
	case row.Revoked:
		return Actor{}, &InvalidToken{"Token was revoked. You have to re-authorize from the user."}
	case !row.Active(a.db.Now()):
		return Actor{}, &InvalidToken{"Token is expired. You can either do re-authorization or token refresh."}
	case out.User.Blocked():
		return Actor{}, fault.Refused(fault.Forbidden, "Your account has been blocked.")
	}
	out.Scopes, out.Token = row.Scopes, row
	a.note(ctx, row.ID)
	return out, nil
}

// Job finds the job that a job token stands for, and acts as its user; only while it runs.
func (a *Authenticator) Job(ctx context.Context, token string) (Actor, error) {
	var out Actor
	err := a.db.Read(ctx, func(tx *models.Tx) error {
		h, err := tx.HandOutByToken(secret.Hash(token))
		if err != nil {
			return err
		}
		if h.AcceptedAt == nil && !tx.Now().Before(h.ExpiresAt) {
			return models.ErrNotFound
		}
		if out.Job, err = tx.Job(h.JobID); err != nil {
			return err
		}
		out.User, err = tx.User(out.Job.UserID)
		return err
	})
	if errors.Is(err, models.ErrNotFound) || err == nil && out.User.Blocked() {
		return Actor{}, errUnauthorized
	}
	return out, err
}

// Sudo lets an administrator's token with the scope sudo act as another user, by id or name.
func (a *Authenticator) Sudo(ctx context.Context, actor Actor, as string) (Actor, error) {
	if !actor.Admin() {
		return actor, fault.Refused(fault.Forbidden, "Must be admin to use sudo")
	}
	if !slices.Contains(actor.Scopes, "sudo") {
		return actor, &ScopeError{Need: []string{"sudo"}}
	}
	err := a.db.Read(ctx, func(tx *models.Tx) (err error) {
		if id, numberErr := strconv.ParseInt(as, 10, 64); numberErr == nil {
			actor.User, err = tx.User(id)
		} else {
			actor.User, err = tx.UserByName(as)
		}
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return actor, fault.Missing("User with ID or username '%s'", as)
	}
	return actor, err
}

// ScopeError says that a token's scopes do not reach far enough, and which would.
type ScopeError struct{ Need []string }

func (e *ScopeError) Error() string {
	return "the token lacks the scope " + strings.Join(e.Need, " or ")
}

// touchEvery bounds how often the use of a token is stored.
const touchEvery = 10 * time.Minute

func (a *Authenticator) note(ctx context.Context, id int64) {
	now := a.db.Now()
	a.mu.Lock()
	due := now.Sub(a.touched[id]) > touchEvery
	if due {
		if len(a.touched) > 10_000 {
			clear(a.touched)
		}
		a.touched[id] = now
	}
	a.mu.Unlock()
	if due {
		// Losing this costs nothing but a date on a page.
		_ = a.db.Write(ctx, func(tx *models.Tx) error { return tx.TouchToken(id, now) })
	}
}
