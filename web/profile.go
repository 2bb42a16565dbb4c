package web

import (
	"errors"
	"net/http"
	"strconv"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
)

func (s *Server) profilePage(r *request) error {
	d := data{"Title": "Profile", "Scopes": ci.TokenScopes}
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		active := true
		tokens, _, err := tx.ListTokens(models.TokenFilter{UserID: r.actor.ID(), Personal: true, Active: &active}, models.Page{PerPage: 100, Descending: true})
		if err != nil {
			return err
		}
		d["Tokens"] = tokens
		accounts, err := tx.Identities(r.actor.ID())
		if err != nil {
			return err
		}
		d["Accounts"] = accounts
		var ids []int64
		for _, a := range accounts {
			ids = append(ids, a.IntegrationID)
		}
		found, err := tx.IntegrationsByID(ids)
		if err != nil {
			return err
		}
		projects := map[int64]*models.Project{}
		for id, in := range found {
			p, err := tx.Project(in.ProjectID)
			if err != nil && !errors.Is(err, models.ErrNotFound) {
				return err
			}
			projects[id] = p
		}
		d["Projects"] = projects
		return nil
	})
	if err != nil {
		return err
	}
	s.render(r, http.StatusOK, "profile", d)
	return nil
}

func (s *Server) changeProfile(r *request) error {
	_, err := s.ci.UpdateUser(r.Context(), r.actor, r.actor.ID(), "", func(u *models.User) {
		u.Name, u.Email = r.PostFormValue("name"), r.PostFormValue("email")
	})
	if err != nil {
		return err
	}
	s.say(r, "Your profile was changed.")
	return s.to(r, "/-/profile")
}

func (s *Server) changePassword(r *request) error {
	err := s.auth.Confirm(r.Context(), r.actor.User, r.PostFormValue("password"))
	if errors.Is(err, access.ErrTooMany) {
		return fault.Wrap(fault.Invalid, err, "%s.", fault.Message(err))
	}
	if fault.KindOf(err) == fault.Unauthorized {
		return fault.New(fault.Invalid, "The current password is wrong.")
	}
	if err != nil {
		return err
	}
	next := r.PostFormValue("next_password")
	if next == "" {
		return fault.Field("password", "can't be blank")
	}
	u, err := s.ci.UpdateUser(r.Context(), r.actor, r.actor.ID(), next, func(*models.User) {})
	if err != nil {
		return err
	}
	s.sessions.Put(r.Context(), credentials, mark(u)) // all others end
	if err := s.sessions.RenewToken(r.Context()); err != nil {
		return err
	}
	s.say(r, "Your password was changed.")
	return s.to(r, "/-/profile")
}

func (s *Server) createToken(r *request) error {
	until, err := dateOf(r, "expires_at")
	if err != nil {
		return err
	}
	n := ci.NewToken{Name: r.PostFormValue("name"), Scopes: r.PostForm["scopes"], ExpiresAt: until}
	_, token, err := s.ci.CreateToken(r.Context(), r.actor, r.actor.ID(), n)
	if err != nil {
		return err
	}
	s.sessions.Put(r.Context(), "once", token)
	return s.to(r, "/-/profile")
}

func (s *Server) revokeToken(r *request, args []string) error {
	if r.actor.User == nil {
		return errSignIn
	}
	id, _ := strconv.ParseInt(args[0], 10, 64)
	var t *models.PersonalAccessToken
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		t, err = tx.Token(id)
		if err == nil && t.UserID != r.actor.ID() {
			err = models.ErrNotFound
		}
		return missingPage(err)
	})
	if err != nil {
		return err
	}
	if err := s.ci.RevokeToken(r.Context(), r.actor, id); err != nil {
		return err
	}
	s.say(r, "The token "+t.Name+" is revoked.")
	return s.to(r, "/-/profile")
}

func (s *Server) unlink(r *request, args []string) error {
	if r.actor.User == nil {
		return errSignIn
	}
	id, _ := strconv.ParseInt(args[0], 10, 64)
	if err := s.chat.Disconnect(r.Context(), r.actor, id); err != nil {
		return err
	}
	s.say(r, "The chat account is disconnected.")
	return s.to(r, "/-/profile")
}
