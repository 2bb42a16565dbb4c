package ci

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"signalbox/ci/access"
	"signalbox/ci/junit"
	"signalbox/models"
)

// TestSuite is the test report of one job.
type TestSuite struct {
	Job   *models.Job
	Cases []junit.Case
	Error string // what is wrong with the report; the cases before that are there
}

// Counts are how many cases ended how, and how long they took in all.
type Counts struct {
	Total, Success, Failed, Skipped, Error int
	Time                                   float64
}

// Count sums up some cases.
func Count(cases []junit.Case) (c Counts) {
	for _, one := range cases {
		c.Total++
		c.Time += one.Time
		switch one.Status {
		case junit.Success:
			c.Success++
		case junit.Failed:
			c.Failed++
		case junit.Skipped:
			c.Skipped++
		case junit.Error:
			c.Error++
		}
	}
	return c
}

const (
	maxReport  = 100 << 20 // bytes of one report, unpacked
	maxRead    = 256 << 20 // bytes of reports that are read for one view, unpacked
	maxCases   = 50_000    // of all reports of a pipeline
	maxReports = 200       // jobs of a pipeline whose reports are read
)

// TestReport reads the JUnit reports of the latest attempts of a pipeline's jobs, in the order of the jobs.
// Those that the actor may not read are left out. One budget holds for all of them, few projects' are read at a time, and what
// was read is kept for the next view.
func (c *Coordinator) TestReport(ctx context.Context, a access.Actor, s access.Subject, pipelineID int64) ([]TestSuite, error) {
	var jobs []*models.Job
	var reports []*models.Artifact
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		if reports, err = tx.Reports(pipelineID, "junit", maxReports); err != nil {
			return err
		}
		ids := make([]int64, len(reports))
		for i, r := range reports {
			ids[i] = r.JobID
		}
		jobs, err = tx.JobsByID(ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	byJob := map[int64]*models.Artifact{}
	for _, r := range reports {
		if access.ArtifactAllowed(a, s, r.Access) {
			byJob[r.JobID] = r
		}
	}
	if len(byJob) == 0 {
		return nil, nil
	}
	give, err := c.reading.Take(ctx, fmt.Sprint(s.Project.ID))
	if err != nil {
		return nil, err
	}
	defer give()
	var out []TestSuite
	left := maxCases
	budget := &budget{all: maxRead}
	for _, j := range jobs {
		if byJob[j.ID] == nil {
			continue
		}
		suite := TestSuite{Job: j}
		if suite.Cases, err = c.testCases(ctx, byJob[j.ID], budget); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			suite.Error = err.Error()
		}
		if left -= len(suite.Cases); left < 0 {
			suite.Cases, left, suite.Error = suite.Cases[:len(suite.Cases)+left], 0, "the reports of this pipeline have too many cases: the rest is not shown"
		}
		out = append(out, suite)
	}
	return out, nil
}

// testCases reads one report, or gives what was read of it before: a report does not change.
func (c *Coordinator) testCases(ctx context.Context, row *models.Artifact, left *budget) ([]junit.Case, error) {
	if known := c.reports.find(row.ID); known != nil {
		return known.cases, known.wrong
	}
	o, err := c.OpenArtifact(ctx, row)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	in := &counted{r: o}
	left.one = maxReport
	var cases []junit.Case
	if row.Format != "gzip" && !strings.HasSuffix(row.Filename, ".gz") {
		cases, err = junit.Parse(&unpacked{in, left})
	} else {
		cases, err = parseMembers(in, left)
	}
	// What the store or the budget of this view is to blame for says nothing of the report.
	if in.failed == nil && !errors.Is(err, errReports) && ctx.Err() == nil {
		c.reports.keep(row.ID, &knownReport{cases: cases, wrong: err})
	}
	return cases, err
}

// counted notes whether the store failed.
type counted struct {
	r      io.Reader
	failed error
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		c.failed = err
	}
	return n, err
}

// budget is what may still be read: of one report, and of all of a view.
type budget struct{ one, all int }

// unpacked takes what is read from the budget.
type unpacked struct {
	r    io.Reader
	left *budget
}

func (u *unpacked) Read(p []byte) (int, error) {
	switch {
	case u.left.one <= 0:
		return 0, errReport
	case u.left.all <= 0:
		return 0, errReports
	}
	n, err := u.r.Read(p[:min(len(p), u.left.one, u.left.all)])
	u.left.one -= n
	u.left.all -= n
	return n, err
}

var (
	errReport  = fmt.Errorf("the report holds more than %d MB", maxReport>>20)
	errReports = fmt.Errorf("the reports of this pipeline hold more than %d MB: look again to read the next ones", maxRead>>20)
)

// parseMembers reads a report that a runner packed: each of its files for itself, one after another.
func parseMembers(packed io.Reader, budget *budget) ([]junit.Case, error) {
	in := bufio.NewReader(packed)
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var all []junit.Case
	left := &unpacked{z, budget}
	for {
		z.Multistream(false)
		cases, err := junit.Parse(left)
		all = append(all, cases...)
		switch {
		case err != nil:
			return all, err
		case len(all) > junit.MaxCases:
			return all[:junit.MaxCases], junit.ErrTooMany
		}
		if err := z.Reset(in); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return all, err
		}
	}
}

// knownReports keeps what was read of reports, those that were asked for last. Views share the cases: they must not be changed.
type knownReports struct {
	mu    sync.Mutex
	known map[int64]*knownReport
	order []int64 // the one that was asked for last is last
	size  int
}

type knownReport struct {
	cases []junit.Case
	wrong error
	size  int
}

// maxKnownReports is about how many bytes are kept.
const maxKnownReports = 64 << 20

func (k *knownReports) find(id int64) *knownReport {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.known[id]
	if r != nil {
		k.order = append(slices.DeleteFunc(k.order, func(o int64) bool { return o == id }), id)
	}
	return r
}

func (k *knownReports) keep(id int64, r *knownReport) {
	const ofCase = 200
	for _, c := range r.cases {
		r.size += ofCase + len(c.Name) + len(c.Classname)
		if c.Output != nil {
			r.size += len(*c.Output)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil {
		k.known = map[int64]*knownReport{}
	}
	if k.known[id] != nil {
		return
	}
	k.known[id], k.order, k.size = r, append(k.order, id), k.size+r.size
	for k.size > maxKnownReports || len(k.order) > 1000 {
		oldest := k.order[0]
		k.size -= k.known[oldest].size
		delete(k.known, oldest)
		k.order = k.order[1:]
	}
}
