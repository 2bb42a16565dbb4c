package chatops

import (
	"fmt"
	"strings"

	"signalbox/ci/process"
	"signalbox/models/enum"
)

// word is a status as people read it.
func word(st enum.Status) string { return strings.ReplaceAll(string(st), "_", " ") }

// unable says in a sentence that begins with its subject why what a command is about is, as it stands, not for the verb, and what
// can be done with it; "" if nothing of its state is in the way. pressed says that a button asked, which is about one attempt
// alone. titled names the subject, and standing says how the job is.
func (u subject) unable(v Verb, pressed bool, titled, standing string) string {
	why := ""
	switch {
	case u.job == nil:
		why = u.pipelineUnable(v)
	case u.next != nil && v != Logs && v != Status:
		return fmt.Sprintf("%s was tried again already, as #%d, which is %s; `%s #%d` is about that.", titled, u.next.ID, word(u.next.Status), v, u.next.ID)
	default:
		why = u.jobUnable(v, pressed, standing)
	}
	if why == "" {
		return ""
	}
	return titled + " " + why + "."
}

func (u subject) pipelineUnable(v Verb) string {
	switch p := u.pipeline; v {
	case Cancel:
		switch {
		case p.Status.Completed():
			return "is over: " + word(p.Status)
		case p.Status == enum.Canceling:
			return "is being canceled already"
		}
	case Retry:
		if p.Status == enum.Success {
			return "is over: success; nothing of it failed, so there is nothing to try again"
		}
	case Start, Approve, Reject, Logs:
		return "has several jobs; say which one is meant, by number"
	}
	return ""
}

func (u subject) jobUnable(v Verb, pressed bool, standing string) string {
	switch v {
	case Cancel:
		return u.uncancelable(standing)
	case Retry:
		return u.unretryable(standing)
	case Start:
		return u.unplayable(pressed, standing)
	case Approve, Reject:
		if !u.blocked {
			return "does not wait for an approval; it is " + standing
		}
	case Logs:
		if u.job.StartedAt == nil {
			return "has no log, since it did not start; it is " + standing
		}
	}
	return ""
}

func (u subject) uncancelable(standing string) string {
	switch j := u.job; {
	case j.Status.Completed():
		return "is over: " + standing + u.againBy()
	case !j.Status.Cancelable():
		return "is being canceled already"
	}
	return ""
}

// againBy says how a job that has ended is run once more, if it can be.
func (u subject) againBy() string {
	switch j := u.job; {
	case j.External:
		return "; another system says how it is, and can run it again"
	case j.Status == enum.Skipped:
		return fmt.Sprintf("; `retry pipeline %d` gives it another chance", j.PipelineID)
	case process.Retryable(j.Status, j.FailureReason):
		return fmt.Sprintf("; `retry #%d` runs it again", j.ID)
	}
	return "; it cannot be run again, but its command can be given anew"
}

func (u subject) unretryable(standing string) string {
	j := u.job
	switch {
	case process.Retryable(j.Status, j.FailureReason) && !j.External:
		return ""
	case j.Status.Completed() || j.External:
		return "is " + standing + u.againBy()
	case process.Playable(j.Status):
		return "has not run yet: it " + u.waitsFor()
	case j.Status == enum.Created:
		return fmt.Sprintf("has not run yet: it waits for jobs before it; `cancel #%d` stops it", j.ID)
	}
	return fmt.Sprintf("is %s: it can be tried again when it has ended; `cancel #%d` stops it", standing, j.ID)
}

// waitsFor says what a job that does not start by itself waits for.
func (u subject) waitsFor() string {
	if u.blocked {
		return fmt.Sprintf("waits for the approval of its deployment; others give it with `approve #%d`", u.job.ID)
	}
	return fmt.Sprintf("waits to be started; `play #%d` starts it", u.job.ID)
}

// unplayable: typed, play tries a job again that was started by hand before, as on GitLab. A button says Start, and may be an old one.
func (u subject) unplayable(pressed bool, standing string) string {
	j := u.job
	byHand := j.When == enum.WhenManual || j.When == enum.Delayed
	switch {
	case process.Playable(j.Status) && !j.External:
		if u.blocked {
			return u.waitsFor()
		}
		return ""
	case pressed:
		return "does not wait to be started any more; it is " + standing
	case byHand && process.Retryable(j.Status, j.FailureReason):
		return ""
	case j.Status.Completed() || j.External:
		return "is over: " + standing + u.againBy()
	case j.Status == enum.Created:
		return "waits for jobs before it; what can be started by hand is known after them"
	case j.Status == enum.Running || j.Status == enum.Canceling:
		return "is " + standing + ": it was started already"
	}
	return "is " + standing + ": it starts by itself"
}
