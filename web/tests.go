package web

import (
	"fmt"

	"signalbox/ci"
	"signalbox/ci/junit"
)

// maxShownCases bounds what a page shows of a suite: what did not succeed comes first.
const maxShownCases = 500

type suiteCard struct {
	ci.TestSuite
	Counts ci.Counts
	Shown  []junit.Case
}

func (s *Server) testsPage(r *request, c *inside) error {
	pl, err := s.pipelineOf(r, c)
	if err != nil {
		return err
	}
	suites, err := s.ci.TestReport(r.Context(), r.actor, c.subject, pl.ID)
	if err != nil {
		return err
	}
	var cards []suiteCard
	var all []junit.Case
	for _, suite := range suites {
		card := suiteCard{TestSuite: suite, Counts: ci.Count(suite.Cases)}
		for _, wanted := range []bool{true, false} {
			for _, one := range suite.Cases {
				bad := one.Status == junit.Failed || one.Status == junit.Error
				if bad == wanted && len(card.Shown) < maxShownCases {
					card.Shown = append(card.Shown, one)
				}
			}
		}
		cards, all = append(cards, card), append(all, suite.Cases...)
	}
	return s.show(r, c, "tests", data{"Title": fmt.Sprintf("Tests of pipeline #%d", pl.ID), "Pipeline": pl, "Suites": cards, "Total": ci.Count(all), "Wide": true})
}
