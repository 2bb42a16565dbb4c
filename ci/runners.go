package ci

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// RunnerInfo is what a runner says of itself and its machine.
type RunnerInfo struct {
	SystemID     string
	Version      string
	Revision     string
	Platform     string
	Architecture string
	Executor     string
	IPAddress    string
	Features     map[string]bool
}

// RunnerSettings are what a runner may take and how.
type RunnerSettings struct {
	Description     string
	MaintenanceNote string
	Paused          bool
	Locked          bool
	RunUntagged     bool
	RefProtected    bool
	MaximumTimeout  int
	Tags            []string
}

// legacyManager is the machine of runners that do not name theirs.
const legacyManager = "<legacy>"

var errRunnerToken = fault.Refused(fault.Forbidden, "")

// checkSettings refuses what GitLab refuses.
func checkSettings(s RunnerSettings) error {
	switch {
	case len(s.Tags) == 0 && !s.RunUntagged:
		return fault.New(fault.Invalid, "tags_list can not be empty when runner is not allowed to pick untagged jobs")
	case len(s.Tags) > 50:
		return fault.New(fault.Invalid, "Too many tags specified. Please limit the number of tags to 50")
	case slices.ContainsFunc(s.Tags, func(tag string) bool { return len(tag) > 255 }):
		return fault.New(fault.Invalid, "tags are too long (maximum is 255 characters)")
	case s.MaximumTimeout != 0 && s.MaximumTimeout < 600:
		return fault.New(fault.Invalid, "maximum_timeout needs to be at least 10 minutes")
	case len(s.MaintenanceNote) > 1024:
		return fault.New(fault.Invalid, "maintenance_note is too long (maximum is 1024 characters)")
	case len(s.Description) > 256:
		return fault.New(fault.Invalid, "description is too long (maximum is 256 characters)")
	}
	return nil
}

func (s RunnerSettings) row(typ enum.RunnerType, token string) *models.Runner {
	return &models.Runner{
		Type: typ, TokenHash: secret.Hash(token), ShortToken: shortToken(token), Description: s.Description,
		MaintenanceNote: s.MaintenanceNote, Active: !s.Paused, Locked: s.Locked, RunUntagged: s.RunUntagged, RefProtected: s.RefProtected,
		MaximumTimeout: s.MaximumTimeout, Tags: s.Tags,
	}
}

func shortToken(token string) string {
	for _, prefix := range []string{secret.RunnerToken, secret.RegisteredRunner} {
		if len(token) > len(prefix) && token[:len(prefix)] == prefix {
			token = token[len(prefix):]
		}
	}
	return token[:min(8, len(token))]
}

// RegisterRunner makes a runner for a registration token: of the instance, a group or a project. The token
// that it returns is shown once.
func (c *Coordinator) RegisterRunner(ctx context.Context, registration string, s RunnerSettings) (*models.Runner, string, error) {
	if err := checkSettings(s); err != nil {
		return nil, "", err
	}
	token := secret.NewToken(secret.RegisteredRunner)
	var row *models.Runner
	err := c.db.Write(ctx, func(tx *models.Tx) error {
		hash := secret.Hash(registration)
		row = s.row(enum.InstanceRunner, token)
		instance, err := tx.Setting(SettingRegistration)
		if err != nil {
			return err
		}
		if registration != "" && secret.Matches(registration, instance) {
			return tx.CreateRunner(row)
		}
		p, err := tx.ProjectByRegistration(hash)
		if err == nil {
			row.Type = enum.ProjectRunner
			return tx.CreateRunner(row, p.ID)
		}
		g, err := tx.NamespaceByRegistration(hash)
		if err == nil {
			row.Type, row.NamespaceID = enum.GroupRunner, &g.ID
			return tx.CreateRunner(row)
		}
		if errors.Is(err, models.ErrNotFound) {
			return fault.Refused(fault.Forbidden, "invalid token supplied")
		}
		return err
	})
	return row, token, err
}

// CreateRunner makes a runner with an authentication token (glrt-), which is shown once.
func (c *Coordinator) CreateRunner(ctx context.Context, typ enum.RunnerType, groupID, projectID int64, creator *models.User, s RunnerSettings) (*models.Runner, string, error) {
	if err := checkSettings(s); err != nil {
		return nil, "", err
	}
	token := secret.NewToken(secret.RunnerToken)
	row := s.row(typ, token)
	row.CreatorID = &creator.ID
	err := c.db.Write(ctx, func(tx *models.Tx) error {
		row.ID = 0
		switch typ {
		case enum.GroupRunner:
			row.NamespaceID = &groupID
		case enum.ProjectRunner:
			return tx.CreateRunner(row, projectID)
		}
		return tx.CreateRunner(row)
	})
	return row, token, err
}

// runnerCache keeps what the token of a polling runner stands for, so that an idle poll reads memory. Changes
// on this node take effect at once, those of others within cacheTime.
type runnerCache struct {
	mu      sync.Mutex
	entries map[string]*runnerEntry
}

type runnerEntry struct {
	runner   *models.Runner
	match    matcher
	managers map[string]*models.RunnerManager
	read     time.Time
}

const (
	cacheTime  = 2 * time.Second
	maxEntries = 20_000
)

func newRunnerCache() *runnerCache { return &runnerCache{entries: map[string]*runnerEntry{}} }

func (rc *runnerCache) clear() {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	clear(rc.entries)
}

func (rc *runnerCache) get(hash string, now time.Time) *runnerEntry {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	e := rc.entries[hash]
	if e == nil || now.Sub(e.read) > cacheTime {
		return nil
	}
	return e
}

func (rc *runnerCache) put(hash string, e *runnerEntry) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	if len(rc.entries) >= maxEntries {
		clear(rc.entries)
	}
	rc.entries[hash] = e
}

// entry finds the runner of a token.
func (c *Coordinator) entry(ctx context.Context, token string) (*runnerEntry, error) {
	hash := secret.Hash(token)
	now := c.db.Now()
	if e := c.runners.get(hash, now); e != nil {
		return e, nil
	}
	return c.readEntry(ctx, hash, now)
}

// freshEntry finds the runner of a token as it is stored now.
func (c *Coordinator) freshEntry(ctx context.Context, token string) (*runnerEntry, error) {
	return c.readEntry(ctx, secret.Hash(token), c.db.Now())
}

func (c *Coordinator) readEntry(ctx context.Context, hash string, now time.Time) (*runnerEntry, error) {
	e := &runnerEntry{managers: map[string]*models.RunnerManager{}, read: now}
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		if e.runner, err = tx.RunnerByHash(hash); err != nil {
			return err
		}
		r := e.runner
		if e.match, err = matcherOf(tx, r); err != nil {
			return err
		}
		managers, err := tx.Managers(r.ID)
		for _, m := range managers {
			e.managers[m.SystemID] = m
		}
		return err
	})
	if errors.Is(err, models.ErrNotFound) || err == nil && expired(e.runner, now) {
		return nil, errRunnerToken
	}
	if err != nil {
		return nil, err
	}
	c.runners.put(hash, e)
	return e, nil
}

func expired(r *models.Runner, now time.Time) bool {
	return r.TokenExpiresAt != nil && now.After(*r.TokenExpiresAt)
}

// manager finds or makes the row of the machine that calls, and updates it when what it says has changed.
func (c *Coordinator) manager(ctx context.Context, e *runnerEntry, info RunnerInfo) (*models.RunnerManager, error) {
	if info.SystemID == "" {
		info.SystemID = legacyManager
	}
	if len(info.SystemID) > 64 {
		return nil, fault.New(fault.Invalid, "system_id is too long (maximum is 64 characters)")
	}
	c.runners.mu.Lock()
	m := e.managers[info.SystemID]
	c.runners.mu.Unlock()
	if m != nil && !changed(m, info) {
		c.contacts.manager(m.ID, c.db.Now())
		return m, nil
	}
	fresh, err := c.saveManager(ctx, e, info)
	if errors.Is(err, models.ErrDuplicate) { // another request of the same machine made it at the same moment
		fresh, err = c.saveManager(ctx, e, info)
	}
	if err != nil {
		return nil, err
	}
	c.runners.mu.Lock()
	e.managers[info.SystemID] = fresh
	c.runners.mu.Unlock()
	return fresh, nil
}

// saveManager notes what a machine says of itself; ErrDuplicate if it is made anew at this moment.
func (c *Coordinator) saveManager(ctx context.Context, e *runnerEntry, info RunnerInfo) (*models.RunnerManager, error) {
	fresh := &models.RunnerManager{}
	err := c.db.Write(ctx, func(tx *models.Tx) error {
		*fresh = models.RunnerManager{RunnerID: e.runner.ID, SystemID: info.SystemID}
		old, err := tx.Manager(e.runner.ID, info.SystemID)
		switch {
		case err == nil:
			*fresh = *old
		case !errors.Is(err, models.ErrNotFound):
			return err
		}
		now := tx.Now()
		fresh.Version, fresh.Revision, fresh.Platform = limit(info.Version), limit(info.Revision), limit(info.Platform)
		fresh.Architecture, fresh.Executor, fresh.IPAddress = limit(info.Architecture), limit(info.Executor), info.IPAddress
		fresh.Features, fresh.ContactedAt = info.Features, &now
		return tx.SaveManager(fresh)
	})
	return fresh, err
}

// limit bounds what a runner says of itself.
func limit(s string) string { return s[:min(len(s), 255)] }

func changed(m *models.RunnerManager, info RunnerInfo) bool {
	if m.Version != limit(info.Version) || m.Executor != limit(info.Executor) || m.IPAddress != info.IPAddress ||
		m.Platform != limit(info.Platform) || m.Revision != limit(info.Revision) || len(m.Features) != len(info.Features) {
		return true
	}
	for k, v := range info.Features {
		if m.Features[k] != v {
			return true
		}
	}
	return false
}

// VerifyRunner says whose token it is and notes the machine.
func (c *Coordinator) VerifyRunner(ctx context.Context, token string, info RunnerInfo) (*models.Runner, error) {
	e, err := c.entry(ctx, token)
	if err != nil {
		return nil, err
	}
	if info.SystemID != "" {
		m := e.managers[info.SystemID]
		if m != nil && info.Version == "" {
			return e.runner, nil
		}
		if _, err := c.manager(ctx, e, info); err != nil {
			return nil, err
		}
	}
	return e.runner, nil
}

// DeleteRunner removes the runner of a token, with all its machines.
func (c *Coordinator) DeleteRunner(ctx context.Context, token string) error {
	e, err := c.entry(ctx, token)
	if err != nil {
		return err
	}
	return c.db.Write(ctx, func(tx *models.Tx) error { return tx.DeleteRunner(e.runner.ID) })
}

// DeleteManager removes one machine of a runner.
func (c *Coordinator) DeleteManager(ctx context.Context, token, systemID string) error {
	if systemID == "" {
		return fault.New(fault.Invalid, "system_id is missing")
	}
	e, err := c.entry(ctx, token)
	if err != nil {
		return err
	}
	err = c.db.Write(ctx, func(tx *models.Tx) error { return tx.DeleteManager(e.runner.ID, systemID) })
	if errors.Is(err, models.ErrNotFound) {
		return fault.Missing("Runner Manager")
	}
	return err
}

// ResetRunnerToken gives the runner of a token a new one, which is shown once. The old one is worth nothing
// from now on.
func (c *Coordinator) ResetRunnerToken(ctx context.Context, token string) (*models.Runner, string, error) {
	e, err := c.entry(ctx, token)
	if err != nil {
		return nil, "", err
	}
	return c.ResetToken(ctx, e.runner.ID)
}

// ResetToken gives a runner a new token, which is shown once.
func (c *Coordinator) ResetToken(ctx context.Context, runnerID int64) (*models.Runner, string, error) {
	var row *models.Runner
	var token string
	err := c.db.Write(ctx, func(tx *models.Tx) (err error) {
		locked, err := tx.LockRunner(runnerID)
		if err != nil {
			return err
		}
		row = locked.Runner
		prefix := secret.RegisteredRunner
		if row.CreatorID != nil {
			prefix = secret.RunnerToken
		}
		token = secret.NewToken(prefix)
		row.TokenHash, row.ShortToken = secret.Hash(token), shortToken(token)
		return tx.UpdateRunner(locked)
	})
	return row, token, err
}

// UpdateRunner changes a runner; its next request sees the change.
func (c *Coordinator) UpdateRunner(ctx context.Context, id int64, s RunnerSettings) (row *models.Runner, err error) {
	if err := checkSettings(s); err != nil {
		return nil, err
	}
	err = c.db.Write(ctx, func(tx *models.Tx) (err error) {
		locked, err := tx.LockRunner(id)
		if err != nil {
			return err
		}
		row = locked.Runner
		row.Description, row.MaintenanceNote, row.Active, row.Locked = s.Description, s.MaintenanceNote, !s.Paused, s.Locked
		row.RunUntagged, row.RefProtected, row.MaximumTimeout, row.Tags = s.RunUntagged, s.RefProtected, s.MaximumTimeout, s.Tags
		return tx.UpdateRunner(locked)
	})
	return row, err
}
