package process

// Next decides whether a created job that waits for others moves now, given the latest attempts of those. It is what Advance
// decides for such a job, for the cost of its needs alone.
func Next(j Job, needed []Job) (Change, bool) {
	before := &set{}
	for i := range needed {
		before.add(&needed[i])
	}
	previous := before.previous(true)
	if !previous.Completed() {
		return Change{}, false
	}
	event, reason := decide(&j, previous, before)
	target, _ := Move(j.Status, event)
	return Change{ID: j.ID, From: j.Status, To: target, Event: event, Reason: reason}, true
}
