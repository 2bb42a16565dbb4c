package app

import (
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"github.com/gin-gonic/gin"

	"signalbox/api"
	"signalbox/api/git"
	"signalbox/chatops/discord"
	"signalbox/chatops/mattermost"
	"signalbox/chatops/slack"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/internal/limit"
	"signalbox/runnerproto/server"
	"signalbox/web"
)

// handler puts all faces behind one address: git by its own paths, the API by its prefix, pages for the rest.
func (n *Node) handler(trusted []netip.Prefix, auth *access.Authenticator) (http.Handler, error) {
	engine := httpapi.NewEngine(n.log, trusted)
	n.routes = engine.Routes
	v4 := engine.Group("/api/v4")
	server.Register(v4, n.CI, n.log)
	api.Register(v4, n.CI, auth, n.Chat, n.log)
	slack.Register(v4, n.Chat, n.db.Now, n.log)
	mattermost.Register(v4, n.Chat, n.log)
	discord.Register(v4, n.Chat, discord.Chat{API: n.settings.DiscordAPI}, n.db.Now, n.log)
	engine.NoRoute(func(c *gin.Context) { c.JSON(http.StatusNotFound, gin.H{"error": "404 Not Found"}) })
	engine.NoMethod(func(c *gin.Context) { c.JSON(http.StatusMethodNotAllowed, gin.H{"error": "405 Not Allowed"}) })
	repositories := git.New(n.CI, auth, n.log, trusted)
	pages, err := web.New(n.CI, auth, n.Chat, n.log, web.Options{
		Secure: strings.HasPrefix(n.URL, "https://"), Trusted: trusted, Stopping: n.stopping,
	})
	if err != nil {
		return nil, err
	}
	return bounded(limit.NewPlaces(1<<20, inFlight), trusted, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _, isGit := git.Split(r.URL.Path)
		switch {
		case strings.HasPrefix(r.URL.Path, "/api/v3/"):
			writeJSON(w, http.StatusGone, map[string]string{"error": "API V3 is no longer supported. Use API V4 instead."})
		case strings.HasPrefix(r.URL.Path, "/api/"):
			engine.ServeHTTP(w, httpapi.Mirror(r))
		case isGit:
			repositories.ServeHTTP(w, r)
		case git.WithoutSuffix(r):
			git.ToSuffix(w, r)
		case git.AsksForImport(r):
			repositories.Import(w, r)
		case r.URL.Path == "/-/health":
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, "GitLab OK")
		case r.URL.Path == "/-/liveness":
			writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
		case r.URL.Path == "/.well-known/openid-configuration":
			n.discovery(w, r)
		case r.URL.Path == "/oauth/discovery/keys", r.URL.Path == "/-/jwks":
			n.publicKeys(w, r)
		case r.URL.Path == "/-/readiness":
			n.readiness(w, r)
		default:
			pages.ServeHTTP(w, r)
		}
	})), nil
}

// readiness says whether the node can serve: with ?all=1 part by part.
func (n *Node) readiness(w http.ResponseWriter, r *http.Request) {
	type check struct {
		Status  string `json:"status"`
		Message string `json:"message,omitempty"`
	}
	answer := map[string]any{"status": "ok", "master_check": []check{{Status: "ok"}}}
	status := http.StatusOK
	note := func(name string, err error) {
		c := check{Status: "ok"}
		if err != nil {
			c = check{Status: "failed", Message: "cannot be reached"}
			if fault.KindOf(err) == fault.OutOfSpace {
				c.Message = "no space left"
			}
			if name != "cache_check" { // a lost Redis slows, it does not refuse
				status, answer["status"] = http.StatusServiceUnavailable, "failed"
			}
		}
		if r.URL.Query().Get("all") != "" || err != nil {
			answer[name] = []check{c}
		}
	}
	if !n.ready.Load() {
		status, answer["status"] = http.StatusServiceUnavailable, "failed"
		answer["master_check"] = []check{{Status: "failed", Message: "stopping"}}
	}
	note("db_check", n.db.Ping(r.Context()))
	note("disk_check", n.space())
	if n.redis != nil {
		note("cache_check", n.redis.Ping(r.Context()).Err())
	}
	writeJSON(w, status, answer)
}

// leastSpace is below how many bytes a disk is full: nothing of use fits there.
const leastSpace = 1 << 20

// space says whether one of the folders that are written to has no space left.
func (n *Node) space() error {
	for _, dir := range n.folders {
		var fs syscall.Statfs_t
		if err := syscall.Statfs(dir, &fs); err == nil && (fs.Bavail*uint64(fs.Bsize) < leastSpace || fs.Files > 0 && fs.Ffree == 0) {
			return &os.PathError{Op: "write", Path: dir, Err: syscall.ENOSPC}
		}
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer) // whoever asked has gone if this fails
}
