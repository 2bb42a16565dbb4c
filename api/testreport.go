package api

import (
	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/junit"
)

type testCounts struct {
	TotalTime    float64 `json:"total_time"`
	TotalCount   int     `json:"total_count"`
	SuccessCount int     `json:"success_count"`
	FailedCount  int     `json:"failed_count"`
	SkippedCount int     `json:"skipped_count"`
	ErrorCount   int     `json:"error_count"`
}

type testSuite struct {
	Name string `json:"name"`
	testCounts
	SuiteError *string      `json:"suite_error"`
	TestCases  []junit.Case `json:"test_cases"`
}

type suiteSummary struct {
	Name string `json:"name"`
	testCounts
	BuildIDs   []int64 `json:"build_ids"`
	SuiteError *string `json:"suite_error"`
}

func countsOf(c ci.Counts) testCounts {
	return testCounts{c.Time, c.Total, c.Success, c.Failed, c.Skipped, c.Error}
}

func (s *Server) testReportRoutes(r routes) {
	one := "/projects/:id/pipelines/:pipeline_id"
	r.get(one+"/test_report", inPipeline(access.ReadPipelines), func(c *call) (any, error) {
		suites, err := s.ci.TestReport(c.ctx(), c.actor, c.subject, c.pipeline.ID)
		if err != nil {
			return nil, err
		}
		var all []junit.Case
		out := struct {
			testCounts
			TestSuites []testSuite `json:"test_suites"`
		}{TestSuites: []testSuite{}}
		for _, suite := range suites {
			all = append(all, suite.Cases...)
			cases := append([]junit.Case{}, suite.Cases...)
			out.TestSuites = append(out.TestSuites, testSuite{suite.Job.Name, countsOf(ci.Count(cases)), given(suite.Error), cases})
		}
		out.testCounts = countsOf(ci.Count(all))
		return out, nil
	})
	r.get(one+"/test_report_summary", inPipeline(access.ReadPipelines), func(c *call) (any, error) {
		suites, err := s.ci.TestReport(c.ctx(), c.actor, c.subject, c.pipeline.ID)
		if err != nil {
			return nil, err
		}
		var all []junit.Case
		list, broken := []suiteSummary{}, (*string)(nil)
		for _, suite := range suites {
			all = append(all, suite.Cases...)
			list = append(list, suiteSummary{suite.Job.Name, countsOf(ci.Count(suite.Cases)), []int64{suite.Job.ID}, given(suite.Error)})
			if suite.Error != "" {
				broken = &suite.Error
			}
		}
		n := ci.Count(all)
		return gin.H{"total": gin.H{
			"time": n.Time, "count": n.Total, "success": n.Success, "failed": n.Failed, "skipped": n.Skipped, "error": n.Error, "suite_error": broken,
		}, "test_suites": list}, nil
	})
}
