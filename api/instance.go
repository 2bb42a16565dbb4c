package api

import (
	"maps"

	"github.com/gin-gonic/gin"

	"signalbox/chatops"
	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/httpapi"
)

func (s *Server) instanceRoutes(r routes) {
	for _, path := range []string{"/version", "/metadata"} {
		r.get(path, user(access.ReadSelf), func(*call) (any, error) {
			return gin.H{
				"version": ci.Version, "revision": ci.Revision, "enterprise": false,
				"kas": gin.H{"enabled": false, "externalUrl": nil, "externalK8sProxyUrl": nil, "version": nil},
			}, nil
		})
	}
	r.get("/application/settings", user(access.AdminInstance), s.settings)
	r.put("/application/settings", user(access.AdminInstance), with(s.setSettings))
	r.get("/application/plan_limits", user(access.AdminInstance), s.planLimits)
	r.put("/application/plan_limits", user(access.AdminInstance), with(s.setPlanLimits))
	r.get("/topics", anybody(access.ReadPublic), with(func(_ *call, p *struct {
		httpapi.Page
		Search string `param:"search"`
	},
	) (any, error) {
		return paged([]int{}, p.Page, 0), nil // topics here are words of projects, with nothing of their own
	}))
	r.post("/usage_data/track_event", user(access.ReadSelf), func(*call) (any, error) { return reply{200, gin.H{}}, nil })
}

type settingsParams struct {
	MaxArtifacts    *int64 `param:"max_artifacts_size"`
	MaxTrace        *int64 `param:"max_trace_size"`
	ArtifactsExpire string `param:"default_artifacts_expire_in"`
	PendingHours    *int64 `param:"pending_job_timeout_hours"`
	MaxIncludes     *int64 `param:"ci_max_includes"`
	NewGroups       *bool  `param:"can_create_group"`
	PerCommit       *int64 `param:"pipeline_limit_per_project_user_sha"`
	PerUser         *int64 `param:"pipeline_limit_per_user"`
	Downstream      *int64 `param:"downstream_pipeline_trigger_limit_per_project_user_sha"`

	SlackApp        *bool   `param:"slack_app_enabled"`
	SlackAppID      *string `param:"slack_app_id" max:"255"`
	SlackAppSigning *string `param:"slack_app_signing_secret" max:"255"`
	SlackAppToken   *string `param:"slack_app_verification_token" max:"255"`
	SlackAppSecret  *string `param:"slack_app_secret" max:"255"`
	SlackAppLevel   *string `param:"slack_app_token" max:"255"`
	instanceFacts
}

func (s *Server) settings(c *call) (any, error) {
	set, err := s.ci.InstanceSettings(c.ctx())
	if err != nil {
		return nil, err
	}
	app, err := s.chat.SlackApp(c.ctx())
	if err != nil {
		return nil, err
	}
	out := gin.H{
		"slack_app_enabled": app.Enabled, "slack_app_id": app.ID,
		"id":                          1,
		"default_artifacts_expire_in": set.ArtifactsExpireIn, "max_artifacts_size": set.MaxArtifactsMB, "max_trace_size": set.MaxTraceMB,
		"pending_job_timeout_hours": set.PendingTimeoutHours, "can_create_group": !set.NoNewGroups,
		"signup_enabled": false, "shared_runners_enabled": true, "ci_max_includes": set.MaxIncludes, "version": ci.Version,
		"pipeline_limit_per_project_user_sha": set.Limits.PipelinesPerCommit, "pipeline_limit_per_user": set.Limits.PipelinesPerUser,
		"downstream_pipeline_trigger_limit_per_project_user_sha": set.Limits.Downstream,
	}
	maps.Copy(out, factMap(tellFacts[instanceFacts](set.Facts)))
	return out, nil
}

func (s *Server) setSettings(c *call, p *settingsParams) (any, error) {
	err := s.ci.SetInstanceSettings(c.ctx(), c.actor, func(set *ci.InstanceSettings) {
		keep(&set.MaxArtifactsMB, p.MaxArtifacts)
		keep(&set.MaxTraceMB, p.MaxTrace)
		keep(&set.PendingTimeoutHours, p.PendingHours)
		keep(&set.MaxIncludes, p.MaxIncludes)
		keep(&set.Limits.PipelinesPerCommit, p.PerCommit)
		keep(&set.Limits.PipelinesPerUser, p.PerUser)
		keep(&set.Limits.Downstream, p.Downstream)
		if p.NewGroups != nil {
			set.NoNewGroups = !*p.NewGroups
		}
		set.Facts = keepFacts(set.Facts, p.instanceFacts)
		if p.ArtifactsExpire != "" {
			set.ArtifactsExpireIn = p.ArtifactsExpire
		}
	})
	if err != nil {
		return nil, err
	}
	err = s.chat.SetSlackApp(c.ctx(), c.actor, chatops.SlackAppInput{
		Enabled: p.SlackApp, ID: p.SlackAppID, SigningSecret: p.SlackAppSigning, VerificationToken: p.SlackAppToken,
		ClientSecret: p.SlackAppSecret, AppToken: p.SlackAppLevel,
	})
	if err != nil {
		return nil, err
	}
	return s.settings(c)
}

// planLimits are the limits that GitLab keeps for each plan; there is one plan here.
func (s *Server) planLimits(c *call) (any, error) {
	set, err := s.ci.InstanceSettings(c.ctx())
	if err != nil {
		return nil, err
	}
	needs := set.Limits.Needs
	if needs == 0 {
		needs = 50
	}
	return gin.H{
		"ci_pipeline_size": set.Limits.PipelineJobs, "ci_active_jobs": set.Limits.ActiveJobs, "ci_needs_size_limit": needs,
		"ci_pipeline_schedules": set.MaxSchedules, "pipeline_hierarchy_size": 1000,
	}, nil
}

func (s *Server) setPlanLimits(c *call, p *struct {
	PlanName  string `param:"plan_name"`
	Size      *int64 `param:"ci_pipeline_size"`
	Active    *int64 `param:"ci_active_jobs"`
	Needs     *int64 `param:"ci_needs_size_limit"`
	Schedules *int64 `param:"ci_pipeline_schedules"`
},
) (any, error) {
	err := s.ci.SetInstanceSettings(c.ctx(), c.actor, func(set *ci.InstanceSettings) {
		keep(&set.Limits.PipelineJobs, p.Size)
		keep(&set.Limits.ActiveJobs, p.Active)
		keep(&set.Limits.Needs, p.Needs)
		keep(&set.MaxSchedules, p.Schedules)
	})
	if err != nil {
		return nil, err
	}
	return s.planLimits(c)
}

// keep sets a value if one was given.
func keep[T any](into *T, from *T) {
	if from != nil {
		*into = *from
	}
}
