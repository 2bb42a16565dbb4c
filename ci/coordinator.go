// Package ci is the engine: its use cases create pipelines, hand jobs to runners, keep their logs and
// artifacts, and let people play, retry, cancel and erase. Decisions are made by the pure packages below
// it; this package reads facts, asks them, and stores what they answer. It knows no HTTP.
package ci

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/ci/tasks"
	"signalbox/ci/trace"
	"signalbox/ci/variable"
	"signalbox/internal/blob"
	"signalbox/internal/events"
	"signalbox/internal/gitrepo"
	limits "signalbox/internal/limit"
	"signalbox/internal/secret"
	"signalbox/models"
)

// Version is GitLab's version that signalbox claims to be compatible with.
const Version = "18.9.0"

// Kinds of durable tasks that the engine stores.
const (
	TaskPush       = "push"        // a push was taken: make its pipelines
	TaskChatReply  = "chat-reply"  // a chat's pipeline ended: answer the chat
	TaskChatNotify = "chat-notify" // a pipeline or job ended: channels may want to know
	TaskArchive    = "archive"     // a job ended: move its log to the blob store

	TaskDownstream = "downstream"      // a bridge may start its pipeline
	TaskUpstream   = "upstream"        // a pipeline changed: its bridge shows it
	TaskMirrored   = "mirrored"        // the same, for bridges of other projects that show it
	TaskCancel     = "cancel-pipeline" // a pipeline is to end with the one above it
	TaskDeployed   = "deployed"        // a job deployed: bring its environment up to date
	TaskSchedule   = "schedule"        // a schedule is due: make its pipeline
	TaskHooks      = "hooks"           // something happened: write down who is told
	TaskDeliver    = "deliver"         // tell one webhook of one thing
	TaskUnlock     = "unlock"          // a pipeline succeeded: the artifacts of older ones may expire
	TaskForget     = "forget"          // delete the old pipelines of a project
	TaskResource   = "resource-group"  // a resource may be free: give it to the next job
	TaskRedundant  = "redundant"       // a pipeline was made: cancel those of older commits

	TaskMergeRequest = "merge-request" // a merge request was opened or has ended

	TaskPurge         = "purge"               // jobs were deleted: remove what lies in the stores
	TaskDeleteProject = "delete-project"      // a project was deleted: remove what it holds
	TaskMaintain      = "maintain-repository" // a repository changed: pack it
	TaskDropArtifacts = "drop-artifacts"      // the artifacts of a project are to be removed
	TaskDeleteGroup   = "delete-group"        // a group was deleted: remove what it holds, then itself
)

// Settings are what an administrator may choose, with design.md's defaults when zero.
type Settings struct {
	URL            string        // the address people and runners use, without a trailing slash
	AcceptWithin   time.Duration // how long an offer waits for a runner that acknowledges
	LegacyAccept   time.Duration // the same for runners that only call when they have something to say
	LostAfter      time.Duration // silence after which a running job is lost
	NoRunnerAfter  time.Duration // how long a job may wait while no online runner can take it
	StuckAfter     time.Duration // how long a job may wait for a runner
	HoldPolls      time.Duration // how long an empty request of a runner is held; 0 answers at once
	MaxTrace       int64         // bytes of a log
	MaxArtifact    int64         // bytes of an artifact
	ArtifactExpiry time.Duration // of artifacts without expire_in
	Templates      string        // folder of an instance's own templates of configurations; "" is none
	HookHosts      []string      // hosts in private networks that webhooks may go to
	IncludeHosts   []string      // hosts in private networks that remote includes may read from

	Steady func() time.Time // a clock that nobody sets, such as time.Now for who subtracts its times
}

func (s *Settings) defaults() {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&s.AcceptWithin, time.Minute)
	def(&s.LegacyAccept, 2*time.Minute)
	def(&s.LostAfter, 10*time.Minute)
	def(&s.StuckAfter, 24*time.Hour)
	def(&s.NoRunnerAfter, time.Hour)
	def(&s.ArtifactExpiry, 30*24*time.Hour)
	if s.Steady == nil {
		s.Steady = time.Now
	}
	if s.MaxTrace == 0 {
		s.MaxTrace = 100 << 20
	}
	if s.MaxArtifact == 0 {
		s.MaxArtifact = 100 << 20
	}
}

// Coordinator is the engine of one node.
type Coordinator struct {
	db        *models.DB
	keys      *secret.Keyring
	repos     *gitrepo.Store
	traces    trace.Store
	blobs     blob.Store
	hub       *events.Hub
	tasks     *tasks.Runner
	log       *slog.Logger
	settings  Settings
	remote    *remote
	compiled  *compiled
	creations *limits.Places
	queue     *queue
	runners   *runnerCache
	contacts  contacts
	ears      ears
	cached    atomic.Pointer[cachedSettings]
	lease     lease
	signer    atomic.Pointer[signingKey]
	// instanceID is kept once it was read.
	instanceID atomic.Pointer[string]
	hooks      hookCache
	matched    atomic.Pointer[time.Time] // when jobs that no runner can take were looked for
	aged       atomic.Pointer[time.Time] // when old pipelines were looked for
	forgot     atomic.Pointer[time.Time] // when old commands were looked for
	sender     *hookSender
	reading    *limits.Places // of test reports
	reports    knownReports
	left       leftovers
	sweepSoon  chan struct{}
}

// Parts are what a Coordinator is made of.
type Parts struct {
	DB       *models.DB
	Keys     *secret.Keyring
	Repos    *gitrepo.Store
	Traces   trace.Store
	Blobs    blob.Store
	Hub      *events.Hub
	Tasks    *tasks.Runner
	Log      *slog.Logger
	Settings Settings
}

// New makes a Coordinator and registers its tasks.
func New(p Parts) *Coordinator {
	p.Settings.defaults()
	c := &Coordinator{
		db: p.DB, keys: p.Keys, repos: p.Repos, traces: p.Traces, blobs: p.Blobs, hub: p.Hub, tasks: p.Tasks, log: p.Log,
		settings: p.Settings, remote: newRemote(p.Settings.IncludeHosts), compiled: newCompiled(), creations: newCreations(), sender: newHookSender(p.Settings.HookHosts), reading: limits.NewPlaces(2, 1), sweepSoon: make(chan struct{}, 1), queue: newQueue(), runners: newRunnerCache(), lease: lease{holder: newKey()},
	}
	p.DB.OnAuthorityChange(c.authorityChanged)
	c.ears.listen(p.DB.Now(), c.settings.Steady())
	c.handleTasks(p.Tasks)
	return c
}

// Run keeps the queue and the sweeps going until the context ends, then answers all held requests.
func (c *Coordinator) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { c.sweep(ctx) })
	wg.Go(func() { c.listen(ctx) })
	wg.Go(func() { c.removeLeftovers(ctx) })
	<-ctx.Done()
	c.queue.close()
	wg.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	c.flushContacts(last)
	if err := c.lease.give(last, c.db); err != nil {
		c.log.DebugContext(last, "the lease ends by time", "error", err)
	}
}

// listen follows what other nodes announce.
func (c *Coordinator) listen(ctx context.Context) {
	queued, stopQueued := c.hub.Subscribe(TopicQueue)
	defer stopQueued()
	runners, stopRunners := c.hub.Subscribe(TopicRunners)
	defer stopRunners()
	moved, stopMoved := c.hub.Subscribe(TopicQueueMoved)
	defer stopMoved()
	for {
		select {
		case <-ctx.Done():
			return
		case <-moved:
			if err := c.sweepQueue(ctx, true); err != nil && ctx.Err() == nil {
				c.log.DebugContext(ctx, "the queue is compared with the next sweep", "error", err)
			}
		case <-runners:
			c.runners.clear()
			c.wakeSweep()
		case <-queued:
			if err := c.sweepQueue(ctx, false); err != nil && ctx.Err() == nil {
				c.log.DebugContext(ctx, "the queue is read with the next sweep", "error", err)
			}
		}
	}
}

// Drain answers all held requests of runners, for a shutdown that is to be quick.
func (c *Coordinator) Drain() { c.queue.close() }

// HeldRequests counts the requests of runners that wait for work on this node.
func (c *Coordinator) HeldRequests() int { return c.queue.held() }

// DB is the database, for the edges' own reads.
func (c *Coordinator) DB() *models.DB { return c.db }

// Keys is the keyring that seals secrets.
func (c *Coordinator) Keys() *secret.Keyring { return c.keys }

// Hub is where changes are announced; see the Topic functions.
func (c *Coordinator) Hub() *events.Hub { return c.hub }

// URL is the address of this installation, without a trailing slash.
func (c *Coordinator) URL() string { return c.settings.URL }

// Repo is the repository of a project.
func (c *Coordinator) Repo(p *models.Project) *gitrepo.Repo { return c.repos.Repo(p.Storage) }

func (c *Coordinator) server() variable.Server {
	return variable.Server{URL: c.settings.URL, Version: Version}
}
