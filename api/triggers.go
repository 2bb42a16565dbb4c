package api

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

type triggerEntity struct {
	ID          int64         `json:"id"`
	Token       string        `json:"token"`
	Description string        `json:"description"`
	CreatedAt   httpapi.Time  `json:"created_at"`
	UpdatedAt   httpapi.Time  `json:"updated_at"`
	LastUsed    *httpapi.Time `json:"last_used"`
	ExpiresAt   *httpapi.Time `json:"expires_at"`
	Owner       *userBasic    `json:"owner"`
}

func (s *Server) triggers(c *call, rows []*models.Trigger) (out []triggerEntity, err error) {
	var people map[int64]*models.User
	err = c.read(func(tx *models.Tx) error {
		people, err = tx.Users(each(rows, func(t *models.Trigger) int64 { return t.OwnerID }))
		return err
	})
	if err != nil {
		return nil, err
	}
	out = []triggerEntity{}
	for _, t := range rows {
		token, err := s.ci.TriggerToken(c.actor, t)
		if err != nil {
			return nil, err
		}
		out = append(out, triggerEntity{
			ID: t.ID, Token: token, Description: t.Description, CreatedAt: httpapi.Time(t.CreatedAt), UpdatedAt: httpapi.Time(t.UpdatedAt),
			LastUsed: httpapi.TimeOf(t.LastUsedAt), ExpiresAt: httpapi.TimeOf(t.ExpiresAt), Owner: s.basic(people[t.OwnerID]),
		})
	}
	return out, nil
}

func (s *Server) renderTrigger(c *call, t *models.Trigger) (any, error) {
	rows, err := s.triggers(c, []*models.Trigger{t})
	if err != nil {
		return nil, err
	}
	return rows[0], nil
}

// inTrigger finds the trigger token of :trigger_id in its project.
func inTrigger() place {
	return project(access.AdminTriggers).within(func(c *call) error {
		n, err := c.id("trigger_id", "Trigger")
		if err != nil {
			return err
		}
		err = c.read(func(tx *models.Tx) (err error) {
			c.trigger, err = tx.Trigger(n)
			return err
		})
		if err == nil && c.trigger.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missing(err, "Trigger")
	})
}

func (s *Server) triggerRoutes(r routes) {
	base, one := "/projects/:id/triggers", "/projects/:id/triggers/:trigger_id"
	r.get(base, project(access.AdminTriggers), with(func(c *call, p *struct{ httpapi.Page }) (any, error) {
		var rows []*models.Trigger
		var total int64
		err := c.read(func(tx *models.Tx) (err error) {
			rows, total, err = tx.Triggers(c.project.ID, pageOf(p.Page))
			return err
		})
		if err != nil {
			return nil, err
		}
		entities, err := s.triggers(c, rows)
		return paged(entities, p.Page, total), err
	}))
	r.post(base, project(access.AdminTriggers), with(func(c *call, p *struct {
		Description string            `param:"description,required"`
		ExpiresAt   httpapi.Timestamp `param:"expires_at"`
	},
	) (any, error) {
		t, _, err := s.ci.CreateTrigger(c.ctx(), c.actor, c.project, p.Description, p.ExpiresAt.Time)
		if err != nil {
			return nil, err
		}
		return s.renderTrigger(c, t)
	}))
	r.get(one, inTrigger(), func(c *call) (any, error) { return s.renderTrigger(c, c.trigger) })
	r.put(one, inTrigger(), with(func(c *call, p *struct {
		Description *string `param:"description"`
	},
	) (any, error) {
		description := c.trigger.Description
		keep(&description, p.Description)
		if err := s.ci.RenameTrigger(c.ctx(), c.actor, c.trigger, description); err != nil {
			return nil, err
		}
		return s.renderTrigger(c, c.trigger)
	}))
	r.delete(one, inTrigger(), func(c *call) (any, error) {
		return nil, s.ci.DeleteTrigger(c.ctx(), c.actor, c.trigger)
	})
	r.post("/projects/:id/trigger/pipeline", anybody(access.ReadPublic), s.trigger)
	r.post("/projects/:id/ref/:ref/trigger/pipeline", anybody(access.ReadPublic), s.trigger)
}

// pipelineHooks are events whose deliveries start no pipeline: it would start the next one.
var pipelineHooks = []string{"Pipeline Hook", "Job Hook"}

// trigger starts a pipeline with nothing but a trigger token or the token of a job. All other parameters, such as those of
// another system's webhook, are given to the pipeline as a file.
func (s *Server) trigger(c *call) (any, error) {
	if slices.Contains(pipelineHooks, c.GetHeader("X-Gitlab-Event")) {
		return nil, errForbidden
	}
	params, err := httpapi.ReadParams(c.Context, 0)
	if err != nil {
		return nil, err
	}
	all := params.Values()
	var p struct {
		Token  string         `param:"token,required,filled"`
		Ref    string         `param:"ref"`
		Inputs map[string]any `param:"inputs"`
	}
	if err := params.Bind(&p); err != nil {
		return nil, err
	}
	if ref := c.Param("ref"); ref != "" {
		p.Ref, all["ref"] = ref, ref
	}
	if p.Ref == "" {
		return nil, &httpapi.ParamError{Text: "ref is missing"}
	}
	vars, err := mapped(all["variables"])
	if err != nil {
		return nil, err
	}
	for _, secret := range httpapi.Secrets {
		delete(all, secret)
	}
	all["id"] = c.Param("id")
	found, err := s.ci.ProjectToTrigger(c.ctx(), c.Param("id"))
	if err != nil {
		return nil, err
	}
	c.project = found
	pl, err := s.ci.TriggerPipeline(c.ctx(), s.auth, ci.TriggerCall{Project: found, Token: p.Token, Ref: p.Ref, Variables: vars, Inputs: p.Inputs, Payload: all})
	if err != nil {
		return nil, refusal(err)
	}
	if pl.Status == enum.Failed && pl.YAMLErrors != "" {
		return reply{http.StatusUnprocessableEntity, gin.H{"message": gin.H{"base": []string{pl.YAMLErrors}}}}, nil
	}
	return s.detail(c, pl)
}

// mapped reads variables given as an object of texts.
func mapped(given any) ([]variable.Variable, error) {
	object, ok := given.(map[string]any)
	if given == nil || given == "" {
		return nil, nil
	}
	wrong := fault.New(fault.Invalid, "variables needs to be a map of key-valued strings")
	if !ok {
		return nil, wrong
	}
	var out []variable.Variable
	for key, v := range object {
		text, ok := v.(string)
		if !ok || !variable.ValidKey(key) {
			return nil, wrong
		}
		out = append(out, variable.Variable{Key: key, Value: text})
	}
	slices.SortFunc(out, func(a, b variable.Variable) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
	return out, nil
}
