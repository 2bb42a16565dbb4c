package process

import s "signalbox/models/enum"

// set counts statuses as they weigh in a composite: an allowed failure is a warning, an optional manual job
// is ignored.
type set struct {
	n       map[s.Status]int
	warn    int
	ignored int
	total   int
	first   map[s.Status]string // the name of the first job in each status, which decisions are explained with
	left    string              // the first job that is ignored
}

func (c *set) add(j *Job) {
	if c.n == nil {
		c.n, c.first = map[s.Status]int{}, map[s.Status]string{}
	}
	c.total++
	switch {
	case j.AllowFailure && (j.Status == s.Failed || j.Status == s.Canceled):
		c.warn++
	case j.AllowFailure && j.Status == s.Manual:
		if c.ignored++; c.ignored == 1 {
			c.left = j.Name
		}
	default:
		if c.n[j.Status]++; c.n[j.Status] == 1 {
			c.first[j.Status] = j.Name
		}
	}
}

// previous is the status that decides about a job that comes after the set.
func (c *set) previous(dag bool) s.Status {
	if st := c.status(dag); st != "" {
		return st
	}
	return s.Success
}

// blame names a job that made the set what it is, and says how it ended.
func (c *set) blame(composite s.Status) (name, ended string) {
	switch name = c.first[composite]; {
	case composite == s.Failed:
		return name, "failed"
	case composite == s.Canceled:
		return name, "was canceled"
	case name == "" && composite == s.Skipped:
		return c.left, "waits to be started by hand"
	}
	return name, "was skipped"
}

// only says whether nothing else is in the set; warn and ignored count where they are named.
func (c *set) only(warn, ignored bool, in ...s.Status) bool {
	sum := 0
	for _, st := range in {
		sum += c.n[st]
	}
	if warn {
		sum += c.warn
	}
	if ignored {
		sum += c.ignored
	}
	return sum == c.total
}

func (c *set) any(in ...s.Status) bool {
	for _, st := range in {
		if c.n[st] > 0 {
			return true
		}
	}
	return false
}

// status is GitLab's table of composite statuses; the first row that holds counts. dag asks for the status
// of needed jobs, where a skipped one decides. An empty set has none ("").
func (c *set) status(dag bool) s.Status {
	switch {
	case c.total == 0:
		return ""
	case dag && (c.any(s.Skipped) || c.ignored > 0):
		return s.Skipped
	case c.only(false, true, s.Skipped):
		return s.Skipped
	case c.only(true, true, s.Success, s.Skipped):
		return s.Success
	case c.only(true, true, s.Created):
		return s.Created
	case c.only(true, true, s.Preparing):
		return s.Preparing
	case c.only(true, true, s.Canceled, s.Success, s.Skipped):
		return s.Canceled
	case c.only(true, true, s.Pending, s.Created, s.Skipped):
		return s.Pending
	case c.any(s.Running, s.Pending):
		return s.Running
	}
	for _, st := range []s.Status{s.WaitingForResource, s.WaitingForCallback, s.Manual, s.Scheduled, s.Preparing} {
		if c.any(st) {
			return st
		}
	}
	switch {
	case c.any(s.Created):
		return s.Running
	case c.any(s.Canceling):
		return s.Canceling
	}
	return s.Failed
}

// Composite is the status that jobs have together: of a stage, or of a pipeline. "" for no jobs.
func Composite(jobs []Job) s.Status {
	var c set
	for i := range jobs {
		c.add(&jobs[i])
	}
	return c.status(false)
}

// Apply says which status a pipeline takes when its jobs give it the composite next: not every composite
// changes it.
func Apply(current, next s.Status) s.Status {
	switch {
	case next == "" || next == s.Created:
		return current
	case next == s.Pending:
		switch current {
		case s.Success, s.Failed, s.Canceling, s.Canceled, s.Running:
			return s.Running
		}
	case next == s.Canceling && current == s.Canceled:
		return current
	}
	return next
}
