// Package web is the pages that people look at. They are rendered here, work without JavaScript, and follow
// what happens over server-sent events where it runs.
package web

import (
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"signalbox/chatops"
	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/internal/secret"
	"signalbox/models"
)

//go:embed templates static
var files embed.FS

// Server serves the pages.
type Server struct {
	ci        *ci.Coordinator
	auth      *access.Authenticator
	chat      *chatops.Service
	log       *slog.Logger
	sessions  *scs.SessionManager
	templates map[string]*template.Template
	assets    *assets
	trusted   []netip.Prefix
	stopping  <-chan struct{}
	streams   *streams
	helps     helps
}

// Options say how the pages are served.
type Options struct {
	Secure   bool            // browsers reach us over HTTPS
	Trusted  []netip.Prefix  // proxies whose word on the client's address counts
	Stopping <-chan struct{} // closed when streams shall end
}

// New is the handler of all pages; a broken template is an error at start.
func New(c *ci.Coordinator, auth *access.Authenticator, chat *chatops.Service, log *slog.Logger, o Options) (http.Handler, error) {
	s := &Server{ci: c, auth: auth, chat: chat, log: log, sessions: scs.New(), trusted: o.Trusted, stopping: o.Stopping, streams: newStreams()}
	if unused, ok := s.sessions.Store.(*memstore.MemStore); ok {
		unused.StopCleanup() // it has a goroutine of its own
	}
	s.sessions.Store = &store{db: c.DB()}
	s.sessions.Lifetime, s.sessions.IdleTimeout = 14*24*time.Hour, 7*24*time.Hour
	s.sessions.Cookie.Name, s.sessions.Cookie.HttpOnly, s.sessions.Cookie.Secure = "_signalbox_session", true, o.Secure
	s.sessions.Cookie.SameSite = http.SameSiteLaxMode
	s.sessions.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		s.log.ErrorContext(r.Context(), "session", "error", err)
		http.Error(w, "The database cannot be reached. Please try again.", http.StatusServiceUnavailable)
	}
	var err error
	if s.assets, s.templates, err = pages(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/assets/", s.assets)
	mux.Handle("GET /favicon.ico", http.RedirectHandler("/assets/icon.svg", http.StatusMovedPermanently))
	mux.Handle("/", keepingContext(s.sessions.LoadAndSave(http.HandlerFunc(s.route))))
	return headers(http.NewCrossOriginProtection().Handler(mux)), nil
}

// headers forbid everything that our pages do not use.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// request is one request of a page.
type request struct {
	*http.Request
	w     http.ResponseWriter
	actor access.Actor
	// project is the one that the address names, once it was found.
	project *models.Project
	// asking: nothing is served; the answer only says whether it would be.
	asking bool
}

type page func(r *request) error

// maxForm bounds what a form may send.
const maxForm = 256 << 10

func (s *Server) route(w http.ResponseWriter, raw *http.Request) {
	r := &request{Request: raw, w: w}
	var unreadable error
	if !textual(r.URL.Path) {
		s.fail(r, errNoPage)
		return
	}
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			unreadable = fault.Wrap(fault.Invalid, err, "The form cannot be read.")
		}
	}
	if unreadable == nil && (!textualValues(r.PostForm) || !textualValues(r.URL.Query())) {
		unreadable = fault.New(fault.Invalid, "The form holds bytes that are no text.")
	}
	err := s.identify(r) // who it is counts when the form is there, however long it took
	if err == nil {
		err = unreadable
	}
	if err == nil {
		err = s.find(r)(r)
	}
	if err != nil {
		s.fail(r, err)
	}
}

// textual says whether a text can be one of a database: UTF-8 without the byte 0.
func textual(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func textualValues(values url.Values) bool {
	for key, list := range values {
		if !textual(key) || slices.ContainsFunc(list, func(s string) bool { return !textual(s) }) {
			return false
		}
	}
	return true
}

// credentials is the key of a session's mark of the password that it was opened with.
const credentials = "credentials"

// mark tells the password of a user from the one before, and nothing else.
func mark(u *models.User) string { return secret.Hash("session " + u.PasswordHash)[:24] }

// identify finds who is signed in. A user who was blocked since, or whose password was changed, is signed out.
func (s *Server) identify(r *request) error {
	id := s.sessions.GetInt64(r.Context(), "user")
	if id == 0 {
		return nil
	}
	var u *models.User
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		u, err = tx.User(id)
		return err
	})
	if errors.Is(err, models.ErrNotFound) || err == nil && u.Blocked() {
		return s.end(r)
	}
	if err != nil {
		return err
	}
	// A session of a version that kept no mark ends too: nobody knows which password it was opened with.
	if s.sessions.GetString(r.Context(), credentials) != mark(u) {
		return s.end(r)
	}
	r.actor = access.Actor{User: u, IP: httpapi.Address(r.Request, s.trusted)}
	return nil
}

// end signs a request out. One that only asks whether it would be let in leaves the session to those that follow.
func (s *Server) end(r *request) error {
	if r.asking {
		return nil
	}
	return s.sessions.Destroy(r.Context())
}

func notFound(*request) error { return fault.New(fault.NotFound, "This page does not exist.") }

// noPage is what an address gets that no page has, whoever asks. To sign in would not help.
func noPage(*request) error { return errNoPage }

var errNoPage = fault.New(fault.NotFound, "This page does not exist.")

var errSignIn = fault.New(fault.Unauthorized, "sign in")

// signedIn lets only people through who are.
func signedIn(p page) page {
	return func(r *request) error {
		if r.actor.User == nil {
			return errSignIn
		}
		return p(r)
	}
}

func (s *Server) fail(r *request, err error) {
	status := http.StatusInternalServerError
	title := "Something went wrong"
	switch fault.KindOf(err) {
	case fault.NotFound:
		if r.actor.User == nil && !errors.Is(err, errNoPage) && !isProgram(r.Request) {
			s.askToSignIn(r)
			return
		}
		status, title = http.StatusNotFound, "Not found"
	case fault.Unauthorized:
		if !isProgram(r.Request) {
			s.askToSignIn(r)
			return
		}
		status, title = http.StatusUnauthorized, "Sign in"
	case fault.Forbidden:
		status, title = http.StatusForbidden, "Not allowed"
	case fault.Invalid, fault.Conflict, fault.NotAllowed, fault.Unprocessable, fault.TooMany, fault.TooSlow, fault.TooLarge, fault.WrongMethod, fault.Precondition:
		if s.tellOnForm(r, err) {
			return
		}
		status, title = http.StatusBadRequest, "That did not work"
		if fault.KindOf(err) == fault.TooMany {
			status = http.StatusTooManyRequests
			r.w.Header().Set("Retry-After", "30")
		}
	case fault.Unavailable, fault.OutOfSpace:
		status, title = http.StatusServiceUnavailable, "Not available right now"
	case fault.Internal:
		if r.Context().Err() == nil {
			s.log.ErrorContext(r.Context(), "page failed", "path", r.URL.Path, "error", err)
		}
	}
	if r.actor.User == nil && !wantsPage(r.Request) || isProgram(r.Request) {
		answerProgram(r, status)
		return
	}
	s.render(r, status, "message", data{"Title": title, "Text": sentence(fault.Message(err))})
}

// atFields is what is wrong with a form whose page says so at each field.
type atFields struct{ fault.Fields }

func (a atFields) Unwrap() error { return a.Fields }

// perField lets the page of a form say at its fields what is wrong with them.
func perField(err error) error {
	var wrong fault.Fields
	if errors.As(err, &wrong) {
		return atFields{wrong}
	}
	return err
}

// secretFields are never written back into a form.
var secretFields = []string{"password", "next_password", "token", "value", "signing_secret", "bot_token", "app_token", "client_secret", "val"}

// tellOnForm leads back to the page of a form that was refused, with the reason and what was typed.
func (s *Server) tellOnForm(r *request, err error) bool {
	back, parseErr := url.Parse(r.Referer())
	if r.Method != http.MethodPost || parseErr != nil || back.Path == "" || r.actor.User == nil || back.Host != r.Host {
		return false
	}
	text := sentence(fault.Message(err))
	var wrong atFields
	if errors.As(err, &wrong) {
		text = "Nothing was saved: what is wrong stands at the field."
		s.sessions.Put(r.Context(), "wrong", url.Values(wrong.Fields).Encode())
	}
	s.sessions.Put(r.Context(), "error", text)
	old := url.Values{}
	for k, v := range r.PostForm {
		old[k] = v
	}
	for _, k := range secretFields {
		old.Del(k)
	}
	s.sessions.Put(r.Context(), "old", old.Encode())
	http.Redirect(r.w, r.Request, local(back.RequestURI()), http.StatusSeeOther)
	return true
}

func sentence(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// say leaves a word for the next page.
func (s *Server) say(r *request, text string) { s.sessions.Put(r.Context(), "said", text) }

func (s *Server) to(r *request, path string) error {
	http.Redirect(r.w, r.Request, path, http.StatusSeeOther)
	return nil
}

type data map[string]any

// render writes a page. A page that fails to render is an error page, never half of one.
func (s *Server) render(r *request, status int, name string, d data) {
	var b strings.Builder
	if d["Icon"] == nil {
		d["Icon"] = "icon.svg"
	}
	d["User"], d["Path"], d["Query"] = r.actor.User, r.URL.Path, r.URL.Query()
	d["Said"], d["Refused"] = s.sessions.PopString(r.Context(), "said"), s.sessions.PopString(r.Context(), "error")
	d["Once"] = s.sessions.PopString(r.Context(), "once")
	for key, name := range map[string]string{"Old": "old", "Wrong": "wrong"} {
		values, err := url.ParseQuery(s.sessions.PopString(r.Context(), name))
		if err != nil {
			values = url.Values{}
		}
		d[key] = values
	}
	if err := s.templates[name].Execute(&b, d); err != nil {
		s.log.ErrorContext(r.Context(), "page cannot be rendered", "page", name, "error", err)
		http.Error(r.w, "This page cannot be shown.", http.StatusInternalServerError)
		return
	}
	r.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	r.w.WriteHeader(status)
	if _, err := r.w.Write([]byte(b.String())); err != nil {
		s.log.DebugContext(r.Context(), "page was not read", "error", err)
	}
}
