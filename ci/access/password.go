package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
)

// Limiter counts what may be done only so often, across nodes if there are several. Allow answers false when
// a key has been used up for a while; it never fails, and lets through what it cannot count. Return takes a use back.
type Limiter interface {
	Allow(ctx context.Context, key string) bool
	Return(ctx context.Context, key string)
	Reset(ctx context.Context, key string)
}

// Brakes slow down who guesses passwords (OWASP's Authentication Cheat Sheet: by address and by name apart, and so that nobody
// can lock somebody else out). Only wrong passwords count in the end.
type Brakes struct {
	Login   Limiter // of one name from one network
	Network Limiter // of all names from one network, but who signed in from there before
	Name    Limiter // of one name from all networks but those that its owner signed in from
}

// How many wrong passwords each of them lets through at once, and after how long one more. GitLab lets an address try ten a
// minute.
const (
	BrakeEvery   = 6 * time.Second
	LoginBurst   = 10
	NetworkBurst = 20
	NameBurst    = 100
)

// knownFor is how long a network is known as somebody's own after a sign-in.
const knownFor = 90 * 24 * time.Hour

// ErrTooMany says that somebody guesses passwords.
var ErrTooMany = fault.New(fault.Unauthorized, "Too many wrong passwords; try again in a minute")

// Password checks a user's name or e-mail address and password, given from a network. Guessing is slowed down; an unknown
// name takes as long as a wrong password. Who is signed in, or has a token, does not come here.
func (a *Authenticator) Password(ctx context.Context, login, password, network string) (Actor, error) {
	user, err := a.byLogin(ctx, login)
	if err != nil {
		return Actor{}, err
	}
	who := secret.Hash(strings.ToLower(login)) // of bounded length, however long the name is
	if user != nil {                           // under all names and addresses that it has
		who = fmt.Sprint("#", user.ID)
	}
	one, all, name := "login:"+who+"@"+network, "network:"+network, "name:"+who
	if secret.LooksLikeToken(password) {
		// Programs go on sending a token that is gone. Such words are counted apart: they are braked as passwords are, and
		// use up nothing of what people have who mistype theirs.
		one, all, name = "token "+one, "token "+all, "token "+name
	}
	// The network comes first: who makes up names cannot fill the memory with them.
	counted := a.brakes.Network.Allow(ctx, all)
	if !counted && !a.knows(ctx, user, network) {
		return Actor{}, ErrTooMany
	}
	uncount := func() {
		if counted {
			a.brakes.Network.Return(ctx, all)
		}
	}
	if !a.brakes.Login.Allow(ctx, one) {
		uncount()
		return Actor{}, ErrTooMany
	}
	if !a.brakes.Name.Allow(ctx, name) && !a.knows(ctx, user, network) {
		return Actor{}, ErrTooMany
	}
	if !matches(user, password) {
		return Actor{}, errUnauthorized
	}
	a.brakes.Login.Reset(ctx, one)
	uncount()
	a.brakes.Name.Return(ctx, name)
	a.noteNetwork(ctx, user, network)
	return Actor{User: user}, nil
}

// Confirm checks the password of somebody who is signed in. What others guess does not count there.
func (a *Authenticator) Confirm(ctx context.Context, user *models.User, password string) error {
	key := fmt.Sprint("session:#", user.ID)
	if !a.brakes.Login.Allow(ctx, key) {
		return ErrTooMany
	}
	if !matches(user, password) {
		return errUnauthorized
	}
	a.brakes.Login.Reset(ctx, key)
	return nil
}

func (a *Authenticator) byLogin(ctx context.Context, login string) (user *models.User, err error) {
	err = a.db.Read(ctx, func(tx *models.Tx) error {
		user, err = tx.UserByLogin(login)
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil, nil
	}
	return user, err
}

// matches takes as long for nobody as for somebody.
func matches(user *models.User, password string) bool {
	hash := ""
	if user != nil {
		hash = user.PasswordHash
	}
	return secret.PasswordMatches(password, hash) && user != nil && !user.Blocked() && !user.Bot
}

// knows says whether a user signed in from a network lately. If that cannot be told, the brake holds.
func (a *Authenticator) knows(ctx context.Context, user *models.User, network string) (known bool) {
	if user == nil {
		return false
	}
	err := a.db.Read(ctx, func(tx *models.Tx) (err error) {
		known, err = tx.SignedInFrom(user.ID, network, tx.Now().Add(-knownFor))
		return err
	})
	return err == nil && known
}

// noteNetwork stores, once a day, from where a user signs in.
func (a *Authenticator) noteNetwork(ctx context.Context, user *models.User, network string) {
	now, key := a.db.Now(), fmt.Sprint(user.ID, " ", network)
	a.mu.Lock()
	due := now.Sub(a.seen[key]).Abs() > 24*time.Hour
	if due {
		if len(a.seen) > 10_000 {
			clear(a.seen)
		}
		a.seen[key] = now
	}
	a.mu.Unlock()
	if due {
		// Losing this costs a user nothing unless many guess their password.
		_ = a.db.Write(ctx, func(tx *models.Tx) error { return tx.NoteSignInNetwork(user.ID, network) })
	}
}
