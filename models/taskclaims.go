package models

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// KindShare is what a kind of tasks may take of a lane.
type KindShare struct {
	Kind    string
	Running int // of them now
	AtMost  int // of them at a time
	// Busy are the shares of which no more may run now.
	Busy []string
	// EachAtMost is how many of one share may run at a time; RunningShares are how many do.
	EachAtMost    int
	RunningShares map[string]int
	// Working are those that this node works on. They are not claimed, even where their claims ran out because a clock was set.
	Working []int64
}

// ClaimTasks takes due tasks that nobody holds, for the given time: at most limit, first of the kinds of which the fewest
// run. Claims go by the database's clock, which all nodes share; what is due, by that or the node's own, whichever is later.
func (tx *Tx) ClaimTasks(lane Lane, kinds []KindShare, limit int, hold time.Duration) ([]*Task, error) {
	now, err := tx.databaseTime()
	if err != nil {
		return nil, err
	}
	due := now
	if own := tx.now(); own.After(due) {
		due = own
	}
	var candidates []*Task
	for _, k := range kinds {
		if k.Running >= k.AtMost {
			continue
		}
		var rows []*Task
		q := tx.due(lane, due, now).Where("kind = ?", k.Kind)
		if len(k.Busy) > 0 {
			q = q.Where("share NOT IN ?", k.Busy)
		}
		if len(k.Working) > 0 {
			q = q.Where("id NOT IN ?", k.Working)
		}
		// More than fit, because of some shares only the first may be taken.
		if err := q.Select("id", "kind", "share", "run_at").Order("run_at, id").Limit(4 * limit).Find(&rows).Error; err != nil {
			return nil, err
		}
		candidates = append(candidates, rows...)
	}
	chosen := choose(candidates, kinds, limit)
	if len(chosen) == 0 {
		return nil, nil
	}
	return tx.claim(tx.due(lane, due, now).Where("id IN ?", chosen), now, hold)
}

func (tx *Tx) due(lane Lane, due, now time.Time) *gorm.DB {
	return tx.db.Where("lane = ? AND run_at <= ? AND gave_up_at IS NULL AND (locked_until IS NULL OR locked_until <= ?)", lane, due, now)
}

// choose takes the oldest of the kind of which the fewest run, again and again.
func choose(candidates []*Task, kinds []KindShare, limit int) (ids []int64) {
	waiting := map[string][]*Task{}
	for _, t := range candidates {
		waiting[t.Kind] = append(waiting[t.Kind], t)
	}
	kinds = slices.Clone(kinds)
	shares := map[[2]string]int{}
	for _, k := range kinds {
		for share, n := range k.RunningShares {
			shares[[2]string{k.Kind, share}] = n
		}
	}
	for len(ids) < limit {
		var best *KindShare
		for i := range kinds {
			k := &kinds[i]
			for rest := waiting[k.Kind]; len(rest) > 0 && rest[0].Share != "" && shares[[2]string{k.Kind, rest[0].Share}] >= k.EachAtMost; {
				rest = rest[1:]
				waiting[k.Kind] = rest
			}
			if len(waiting[k.Kind]) == 0 || k.Running >= k.AtMost {
				continue
			}
			if best == nil || cmp.Or(cmp.Compare(k.Running, best.Running), waiting[k.Kind][0].RunAt.Compare(waiting[best.Kind][0].RunAt)) < 0 {
				best = k
			}
		}
		if best == nil {
			return ids
		}
		t := waiting[best.Kind][0]
		waiting[best.Kind] = waiting[best.Kind][1:]
		best.Running++
		shares[[2]string{t.Kind, t.Share}]++
		ids = append(ids, t.ID)
	}
	return ids
}

func (tx *Tx) claim(q *gorm.DB, now time.Time, hold time.Duration) (rows []*Task, err error) {
	if tx.postgres {
		q = q.Clauses(clause.Locking{Strength: "UPDATE", Options: "SKIP LOCKED"})
	}
	if err := q.Order("run_at, id").Find(&rows).Error; err != nil {
		return nil, err
	}
	until := now.Add(hold)
	var ids, died []int64
	for _, t := range rows {
		ids = append(ids, t.ID)
		t.Attempts++
		t.Unsure = t.LockedUntil != nil
		if t.LockedUntil != nil && t.LockedUntil.After(unknown) { // its claim ran out: nobody told how its run ended
			t.Deaths++
			died = append(died, t.ID)
		}
		t.LockedUntil = &until
	}
	if len(ids) == 0 {
		return nil, nil
	}
	if len(died) > 0 {
		if err := tx.db.Exec("UPDATE tasks SET deaths = deaths + 1 WHERE id IN ?", died).Error; err != nil {
			return nil, err
		}
	}
	err = tx.db.Exec("UPDATE tasks SET attempts = attempts + 1, locked_until = ? WHERE id IN ?", until, ids).Error
	return rows, err
}

// DueKinds says of which of some kinds there are due tasks; it writes nothing.
func (tx *Tx) DueKinds(lane Lane, kinds []string) (due []string, err error) {
	if len(kinds) == 0 {
		return nil, nil
	}
	now := tx.now()
	var args []any
	for _, k := range kinds {
		args = append(args, k, lane, k, now, now)
	}
	one := "SELECT CAST(? AS TEXT) WHERE EXISTS (SELECT 1 FROM tasks WHERE lane = ? AND kind = ? AND run_at <= ? AND gave_up_at IS NULL AND (locked_until IS NULL OR locked_until <= ?))"
	err = tx.db.Raw(one+strings.Repeat(" UNION ALL "+one, len(kinds)-1), args...).Scan(&due).Error
	return due, err
}

// PostponeTask lets a task run again later, and notes why. The next run is told if this one, or one before, is unsure of what
// it did. failed counts the run as a failure. Who claimed it meanwhile is left alone.
func (tx *Tx) PostponeTask(t *Task, runAt time.Time, reason string, failed, unsure bool) error {
	var locked *time.Time
	if unsure || t.Unsure {
		locked = &unknown
	}
	// Who asked for it to run at once while it ran is heard.
	at := gorm.Expr("CASE WHEN run_at > ? THEN run_at ELSE ? END", t.RunAt, runAt)
	change := map[string]any{"run_at": at, "locked_until": locked, "last_error": reason}
	switch {
	case failed:
		change["failures"] = gorm.Expr("failures + 1")
	case reason == "": // it goes on for days, perhaps: what failed before this run says nothing about the next
		change["failures"], change["deaths"] = 0, 0
	}
	return tx.db.Model(&Task{}).Where("id = ? AND attempts = ?", t.ID, t.Attempts).Updates(change).Error
}

// ReturnTasks ends claims of tasks whose outcome nobody knows, although no node died of them: their next runs are told so. Who
// claimed one of them meanwhile is left alone.
func (tx *Tx) ReturnTasks(list []*Task) error {
	for _, t := range list {
		err := tx.db.Model(&Task{}).Where("id = ? AND attempts = ? AND locked_until > ?", t.ID, t.Attempts, unknown).Update("locked_until", unknown).Error
		if err != nil {
			return err
		}
	}
	return nil
}

// never is when a task is due that was given up; a node of an older version, too, waits for it.
var never = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)

// GiveUpTask keeps a task that is not run any more, for people to see.
func (tx *Tx) GiveUpTask(t *Task, reason string) error {
	return tx.db.Model(&Task{}).Where("id = ? AND attempts = ?", t.ID, t.Attempts).
		Updates(map[string]any{"run_at": never, "gave_up_at": tx.now(), "locked_until": nil, "last_error": reason}).Error
}

// RetryTask lets a task that waits or was given up run at once, as if it had never failed; false if it runs or is gone.
func (tx *Tx) RetryTask(id int64) (bool, error) {
	res := tx.db.Model(&Task{}).Where("id = ? AND (locked_until IS NULL OR locked_until <= ?)", id, unknown).
		Updates(map[string]any{"run_at": tx.now(), "gave_up_at": nil, "failures": 0, "deaths": 0})
	return res.RowsAffected == 1, res.Error
}

// DropTask removes a task that does not run; false if it runs or is gone.
func (tx *Tx) DropTask(id int64) (bool, error) {
	res := tx.db.Where("id = ? AND (locked_until IS NULL OR locked_until <= ?)", id, unknown).Delete(&Task{})
	return res.RowsAffected == 1, res.Error
}

// Task finds a task.
func (tx *Tx) Task(id int64) (*Task, error) { return first[Task](tx.db.Where("id = ?", id)) }

// TroubledTasks lists the tasks that were given up, and then those that failed and are tried again, newest first.
func (tx *Tx) TroubledTasks(limit int) (rows []*Task, err error) {
	if err = tx.db.Where("gave_up_at IS NOT NULL").Order("gave_up_at DESC, id DESC").Limit(limit).Find(&rows).Error; err != nil {
		return nil, err
	}
	var failing []*Task
	err = tx.db.Where("gave_up_at IS NULL AND (failures > 0 OR deaths > 0)").Order("id DESC").Limit(limit).Find(&failing).Error
	return append(rows, failing...), err
}

// TaskCount is how many tasks of a kind there are.
type TaskCount struct {
	Kind    string
	Waiting int64 // due or later
	GivenUp int64
}

// TaskCounts counts the tasks by kind.
func (tx *Tx) TaskCounts() (rows []TaskCount, err error) {
	var list []struct {
		Kind             string
		Waiting, GivenUp int64
	}
	err = tx.db.Raw(`SELECT kind, SUM(CASE WHEN gave_up_at IS NULL THEN 1 ELSE 0 END) AS waiting,
		SUM(CASE WHEN gave_up_at IS NULL THEN 0 ELSE 1 END) AS given_up FROM tasks GROUP BY kind ORDER BY kind`).Scan(&list).Error
	for _, l := range list {
		rows = append(rows, TaskCount{Kind: l.Kind, Waiting: l.Waiting, GivenUp: l.GivenUp})
	}
	return rows, err
}

// ReleaseTasks lets the tasks run again that this node had claimed before it was killed. With SQLite there is
// one node, which knows that all claims were its own; with PostgreSQL claims of dead nodes end by time.
func (d *DB) ReleaseTasks(ctx context.Context) error {
	if d.postgres {
		return nil
	}
	return d.Write(ctx, func(tx *Tx) error {
		return tx.db.Model(&Task{}).Where("locked_until > ?", unknown).Updates(map[string]any{"locked_until": unknown, "deaths": gorm.Expr("deaths + 1")}).Error
	})
}
