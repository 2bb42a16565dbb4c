package app

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/gin-gonic/gin"

	"signalbox/api"
	"signalbox/api/git"
	"signalbox/chatops/mattermost"
	"signalbox/chatops/slack"
	"signalbox/ci/access"
	"signalbox/internal/httpapi"
	"signalbox/runnerproto/server"
	"signalbox/web"
)

// handler puts all faces behind one address: git by its own paths, the API by its prefix, pages for the rest.
func (n *Node) handler(trusted []netip.Prefix, auth *access.Authenticator) (http.Handler, error) {
	engine := httpapi.NewEngine(n.log, trusted)
	v4 := engine.Group("/api/v4")
	server.Register(v4, n.CI, n.log)
	api.Register(v4, n.CI, auth, n.Chat, n.log)
	slack.Register(v4, n.Chat, n.db.Now, n.log)
	mattermost.Register(v4, n.Chat, n.log)
	engine.NoRoute(func(c *gin.Context) { c.JSON(http.StatusNotFound, gin.H{"error": "404 Not Found"}) })
	engine.NoMethod(func(c *gin.Context) { c.JSON(http.StatusMethodNotAllowed, gin.H{"error": "405 Not Allowed"}) })
	repositories := git.New(n.CI, auth, n.log)
	pages, err := web.New(n.CI, auth, n.Chat, n.log, strings.HasPrefix(n.URL, "https://"))
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _, isGit := git.Split(r.URL.Path)
		switch {
		case strings.HasPrefix(r.URL.Path, "/api/"):
			engine.ServeHTTP(w, mirrored(r))
		case isGit:
			repositories.ServeHTTP(w, r)
		case r.URL.Path == "/-/liveness", r.URL.Path == "/-/health":
			writeHealth(w, http.StatusOK, "GitLab OK")
		case r.URL.Path == "/-/readiness":
			n.readiness(w, r)
		default:
			pages.ServeHTTP(w, r)
		}
	}), nil
}

// mirrored lets HEAD find the routes of GET; the body is dropped on the way out.
func mirrored(r *http.Request) *http.Request {
	if r.Method != http.MethodHead {
		return r
	}
	get := r.Clone(r.Context())
	get.Method = http.MethodGet
	return get
}

func (n *Node) readiness(w http.ResponseWriter, r *http.Request) {
	if !n.ready.Load() {
		writeHealth(w, http.StatusServiceUnavailable, "stopping")
		return
	}
	if err := n.db.Ping(r.Context()); err != nil {
		writeHealth(w, http.StatusServiceUnavailable, "the database cannot be reached")
		return
	}
	writeHealth(w, http.StatusOK, "ready")
}

func writeHealth(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	w.Write([]byte(text + "\n")) // whoever asked has gone if this fails
}
