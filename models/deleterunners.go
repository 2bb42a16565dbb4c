package models

import (
	"slices"

	"gorm.io/gorm"
)

// DeleteRunner removes a runner and its managers. Jobs keep its id.
func (tx *Tx) DeleteRunner(id int64) error { return tx.deleteRunners([]int64{id}) }

// runnerBatch is how many runners one statement names.
const runnerBatch = 500

// deleteRunners removes runners, those that go with their group or project too. The tokens of the jobs that they have are worth
// nothing from now on: what they were offered goes back to the queue and what they run ends with the next sweep.
func (tx *Tx) deleteRunners(ids []int64) error {
	slices.Sort(ids) // whoever locks several does it in one order
	for batch := range slices.Chunk(ids, runnerBatch) {
		for _, id := range batch { // first, so that a claim under way is over and its offer is among those that end
			if _, err := tx.LockRunner(id); err != nil && err != ErrNotFound {
				return err
			}
			tx.changesAuthority(RunnerAuthority, id)
		}
		err := tx.db.Exec(`UPDATE hand_outs SET token_hash = ? || id, expires_at = ?, deadline_at = ? WHERE runner_id IN ?`,
			revokedToken, tx.now(), tx.now(), batch).Error
		if err != nil {
			return err
		}
		if err := tx.db.Where("id IN ?", batch).Delete(&Runner{}).Error; err != nil {
			return err
		}
	}
	return nil
}

// freeRunners ends the work of runners for a project that goes. One that works for no other project goes too.
func (tx *Tx) freeRunners(projectID int64) error {
	var all, others []int64
	of := func(q *gorm.DB, ids *[]int64) error { return q.Order("runner_id").Pluck("runner_id", ids).Error }
	if err := of(tx.db.Model(&RunnerProject{}).Where("project_id = ?", projectID), &all); err != nil {
		return err
	}
	var alone []int64
	for _, id := range all {
		if err := tx.RemoveRunnerProject(id, projectID); err == ErrNotFound {
			continue // it went meanwhile
		} else if err != nil {
			return err
		}
		others = others[:0]
		if err := of(tx.db.Model(&RunnerProject{}).Where("runner_id = ?", id).Limit(1), &others); err != nil {
			return err
		}
		if len(others) == 0 {
			alone = append(alone, id)
		}
	}
	return tx.deleteRunners(alone)
}
