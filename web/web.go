// Package web is the pages that people look at: sign-in, linking a chat account, projects, pipelines, jobs
// with their logs, and chat commands. Pages are rendered here and work without JavaScript.
package web

import (
	"embed"
	"errors"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"signalbox/chatops"
	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
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
}

// New parses all pages; a broken one is an error at start. secure says that browsers reach us over HTTPS.
func New(c *ci.Coordinator, auth *access.Authenticator, chat *chatops.Service, log *slog.Logger, secure bool) (http.Handler, error) {
	s := &Server{ci: c, auth: auth, chat: chat, log: log, sessions: scs.New(), templates: map[string]*template.Template{}}
	s.sessions.Store = &store{db: c.DB()}
	s.sessions.Lifetime, s.sessions.IdleTimeout = 14*24*time.Hour, 7*24*time.Hour
	s.sessions.Cookie.Name, s.sessions.Cookie.HttpOnly, s.sessions.Cookie.Secure = "_signalbox_session", true, secure
	s.sessions.Cookie.SameSite = http.SameSiteLaxMode
	s.sessions.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		s.log.ErrorContext(r.Context(), "session", "error", err)
		http.Error(w, "The database cannot be reached. Please try again.", http.StatusServiceUnavailable)
	}
	if err := s.parse(); err != nil {
		return nil, err
	}
	static, err := fs.Sub(files, "static")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /assets/", http.StripPrefix("/assets/", http.FileServerFS(static)))
	mux.Handle("/", s.sessions.LoadAndSave(http.HandlerFunc(s.route)))
	return headers(http.NewCrossOriginProtection().Handler(mux)), nil
}

func (s *Server) parse() error {
	pages, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return err
	}
	for _, p := range pages {
		name := strings.TrimSuffix(strings.TrimPrefix(p, "templates/"), ".html")
		if name == "layout" {
			continue
		}
		t, err := template.New("layout.html").Funcs(functions).ParseFS(files, "templates/layout.html", p)
		if err != nil {
			return err
		}
		s.templates[name] = t
	}
	return nil
}

// headers forbid everything that our pages do not use.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		if !strings.HasPrefix(r.URL.Path, "/assets/") {
			h.Set("Cache-Control", "no-store")
		}
		next.ServeHTTP(w, r)
	})
}

// request is one request of a page.
type request struct {
	*http.Request
	w     http.ResponseWriter
	actor access.Actor
}

type page func(r *request) error

func (s *Server) route(w http.ResponseWriter, raw *http.Request) {
	r := &request{Request: raw, w: w}
	err := s.identify(r)
	if err == nil {
		err = s.find(r)(r)
	}
	if err != nil {
		s.fail(r, err)
	}
}

// identify finds who is signed in. A user who was blocked since is signed out.
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
		return s.sessions.Destroy(r.Context())
	}
	if err != nil {
		return err
	}
	r.actor = access.Actor{User: u}
	return nil
}

// find splits an address. Below /-/ of a project stand its parts; the project's own path may be nested.
func (s *Server) find(r *request) page {
	path := strings.TrimSuffix(r.URL.Path, "/")
	switch r.Method + " " + path {
	case "GET ":
		return s.home
	case "GET /users/sign_in":
		return s.signInPage
	case "POST /users/sign_in":
		return s.signIn
	case "POST /users/sign_out":
		return s.signOut
	case "GET /-/profile/chat_names/new":
		return s.linkPage
	case "POST /-/profile/chat_names/new":
		return s.connect
	}
	project, part, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/-/")
	if project == "" || strings.HasPrefix(project, "-/") {
		return notFound
	}
	if !ok {
		return s.inProject(project, s.projectPage)
	}
	return s.inProject(project, s.projectPart(r.Method, strings.Split(part, "/")))
}

func notFound(*request) error { return fault.New(fault.NotFound, "This page does not exist.") }

func (s *Server) fail(r *request, err error) {
	status := http.StatusInternalServerError
	title := "Something went wrong"
	switch fault.KindOf(err) {
	case fault.NotFound:
		if r.actor.User == nil && r.Method == http.MethodGet {
			s.askToSignIn(r)
			return
		}
		status, title = http.StatusNotFound, "Not found"
	case fault.Unauthorized:
		s.askToSignIn(r)
		return
	case fault.Forbidden:
		status, title = http.StatusForbidden, "Not allowed"
	case fault.Invalid, fault.Conflict, fault.NotAllowed:
		status, title = http.StatusBadRequest, "That did not work"
	case fault.Unavailable:
		status, title = http.StatusServiceUnavailable, "Not available right now"
	default:
		if r.Context().Err() == nil {
			s.log.ErrorContext(r.Context(), "page failed", "path", r.URL.Path, "error", err)
		}
	}
	s.render(r, status, "message", data{"Title": title, "Text": fault.Message(err)})
}

type data map[string]any

// render writes a page. A page that fails to render is an error page, never half of one.
func (s *Server) render(r *request, status int, name string, d data) {
	var b strings.Builder
	d["User"] = r.actor.User
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
