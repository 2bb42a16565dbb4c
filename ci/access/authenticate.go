package access

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
)

// Authenticator proves who somebody is.
type Authenticator struct {
	db       *models.DB
	mu       sync.Mutex
	attempts map[string]*rate.Limiter // wrong passwords, by login
	touched  map[int64]time.Time      // tokens whose use was noted lately
}

// NewAuthenticator makes an Authenticator.
func NewAuthenticator(db *models.DB) *Authenticator {
	return &Authenticator{db: db, attempts: map[string]*rate.Limiter{}, touched: map[int64]time.Time{}}
}

var errUnauthorized = fault.New(fault.Unauthorized, "401 Unauthorized")

// ErrTooMany says that somebody guesses passwords.
var ErrTooMany = fault.New(fault.Unauthorized, "Too many wrong passwords; try again in a minute")

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
		return Actor{}, fault.New(fault.Forbidden, "403 Forbidden - Your account has been blocked.")
	}
	out.Scopes = row.Scopes
	a.note(ctx, row.ID)
	return out, nil
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

// Password checks a user's name or e-mail address and password. Guessing is slowed down by login name;
// an unknown name takes as long as a wrong password.
func (a *Authenticator) Password(ctx context.Context, login, password string) (Actor, error) {
	if !a.limiter(login).Allow() {
		return Actor{}, ErrTooMany
	}
	var user *models.User
	err := a.db.Read(ctx, func(tx *models.Tx) (err error) {
		user, err = tx.UserByLogin(login)
		return err
	})
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		return Actor{}, err
	}
	hash := ""
	if user != nil {
		hash = user.PasswordHash
	}
	if !secret.PasswordMatches(password, hash) || user == nil || user.Blocked() {
		return Actor{}, errUnauthorized
	}
	a.mu.Lock()
	delete(a.attempts, strings.ToLower(login))
	a.mu.Unlock()
	return Actor{User: user}, nil
}

func (a *Authenticator) limiter(login string) *rate.Limiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := strings.ToLower(login)
	l := a.attempts[key]
	if l == nil {
		if len(a.attempts) > 10_000 {
			clear(a.attempts)
		}
		l = rate.NewLimiter(rate.Every(6*time.Second), 10)
		a.attempts[key] = l
	}
	return l
}
