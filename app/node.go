package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/redis/go-redis/v9"

	"signalbox/chatops"
	"signalbox/chatops/discord"
	"signalbox/chatops/mattermost"
	"signalbox/chatops/slack"
	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/tasks"
	"signalbox/ci/trace"
	"signalbox/internal/blob"
	"signalbox/internal/events"
	"signalbox/internal/gitrepo"
	"signalbox/internal/httpapi"
	"signalbox/internal/limit"
	"signalbox/internal/outbound"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// Node is one running signalbox.
type Node struct {
	URL          string // where people, runners and chats reach it
	Local        string // where this machine reaches it
	RootPassword string // of a root that was just made; "" otherwise
	CI           *ci.Coordinator
	Chat         *chatops.Service

	settings   Settings
	log        *slog.Logger
	db         *models.DB
	repos      *gitrepo.Store
	traces     trace.Store
	blobs      blob.Store
	hub        *events.Hub
	bus        *events.Bus   // nil on a single node
	redis      *redis.Client // the same
	brakes     access.Brakes
	auth       *access.Authenticator
	tasks      *tasks.Runner
	listener   net.Listener
	server     *http.Server
	serving    chan error
	stop       context.CancelFunc
	stopRunner func()
	sockets    *slack.Sockets
	working    sync.WaitGroup
	ready      atomic.Bool
	folders    []string // that are written to
	unused     unused
	routes     func() gin.RoutesInfo // of the API
	stopping   chan struct{}         // closed when streams shall end
}

// Start brings up a node. It returns once the node answers, or with what is wrong and what to do about it.
func Start(ctx context.Context, s Settings, log *slog.Logger) (*Node, error) {
	trusted, err := s.check()
	if err != nil {
		return nil, err
	}
	n := &Node{settings: s, log: log, serving: make(chan error, 1), stopping: make(chan struct{})}
	started := false
	defer func() {
		if !started {
			n.release()
		}
	}()
	keys, err := n.open(ctx)
	if err != nil {
		return nil, err
	}
	if n.listener, err = net.Listen("tcp", s.Listen); err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	n.listener = httpapi.Listen(n.listener, trusted)
	n.Local = "http://" + localHost(n.listener.Addr().String())
	if n.URL = s.ExternalURL; n.URL == "" {
		n.URL = n.Local
	}
	if s.Steady == nil {
		s.Steady = s.Now
	}
	n.tasks = tasks.NewRunner(n.db, log)
	n.CI = ci.New(ci.Parts{
		DB: n.db, Keys: keys, Repos: n.repos, Traces: n.traces, Blobs: n.blobs, Hub: n.hub, Tasks: n.tasks, Log: log,
		Settings: ci.Settings{
			URL: n.URL, HoldPolls: s.HoldPolls, AcceptWithin: s.AcceptWithin, LegacyAccept: s.AcceptWithin, LostAfter: s.LostAfter,
			MaxTrace: s.MaxTrace, MaxArtifact: s.MaxArtifact, Templates: s.Templates, IncludeHosts: s.IncludeHosts, HookHosts: s.PrivateHosts,
			Steady: s.Steady,
		},
	})
	n.Chat = chatops.New(n.CI, n.tasks, log, chatops.Options{
		Chats: map[enum.Chat]chatops.Chat{
			enum.Slack: slack.Chat{API: s.SlackAPI}, enum.SlackApp: slack.Chat{API: s.SlackAPI}, enum.Mattermost: mattermost.Chat{},
			enum.Discord: discord.Chat{API: s.DiscordAPI},
		},
		PrivateHosts: s.PrivateHosts, PostTimeout: s.PostTimeout, Pace: n.pace(),
	})
	n.sockets = slack.NewSockets(n.Chat, slack.Chat{API: s.SlackAPI}, &http.Client{Transport: outbound.New(s.PrivateHosts)}, n.db.Now, log)
	if n.RootPassword, err = n.CI.Bootstrap(ctx, s.RootPassword, s.RootToken); err != nil {
		return nil, fmt.Errorf("first user: %w", err)
	}
	n.auth = access.NewAuthenticator(n.db, n.brakes)
	handler, err := n.handler(trusted, n.auth)
	if err != nil {
		return nil, err
	}
	started = true
	n.run(handler)
	return n, nil
}

func localHost(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return "127.0.0.1:" + port
	}
	return address
}

// open prepares everything that is kept.
func (n *Node) open(ctx context.Context) (*secret.Keyring, error) {
	s := n.settings
	// Others may pass through to the builds of the runner's user; each folder inside keeps its own door.
	if err := os.MkdirAll(s.Data, 0o711); err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	keyFile, create := s.SecretKeyFile, false
	if keyFile == "" {
		keyFile, create = filepath.Join(s.Data, "secret-key"), true
	}
	var keys *secret.Keyring
	var err error
	n.db, err = models.Open(ctx, models.Options{URL: s.DatabaseURL, Dir: s.Data, Now: s.Now, Before: func(tx *models.Tx) (err error) {
		keys, err = loadKeys(tx, keyFile, create)
		return err
	}})
	if err != nil {
		return nil, err
	}
	if err := n.db.Write(ctx, func(tx *models.Tx) error { return keepKeyCheck(tx, keys, keyFile) }); err != nil {
		return nil, err
	}
	repositories := s.Repositories
	if repositories == "" {
		repositories = filepath.Join(s.Data, "repositories")
	}
	if n.repos, err = gitrepo.New(gitrepo.Options{Root: repositories, Home: filepath.Join(s.Data, "git-home")}); err != nil {
		return nil, err
	}
	objects := s.BlobURL
	if objects == "" {
		dir, err := filepath.Abs(filepath.Join(s.Data, "objects"))
		if err != nil {
			return nil, fmt.Errorf("--data: %w", err)
		}
		objects = (&url.URL{Scheme: "file", Path: dir}).String()
	}
	n.folders = []string{s.Data, repositories}
	if u, err := url.Parse(objects); err == nil && u.Scheme == "file" {
		n.folders = append(n.folders, u.Path)
	}
	if n.blobs, err = blob.Open(ctx, objects); err != nil {
		return nil, fmt.Errorf("--blob-url: %w", err)
	}
	if err := n.openLive(); err != nil {
		return nil, err
	}
	return keys, n.db.ReleaseTasks(ctx)
}

// openLive prepares what lives while jobs run: in files and memory of one node, or in Redis for several. A
// Redis that is away does not keep a node from starting.
func (n *Node) openLive() (err error) {
	n.hub = events.NewHub()
	n.brakes = brakes(func(burst int) access.Limiter { return limit.NewLocal(access.BrakeEvery, burst) })
	if n.settings.RedisURL == "" {
		n.traces, err = trace.NewFiles(filepath.Join(n.settings.Data, "traces"), n.blobs)
		return err
	}
	o, err := redis.ParseURL(n.settings.RedisURL)
	if err != nil {
		return fmt.Errorf("--redis-url: %w", err)
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.MaxRetries = 2*time.Second, 5*time.Second, 5*time.Second, 1
	n.redis = redis.NewClient(o)
	n.bus = events.NewBus(n.hub, n.redis, n.log)
	n.traces = trace.NewRedis(n.redis, n.blobs)
	n.brakes = brakes(func(burst int) access.Limiter { return limit.NewRedis(n.redis, access.BrakeEvery, burst) })
	return nil
}

func brakes(limiter func(burst int) access.Limiter) access.Brakes {
	return access.Brakes{Login: limiter(access.LoginBurst), Network: limiter(access.NetworkBurst), Name: limiter(access.NameBurst)}
}

// pace counts the messages to each chat's channels, where several nodes send them.
func (n *Node) pace() chatops.Counter {
	if n.redis == nil {
		return nil
	}
	return limit.NewRedis(n.redis, chatops.PaceEvery, chatops.PaceBurst)
}

// run starts everything that goes on by itself.
func (n *Node) run(handler http.Handler) {
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	if n.bus != nil {
		n.working.Go(func() { n.bus.Run(ctx) })
	}
	n.working.Go(func() { n.CI.Run(ctx) })
	n.working.Go(func() { n.tasks.Run(ctx) })
	n.working.Go(func() { n.sockets.Run(ctx) })
	n.server = &http.Server{
		Handler: httpapi.LeastSpeed(handler), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelDebug),
	}
	n.server.ConnState = n.unused.note
	go func() { n.serving <- n.server.Serve(n.listener) }()
	n.ready.Store(true)
}

// How long requests under way may take when a node stops, and after that what goes on by itself. What takes longer is cut
// off: an orderly end within ten seconds, which is what Docker waits, is better than to be killed.
const (
	stopTimeout = 6 * time.Second
	workTimeout = 2 * time.Second
	giveTimeout = time.Second // for the tasks that are cut off
)

// Wait returns when the node cannot serve any more.
func (n *Node) Wait() error {
	err := <-n.serving
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close stops the node: it takes no new requests, answers held ones, finishes what is under way, and closes
// what is kept.
func (n *Node) Close() error {
	n.ready.Store(false)
	if n.stopRunner != nil {
		n.stopRunner()
	}
	n.CI.Drain()
	close(n.stopping)
	n.unused.close()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := n.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		n.log.Warn("requests are cut off", "after", stopTimeout)
		err = n.server.Close()
	}
	n.stop()
	done := make(chan struct{})
	go func() {
		n.working.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(workTimeout):
		n.log.Warn("tasks under way are left to the next start", "after", workTimeout)
	}
	ctx, cancel = context.WithTimeout(context.Background(), giveTimeout)
	defer cancel()
	if err := n.tasks.GiveBack(ctx); err != nil { // their claims run out
		n.log.Warn("tasks that were cut off cannot be given back", "error", err)
	}
	return errors.Join(err, n.release())
}

func (n *Node) release() error {
	var errs []error
	if n.listener != nil {
		n.listener.Close() // the server has closed it before, or there was none
	}
	if n.repos != nil {
		n.repos.Close()
	}
	if n.traces != nil {
		errs = append(errs, n.traces.Close())
	}
	if n.redis != nil {
		errs = append(errs, n.redis.Close())
	}
	if n.blobs != nil {
		errs = append(errs, n.blobs.Close())
	}
	if n.db != nil {
		errs = append(errs, n.db.Close())
	}
	return errors.Join(errs...)
}

// unused holds connections on which nothing was asked yet. Clients open some ahead of need, and a shutdown
// would wait five seconds for each.
type unused struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
}

func (u *unused) note(c net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if state != http.StateNew {
		delete(u.conns, c)
		return
	}
	if u.conns == nil {
		u.conns = map[net.Conn]bool{}
	}
	u.conns[c] = true
}

func (u *unused) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for c := range u.conns {
		c.Close()
	}
}
