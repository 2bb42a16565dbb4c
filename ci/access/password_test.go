package access_test

import (
	"fmt"
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
