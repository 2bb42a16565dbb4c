package process

import s "signalbox/models/enum"

// StopAll is what workflow:auto_cancel:on_job_failure says for a pipeline that a failure stops as a whole.
const StopAll = "all"

// Stopped lists the jobs that are canceled once a job failed and is not tried again: none, or all that have not ended,
// as the pipeline's on_job_failure says. A job that may fail stops nothing (facts: pipeline-semantics 4.13).
func Stopped(onJobFailure string, failed Job, jobs []Job) []int64 {
	if onJobFailure != StopAll || failed.Status != s.Failed || failed.AllowFailure {
		return nil
	}
	var out []int64
	for _, j := range jobs {
		if j.Status.Cancelable() {
			out = append(out, j.ID)
		}
	}
	return out
}
