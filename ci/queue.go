package ci

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"signalbox/models"
	"signalbox/models/enum"
)

// queue mirrors the table of pending jobs in memory, so that a runner's request with nothing to do touches
// no database. The table is the truth: a job taken from here is claimed there, and a missed one is found by
// a sweep. Jobs that the same runners can take form a class, so that a request costs what there are classes,
// not jobs.
type queue struct {
	mu      sync.Mutex
	id      string // tells this node's versions from those of others
	classes map[string]*class
	jobs    map[int64]string // job → class
	lastRow int64            // highest row id seen
	kinds   map[string]*kind
	serial  int64 // of the newest kind
	closed  chan struct{}
	ended   bool
}

// class is a list of jobs, oldest first, that the same runners can take.
type class struct {
	sample *models.PendingJob
	jobs   []int64
}

// kind stands for all runners that can take the same jobs.
type kind struct {
	match   matcher
	serial  int64 // tells its versions from those of other kinds: a runner that is changed is of another one
	version int64
	waiting []chan struct{}
}

// matcher is what decides which jobs a runner can take.
type matcher struct {
	typ         enum.RunnerType
	namespace   int64
	projects    []int64
	tags        []string
	untagged    bool
	protectOnly bool
}

func (m matcher) key() string {
	return fmt.Sprint(m.typ, m.namespace, m.projects, m.untagged, m.protectOnly, strings.Join(m.tags, "\x00"))
}

// takes is the one rule of which runner may take which job (facts: pipeline-semantics 5.2).
func (m matcher) takes(p *models.PendingJob) bool {
	switch m.typ {
	case enum.InstanceRunner:
		if !p.SharedRunners {
			return false
		}
	case enum.GroupRunner:
		if !p.GroupRunners || !strings.Contains(p.Traversal, "/"+strconv.FormatInt(m.namespace, 10)+"/") {
			return false
		}
	case enum.ProjectRunner:
		if !slices.Contains(m.projects, p.ProjectID) {
			return false
		}
	}
	if m.protectOnly && !p.Protected || len(p.Tags) == 0 && !m.untagged {
		return false
	}
	for _, t := range p.Tags {
		if !slices.Contains(m.tags, t) {
			return false
		}
	}
	return true
}

// maxKinds bounds the memory for runners that are gone; a forgotten kind costs its runner one search.
const maxKinds = 10_000

func newQueue() *queue {
	id := make([]byte, 4)
	rand.Read(id)
	return &queue{
		id: hex.EncodeToString(id), classes: map[string]*class{}, jobs: map[int64]string{}, kinds: map[string]*kind{},
		closed: make(chan struct{}),
	}
}

func classKey(p *models.PendingJob) string {
	return fmt.Sprint(p.ProjectID, p.Traversal, p.Protected, p.SharedRunners, p.GroupRunners, strings.Join(p.Tags, "\x00"))
}

// add makes a job known, or known anew if other runners may take it now, and wakes one waiting request that can.
func (q *queue) add(p *models.PendingJob) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lastRow = max(q.lastRow, p.ID)
	key := classKey(p)
	if known, queued := q.jobs[p.JobID]; known == key {
		return
	} else if queued {
		q.drop(p.JobID) // other runners may take it now
	}
	c := q.classes[key]
	if c == nil {
		c = &class{sample: p}
		q.classes[key] = c
	}
	at, _ := slices.BinarySearch(c.jobs, p.JobID)
	c.jobs = slices.Insert(c.jobs, at, p.JobID)
	q.jobs[p.JobID] = key
	q.announce(p)
}

// moveProject lets other runners take the waiting jobs of a project.
func (q *queue) moveProject(projectID int64, shared, group bool) {
	q.mu.Lock()
	var moved []*models.PendingJob
	for _, c := range q.classes {
		if c.sample.ProjectID != projectID {
			continue
		}
		for _, id := range c.jobs {
			row := *c.sample
			row.ID, row.JobID, row.SharedRunners, row.GroupRunners = 0, id, shared, group
			moved = append(moved, &row)
		}
	}
	q.mu.Unlock()
	for _, row := range moved {
		q.add(row)
	}
}

// announce gives every kind that can take the job a new version, and wakes one of those who wait.
func (q *queue) announce(p *models.PendingJob) {
	woken := false
	for _, k := range q.kinds {
		if !k.match.takes(p) {
			continue
		}
		k.version++
		if !woken && len(k.waiting) > 0 {
			close(k.waiting[0])
			k.waiting = k.waiting[1:]
			woken = true
		}
	}
}

func (q *queue) kind(m matcher) *kind {
	key := m.key()
	k := q.kinds[key]
	if k == nil {
		if len(q.kinds) >= maxKinds {
			for old, other := range q.kinds {
				if len(other.waiting) == 0 {
					delete(q.kinds, old)
					break
				}
			}
		}
		q.serial++
		k = &kind{match: m, serial: q.serial, version: 1}
		q.kinds[key] = k
	}
	return k
}

// version is the value of X-GitLab-Last-Update: it changes when a job arrives that the runner can take.
func (q *queue) version(m matcher) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.versionOf(q.kind(m))
}

func (q *queue) versionOf(k *kind) string {
	return q.id + "-" + strconv.FormatInt(k.serial, 36) + "-" + strconv.FormatInt(k.version, 36)
}

// take removes and returns the next job for a runner; 0 if there is none. running counts the jobs that
// instance runners hold by project: of several projects the one with the fewest goes first.
func (q *queue) take(m matcher, running func() map[int64]int) int64 {
	q.mu.Lock()
	var heads []*class
	for _, c := range q.classes {
		if len(c.jobs) > 0 && m.takes(c.sample) {
			heads = append(heads, c)
		}
	}
	fair := m.typ == enum.InstanceRunner && severalProjects(heads)
	q.mu.Unlock()
	var busy map[int64]int
	if fair {
		busy = running()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var best *class
	for _, c := range heads {
		if len(c.jobs) == 0 {
			continue
		}
		if best == nil || busy[c.sample.ProjectID] < busy[best.sample.ProjectID] ||
			busy[c.sample.ProjectID] == busy[best.sample.ProjectID] && c.jobs[0] < best.jobs[0] {
			best = c
		}
	}
	if best == nil {
		return 0
	}
	id := best.jobs[0]
	q.drop(id)
	return id
}

// size counts the jobs that a runner could take now.
func (q *queue) size(m matcher) (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.classes {
		if len(c.jobs) > 0 && m.takes(c.sample) {
			n += len(c.jobs)
		}
	}
	return n
}

func severalProjects(heads []*class) bool {
	for _, c := range heads {
		if c.sample.ProjectID != heads[0].sample.ProjectID {
			return true
		}
	}
	return false
}

func (q *queue) drop(jobID int64) {
	key := q.jobs[jobID]
	delete(q.jobs, jobID)
	c := q.classes[key]
	if c == nil {
		return
	}
	if at, found := slices.BinarySearch(c.jobs, jobID); found {
		c.jobs = slices.Delete(c.jobs, at, at+1)
	}
	if len(c.jobs) == 0 {
		delete(q.classes, key)
	}
}

// wait registers a request that saw a version. It answers nil if the version is not current any more.
// leave must be called when the request stops waiting; it says whether it was woken.
func (q *queue) wait(m matcher, version string) (woken <-chan struct{}, leave func() bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	k := q.kind(m)
	if q.ended || q.versionOf(k) != version {
		return nil, nil
	}
	ch := make(chan struct{})
	k.waiting = append(k.waiting, ch)
	return ch, func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		at := slices.Index(k.waiting, ch)
		if at >= 0 {
			k.waiting = slices.Delete(k.waiting, at, at+1)
		}
		return at < 0
	}
}

// held counts the requests that wait.
func (q *queue) held() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, k := range q.kinds {
		n += len(k.waiting)
	}
	return n
}

// passOn wakes another request for the jobs that one was woken for and did not take.
func (q *queue) passOn(m matcher) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.classes {
		if len(c.jobs) > 0 && m.takes(c.sample) {
			q.announce(c.sample)
			return
		}
	}
}

// seen is the highest row that the mirror knows of.
func (q *queue) seen() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lastRow
}

// keep drops the jobs that are not in the table any more. rows are all that it holds up to its last.
func (q *queue) keep(rows map[int64]bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for id := range q.jobs {
		if !rows[id] {
			q.drop(id)
		}
	}
}

// isClosed says whether requests are held no more.
func (q *queue) isClosed() bool {
	select {
	case <-q.closed:
		return true
	default:
		return false
	}
}

// close answers all waiting requests, now and from now on.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ended {
		q.ended = true
		close(q.closed)
	}
}
