package models

import (
	"encoding/json"
	"time"

	"gorm.io/gorm"

	"signalbox/models/enum"
)

// Runner is a registered runner: a token that any number of runner managers may use.
type Runner struct {
	ID              int64
	Type            enum.RunnerType
	TokenHash       string
	ShortToken      string
	TokenExpiresAt  *time.Time
	NamespaceID     *int64 // of a group runner
	Description     string
	MaintenanceNote string
	Active          bool
	Locked          bool
	RunUntagged     bool
	RefProtected    bool
	MaximumTimeout  int      // seconds; 0: no limit
	Tags            []string `gorm:"serializer:json"`
	CreatorID       *int64
	CreatedAt       time.Time
}

// RunnerManager is one machine that uses a runner's token.
type RunnerManager struct {
	ID           int64
	RunnerID     int64
	SystemID     string
	Version      string
	Revision     string
	Platform     string
	Architecture string
	Executor     string
	IPAddress    string
	Features     map[string]bool `gorm:"serializer:json"`
	ContactedAt  *time.Time
	CreatedAt    time.Time
}

// RunnerProject links a project runner to a project.
type RunnerProject struct {
	RunnerID  int64
	ProjectID int64
}

// CreateRunner stores a runner and the projects it works for. Its group and they must not be about to go.
func (tx *Tx) CreateRunner(r *Runner, projectIDs ...int64) error {
	if err := tx.placeTakesMore(r.NamespaceID, nil); err != nil {
		return err
	}
	for _, id := range projectIDs {
		if err := tx.projectTakesMore(id); err != nil {
			return err
		}
	}
	r.CreatedAt = tx.now()
	if r.Tags == nil {
		r.Tags = []string{}
	}
	if err := tx.db.Create(r).Error; err != nil {
		return translate(err)
	}
	for _, id := range projectIDs {
		if err := tx.db.Create(&RunnerProject{RunnerID: r.ID, ProjectID: id}).Error; err != nil {
			return err
		}
	}
	return nil
}

// RunnerByHash finds a runner by the hash of its token.
func (tx *Tx) RunnerByHash(hash string) (*Runner, error) {
	return first[Runner](tx.db.Where("token_hash = ?", hash))
}

// Runner finds a runner by id.
func (tx *Tx) Runner(id int64) (*Runner, error) { return first[Runner](tx.db.Where("id = ?", id)) }

// UpdateRunner stores all fields of r, which LockRunner gave in this transaction.
func (tx *Tx) UpdateRunner(r LockedRunner) error {
	return tx.storeLocked(r.in, RunnerAuthority, r.ID, r.Runner)
}

// RunnerFilter narrows a list of runners; what is empty does not.
type RunnerFilter struct {
	Type          enum.RunnerType
	Paused        *bool
	Status        string // online, offline, stale or never_contacted
	Tags          []string
	VersionPrefix string
	ProjectID     int64   // that work for this project: its own, its groups', the instance's
	NamespaceIDs  []int64 // group runners of these, or for ProjectID its groups
	Search        string  // in the description
	AdminedBy     int64   // that this user may administer: of its projects and groups
}

// Times after the last contact of a runner from which it counts as offline and as stale.
const (
	RunnerOnline = 2 * time.Hour
	RunnerStale  = 7 * 24 * time.Hour
)

// ContactStatus is what the last contact of a runner, or of one of its machines, says of it.
func ContactStatus(contact *time.Time, created, now time.Time) string {
	switch {
	case contact == nil && now.Sub(created) > RunnerStale:
		return "stale"
	case contact == nil:
		return "never_contacted"
	case now.Sub(*contact) < RunnerOnline:
		return "online"
	case now.Sub(*contact) < RunnerStale:
		return "offline"
	}
	return "stale"
}

// ListRunners pages through runners.
func (tx *Tx) ListRunners(f RunnerFilter, p Page) ([]*Runner, int64, error) {
	q := &query{tx.db.Model(&Runner{})}
	if f.Type != "" {
		q.where("type = ?", f.Type)
	}
	if f.Paused != nil {
		q.where("active = ?", !*f.Paused)
	}
	if f.Search != "" {
		q.contains(f.Search, "description")
	}
	of := func(ids any) *gorm.DB {
		return tx.db.Model(&RunnerProject{}).Select("runner_id").Where("project_id IN (?)", ids)
	}
	switch {
	case f.ProjectID != 0:
		q.where("(id IN (?) OR namespace_id IN ? OR type = ?)", of(f.ProjectID), f.NamespaceIDs, enum.InstanceRunner)
	case f.NamespaceIDs != nil:
		q.where("namespace_id IN ?", f.NamespaceIDs)
	case f.AdminedBy != 0:
		own, err := tx.memberOf(f.AdminedBy, enum.Maintainer)
		if err != nil {
			return nil, 0, err
		}
		groups := tx.db.Model(&Member{}).Select("namespace_id").
			Where("user_id = ? AND namespace_id IS NOT NULL AND access_level >= ?", f.AdminedBy, enum.Owner)
		q.where("(id IN (?) OR namespace_id IN (?))", of(tx.db.Model(&Project{}).Select("id").Where(own)), groups)
	}
	for _, tag := range f.Tags {
		quoted, _ := json.Marshal(tag) // a string always can be
		q.where("tags LIKE ? ESCAPE '!'", "%"+escapeLike(string(quoted))+"%")
	}
	f.contacted(tx, q)
	return list[Runner](q.db, "id", p)
}

// contacted narrows by what is known of the runner's machines.
func (f RunnerFilter) contacted(tx *Tx, q *query) {
	since := func(d time.Duration) *gorm.DB {
		return tx.db.Model(&RunnerManager{}).Select("runner_id").Where("contacted_at > ?", tx.now().Add(-d))
	}
	ever := tx.db.Model(&RunnerManager{}).Select("runner_id").Where("contacted_at IS NOT NULL")
	switch f.Status {
	case "online":
		q.where("id IN (?)", since(RunnerOnline))
	case "offline":
		q.where("id IN (?) AND id NOT IN (?)", ever, since(RunnerOnline))
	case "stale":
		q.where("id NOT IN (?) AND created_at <= ?", since(RunnerStale), tx.now().Add(-RunnerStale))
	case "never_contacted":
		q.where("id NOT IN (?)", ever)
	}
	if f.VersionPrefix != "" {
		q.where("id IN (?)", tx.db.Model(&RunnerManager{}).Select("runner_id").
			Where("version LIKE ? ESCAPE '!'", escapeLike(f.VersionPrefix)+"%"))
	}
}

// Runners finds runners by id, for lists; a missing one is left out.
func (tx *Tx) Runners(ids []int64) (map[int64]*Runner, error) {
	out := map[int64]*Runner{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []*Runner
	err := tx.db.Where("id IN ?", ids).Find(&rows).Error
	for _, r := range rows {
		out[r.ID] = r
	}
	return out, err
}

// ManagersOf lists the machines of several runners, latest first, and finds single ones.
func (tx *Tx) ManagersOf(runnerIDs []int64) (map[int64][]*RunnerManager, error) {
	out := map[int64][]*RunnerManager{}
	if len(runnerIDs) == 0 {
		return out, nil
	}
	var rows []*RunnerManager
	err := tx.db.Where("runner_id IN ?", runnerIDs).Order("contacted_at DESC, id DESC").Limit(10_000).Find(&rows).Error
	for _, m := range rows {
		out[m.RunnerID] = append(out[m.RunnerID], m)
	}
	return out, err
}

// ManagersByID finds machines by id, for lists.
func (tx *Tx) ManagersByID(ids []int64) (map[int64]*RunnerManager, error) {
	out := map[int64]*RunnerManager{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []*RunnerManager
	err := tx.db.Where("id IN ?", ids).Find(&rows).Error
	for _, m := range rows {
		out[m.ID] = m
	}
	return out, err
}

// BusyRunners says which of some runners, or of their machines, work on a job now.
func (tx *Tx) BusyRunners(runnerIDs []int64) (runners, managers map[int64]bool, err error) {
	runners, managers = map[int64]bool{}, map[int64]bool{}
	if len(runnerIDs) == 0 {
		return runners, managers, nil
	}
	var rows []HandOut
	err = tx.db.Select("runner_id", "manager_id").Where("runner_id IN ? AND accepted_at IS NOT NULL", runnerIDs).Limit(10_000).Find(&rows).Error
	for _, h := range rows {
		runners[h.RunnerID], managers[h.ManagerID] = true, true
	}
	return runners, managers, err
}

// AddRunnerProject lets a project runner work for a project; ErrDuplicate if it does already.
func (tx *Tx) AddRunnerProject(runnerID, projectID int64) error {
	if err := tx.projectTakesMore(projectID); err != nil {
		return err
	}
	tx.changesAuthority(RunnerAuthority, runnerID)
	return translate(tx.db.Create(&RunnerProject{RunnerID: runnerID, ProjectID: projectID}).Error)
}

// RemoveRunnerProject ends that; ErrNotFound if the runner did not work for it.
func (tx *Tx) RemoveRunnerProject(runnerID, projectID int64) error {
	if _, err := tx.LockRunner(runnerID); err != nil {
		return err
	}
	tx.changesAuthority(RunnerAuthority, runnerID)
	res := tx.db.Where("runner_id = ? AND project_id = ?", runnerID, projectID).Delete(&RunnerProject{})
	if res.Error == nil && res.RowsAffected == 0 {
		return ErrNotFound
	}
	return res.Error
}

// RunnerProjects lists the projects of a project runner.
func (tx *Tx) RunnerProjects(runnerID int64) ([]int64, error) {
	var ids []int64
	err := tx.db.Model(&RunnerProject{}).Where("runner_id = ?", runnerID).Order("project_id").Pluck("project_id", &ids).Error
	return ids, err
}

// Managers lists the machines of a runner, latest contact first.
func (tx *Tx) Managers(runnerID int64) ([]*RunnerManager, error) {
	var rows []*RunnerManager
	err := tx.db.Where("runner_id = ?", runnerID).Order("id DESC").Limit(100).Find(&rows).Error
	return rows, err
}

// Manager finds a machine of a runner by its system id.
func (tx *Tx) Manager(runnerID int64, systemID string) (*RunnerManager, error) {
	return first[RunnerManager](tx.db.Where("runner_id = ? AND system_id = ?", runnerID, systemID))
}

// ManagerByID finds a machine.
func (tx *Tx) ManagerByID(id int64) (*RunnerManager, error) {
	return first[RunnerManager](tx.db.Where("id = ?", id))
}

// SaveManager creates or updates a machine of a runner.
func (tx *Tx) SaveManager(m *RunnerManager) error {
	if m.Features == nil {
		m.Features = map[string]bool{}
	}
	if m.ID != 0 {
		return tx.db.Save(m).Error
	}
	m.CreatedAt = tx.now()
	return translate(tx.db.Create(m).Error)
}

// DeleteManager removes a machine.
func (tx *Tx) DeleteManager(runnerID int64, systemID string) error {
	if _, err := tx.LockRunner(runnerID); err != nil {
		return err
	}
	tx.changesAuthority(RunnerAuthority, runnerID)
	res := tx.db.Where("runner_id = ? AND system_id = ?", runnerID, systemID).Delete(&RunnerManager{})
	if res.Error == nil && res.RowsAffected == 0 {
		return ErrNotFound
	}
	return res.Error
}

// TouchManagers stores when machines were last heard of.
func (tx *Tx) TouchManagers(contacts map[int64]time.Time) error {
	for id, at := range contacts {
		if err := tx.db.Model(&RunnerManager{}).Where("id = ?", id).Update("contacted_at", at).Error; err != nil {
			return err
		}
	}
	return nil
}
