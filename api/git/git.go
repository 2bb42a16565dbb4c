// Package git serves repositories over smart HTTP: who may fetch and push what is asked here, before the
// system's git sees the request; a push that was taken makes its pipelines.
package git

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/internal/httpapi"
	"signalbox/internal/limit"
	"signalbox/internal/spool"
	"signalbox/models"
)

// Handler serves fetches and pushes of all projects.
type Handler struct {
	ci      *ci.Coordinator
	auth    *access.Authenticator
	log     *slog.Logger
	trusted []netip.Prefix
	clients *limit.Places
}

// Bounds of one client: a job, a user, or an address of which nobody signed in.
const (
	clientAtATime = 8
	clientWaiting = 64
	// maxWants bounds what a client says that it wants and has; a push has no bound but the disk.
	maxWants = 64 << 20
)

// New makes the handler. trusted proxies may tell the client's address.
func New(c *ci.Coordinator, auth *access.Authenticator, log *slog.Logger, trusted []netip.Prefix) *Handler {
	return &Handler{ci: c, auth: auth, log: log, trusted: trusted, clients: limit.NewPlaces(1<<20, clientAtATime)}
}

// client is whom a request is counted for.
func (h *Handler) client(r *http.Request, a access.Actor) string {
	switch {
	case a.Job != nil:
		return fmt.Sprint("job ", a.Job.ID)
	case a.User != nil:
		return fmt.Sprint("user ", a.User.ID)
	}
	return h.network(r)
}

func (h *Handler) network(r *http.Request) string {
	return httpapi.Network(httpapi.Address(r, h.trusted)).String()
}

// enter waits for one of the places that a client has. Others are not kept waiting by its requests, however many they are.
func (h *Handler) enter(r *http.Request, a access.Actor) (give func(), err error) {
	client := h.client(r, a)
	if h.clients.Wanted(client) >= clientWaiting {
		return nil, fault.New(fault.TooMany, "Too many git requests of yours are under way. Please try again when some have ended.")
	}
	return h.clients.Take(r.Context(), client)
}

// Split finds the project's path and git's own part in an address, such as /group/app.git/info/refs. It
// answers false if the address is not one of git's.
func Split(path string) (project, rest string, ok bool) {
	for _, suffix := range []string{"/info/refs", "/git-upload-pack", "/git-receive-pack"} {
		if p, found := strings.CutSuffix(path, ".git"+suffix); found {
			return strings.TrimPrefix(p, "/"), suffix, true
		}
	}
	if p, rest, found := strings.Cut(path, ".git"+lfs); found {
		return strings.TrimPrefix(p, "/"), lfs + rest, true
	}
	return "", "", false
}

// ServeHTTP answers one request of a git client.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, rest, ok := Split(r.URL.Path)
	switch {
	case !ok:
		http.NotFound(w, r)
	case strings.HasPrefix(rest, lfs):
		h.serveLFS(w, r, path)
	default:
		if err := h.serve(w, r, path, rest); err != nil {
			h.refuse(w, r, err)
		}
	}
}

// refuse answers in words, which git shows to its user.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := h.statusOf(w, r, err)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, fault.Message(err)+"\n")
}

// statusOf is the status of a refusal; one that asks for credentials says how they are given.
func (h *Handler) statusOf(w http.ResponseWriter, r *http.Request, err error) int {
	switch fault.KindOf(err) {
	case fault.Unauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="GitLab"`)
		return http.StatusUnauthorized
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.Invalid, fault.Conflict, fault.NotAllowed, fault.WrongMethod, fault.Precondition, fault.Unprocessable:
		return http.StatusBadRequest
	case fault.TooMany:
		w.Header().Set("Retry-After", "60")
		return http.StatusTooManyRequests
	case fault.Unavailable, fault.OutOfSpace:
		w.Header().Set("Retry-After", "60")
		return http.StatusServiceUnavailable
	case fault.TooSlow:
		return http.StatusRequestTimeout
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Internal:
	}
	if r.Context().Err() == nil {
		h.log.ErrorContext(r.Context(), "git request failed", "path", r.URL.Path, "error", err)
	}
	return http.StatusInternalServerError
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, path, rest string) error {
	service := gitrepo.Service(strings.TrimPrefix(rest, "/"))
	if rest == "/info/refs" {
		service = gitrepo.Service(r.URL.Query().Get("service"))
	}
	if service != gitrepo.UploadPack && service != gitrepo.ReceivePack {
		return fault.New(fault.Forbidden, "only git's smart protocol is served")
	}
	if (rest == "/info/refs") != (r.Method == http.MethodGet) {
		return fault.New(fault.Invalid, "wrong method")
	}
	actor, err := h.actor(r)
	if err != nil {
		return err
	}
	project, err := h.project(r.Context(), actor, path, service)
	if err != nil {
		return err
	}
	give, err := h.enter(r, actor)
	if err != nil {
		return err
	}
	defer give()
	repo := h.repo(r, project, actor)
	w.Header().Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
	if rest == "/info/refs" {
		// Here git shows what it is told. Jobs and users are not refused a fetch, which goes on more slowly.
		if err := repo.Room(service); err != nil && (service == gitrepo.ReceivePack || actor.User == nil) {
			return err
		}
		w.Header().Set("Content-Type", "application/x-"+string(service)+"-advertisement")
		return committed(repo.Advertise(r.Context(), service, r.Header.Get("Git-Protocol"), w))
	}
	body, err := plain(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-"+string(service)+"-result")
	again := func() (access.Actor, *models.Project, error) {
		actor, err := h.sameActor(r, actor)
		if err != nil {
			return actor, nil, err
		}
		project, err := h.project(r.Context(), actor, path, service)
		return actor, project, err
	}
	if service == gitrepo.ReceivePack {
		return h.push(w, r, actor, project, body, again)
	}
	all, err := gather(repo, service, body, maxWants)
	if err != nil {
		return err
	}
	defer all.Close()
	if _, _, err := again(); err != nil { // the body may have taken its time
		return err
	}
	return committed(repo.Serve(r.Context(), service, r.Header.Get("Git-Protocol"), all, w))
}

// knownTurn is how long a fetch or push of a job or a user waits for its turn: a job that is refused fails.
const knownTurn = 10 * time.Minute

func (h *Handler) repo(r *http.Request, p *models.Project, a access.Actor) *gitrepo.Repo {
	repo := h.ci.Repo(p).For(h.network(r))
	if a.Job == nil && a.User == nil {
		return repo
	}
	return repo.WaitFor(knownTurn)
}

// gather reads a body before git takes a place for it.
func gather(repo *gitrepo.Repo, service gitrepo.Service, body io.Reader, limit int64) (io.ReadCloser, error) {
	all, err := repo.Gather(service, body, limit)
	var slow *fault.Error
	switch {
	case errors.Is(err, spool.ErrTooLarge):
		return nil, fault.Wrap(fault.TooLarge, err, "the request is too large")
	case err == nil || errors.As(err, &slow):
		return all, err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fault.Wrap(fault.Invalid, err, "the request was cut off")
	}
	return nil, fmt.Errorf("body of a git request: %w", err)
}

// committed: once git writes, an error can only be shown by cutting the answer off.
func committed(err error) error {
	if errors.Is(err, gitrepo.ErrBusy) {
		return err
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

func plain(r *http.Request) (io.Reader, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return r.Body, nil
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the body is not gzip")
	}
	return z, nil
}

// jobUser is the name that jobs give. Release tools give it with a user's access token, too, which then counts as it does
// with any name.
const jobUser = "gitlab-ci-token"

// actor finds who is calling: nobody, a job, or a user by token or password.
func (h *Handler) actor(r *http.Request) (access.Actor, error) {
	name, password, ok := r.BasicAuth()
	if !ok {
		return access.Actor{}, nil
	}
	if name == jobUser {
		actor, err := h.jobActor(r.Context(), password)
		if fault.KindOf(err) != fault.Unauthorized {
			return actor, err
		}
	}
	actor, err := h.auth.Token(r.Context(), password)
	var invalid *access.InvalidToken
	switch {
	case errors.As(err, &invalid):
		return access.Actor{}, fault.New(fault.Unauthorized, "HTTP Basic: Access denied. %s", invalid.Description)
	case name == jobUser && fault.KindOf(err) == fault.Unauthorized:
		return access.Actor{}, fault.New(fault.Unauthorized, "HTTP Basic: Access denied. The token is neither that of a running job nor an access token")
	case fault.KindOf(err) != fault.Unauthorized:
		return actor, err
	}
	actor, err = h.auth.Password(r.Context(), name, password, h.network(r))
	if fault.KindOf(err) == fault.Unauthorized {
		return access.Actor{}, fault.Wrap(fault.Unauthorized, err, "HTTP Basic: Access denied. Use your password or a personal access token")
	}
	return actor, err
}

// sameActor finds who is calling once more, after a wait. A password is not tried again: it must be the one that it was.
func (h *Handler) sameActor(r *http.Request, a access.Actor) (access.Actor, error) {
	if a.User == nil || a.Job != nil || a.Token != nil {
		return h.actor(r)
	}
	err := h.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		now, err := tx.User(a.User.ID)
		if errors.Is(err, models.ErrNotFound) || err == nil && (now.Blocked() || now.PasswordHash != a.User.PasswordHash) {
			return fault.New(fault.Unauthorized, "HTTP Basic: Access denied")
		}
		a.User = now
		return err
	})
	return a, err
}

func (h *Handler) jobActor(ctx context.Context, token string) (access.Actor, error) {
	job, err := h.ci.JobOfToken(ctx, token)
	if errors.Is(err, models.ErrNotFound) {
		return access.Actor{}, fault.New(fault.Unauthorized, "HTTP Basic: Access denied. The job token is not that of a running job")
	}
	if err != nil {
		return access.Actor{}, err
	}
	var user *models.User
	err = h.ci.DB().Read(ctx, func(tx *models.Tx) (err error) {
		user, err = tx.User(job.UserID)
		return err
	})
	return access.Actor{User: user, Job: job}, err
}

func (h *Handler) project(ctx context.Context, a access.Actor, path string, service gitrepo.Service) (*models.Project, error) {
	ability := access.ReadRepository
	if service == gitrepo.ReceivePack {
		ability = access.PushRef
	}
	p, _, err := h.ci.FindProject(ctx, a, path, ability)
	var moved *ci.Moved
	if errors.As(err, &moved) { // clones keep working under the path that they know
		p, _, err = h.ci.FindProject(ctx, a, moved.Path, ability)
	}
	if err == nil {
		if service == gitrepo.ReceivePack && p.Source != "hosted" {
			return nil, fault.New(fault.Forbidden, "this project mirrors another repository and takes no pushes")
		}
		return p, nil
	}
	// Whoever has not signed in is asked to, whether the project exists or not.
	if a.User == nil && fault.KindOf(err) != fault.Internal {
		return nil, fault.New(fault.Unauthorized, "HTTP Basic: Access denied")
	}
	if fault.KindOf(err) == fault.NotFound && a.Job != nil && service == gitrepo.ReceivePack {
		if _, _, readErr := h.ci.FindProject(ctx, a, path, access.ReadRepository); readErr == nil {
			return nil, fault.New(fault.Forbidden, "Jobs push to their own project alone, and only if it lets their tokens push (ci_push_repository_for_job_token_allowed)")
		}
	}
	if fault.KindOf(err) == fault.NotFound {
		return nil, fault.New(fault.NotFound, "The project you were looking for could not be found or you don't have permission to view it.")
	}
	return nil, err
}
