package web

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/internal/secret"
	"signalbox/models"
)

// store keeps sessions in the database, under the hash of their cookie.
type store struct{ db *models.DB }

func (s *store) FindCtx(ctx context.Context, token string) (b []byte, found bool, err error) {
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		row, err := tx.Session(secret.Hash(token))
		if err == nil {
			b = row.Data
		}
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil, false, nil
	}
	return b, err == nil, err
}

func (s *store) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	return s.db.Write(ctx, func(tx *models.Tx) error {
		return tx.SaveSession(&models.Session{TokenHash: secret.Hash(token), Data: b, ExpiresAt: expiry.UTC()})
	})
}

func (s *store) DeleteCtx(ctx context.Context, token string) error {
	return s.db.Write(ctx, func(tx *models.Tx) error { return tx.DeleteSession(secret.Hash(token)) })
}

// The methods without a context are part of the library's interface; it calls those above.
func (s *store) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

func (s *store) Commit(token string, b []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, b, expiry)
}

func (s *store) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// local keeps only addresses of our own, so that nobody is led away after signing in.
func local(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}

func (s *Server) askToSignIn(r *request) {
	back := ""
	if r.Method == http.MethodGet {
		back = r.URL.RequestURI()
	} else if page, err := url.Parse(r.Referer()); err == nil && page.Host == r.Host {
		back = page.RequestURI() // the form is filled in again; it is not sent for somebody else
	}
	if back != "" && !strings.HasSuffix(r.URL.Path, "/live") {
		s.rememberReturn(r, back)
	}
	http.Redirect(r.w, r.Request, "/users/sign_in", http.StatusSeeOther)
}

// returnCookie holds, for whoever is asked to sign in, where to go then. It lies with the browser: nothing is stored for people
// who never sign in. What it says is trusted as little as any address: local keeps it on our own pages.
const returnCookie = "_signalbox_return"

const (
	maxReturn   = 2 << 10
	returnValid = 10 * time.Minute
)

func (s *Server) rememberReturn(r *request, back string) {
	if value := url.QueryEscape(back); len(value) <= maxReturn {
		s.setReturn(r, value, int(returnValid/time.Second))
	}
}

func (s *Server) setReturn(r *request, value string, maxAge int) {
	http.SetCookie(r.w, &http.Cookie{
		Name: returnCookie, Value: value, Path: "/users", MaxAge: maxAge, HttpOnly: true, Secure: s.sessions.Cookie.Secure, SameSite: http.SameSiteLaxMode,
	})
}

// takeReturn is where to go after signing in, which is forgotten with that.
func (s *Server) takeReturn(r *request) string {
	cookie, err := r.Cookie(returnCookie)
	if err != nil {
		return "/"
	}
	s.setReturn(r, "", -1)
	back, err := url.QueryUnescape(cookie.Value)
	if err != nil {
		return "/"
	}
	return local(back)
}

func (s *Server) signInPage(r *request) error {
	if r.actor.User != nil {
		http.Redirect(r.w, r.Request, "/", http.StatusSeeOther)
		return nil
	}
	s.render(r, http.StatusOK, "sign_in", data{"Title": "Sign in"})
	return nil
}

func (s *Server) signIn(r *request) error {
	r.Body = http.MaxBytesReader(r.w, r.Body, 16<<10)
	login := strings.TrimSpace(r.PostFormValue("login"))
	a, err := s.auth.Password(r.Context(), login, r.PostFormValue("password"), httpapi.Network(httpapi.Address(r.Request, s.trusted)).String())
	if fault.KindOf(err) == fault.Unauthorized {
		text := "Invalid login or password."
		if errors.Is(err, access.ErrTooMany) {
			text = fault.Message(err)
		}
		s.render(r, http.StatusUnauthorized, "sign_in", data{"Title": "Sign in", "Error": text, "Login": login})
		return nil
	}
	if err != nil {
		return err
	}
	target := s.takeReturn(r)
	if err := s.sessions.RenewToken(r.Context()); err != nil {
		return err
	}
	s.sessions.Put(r.Context(), "user", a.User.ID)
	s.sessions.Put(r.Context(), credentials, mark(a.User))
	if err := s.ci.DB().Write(r.Context(), func(tx *models.Tx) error { return tx.NoteSignIn(a.User.ID) }); err != nil {
		return err
	}
	http.Redirect(r.w, r.Request, target, http.StatusSeeOther)
	return nil
}

func (s *Server) signOut(r *request) error {
	if err := s.sessions.Destroy(r.Context()); err != nil {
		return err
	}
	http.Redirect(r.w, r.Request, "/users/sign_in", http.StatusSeeOther)
	return nil
}

func (s *Server) linkPage(r *request) error {
	if r.actor.User == nil {
		return fault.New(fault.Unauthorized, "sign in")
	}
	token := r.URL.Query().Get("token")
	l, p, err := s.chat.Link(r.Context(), token)
	if err != nil {
		return err
	}
	s.render(r, http.StatusOK, "link", data{"Title": "Connect a chat account", "Link": l, "For": p, "Token": token})
	return nil
}

// confirmPage asks a linked user whether commands may act for them again.
func (s *Server) confirmPage(r *request, c *inside) error {
	if r.actor.User == nil {
		return fault.New(fault.Unauthorized, "sign in")
	}
	token := r.URL.Query().Get("command_id")
	l, err := s.chat.Confirmation(r.Context(), token, r.actor.User)
	if err != nil {
		return err
	}
	return s.show(r, c, "confirm", data{"Title": "Confirm commands from chat", "Link": l, "Token": token})
}

func (s *Server) confirm(r *request, c *inside) error {
	if r.actor.User == nil {
		return fault.New(fault.Unauthorized, "sign in")
	}
	back, err := s.chat.Confirm(r.Context(), r.PostFormValue("token"), r.actor)
	if err != nil {
		return err
	}
	return s.show(r, c, "message", data{"Title": "Confirmed", "Text": "Your commands are taken again. Give the command once more in the chat.", "Back": template.URL(back)})
}

func (s *Server) connect(r *request) error {
	if r.actor.User == nil {
		return fault.New(fault.Unauthorized, "sign in")
	}
	r.Body = http.MaxBytesReader(r.w, r.Body, 16<<10)
	agree := r.PostFormValue("decision") == "authorize"
	l, err := s.chat.Connect(r.Context(), r.PostFormValue("token"), r.actor.User, agree)
	if err != nil {
		return err
	}
	d := data{"Title": "Connected", "Text": "The chat account " + l.ChatUserName + " acts as " + r.actor.User.Username + " now. Give your command again in the chat."}
	if !agree {
		d = data{"Title": "Not connected", "Text": "Nothing was changed."}
	}
	s.render(r, http.StatusOK, "message", d)
	return nil
}
