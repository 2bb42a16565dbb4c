package api

import (
	"time"

	"github.com/gin-gonic/gin"

	"signalbox/ci/access"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

func (s *Server) stopStale(c *call, p *struct {
	Before httpapi.Timestamp `param:"before,required,filled"`
},
) (any, error) {
	err := s.ci.StopStale(c.ctx(), c.actor, c.project, p.Before.UTC())
	return reply{200, gin.H{"message": "Successfully requested stop for all stale environments"}}, err
}

// reviewAppsParams say what is deleted; without dry_run=false nothing is.
type reviewAppsParams struct {
	Before httpapi.Timestamp `param:"before"`
	Limit  *int              `param:"limit"`
	DryRun *bool             `param:"dry_run"`
}

func (p *reviewAppsParams) Check() error {
	if p.Limit != nil && (*p.Limit < 1 || *p.Limit > 1000) {
		return &httpapi.ParamError{Text: "limit does not have a valid value"}
	}
	return nil
}

func (s *Server) deleteReviewApps(c *call, p *reviewAppsParams) (any, error) {
	basic := func(rows []*models.Environment) []environmentBasic { return each(rows, environmentBasicOf) }
	// GitLab answers all refusals with a message that holds the lists and the text.
	refused := func(status int, failed []*models.Environment, text string) (any, error) {
		return reply{status, gin.H{"message": gin.H{"scheduled_entries": []any{}, "unprocessable_entries": basic(failed), "message": text}}}, nil
	}
	if !access.Allowed(c.actor, access.UpdateEnvironments, c.subject) {
		return refused(401, nil, "You do not have permission to destroy environments in this project")
	}
	before, limit, dry := s.ci.DB().Now().AddDate(0, 0, -30), 100, true
	if p.Before.Time != nil {
		before = p.Before.UTC().Truncate(time.Microsecond)
	}
	keep(&limit, p.Limit)
	keep(&dry, p.DryRun)
	found, err := s.ci.DeleteReviewApps(c.ctx(), c.actor, c.project, before, limit, dry)
	if err != nil {
		return nil, err
	}
	if len(found.Scheduled) == 0 {
		return refused(400, found.Unprocessable, "No environments found for scheduled deletion. Either your query did not match any environments "+
			"(default parameters match environments that are 30 days or older), or you have insufficient permissions to delete matching environments.")
	}
	return reply{200, gin.H{"scheduled_entries": basic(found.Scheduled), "unprocessable_entries": []any{}}}, nil
}
