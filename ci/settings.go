package ci

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"

	"signalbox/ci/access"
	"signalbox/ci/config"
	"signalbox/internal/fault"
	"signalbox/models"
)

// Revision is the commit that was built, as the build recorded it.
var Revision = revision()

func revision() string {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}

// settingInstance is where the settings of the instance lie, as JSON.
const settingInstance = "instance"

// InstanceSettings are what an administrator sets for all projects while the instance runs. The zero value
// is what the node was started with.
type InstanceSettings struct {
	MaxArtifactsMB      int64  `json:"max_artifacts_mb,omitempty"`
	MaxTraceMB          int64  `json:"max_trace_mb,omitempty"`
	ArtifactsExpireIn   string `json:"artifacts_expire_in,omitempty"`
	PendingTimeoutHours int64  `json:"pending_timeout_hours,omitempty"`
	MaxIncludes         int64  `json:"max_includes,omitempty"` // files of one configuration
	Limits              Limits `json:"limits"`
	MaxSchedules        int64  `json:"max_schedules,omitempty"`      // of one project
	KeepCommandsDays    int64  `json:"keep_commands_days,omitempty"` // at most, of chat commands; 0: for good
	NoNewGroups         bool   `json:"no_new_groups,omitempty"`      // users that are made from now on make no groups
	// Facts are settings of GitLab that are kept and given back, by their names there.
	Facts map[string]any `json:"facts,omitempty"`
}

// filled puts the node's own settings where nothing was set.
func (c *Coordinator) filled(s InstanceSettings) InstanceSettings {
	if s.MaxArtifactsMB == 0 {
		s.MaxArtifactsMB = max(1, c.settings.MaxArtifact>>20)
	}
	if s.MaxTraceMB == 0 {
		s.MaxTraceMB = max(1, c.settings.MaxTrace>>20)
	}
	if s.ArtifactsExpireIn == "" {
		s.ArtifactsExpireIn = fmt.Sprintf("%d days", c.settings.ArtifactExpiry/(24*time.Hour))
	}
	if s.PendingTimeoutHours == 0 {
		s.PendingTimeoutHours = max(1, int64(c.settings.StuckAfter/time.Hour))
	}
	if s.MaxIncludes == 0 {
		s.MaxIncludes = config.MaxIncludes
	}
	if s.MaxSchedules == 0 {
		s.MaxSchedules = defaultSchedules
	}
	return s
}

// defaultSchedules is GitLab's limit of a project's schedules.
const defaultSchedules = 10

// maxSchedules is how many schedules a project may have.
func (c *Coordinator) maxSchedules(ctx context.Context) int64 {
	return c.filled(c.current(ctx)).MaxSchedules
}

// maxTrace is the most bytes of a log.
func (c *Coordinator) maxTrace(ctx context.Context) int64 {
	if mb := c.current(ctx).MaxTraceMB; mb != 0 {
		return mb << 20
	}
	return c.settings.MaxTrace
}

// maxArtifact is the most bytes of an artifact of a project.
func (c *Coordinator) maxArtifact(ctx context.Context, p *models.Project) int64 {
	if p != nil && p.Settings.MaxArtifactsSize > 0 {
		return int64(p.Settings.MaxArtifactsSize) << 20
	}
	if mb := c.current(ctx).MaxArtifactsMB; mb != 0 {
		return mb << 20
	}
	return c.settings.MaxArtifact
}

// stuckAfter is how long a job may wait for a runner.
func (c *Coordinator) stuckAfter(ctx context.Context) time.Duration {
	if h := c.current(ctx).PendingTimeoutHours; h != 0 {
		return time.Duration(h) * time.Hour
	}
	return c.settings.StuckAfter
}

// settingsTime is how long a node may go on with what it read of the settings.
const settingsTime = 5 * time.Second

// InstanceSettings reads the settings as they are in effect.
func (c *Coordinator) InstanceSettings(ctx context.Context) (InstanceSettings, error) {
	set, err := c.storedSettings(ctx)
	return c.filled(set), err
}

func (c *Coordinator) storedSettings(ctx context.Context) (out InstanceSettings, err error) {
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		text, err := tx.Setting(settingInstance)
		if err != nil || text == "" {
			return err
		}
		return json.Unmarshal([]byte(text), &out)
	})
	return out, err
}

// SetInstanceSettings changes the settings. Other nodes follow within seconds.
func (c *Coordinator) SetInstanceSettings(ctx context.Context, by access.Actor, change func(*InstanceSettings)) error {
	if !access.Allowed(by, access.AdminInstance, access.Subject{}) {
		return errForbidden
	}
	set, err := c.InstanceSettings(ctx)
	if err != nil {
		return err
	}
	change(&set)
	switch _, ok := config.ParseDuration(set.ArtifactsExpireIn); {
	case !ok && set.ArtifactsExpireIn != "0" && set.ArtifactsExpireIn != "never":
		return fault.Field("default_artifacts_expire_in", "is not a duration, such as 30 days")
	case set.MaxArtifactsMB < 1 || set.MaxArtifactsMB > 1<<20:
		return fault.Field("max_artifacts_size", "must be from 1 to 1048576 megabytes")
	case set.MaxTraceMB < 1 || set.MaxTraceMB > 10_000:
		return fault.Field("max_trace_size", "must be from 1 to 10000 megabytes")
	case set.PendingTimeoutHours < 1 || set.PendingTimeoutHours > 24*365:
		return fault.Field("pending_job_timeout_hours", "must be from 1 to 8760 hours")
	case set.Limits.check() != nil:
		return set.Limits.check()
	case set.MaxSchedules < 1 || set.MaxSchedules > 10_000:
		return fault.Field("ci_pipeline_schedules", "must be from 1 to 10000")
	case set.KeepCommandsDays < 0 || set.KeepCommandsDays > 36_500:
		return fault.Field("chat_commands_keep_days", "must be from 0 to 36500 days")
	case set.MaxIncludes < 1 || set.MaxIncludes > 1000:
		return fault.Field("ci_max_includes", "must be from 1 to 1000")
	}
	text, err := json.Marshal(set)
	if err != nil {
		return err
	}
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.SetSetting(settingInstance, string(text)); err != nil {
			return err
		}
		return audit(tx, by, "settings_updated", "instance", 0, string(text))
	})
	c.cached.Store(nil)
	return err
}

type cachedSettings struct {
	InstanceSettings
	read time.Time
}

// current are the settings as jobs follow them: read at most every few seconds, and kept if that fails.
func (c *Coordinator) current(ctx context.Context) InstanceSettings {
	old := c.cached.Load()
	if old != nil && c.db.Now().Sub(old.read).Abs() < settingsTime {
		return old.InstanceSettings
	}
	set, err := c.storedSettings(ctx)
	if err != nil && old != nil {
		return old.InstanceSettings
	}
	c.cached.Store(&cachedSettings{set, c.db.Now()})
	return set
}
