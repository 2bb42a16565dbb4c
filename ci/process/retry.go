package process

import s "signalbox/models/enum"

// RetryRule is a job's `retry`.
type RetryRule struct {
	Max       int
	When      []string // reasons, or always; empty: always, unless exit codes are given
	ExitCodes []int
}

// AutoRetry says whether a failed attempt is followed by another one. earlier is the number of attempts of
// this name before, manual retries included, which use up the budget as on GitLab.
func AutoRetry(rule *RetryRule, reason s.FailureReason, exitCode *int, earlier int) bool {
	if reason.NeverRetried() {
		return false
	}
	limit := reason.DefaultRetries()
	if rule != nil && rule.qualifies(reason, exitCode) {
		limit = rule.Max
	}
	return earlier < limit
}

func (r *RetryRule) qualifies(reason s.FailureReason, exitCode *int) bool {
	for _, c := range r.ExitCodes {
		if exitCode != nil && *exitCode == c {
			return true
		}
	}
	if len(r.When) == 0 {
		return len(r.ExitCodes) == 0
	}
	for _, w := range r.When {
		if w == "always" || w == string(reason) || w == legacyReason(reason) {
			return true
		}
	}
	return false
}

// legacyReason is the older word that also stands for a newer reason in `retry:when`.
func legacyReason(r s.FailureReason) string {
	switch r {
	case s.StuckPendingMatching, s.StuckPendingNoMatching, "no_updates_running", "no_updates_canceling":
		return string(s.StuckOrTimeout)
	case s.ServerTimeoutRunning, "server_timeout_canceling":
		return string(s.JobExecutionTimeout)
	}
	return ""
}

// Retryable says whether a job's latest attempt may be followed by another by hand. A bridge that led in a circle or too deep
// would do so again; what somebody rejected stays rejected (facts: pipeline-semantics 4.7).
func Retryable(st s.Status, reason s.FailureReason) bool {
	switch reason {
	case s.PipelineLoop, s.DescendantsTooDeep, s.DeploymentRejected:
		return false
	}
	return st == s.Success || st == s.Failed || st == s.Canceled || st == s.Canceling
}

// Playable says whether a job waits for somebody to start it.
func Playable(st s.Status) bool { return st == s.Manual || st == s.Scheduled }
