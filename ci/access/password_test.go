package access_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"signalbox/ci/access"
	"signalbox/internal/limit"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/modelstest"
)

// TestGuessingPasswords is braked by network and by name apart; nobody is locked out by what others guess.
func TestGuessingPasswords(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		db := modelstest.Open(t, o)
		var anna *models.User
		err := db.Write(t.Context(), func(tx *models.Tx) error {
			for i := range 30 {
				u := &models.User{Username: fmt.Sprint("user", i), Name: "x", Email: fmt.Sprintf("u%d@example.com", i), State: "active", PasswordHash: secret.HashPassword("right")}
				if err := tx.CreateUser(u); err != nil {
					return err
				}
				if i == 0 {
					anna = u
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		const names = 30 // enough, and every try takes its time
		fresh := func() *access.Authenticator {
			l := func(burst int) access.Limiter { return limit.NewLocal(access.BrakeEvery*1000, burst) }
			return access.NewAuthenticator(db, access.Brakes{Login: l(access.LoginBurst), Network: l(access.NetworkBurst), Name: l(names)})
		}
		try := func(a *access.Authenticator, login, password, network string) string {
			switch _, err := a.Password(ctx, login, password, network); {
			case err == access.ErrTooMany:
				return "braked"
			case err != nil:
				return "wrong"
			}
			return "in"
		}
		expect := func(what, got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
		}

		a := fresh()
		for i := range access.LoginBurst {
			expect("a wrong password", try(a, []string{"user0", "USER0", "u0@example.com"}[i%3], "guess", "192.0.2.1"), "wrong")
		}
		expect("one name from one network", try(a, "user0", "right", "192.0.2.1"), "braked")
		expect("its owner from elsewhere", try(a, "user0", "right", "192.0.2.2"), "in")
		if err := a.Confirm(ctx, anna, "right"); err != nil {
			t.Errorf("its owner who is signed in: %v", err)
		}

		a = fresh()
		for i := range access.NetworkBurst {
			expect("other names", try(a, fmt.Sprint("user", i+1), "guess", "192.0.2.1"), "wrong")
		}
		expect("many names from one network", try(a, "user29", "right", "192.0.2.1"), "braked")
		expect("others elsewhere", try(a, "user29", "right", "192.0.2.3"), "in")

		a = fresh()
		expect("somebody at home", try(a, "user28", "right", "192.0.2.28"), "in")
		for i := range access.NetworkBurst {
			expect("other names at that home", try(a, fmt.Sprint("nobody", i), "guess", "192.0.2.28"), "wrong")
		}
		expect("one more name", try(a, "user27", "right", "192.0.2.28"), "braked")
		expect("who signed in from there before", try(a, "user28", "right", "192.0.2.28"), "in")

		a = fresh()
		for range 2 * access.NetworkBurst {
			if got := try(a, "user26", secret.NewToken(secret.PersonalToken), "192.0.2.26"); got == "in" {
				t.Errorf("a token that is gone: %s", got)
			}
		}
		expect("the password after it", try(a, "user26", "right", "192.0.2.26"), "in")

		a = fresh()
		expect("the owner at home", try(a, "user0", "right", "192.0.2.99"), "in")
		for i := range names {
			expect("one name from many networks", try(a, "user0", "guess", fmt.Sprint("198.51.100.", i)), "wrong")
		}
		expect("one name from one more", try(a, "user0", "guess", "198.51.101.1"), "braked")
		expect("the owner at home again", try(a, "user0", "right", "192.0.2.99"), "in")
		for range names + 5 {
			expect("right passwords do not count", try(a, "user7", "right", "192.0.2.50"), "in")
		}
		for range access.LoginBurst {
			_ = a.Confirm(ctx, anna, "guess")
		}
		if err := a.Confirm(ctx, anna, "right"); err != access.ErrTooMany {
			t.Errorf("guesses of a session: %v", err)
		}
	})
}

// TestAPasswordThatLooksLikeAToken is a password all the same, and guesses that look so are braked like others.
func TestAPasswordThatLooksLikeAToken(t *testing.T) {
	dir := t.TempDir()
	modelstest.SQLite(t, dir)
	db := modelstest.Open(t, models.Options{Dir: dir})
	password := secret.NewToken(secret.PersonalToken)
	err := db.Write(t.Context(), func(tx *models.Tx) error {
		return tx.CreateUser(&models.User{Username: "anna", Name: "x", Email: "a@example.com", State: "active", PasswordHash: secret.HashPassword(password)})
	})
	if err != nil {
		t.Fatal(err)
	}
	l := func(burst int) access.Limiter { return limit.NewLocal(access.BrakeEvery*1000, burst) }
	a := access.NewAuthenticator(db, access.Brakes{Login: l(access.LoginBurst), Network: l(access.NetworkBurst), Name: l(access.NameBurst)})
	if _, err := a.Password(t.Context(), "anna", password, "192.0.2.1"); err != nil {
		t.Errorf("the right password: %v", err)
	}
	for i := range access.LoginBurst + 1 {
		_, err := a.Password(t.Context(), "anna", secret.NewToken(secret.PersonalToken), "192.0.2.2")
		if braked := err == access.ErrTooMany; err == nil || braked != (i == access.LoginBurst) {
			t.Errorf("guess %d: %v", i+1, err)
		}
	}
	if _, err := a.Password(t.Context(), "anna", password, "192.0.2.2"); err != access.ErrTooMany {
		t.Errorf("from where it is guessed: %v", err)
	}
	if _, err := a.Password(t.Context(), "anna", "mistyped", "192.0.2.2"); err == nil || err == access.ErrTooMany {
		t.Errorf("what looks like no token is counted apart: %v", err)
	}
}

// TestMadeUpNamesAreNotKept beyond what the network of who gives them may try, and never in full length.
func TestMadeUpNamesAreNotKept(t *testing.T) {
	dir := t.TempDir()
	modelstest.SQLite(t, dir)
	db := modelstest.Open(t, models.Options{Dir: dir})
	keys := &counted{Limiter: limit.NewLocal(access.BrakeEvery, access.LoginBurst)}
	l := func(burst int) access.Limiter { return limit.NewLocal(access.BrakeEvery*1000, burst) }
	a := access.NewAuthenticator(db, access.Brakes{Login: keys, Network: l(2), Name: l(100)})
	for i := range 5 {
		a.Password(t.Context(), fmt.Sprint(i, strings.Repeat("x", 10_000)), "guess", "192.0.2.1")
	}
	if len(keys.seen) != 2 || len(keys.seen[0]) > 200 {
		t.Errorf("%d names were kept: %.300q", len(keys.seen), keys.seen)
	}
}

// counted notes the keys that a limiter is asked about.
type counted struct {
	access.Limiter
	seen []string
}

func (c *counted) Allow(ctx context.Context, key string) bool {
	c.seen = append(c.seen, key)
	return c.Limiter.Allow(ctx, key)
}
