// Package enum is the vocabulary that the whole of signalbox shares: statuses, sources, failure
// reasons, access levels. Names and numbers are GitLab's (facts: pipeline-semantics 1.1, 4.1, 4.10).
// It decides nothing; it only knows which words exist.
package enum

// Status is the state of a job, and the composite state of a stage or a pipeline.
type Status string

// The statuses of GitLab. A job is never in a status that is not listed here.
const (
	Created            Status = "created"
	Pending            Status = "pending"
	Running            Status = "running"
	Success            Status = "success"
	Failed             Status = "failed"
	Canceled           Status = "canceled"
	Skipped            Status = "skipped"
	Manual             Status = "manual"
	Scheduled          Status = "scheduled"
	Preparing          Status = "preparing"
	WaitingForResource Status = "waiting_for_resource"
	WaitingForCallback Status = "waiting_for_callback"
	Canceling          Status = "canceling"
)

// Statuses lists every status in GitLab's numeric order.
var Statuses = []Status{
	Created, Pending, Running, Success, Failed, Canceled, Skipped, Manual, Scheduled,
	Preparing, WaitingForResource, WaitingForCallback, Canceling,
}

// Completed says whether nothing more will happen by itself.
func (s Status) Completed() bool {
	return s == Success || s == Failed || s == Canceled || s == Skipped
}

// Cancelable says whether a cancel moves a job in this status.
func (s Status) Cancelable() bool {
	switch s {
	case Created, WaitingForResource, Preparing, WaitingForCallback, Pending, Running, Manual, Scheduled:
		return true
	}
	return false
}

// Active says whether a job in this status is on its way to or on a runner.
func (s Status) Active() bool {
	switch s {
	case Pending, Running, Preparing, WaitingForResource, WaitingForCallback, Canceling:
		return true
	}
	return false
}

// Executing says whether a runner is working on the job, so that its token and its trace are open.
func (s Status) Executing() bool { return s == Running || s == Canceling }

// Known says whether s is one of GitLab's statuses.
func (s Status) Known() bool {
	for _, k := range Statuses {
		if k == s {
			return true
		}
	}
	return false
}
