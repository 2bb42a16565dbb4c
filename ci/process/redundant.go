package process

import s "signalbox/models/enum"

// The modes of workflow:auto_cancel:on_new_commit.
const (
	Conservative  = "conservative" // the default
	Interruptible = "interruptible"
	KeepAll       = "none"
)

// Redundant lists the jobs that are canceled because a newer commit has a pipeline: all that have not ended unless one
// that must not be interrupted has started, those alone that may be interrupted, or none (facts: pipeline-semantics 4.13).
func Redundant(onNewCommit string, jobs []Job) []int64 {
	if onNewCommit == KeepAll {
		return nil
	}
	var out []int64
	for _, j := range jobs {
		started := j.Status == s.Running || j.Status == s.Success || j.Status == s.Failed || j.Status == s.Canceling
		switch {
		case onNewCommit == Interruptible && !j.Interruptible:
			continue
		case onNewCommit != Interruptible && started && !j.Interruptible:
			return nil
		case j.Status.Cancelable():
			out = append(out, j.ID)
		}
	}
	return out
}
