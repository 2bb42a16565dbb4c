package models

import (
	"encoding/json"
	"strings"
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

// PendingJob is a job that waits for a runner, with all that decides which one may take it.
type PendingJob struct {
	ID            int64
	JobID         int64
	ProjectID     int64
	Traversal     string   // ids of the groups above the project, as "/1/5/"
	Tags          []string `gorm:"serializer:json"`
	Protected     bool
	SharedRunners bool
	GroupRunners  bool
	QueuedAt      time.Time
}

// HandOut is one offer of a job to a runner manager. The job runs once it is accepted.
type HandOut struct {
	ID               int64
	JobID            int64
	ProjectID        int64
	RunnerID         int64
	ManagerID        int64
	SharedRunner     bool
	CancelGracefully bool
	DebugMode        bool // its variables ask for a log that may show all of them
	TokenHash        string
	Timeout          int
	ExpiresAt        time.Time
	AcceptedAt       *time.Time
	SeenAt           time.Time
	DeadlineAt       *time.Time
	CreatedAt        time.Time
}

// revokedToken begins what stands in the place of the hash of a job token whose runner was deleted.
const revokedToken = "revoked:"

// Revoked says whether the offer ended because its runner was deleted.
func (h *HandOut) Revoked() bool { return strings.HasPrefix(h.TokenHash, revokedToken) }

// CreateRunner stores a runner and the projects it works for.
func (tx *Tx) CreateRunner(r *Runner, projectIDs ...int64) error {
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
func (tx *Tx) UpdateRunner(r *Runner) error { return tx.storeLocked(RunnerAuthority, r.ID, r) }

// DeleteRunner removes a runner and its managers. Jobs keep its id. The tokens of the jobs that it has are worth nothing
// from now on: what it was offered goes back to the queue and what it runs ends with the next sweep.
func (tx *Tx) DeleteRunner(id int64) error {
	err := tx.db.Exec(`UPDATE hand_outs SET token_hash = ? || id, expires_at = ?, deadline_at = ? WHERE runner_id = ?`,
		revokedToken, tx.now(), tx.now(), id).Error
	if err != nil {
		return err
	}
	tx.changesAuthority(RunnerAuthority, id)
	return tx.db.Where("id = ?", id).Delete(&Runner{}).Error
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
	tx.changesAuthority(RunnerAuthority, runnerID)
	return translate(tx.db.Create(&RunnerProject{RunnerID: runnerID, ProjectID: projectID}).Error)
}

// RemoveRunnerProject ends that; ErrNotFound if the runner did not work for it.
func (tx *Tx) RemoveRunnerProject(runnerID, projectID int64) error {
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

// Enqueue puts a job into the queue.
func (tx *Tx) Enqueue(p *PendingJob) error {
	if p.Tags == nil {
		p.Tags = []string{}
	}
	p.QueuedAt = tx.now()
	return translate(tx.db.Create(p).Error)
}

// EnqueueAll puts several jobs into the queue.
func (tx *Tx) EnqueueAll(rows []*PendingJob) error {
	for _, p := range rows {
		if p.Tags == nil {
			p.Tags = []string{}
		}
		p.QueuedAt = tx.now()
	}
	return translate(tx.db.CreateInBatches(rows, tx.batch()).Error)
}

// Dequeue takes a job out of the queue; false if it was not there.
func (tx *Tx) Dequeue(jobID int64) (bool, error) {
	res := tx.db.Where("job_id = ?", jobID).Delete(&PendingJob{})
	return res.RowsAffected == 1, res.Error
}

// Pending finds the queue row of a job.
func (tx *Tx) Pending(jobID int64) (*PendingJob, error) {
	return first[PendingJob](tx.db.Where("job_id = ?", jobID))
}

// PendingAfter lists queue rows with an id over after, oldest first.
func (tx *Tx) PendingAfter(after int64, limit int) ([]*PendingJob, error) {
	var rows []*PendingJob
	err := tx.db.Where("id > ?", after).Order("id").Limit(limit).Find(&rows).Error
	return rows, err
}

// PendingSince lists queue rows that entered the queue before a time, oldest first.
func (tx *Tx) PendingSince(before time.Time, limit int) ([]*PendingJob, error) {
	var rows []*PendingJob
	err := tx.db.Where("queued_at < ?", before).Order("id").Limit(limit).Find(&rows).Error
	return rows, err
}

// CreateHandOut stores an offer.
func (tx *Tx) CreateHandOut(h *HandOut) error {
	h.CreatedAt, h.SeenAt = tx.now(), tx.now()
	return translate(tx.db.Create(h).Error)
}

// HandOutByToken finds the offer that a job token belongs to.
func (tx *Tx) HandOutByToken(hash string) (*HandOut, error) {
	return first[HandOut](tx.db.Where("token_hash = ?", hash))
}

// HandOut finds the offer of a job.
func (tx *Tx) HandOut(jobID int64) (*HandOut, error) {
	return first[HandOut](tx.db.Where("job_id = ?", jobID))
}

// SharedRunning counts, by project, the jobs that instance runners hold, for the fair order of the queue.
// The table holds running work only.
func (tx *Tx) SharedRunning() (map[int64]int, error) {
	var rows []struct {
		ProjectID int64
		N         int
	}
	err := tx.db.Model(&HandOut{}).Select("project_id, COUNT(*) AS n").Where("shared_runner = ?", true).
		Group("project_id").Scan(&rows).Error
	out := make(map[int64]int, len(rows))
	for _, r := range rows {
		out[r.ProjectID] = r.N
	}
	return out, err
}

// SharedRunningOf counts the jobs of one project that instance runners hold, up to most.
func (tx *Tx) SharedRunningOf(projectID int64, most int) (int, error) {
	var ids []int64
	err := tx.db.Model(&HandOut{}).Where("project_id = ? AND shared_runner = ?", projectID, true).Limit(most).Pluck("job_id", &ids).Error
	return len(ids), err
}

// AcceptHandOut turns an offer into a running job's row; false if it has expired or was accepted before.
func (tx *Tx) AcceptHandOut(h *HandOut) (bool, error) {
	res := tx.db.Model(&HandOut{}).Where("id = ? AND accepted_at IS NULL AND expires_at > ?", h.ID, tx.now()).
		Select("accepted_at", "seen_at", "deadline_at").Updates(h)
	return res.RowsAffected == 1, res.Error
}

// DeleteHandOut removes the offer of a job, and with it the job token's power; false if there was none.
func (tx *Tx) DeleteHandOut(jobID int64) (bool, error) {
	res := tx.db.Where("job_id = ?", jobID).Delete(&HandOut{})
	return res.RowsAffected == 1, res.Error
}

// ExpiredHandOuts lists offers that nobody accepted in time.
func (tx *Tx) ExpiredHandOuts(limit int) ([]*HandOut, error) {
	var rows []*HandOut
	err := tx.db.Where("accepted_at IS NULL AND expires_at <= ?", tx.now()).Order("expires_at").Limit(limit).Find(&rows).Error
	return rows, err
}

// LostHandOuts lists accepted jobs without a sign of life since a time, or past their deadline.
func (tx *Tx) LostHandOuts(silentSince time.Time, limit int) ([]*HandOut, error) {
	var rows []*HandOut
	err := tx.db.Where("accepted_at IS NOT NULL AND (seen_at < ? OR deadline_at <= ?)", silentSince, tx.now()).
		Order("id").Limit(limit).Find(&rows).Error
	return rows, err
}

// TouchHandOuts stores when the runners of accepted jobs were last heard of.
func (tx *Tx) TouchHandOuts(seen map[int64]time.Time) error {
	for jobID, at := range seen {
		err := tx.db.Model(&HandOut{}).Where("job_id = ? AND seen_at < ?", jobID, at).Update("seen_at", at).Error
		if err != nil {
			return err
		}
	}
	return nil
}
