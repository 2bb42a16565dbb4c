package ci

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

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
	maxReport  = 256 << 20 // bytes of all reports of a pipeline, unpacked
	maxCases   = 50_000    // of all reports of a pipeline
	maxReports = 200       // jobs of a pipeline whose reports are read
)

// TestReport reads the JUnit reports of the latest attempts of a pipeline's jobs, in the order of the jobs.
// Those that the actor may not read are left out. One budget holds for all of them, and few are read at a time.
func (c *Coordinator) TestReport(ctx context.Context, a access.Actor, s access.Subject, pipelineID int64) ([]TestSuite, error) {
	select {
	case c.reading <- struct{}{}:
		defer func() { <-c.reading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
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
	var out []TestSuite
	left := &budget{bytes: maxReport, cases: maxCases}
	for _, j := range jobs {
		if byJob[j.ID] == nil {
			continue
		}
		suite := TestSuite{Job: j}
		if suite.Cases, err = c.testCases(ctx, byJob[j.ID], left); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			suite.Error = err.Error()
		}
		if left.cases -= len(suite.Cases); left.cases < 0 {
			suite.Cases, left.cases, suite.Error = suite.Cases[:len(suite.Cases)+left.cases], 0, "the reports of this pipeline have too many cases: the rest is not shown"
		}
		out = append(out, suite)
	}
	return out, nil
}

// budget is what the reports of one pipeline may still cost.
type budget struct{ bytes, cases int }

func (c *Coordinator) testCases(ctx context.Context, row *models.Artifact, left *budget) ([]junit.Case, error) {
	o, err := c.OpenArtifact(ctx, row)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	if row.Format != "gzip" && !strings.HasSuffix(row.Filename, ".gz") {
		return junit.Parse(&counted{o, left})
	}
	return parseMembers(o, left)
}

// counted takes what is read from the budget.
type counted struct {
	r    io.Reader
	left *budget
}

func (c *counted) Read(p []byte) (int, error) {
	if c.left.bytes <= 0 {
		return 0, errReports
	}
	n, err := c.r.Read(p[:min(len(p), c.left.bytes)])
	c.left.bytes -= n
	return n, err
}

var errReports = fmt.Errorf("the reports of this pipeline hold more than %d MB", maxReport>>20)

// parseMembers reads a report that a runner packed: each of its files for itself, one after another.
func parseMembers(packed io.Reader, budget *budget) ([]junit.Case, error) {
	in := bufio.NewReader(packed)
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var all []junit.Case
	left := &counted{z, budget}
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
