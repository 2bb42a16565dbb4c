package models

import (
	"fmt"

	"signalbox/models/enum"
)

// JobNeed says that a job of a pipeline waits for another; names stand for all attempts.
type JobNeed struct {
	PipelineID int64  `gorm:"primaryKey;autoIncrement:false"`
	Needed     string `gorm:"primaryKey"`
	Dependant  string `gorm:"primaryKey"`
}

// CreateNeeds stores which jobs of a new pipeline wait for which.
func (tx *Tx) CreateNeeds(pipelineID int64, jobs []NewJob) error {
	var rows []JobNeed
	for _, j := range jobs {
		if j.Job.Needs == nil {
			continue
		}
		seen := map[string]bool{}
		for _, n := range *j.Job.Needs {
			if !seen[n] {
				rows, seen[n] = append(rows, JobNeed{pipelineID, n, j.Job.Name}), true
			}
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return tx.db.CreateInBatches(rows, tx.batch()).Error
}

// Dependants lists the jobs of a pipeline that wait for one and have not moved yet.
func (tx *Tx) Dependants(pipelineID int64, needed string) ([]*Job, error) {
	names := tx.db.Model(&JobNeed{}).Select("dependant").Where("pipeline_id = ? AND needed = ?", pipelineID, needed)
	var rows []*Job
	err := tx.db.Where("pipeline_id = ? AND retried = ? AND status = ? AND name IN (?)", pipelineID, false, enum.Created, names).Order("id").Find(&rows).Error
	return rows, err
}

// StatesOf lists what processing needs of the latest attempts of some jobs.
func (tx *Tx) StatesOf(pipelineID int64, names []string) ([]JobState, error) {
	if len(names) == 0 {
		return nil, nil
	}
	var rows []*Job
	err := tx.db.Select("id, name, stage_index, status, allow_failure").Where("pipeline_id = ? AND retried = ? AND name IN ?", pipelineID, false, names).Find(&rows).Error
	out := make([]JobState, len(rows))
	for i, j := range rows {
		out[i] = JobState{ID: j.ID, Name: j.Name, StageIndex: j.StageIndex, Status: j.Status, AllowFailure: j.AllowFailure}
	}
	return out, err
}

// The statuses of jobs that have not ended, as the index of open jobs names them.
const openJobs = "'created', 'pending', 'running', 'manual', 'scheduled', 'preparing', 'waiting_for_resource', 'waiting_for_callback', 'canceling'"

// Blocked says whether the stages after one have to wait: a job of it, or of a stage before, has not ended. busy says
// whether a job of the pipeline waits for a runner or runs. An index of open jobs answers both with a few steps.
func (tx *Tx) Blocked(pipelineID int64, stageIndex int) (blocked, busy bool, err error) {
	var answer struct{ Blocked, Busy bool }
	err = tx.db.Raw(fmt.Sprintf(`SELECT
		EXISTS (SELECT 1 FROM jobs WHERE pipeline_id = ? AND NOT retried AND status IN (%[1]s) AND status IN ('created', 'pending', 'running',
			'scheduled', 'preparing', 'waiting_for_resource', 'waiting_for_callback', 'canceling') AND stage_index <= ?)
		OR EXISTS (SELECT 1 FROM jobs WHERE pipeline_id = ? AND NOT retried AND status IN (%[1]s) AND status = 'manual' AND NOT allow_failure AND stage_index <= ?) AS blocked,
		EXISTS (SELECT 1 FROM jobs WHERE pipeline_id = ? AND NOT retried AND status IN (%[1]s) AND status IN ('pending', 'running')) AS busy`, openJobs),
		pipelineID, stageIndex, pipelineID, stageIndex, pipelineID).Scan(&answer).Error
	return answer.Blocked, answer.Busy, err
}
