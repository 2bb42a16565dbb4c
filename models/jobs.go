package models

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"signalbox/internal/secret"
	"signalbox/models/enum"
)

// Job is one attempt at a job of a pipeline. What it does stands apart, in its definition.
type Job struct {
	ID            int64
	PipelineID    int64
	ProjectID     int64
	DefinitionID  int64
	UserID        int64
	Bridge        bool   // it starts a pipeline, and shows what becomes of it
	External      bool   // another system says how it is; Description and TargetURL are its words
	TargetURL     string `gorm:"column:target_url"`
	Description   string
	Name          string
	Stage         string
	StageIndex    int
	Position      int
	Needs         *[]string `gorm:"serializer:json"` // nil: by stage; a list, even empty: by needs
	When          enum.When `gorm:"column:job_when"`
	AllowFailure  bool
	EnqueueNow    bool // a retried manual or delayed job starts at once
	Retried       bool
	Status        enum.Status
	StatusReason  string // why it is in its status, for people; "" where that needs no words
	FailureReason enum.FailureReason
	ExitCode      *int
	Tags          []string `gorm:"serializer:json"`
	Interruptible bool     // a newer commit may cancel it while it runs
	Leaves        bool     // it left something for later jobs, which may be gone by now
	Inputs        string   // JSON of the inputs that it was given; "" if none were
	Releases      bool     // its success publishes a tag
	// EnvironmentID is where it deploys to, or what it stops, as EnvironmentAction says.
	EnvironmentID     *int64
	EnvironmentAction string
	// ResourceGroupID is the group whose resource it needs to run.
	ResourceGroupID *int64
	// MirrorsID is the pipeline of another project that a bridge shows; 0 until it is found, nil if it shows none.
	MirrorsID     *int64
	Timeout       int // seconds; set when the job is handed out
	RunnerID      *int64
	ManagerID     *int64
	TokenHash     string // of the accepted attempt's job token
	TraceSize     int64
	TraceArchived bool
	// DebugMode says that its log may show every variable; nil for jobs of versions that did not keep it.
	DebugMode   *bool
	Coverage    *float64      // of the code by the tests, in percent, as the log says
	Variables   secret.Sealed // JSON of the variables typed when it was played
	CreatedAt   time.Time
	QueuedAt    *time.Time
	ScheduledAt *time.Time
	StartedAt   *time.Time
	FinishedAt  *time.Time
	ErasedAt    *time.Time
	ErasedByID  *int64
}

// JobDefinition is what a job does, as JSON of plan.Definition: written once, shared by its retries.
type JobDefinition struct {
	ID         int64
	PipelineID int64
	Data       string
}

// NewJob is a job with its definition, as creation stores them.
type NewJob struct {
	Job        *Job
	Definition string
}

// CreateJobs stores the jobs of a pipeline and their definitions.
func (tx *Tx) CreateJobs(pipelineID int64, jobs []NewJob) error {
	if len(jobs) == 0 {
		return nil
	}
	defs := make([]*JobDefinition, len(jobs))
	for i, j := range jobs {
		defs[i] = &JobDefinition{PipelineID: pipelineID, Data: j.Definition}
	}
	if err := tx.db.CreateInBatches(defs, tx.batch()).Error; err != nil {
		return err
	}
	rows := make([]*Job, len(jobs))
	for i, j := range jobs {
		j.Job.PipelineID, j.Job.DefinitionID, j.Job.CreatedAt = pipelineID, defs[i].ID, tx.now()
		rows[i] = j.Job
	}
	return tx.db.CreateInBatches(rows, tx.batch()).Error
}

// CloneJob stores a further attempt, which shares the definition.
func (tx *Tx) CloneJob(j *Job) error {
	j.ID, j.CreatedAt = 0, tx.now()
	return tx.db.Create(j).Error
}

// Job finds a job by id.
func (tx *Tx) Job(id int64) (*Job, error) { return first[Job](tx.db.Where("id = ?", id)) }

// JobsByID finds jobs; a missing one is left out.
func (tx *Tx) JobsByID(ids []int64) ([]*Job, error) {
	var rows []*Job
	if len(ids) == 0 {
		return nil, nil
	}
	err := tx.db.Where("id IN ?", ids).Order("id").Find(&rows).Error
	return rows, err
}

// SetEnvironment stores where a job deploys to.
func (tx *Tx) SetEnvironment(jobID, environmentID int64) error {
	return tx.db.Model(&Job{}).Where("id = ?", jobID).Update("environment_id", environmentID).Error
}

// SetDebugMode stores that the log of a job may show every variable.
func (tx *Tx) SetDebugMode(jobID int64) error {
	return tx.db.Model(&Job{}).Where("id = ?", jobID).Update("debug_mode", true).Error
}

// Definition finds what a job does.
func (tx *Tx) Definition(id int64) (string, error) {
	d, err := first[JobDefinition](tx.db.Where("id = ?", id))
	if err != nil {
		return "", err
	}
	return d.Data, nil
}

// PipelineJobs lists the latest attempts of a pipeline's jobs in the order of stages, and the earlier
// attempts too if asked. The number of jobs a pipeline may have bounds it.
func (tx *Tx) PipelineJobs(pipelineID int64, retried bool) ([]*Job, error) {
	q := tx.db.Where("pipeline_id = ?", pipelineID)
	if !retried {
		q = q.Where("retried = ?", false)
	}
	var rows []*Job
	err := q.Order("stage_index, position, id").Find(&rows).Error
	return rows, err
}

// WaitingJobs lists the jobs of pipelines that wait to be started by hand, by pipeline and in the order of stages; a thousand at most.
func (tx *Tx) WaitingJobs(pipelineIDs []int64) (map[int64][]*Job, error) {
	out := map[int64][]*Job{}
	if len(pipelineIDs) == 0 {
		return out, nil
	}
	var rows []*Job
	err := tx.db.Where("pipeline_id IN ? AND retried = ? AND status = ?", pipelineIDs, false, enum.Manual).
		Order("pipeline_id DESC, stage_index, position, id").Limit(1000).Find(&rows).Error
	for _, j := range rows {
		out[j.PipelineID] = append(out[j.PipelineID], j)
	}
	return out, err
}

// EarlierJobs lists the latest attempts of a pipeline's jobs that left something in the stages before one, or, if the stage
// is negative, of the named ones. An index finds the former: those that left nothing cost nothing.
func (tx *Tx) EarlierJobs(pipelineID int64, stageIndex int, names []string) ([]*Job, error) {
	var rows []*Job
	q := tx.db.Where("pipeline_id = ? AND retried = ?", pipelineID, false)
	if stageIndex < 0 {
		q = q.Where("name IN ?", names)
	} else {
		q = tx.db.Where("pipeline_id = ? AND NOT retried AND leaves AND stage_index < ?", pipelineID, stageIndex)
	}
	err := q.
		Order("stage_index, position, id").Find(&rows).Error
	return rows, err
}

// JobState is what processing needs of a job's latest attempt, and no more: it is read for every job of a
// pipeline whenever one ends.
type JobState struct {
	ID           int64
	Name         string
	StageIndex   int
	Needs        *[]string
	When         enum.When
	AllowFailure bool
	EnqueueNow   bool
	Resource     bool
	Status       enum.Status
}

// JobStates lists the latest attempts of a pipeline's jobs in the order of stages. It reads columns by hand,
// which costs a fraction of whole rows.
func (tx *Tx) JobStates(pipelineID int64) ([]JobState, error) {
	rows, err := tx.db.Raw(`SELECT id, name, stage_index, needs, job_when, allow_failure, enqueue_now, resource_group_id IS NOT NULL, status
		FROM jobs WHERE pipeline_id = ? AND retried = ? ORDER BY stage_index, position, id`, pipelineID, false).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []JobState
	for rows.Next() {
		var j JobState
		var needs sql.NullString
		if err := rows.Scan(&j.ID, &j.Name, &j.StageIndex, &needs, &j.When, &j.AllowFailure, &j.EnqueueNow, &j.Resource, &j.Status); err != nil {
			return nil, err
		}
		if needs.Valid && needs.String != "null" {
			if err := json.Unmarshal([]byte(needs.String), &j.Needs); err != nil {
				return nil, fmt.Errorf("needs of job %d: %w", j.ID, err)
			}
		}
		out = append(out, j)
	}
	return out, rows.Err()
}

// RunTime is when an attempt ran; one that runs has no end.
type RunTime struct {
	StartedAt  time.Time
	FinishedAt *time.Time
}

// RunTimes lists when the latest attempts of pipelines' jobs ran, by their beginning: of jobs for runners alone, not of
// bridges.
func (tx *Tx) RunTimes(pipelineIDs []int64) ([]RunTime, error) {
	var rows []RunTime
	err := tx.db.Model(&Job{}).Select("started_at, finished_at").Where(`pipeline_id IN ? AND retried = ? AND bridge = ? AND external = ?
		AND started_at IS NOT NULL AND status IN ('success', 'failed', 'running', 'canceled')`, pipelineIDs, false, false, false).
		Order("started_at").Scan(&rows).Error
	return rows, err
}

// JobFilter narrows a list of jobs; what is empty does not.
type JobFilter struct {
	ProjectID  int64
	PipelineID int64
	RunnerID   int64
	ManagerID  int64
	Ref        string
	Statuses   []enum.Status
	Retried    bool  // of a pipeline: earlier attempts too
	Bridges    *bool // bridges alone, or jobs of runners alone
	Current    bool  // of a project: latest attempts alone
}

// ListJobs pages through jobs.
func (tx *Tx) ListJobs(f JobFilter, p Page) ([]*Job, int64, error) {
	q := &query{tx.db.Model(&Job{})}
	if f.ProjectID != 0 {
		q.where("project_id = ?", f.ProjectID)
	}
	if f.PipelineID != 0 {
		q.where("pipeline_id = ?", f.PipelineID)
		if !f.Retried {
			q.where("retried = ?", false)
		}
	}
	if f.Bridges != nil {
		q.where("bridge = ? AND external = ?", *f.Bridges, false)
	}
	if f.Current {
		q.where("retried = ?", false)
	}
	if f.RunnerID != 0 {
		q.where("runner_id = ?", f.RunnerID)
	}
	if f.ManagerID != 0 {
		q.where("manager_id = ?", f.ManagerID)
	}
	if f.Ref != "" {
		q.where("pipeline_id IN (?)", tx.db.Model(&Pipeline{}).Select("id").Where("project_id = ? AND ref = ?", f.ProjectID, f.Ref))
	}
	if len(f.Statuses) > 0 {
		q.where("status IN ?", f.Statuses)
	}
	return list[Job](q.db, "id", p)
}

// ActiveJobs lists the jobs that wait for a runner or run, newest first: what the small tables of the queue
// know, whatever lies behind.
func (tx *Tx) ActiveJobs(limit int) ([]*Job, error) {
	// The ids are read first: with both tables in one condition, PostgreSQL would walk through all jobs.
	var ids []int64
	for _, table := range []any{&PendingJob{}, &HandOut{}} {
		var some []int64
		if err := tx.db.Model(table).Order("id DESC").Limit(limit).Pluck("job_id", &some).Error; err != nil {
			return nil, err
		}
		ids = append(ids, some...)
	}
	var rows []*Job
	err := tx.db.Where("id IN ?", ids).Order("id DESC").Limit(limit).Find(&rows).Error
	return rows, err
}

// Attempts counts the earlier attempts of a job of this name.
func (tx *Tx) Attempts(pipelineID int64, name string) (int, error) {
	var n int64
	err := tx.db.Model(&Job{}).Where("pipeline_id = ? AND retried = ? AND name = ?", pipelineID, true, name).Count(&n).Error
	return int(n), err
}

// JobAttempts lists the attempts at a job of a pipeline, oldest first.
func (tx *Tx) JobAttempts(pipelineID int64, name string) ([]*Job, error) {
	var rows []*Job
	err := tx.db.Where("pipeline_id = ? AND name = ?", pipelineID, name).Order("id").Limit(100).Find(&rows).Error
	return rows, err
}

// MoveJob stores j if the job is still in the status from: a compare and swap. It answers false, and
// changes nothing, if somebody else moved the job before.
func (tx *Tx) MoveJob(j *Job, from enum.Status) (bool, error) {
	res := tx.db.Model(&Job{}).Where("id = ? AND status = ?", j.ID, from).Select("*").Omit("id").Updates(j)
	return res.RowsAffected == 1, res.Error
}

// MarkRetried takes an attempt out of the pipeline's latest ones.
func (tx *Tx) MarkRetried(id int64) (bool, error) {
	res := tx.db.Model(&Job{}).Where("id = ? AND retried = ?", id, false).Update("retried", true)
	return res.RowsAffected == 1, res.Error
}

// SetTrace stores the size of a job's trace, which lies in the blob store now, and the coverage that it tells.
func (tx *Tx) SetTrace(jobID, size int64, coverage *float64) error {
	return tx.db.Model(&Job{}).Where("id = ?", jobID).
		Updates(map[string]any{"trace_size": size, "trace_archived": true, "coverage": coverage}).Error
}

// Coverage is the mean of what a pipeline's latest attempts cover; nil if none says.
func (tx *Tx) Coverage(pipelineID int64) (*float64, error) {
	var mean *float64
	err := tx.db.Model(&Job{}).Where("pipeline_id = ? AND retried = ? AND coverage IS NOT NULL", pipelineID, false).
		Select("AVG(coverage)").Scan(&mean).Error
	return mean, err
}

// EraseJob notes that a job's trace and artifacts are gone, and with them what it handed on.
func (tx *Tx) EraseJob(jobID, userID int64) error {
	if err := tx.db.Where("job_id = ?", jobID).Delete(&Dotenv{}).Error; err != nil {
		return err
	}
	return tx.db.Model(&Job{}).Where("id = ?", jobID).Updates(map[string]any{
		"erased_at": tx.now(), "erased_by_id": userID, "trace_size": 0, "token_hash": "",
	}).Error
}

// DueScheduled lists delayed jobs whose time has come.
func (tx *Tx) DueScheduled(limit int) ([]*Job, error) {
	var rows []*Job
	err := tx.db.Where("status = ? AND scheduled_at <= ?", enum.Scheduled, tx.now()).Order("id").Limit(limit).Find(&rows).Error
	return rows, err
}

// StatusFilter narrows a list of a commit's jobs; what is empty does not.
type StatusFilter struct {
	Ref, Stage, Name string
	PipelineID       int64
	Retried          bool
}

// CommitJobs pages through the jobs of a commit's pipelines.
func (tx *Tx) CommitJobs(projectID int64, sha string, f StatusFilter, p Page) ([]*Job, int64, error) {
	of := &query{tx.db.Model(&Pipeline{}).Select("id")}
	of.where("project_id = ? AND sha = ?", projectID, sha)
	if f.Ref != "" {
		of.where("ref = ?", f.Ref)
	}
	if f.PipelineID != 0 {
		of.where("id = ?", f.PipelineID)
	}
	q := &query{tx.db.Model(&Job{})}
	q.where("pipeline_id IN (?)", of.db)
	if !f.Retried {
		q.where("retried = ?", false)
	}
	if f.Stage != "" {
		q.where("stage = ?", f.Stage)
	}
	if f.Name != "" {
		q.where("name = ?", f.Name)
	}
	return list[Job](q.db, "id", p)
}

// JobByName finds the latest attempt of a pipeline's job by its name.
func (tx *Tx) JobByName(pipelineID int64, name string) (*Job, error) {
	return first[Job](tx.db.Where("pipeline_id = ? AND name = ? AND retried = ?", pipelineID, name, false))
}

// NewestJobs is the newest attempt of any job of pipelines, by pipeline.
func (tx *Tx) NewestJobs(pipelineIDs []int64) (map[int64]int64, error) {
	out := map[int64]int64{}
	if len(pipelineIDs) == 0 {
		return out, nil
	}
	var rows []struct{ PipelineID, ID int64 }
	err := tx.db.Model(&Job{}).Select("pipeline_id, max(id) AS id").Where("pipeline_id IN ?", pipelineIDs).Group("pipeline_id").Scan(&rows).Error
	for _, r := range rows {
		out[r.PipelineID] = r.ID
	}
	return out, err
}
