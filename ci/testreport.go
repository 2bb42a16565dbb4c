package ci

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"

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
	maxReport  = 256 << 20 // bytes of a report, unpacked
	maxReports = 200       // jobs of a pipeline whose reports are read
)

// TestReport reads the JUnit reports of the latest attempts of a pipeline's jobs, in the order of the jobs.
func (c *Coordinator) TestReport(ctx context.Context, pipelineID int64) ([]TestSuite, error) {
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
		byJob[r.JobID] = r
	}
	var out []TestSuite
	for _, j := range jobs {
		s := TestSuite{Job: j}
		if s.Cases, err = c.testCases(ctx, byJob[j.ID]); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			s.Error = err.Error()
		}
		out = append(out, s)
	}
	return out, nil
}

func (c *Coordinator) testCases(ctx context.Context, row *models.Artifact) ([]junit.Case, error) {
	o, err := c.OpenArtifact(ctx, row)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	if row.Format != "gzip" && !strings.HasSuffix(row.Filename, ".gz") {
		return junit.Parse(io.LimitReader(o, maxReport))
	}
	return parseMembers(o)
}

// parseMembers reads a report that a runner packed: each of its files for itself, one after another.
func parseMembers(packed io.Reader) ([]junit.Case, error) {
	in := bufio.NewReader(packed)
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var all []junit.Case
	left := &io.LimitedReader{R: z, N: maxReport}
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
