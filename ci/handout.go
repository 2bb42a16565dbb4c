package ci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"signalbox/ci/config"
	"signalbox/ci/plan"
	"signalbox/ci/process"
	"signalbox/ci/variable"
	"signalbox/internal/gitrepo"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// Offer is a job as it is given to a runner, with all that its payload needs.
type Offer struct {
	Job          *models.Job
	Definition   *plan.Definition
	Pipeline     *models.Pipeline
	Project      *models.Project
	Runner       *models.Runner
	UserID       int64
	Token        string // the job token, which nobody can read again
	Timeout      int    // seconds
	Depth        int    // of the clone
	Variables    variable.Collection
	Dependencies []Dependency
	Inputs       []config.JobInput
	CacheFiles   map[string]string // contents' hash by file, for cache keys made of files
	CacheSuffix  string            // of the caches' keys; "" if the project's refs share their caches
	QueuedFor    time.Duration
	Place        QueuePlace
	Identity     Identity
	RepoURL      string
}

// Dependency is an earlier job whose artifacts this one fetches.
type Dependency struct {
	ID       int64
	Name     string
	Artifact *models.Artifact // nil if it left none
}

// JobRequest is a runner's question for work.
type JobRequest struct {
	Token      string
	Info       RunnerInfo
	LastUpdate string
}

// JobAnswer is a job, or nothing and the version to ask with next time.
type JobAnswer struct {
	Offer      *Offer
	LastUpdate string
}

// RequestJob gives a runner its next job. Without one it answers at once if the runner named no version or
// an old one; else it holds the request until a job comes, the time is over, the node shuts down or the
// runner goes away. It writes nothing unless a job is given.
func (c *Coordinator) RequestJob(ctx context.Context, r JobRequest) (JobAnswer, error) {
	e, err := c.entry(ctx, r.Token)
	if err != nil {
		return JobAnswer{}, err
	}
	manager, err := c.manager(ctx, e, r.Info)
	if err != nil {
		return JobAnswer{}, err
	}
	version := c.queue.version(e.match)
	if !e.runner.Active {
		return JobAnswer{LastUpdate: r.LastUpdate}, nil // nothing was searched: what came meanwhile is still news to it
	}
	if r.LastUpdate != version {
		offer, err := c.next(ctx, e, manager)
		return c.answer(ctx, r.Token, JobAnswer{Offer: offer, LastUpdate: version}, err)
	}
	answer, err := c.hold(ctx, r.Token, e, manager, version)
	return c.answer(ctx, r.Token, answer, err)
}

// answer is what a request gets whose runner changed while it waited: a refusal if its token is dead, else no job.
func (c *Coordinator) answer(ctx context.Context, token string, a JobAnswer, err error) (JobAnswer, error) {
	if errors.Is(err, errMoreWaits) {
		return JobAnswer{}, nil
	}
	if !errors.Is(err, errRunnerChanged) {
		return a, err
	}
	_, err = c.freshEntry(ctx, token)
	return JobAnswer{LastUpdate: a.LastUpdate}, err
}

// hold waits for a job for a runner that has seen the current version. It ends with errRunnerChanged as soon as the
// runner is told to be another one.
func (c *Coordinator) hold(ctx context.Context, token string, e *runnerEntry, m *models.RunnerManager, version string) (JobAnswer, error) {
	timeout := time.NewTimer(c.settings.HoldPolls)
	defer timeout.Stop()
	changed, stop := c.hub.Subscribe(topicRunner(e.runner.ID))
	defer stop()
	for {
		woken, leave := c.queue.wait(e.match, version)
		if woken != nil {
			select {
			case <-woken:
			case <-changed:
				answer := c.stopWaiting(e.match, leave, version)
				now, err := c.freshEntry(ctx, token)
				if err == nil && !e.asBefore(now, m.SystemID) {
					err = errRunnerChanged
				}
				if err != nil {
					return answer, err
				}
				continue
			case <-timeout.C:
				return c.stopWaiting(e.match, leave, version), nil
			case <-c.queue.closed:
				return c.stopWaiting(e.match, leave, version), nil
			case <-ctx.Done():
				return c.stopWaiting(e.match, leave, version), ctx.Err()
			}
		}
		version = c.queue.version(e.match) // before the search, so that a job that comes meanwhile is not missed
		offer, err := c.next(ctx, e, m)
		if err != nil && ctx.Err() != nil {
			c.queue.passOn(e.match)
		}
		if err != nil || offer != nil || c.queue.isClosed() {
			return JobAnswer{Offer: offer, LastUpdate: version}, err
		}
	}
}

// stopWaiting hands a wake-up that came at the last moment to somebody else.
func (c *Coordinator) stopWaiting(m matcher, leave func() bool, version string) JobAnswer {
	if leave() {
		c.queue.passOn(m)
	}
	return JobAnswer{LastUpdate: version}
}

// maxTries is how many jobs one request looks at before it gives up, as on GitLab.
const maxTries = 45

// errMoreWaits ends a search before it saw all jobs. The request is answered without a version, so that the next one goes
// on and is not held.
var errMoreWaits = errors.New("not all waiting jobs were looked at")

// next claims the next job for a runner; nil if there is none.
func (c *Coordinator) next(ctx context.Context, e *runnerEntry, m *models.RunnerManager) (*Offer, error) {
	running := func() (counts map[int64]int) {
		err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
			counts, err = tx.SharedRunning()
			return err
		})
		if err != nil {
			c.log.WarnContext(ctx, "running jobs cannot be counted", "error", err)
		}
		return counts
	}
	for tried := range maxTries {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		size := c.queue.size(e.match)
		id := c.queue.take(e.match, running)
		if id == 0 {
			return nil, nil
		}
		offer, err := c.claim(ctx, id, e, m)
		if err != nil {
			c.restore(context.WithoutCancel(ctx), id)
			return nil, err
		}
		if offer != nil {
			offer.Place.Size, offer.Place.Depth = max(size, 1), tried+1
			return offer, nil
		}
	}
	return nil, errMoreWaits
}

// restore puts a job back into the mirror if it still waits in the table.
func (c *Coordinator) restore(ctx context.Context, jobID int64) {
	err := c.db.Read(ctx, func(tx *models.Tx) error {
		row, err := tx.Pending(jobID)
		if err == nil {
			c.queue.add(row)
		}
		return err
	})
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		c.log.WarnContext(ctx, "job goes back to the queue with the next sweep", "job", jobID, "error", err)
	}
}

// prepare reads all that a payload needs, before any row changes. A reason says why the job cannot run.
func (c *Coordinator) prepare(ctx context.Context, jobID int64, e *runnerEntry, m *models.RunnerManager) (*Offer, enum.FailureReason, error) {
	f := &jobFacts{runner: e.runner}
	var deps []Dependency
	var reason enum.FailureReason
	err := c.db.Read(ctx, func(tx *models.Tx) error {
		err := c.readFacts(tx, jobID, f)
		if err == nil && f.job.Status != enum.Pending {
			err = models.ErrNotFound
		}
		if err != nil {
			return err
		}
		if reason = unfit(f, m); reason != "" {
			return nil
		}
		if deps, reason, err = c.dependencies(tx, f); err != nil {
			return err
		}
		if f.place, err = queuePlace(tx, f.project, e.runner); err != nil {
			return err
		}
		if f.cacheSuffix, err = cacheSuffix(tx, f); err != nil {
			return err
		}
		f.handed, err = c.handedOn(tx, deps)
		return sealedIsBroken(err)
	})
	if err != nil || reason != "" {
		var broken *brokenJob
		if errors.As(err, &broken) {
			c.log.ErrorContext(ctx, "job cannot be prepared", "job", jobID, "error", err)
			return nil, enum.SchedulerFailure, nil
		}
		return nil, reason, err
	}
	repo := c.Repo(f.project)
	if f.commit, err = repo.Commit(ctx, f.pipeline.SHA); err == nil && f.pipeline.Tag {
		f.tagMessage, err = repo.TagMessage(ctx, f.pipeline.Ref)
	}
	if errors.Is(err, gitrepo.ErrNotFound) {
		c.log.ErrorContext(ctx, "job cannot be prepared", "job", jobID, "error", err)
		return nil, enum.SchedulerFailure, nil
	}
	if err != nil {
		return nil, "", err
	}
	o, err := c.offer(ctx, f)
	if err != nil {
		return nil, "", err
	}
	o.Dependencies = deps
	if o.Inputs, err = jobInputs(f); err != nil {
		c.log.ErrorContext(ctx, "job cannot be prepared", "job", jobID, "error", err)
		return nil, enum.SchedulerFailure, nil
	}
	o.Variables = append(o.Variables, chatArguments(f, o.Inputs)...)
	o.CacheFiles, o.CacheSuffix = c.cacheFiles(ctx, f), f.cacheSuffix
	o.Place = f.place
	o.Identity, err = c.identity(ctx, f.runner.ID)
	return o, "", err
}

// brokenJob is a job whose stored data cannot be read; it must not block the queue.
type brokenJob struct{ error }

func (c *Coordinator) readFacts(tx *models.Tx, jobID int64, f *jobFacts) (err error) {
	if f.job, err = tx.Job(jobID); err != nil {
		return err
	}
	if f.definition, err = c.definition(tx, f.job); err != nil {
		return err
	}
	if f.pipeline, err = tx.Pipeline(f.job.PipelineID); err != nil {
		return err
	}
	if f.pipeline.UpstreamID != nil {
		if f.upstream, err = tx.Pipeline(*f.pipeline.UpstreamID); err != nil && !errors.Is(err, models.ErrNotFound) {
			return err
		}
	}
	if f.pipeline.ScheduleID != nil {
		schedule, err := tx.Schedule(*f.pipeline.ScheduleID)
		if err == nil {
			f.schedule = schedule.Description
		} else if !errors.Is(err, models.ErrNotFound) {
			return err
		}
	}
	periods, err := tx.FreezePeriods(f.job.ProjectID)
	if err != nil {
		return err
	}
	f.frozen = frozen(periods, tx.Now())
	if f.project, err = tx.Project(f.job.ProjectID); err != nil {
		return err
	}
	if err = f.readMergeRequests(tx); err != nil {
		return err
	}
	if f.user, err = tx.User(f.job.UserID); err != nil {
		return err
	}
	if f.job.EnvironmentID != nil {
		if f.environment, err = tx.Environment(*f.job.EnvironmentID); err != nil && !errors.Is(err, models.ErrNotFound) {
			return err
		}
	}
	if f.stored, err = c.storedVariables(tx, f.project, f.sees()); err != nil {
		return sealedIsBroken(err)
	}
	if f.given, err = c.pipelineVariables(tx, f.pipeline.ID); err != nil {
		return sealedIsBroken(err)
	}
	f.played, err = c.playedVariables(f.job)
	return sealedIsBroken(err)
}

func sealedIsBroken(err error) error {
	if errors.Is(err, secret.ErrSealed) {
		return &brokenJob{err}
	}
	return err
}

func (c *Coordinator) definition(tx *models.Tx, j *models.Job) (*plan.Definition, error) {
	text, err := tx.Definition(j.DefinitionID)
	if err != nil {
		return nil, &brokenJob{fmt.Errorf("definition of job %d: %w", j.ID, err)}
	}
	var d plan.Definition
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return nil, &brokenJob{fmt.Errorf("definition of job %d: %w", j.ID, err)}
	}
	return &d, nil
}

// unfit names why a job cannot be given to this machine at all (facts: runner-protocol 3.4).
func unfit(f *jobFacts, m *models.RunnerManager) enum.FailureReason {
	needs := func(feature string) bool { return !m.Features[feature] }
	a := f.definition.Artifacts
	if reason := barred(f.project.PendingDelete, f.project.Archived, f.project.BuildsEnabled, f.user.Blocked()); reason != "" {
		return reason
	}
	switch {
	case a != nil && len(a.Reports) > 0 && needs("upload_multiple_artifacts"),
		a != nil && len(a.Exclude) > 0 && needs("artifacts_exclude"),
		needs("job_inputs") && usesInputs(f.definition),
		(len(f.definition.AllowCodes) > 0 || f.definition.Retry != nil && len(f.definition.Retry.ExitCodes) > 0) && needs("return_exit_code"):
		return enum.RunnerUnsupported
	}
	for _, cache := range f.definition.Cache {
		if len(cache.FallbackKeys) > 0 && needs("fallback_cache_keys") {
			return enum.RunnerUnsupported
		}
	}
	return ""
}

func (c *Coordinator) offer(ctx context.Context, f *jobFacts) (*Offer, error) {
	token := secret.NewToken(secret.JobToken)
	now := c.db.Now()
	o := &Offer{
		Job: f.job, Definition: f.definition, Pipeline: f.pipeline, Project: f.project, Runner: f.runner, UserID: f.user.ID,
		Token: token, Timeout: f.definition.Timeout, Depth: f.project.GitDepth,
		RepoURL: variable.RepositoryURL(c.server(), projectFacts(f.project), token),
	}
	if o.Timeout == 0 {
		o.Timeout = f.project.BuildTimeout
	}
	if limit := f.runner.MaximumTimeout; limit > 0 {
		o.Timeout = min(o.Timeout, limit)
	}
	var err error
	if f.tokens, err = c.idTokens(ctx, f, f.bridgeVariables(c.server()), o.Timeout); err != nil {
		return nil, err
	}
	o.Variables = f.variables(c.server(), token, now)
	if f.job.QueuedAt != nil {
		o.QueuedFor = now.Sub(*f.job.QueuedAt)
	}
	if text, ok := o.Variables.Get("GIT_DEPTH"); ok {
		var depth int
		if _, err := fmt.Sscanf(text, "%d", &depth); err == nil && depth >= 0 {
			o.Depth = depth
		}
	}
	return o, nil
}

// fail drops a waiting job with a reason.
func (c *Coordinator) fail(ctx context.Context, jobID int64, reason enum.FailureReason) error {
	return c.withJob(ctx, jobID, func(m *mover, j *models.Job) error {
		if j.Status != enum.Pending {
			return nil
		}
		return m.end(j, process.Drop, Outcome{Reason: reason})
	})
}
