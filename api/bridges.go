package api

import (
	"signalbox/models"
)

// bridgeEntity is GitLab's Bridge: a job that started another pipeline.
type bridgeEntity struct {
	jobBasic
	Downstream *pipelineBasic `json:"downstream_pipeline"`
}

func (s *Server) pipelineBridges(c *call, p *jobList) (any, error) {
	page := pageOf(p.Page)
	page.Descending = true
	var rows []*models.Job
	var total int64
	bridges := true
	err := c.read(func(tx *models.Tx) (err error) {
		rows, total, err = tx.ListJobs(models.JobFilter{PipelineID: c.pipeline.ID, Statuses: p.statuses(), Retried: p.Retried, Bridges: &bridges}, page)
		return err
	})
	if err != nil {
		return nil, err
	}
	entities, err := s.bridges(c, rows)
	return paged(entities, p.Page, total), err
}

// bridges renders bridges of the call's project, with the pipelines that they started as far as the caller may see them.
func (s *Server) bridges(c *call, rows []*models.Job) ([]bridgeEntity, error) {
	basic, err := s.basicJobs(c, rows)
	if err != nil {
		return nil, err
	}
	started, err := s.ci.Downstream(c.ctx(), c.actor, rows)
	out := make([]bridgeEntity, len(rows))
	for i, j := range rows {
		out[i].jobBasic = basic[i]
		if r, ok := started[j.ID]; ok {
			e := s.basicPipeline(r.Pipeline, r.Project)
			out[i].Downstream = &e
		}
	}
	return out, err
}
