package api

import (
	"errors"
	"slices"

	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

type scheduleEntity struct {
	ID           int64                   `json:"id"`
	Description  string                  `json:"description"`
	Ref          string                  `json:"ref"`
	Cron         string                  `json:"cron"`
	CronTimezone string                  `json:"cron_timezone"`
	NextRunAt    *httpapi.Time           `json:"next_run_at"`
	Active       bool                    `json:"active"`
	CreatedAt    httpapi.Time            `json:"created_at"`
	UpdatedAt    httpapi.Time            `json:"updated_at"`
	Owner        *userBasic              `json:"owner"`
	Inputs       *[]models.ScheduleInput `json:"inputs,omitempty"` // for its owner and maintainers
}

type scheduleDetail struct {
	scheduleEntity
	LastPipeline *pipelineBasic      `json:"last_pipeline"`
	Variables    *[]pipelineVariable `json:"variables,omitempty"` // the same
}

// insight says whether the caller may see what a schedule gives to its pipelines.
func insight(c *call, s *models.PipelineSchedule) bool {
	return ci.OwnsSchedule(c.actor, c.subject, s) || access.Allowed(c.actor, access.ManageSchedules, c.subject)
}

func (s *Server) scheduleOf(c *call, row *models.PipelineSchedule, people map[int64]*models.User) scheduleEntity {
	e := scheduleEntity{
		ID: row.ID, Description: row.Description, Ref: row.Ref, Cron: row.Cron, CronTimezone: row.CronTimezone, NextRunAt: httpapi.TimeOf(row.NextRunAt),
		Active: row.Active, CreatedAt: httpapi.Time(row.CreatedAt), UpdatedAt: httpapi.Time(row.UpdatedAt),
	}
	if row.OwnerID != nil {
		e.Owner = s.basic(people[*row.OwnerID])
	}
	if insight(c, row) {
		inputs := append([]models.ScheduleInput{}, row.Inputs...)
		e.Inputs = &inputs
	}
	return e
}

func owners(tx *models.Tx, rows []*models.PipelineSchedule) (map[int64]*models.User, error) {
	var ids []int64
	for _, r := range rows {
		if r.OwnerID != nil {
			ids = append(ids, *r.OwnerID)
		}
	}
	return tx.Users(ids)
}

// detailSchedule is a schedule with its last pipeline, and its variables for those who may see them.
func (s *Server) detailSchedule(c *call, row *models.PipelineSchedule) (any, error) {
	var out scheduleDetail
	err := c.read(func(tx *models.Tx) error {
		people, err := owners(tx, []*models.PipelineSchedule{row})
		if err != nil {
			return err
		}
		out.scheduleEntity = s.scheduleOf(c, row, people)
		last, err := tx.LastOfSchedules([]int64{row.ID})
		if err != nil {
			return err
		}
		if p := last[row.ID]; p != nil {
			e := s.basicPipeline(p, c.project)
			out.LastPipeline = &e
		}
		if !insight(c, row) {
			return nil
		}
		vars, err := tx.ScheduleVariables(row.ID)
		if err != nil {
			return err
		}
		list := []pipelineVariable{}
		for _, v := range vars {
			e, err := s.scheduleVariableOf(v)
			if err != nil {
				return err
			}
			list = append(list, e)
		}
		out.Variables = &list
		return nil
	})
	return out, err
}

func (s *Server) scheduleVariableOf(v *models.ScheduleVariable) (pipelineVariable, error) {
	value, err := s.ci.ScheduleVariableValue(v)
	return pipelineVariable{v.Type, v.Key, value, v.Raw}, err
}

// inSchedule finds the schedule of :schedule_id in its project.
func inSchedule(a access.Ability) place {
	return project(a).within(func(c *call) error {
		n, err := c.id("schedule_id", "Pipeline Schedule")
		if err != nil {
			return err
		}
		err = c.read(func(tx *models.Tx) (err error) {
			c.schedule, err = tx.Schedule(n)
			return err
		})
		if err == nil && c.schedule.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missing(err, "Pipeline Schedule")
	})
}

// owned lets the schedule's owner through; kept maintainers too.
func owned(a access.Ability) place {
	return inSchedule(a).within(func(c *call) error {
		if !ci.OwnsSchedule(c.actor, c.subject, c.schedule) {
			return errForbidden
		}
		return nil
	})
}

func kept(a access.Ability) place {
	return inSchedule(a).within(func(c *call) error {
		if !insight(c, c.schedule) {
			return errForbidden
		}
		return nil
	})
}

func (s *Server) scheduleRoutes(r routes) {
	base, one := "/projects/:id/pipeline_schedules", "/projects/:id/pipeline_schedules/:schedule_id"
	r.get(base, project(access.ReadPipelines), with(s.listSchedules))
	r.post(base, project(access.CreatePipeline), with(s.createSchedule))
	r.get(one, inSchedule(access.ReadPipelines), func(c *call) (any, error) { return s.detailSchedule(c, c.schedule) })
	r.get(one+"/pipelines", inSchedule(access.ReadPipelines), with(s.schedulePipelines))
	r.put(one, owned(access.CreatePipeline), with(s.updateSchedule))
	r.post(one+"/take_ownership", inSchedule(access.ManageSchedules), func(c *call) (any, error) {
		own := c.schedule.OwnerID != nil && *c.schedule.OwnerID == c.actor.ID()
		row, err := s.ci.TakeSchedule(c.ctx(), c.actor, c.schedule.ID)
		if err != nil {
			return nil, err
		}
		e, err := s.detailSchedule(c, row)
		if own {
			return reply{200, e}, err
		}
		return e, err
	})
	r.post(one+"/play", inSchedule(access.CreatePipeline), func(c *call) (any, error) {
		return gin.H{"message": "201 Created"}, s.ci.PlaySchedule(c.ctx(), c.actor, c.project, c.schedule)
	})
	r.delete(one, kept(access.CreatePipeline), func(c *call) (any, error) {
		return nil, s.ci.DB().Write(c.ctx(), func(tx *models.Tx) error { return tx.DeleteSchedule(c.schedule.ID) })
	})
	r.post(one+"/variables", owned(access.CreatePipeline), with(s.createScheduleVariable))
	r.get(one+"/variables/:key", kept(access.ReadPipelineVars), func(c *call) (any, error) {
		v, err := s.scheduleVariable(c)
		if err != nil {
			return nil, err
		}
		return s.scheduleVariableOf(v)
	})
	r.put(one+"/variables/:key", owned(access.CreatePipeline), with(s.updateScheduleVariable))
	r.delete(one+"/variables/:key", kept(access.CreatePipeline), s.deleteScheduleVariable)
}

func (s *Server) listSchedules(c *call, p *struct {
	httpapi.Page
	Scope string `param:"scope" values:"active inactive"`
},
) (any, error) {
	var active *bool
	if p.Scope != "" {
		on := p.Scope == "active"
		active = &on
	}
	var out listing
	err := c.read(func(tx *models.Tx) error {
		rows, total, err := tx.Schedules(c.project.ID, active, pageOf(p.Page))
		if err != nil {
			return err
		}
		people, err := owners(tx, rows)
		out = paged(each(rows, func(r *models.PipelineSchedule) scheduleEntity { return s.scheduleOf(c, r, people) }), p.Page, total)
		return err
	})
	return out, err
}

func (s *Server) schedulePipelines(c *call, p *struct {
	httpapi.Page
	Sort string `param:"sort" values:"asc desc"`
},
) (any, error) {
	page := pageOf(p.Page)
	page.Descending = p.Sort == "desc"
	var out listing
	err := c.read(func(tx *models.Tx) error {
		rows, total, err := tx.SchedulePipelines(c.schedule.ID, page)
		out = paged(each(rows, func(pl *models.Pipeline) pipelineBasic { return s.basicPipeline(pl, c.project) }), p.Page, total)
		return err
	})
	return out, err
}

type scheduleInput struct {
	Name    string `param:"name,required"`
	Value   any    `param:"value"`
	Destroy bool   `param:"destroy"`
}

// laid puts given inputs over those that a schedule has.
func laid(old []models.ScheduleInput, given []scheduleInput) []models.ScheduleInput {
	out := slices.Clone(old)
	for _, in := range given {
		at := slices.IndexFunc(out, func(o models.ScheduleInput) bool { return o.Name == in.Name })
		switch {
		case in.Destroy && at >= 0:
			out = slices.Delete(out, at, at+1)
		case in.Destroy:
		case at >= 0:
			out[at].Value = in.Value
		default:
			out = append(out, models.ScheduleInput{Name: in.Name, Value: in.Value})
		}
	}
	if out == nil {
		out = []models.ScheduleInput{}
	}
	return out
}

func (s *Server) createSchedule(c *call, p *struct {
	Description string          `param:"description,required"`
	Ref         string          `param:"ref,required,filled"`
	Cron        string          `param:"cron,required"`
	Timezone    *string         `param:"cron_timezone"`
	Active      *bool           `param:"active"`
	Inputs      []scheduleInput `param:"inputs"`
},
) (any, error) {
	row, err := s.ci.SaveSchedule(c.ctx(), c.actor, c.project, 0, func(r *models.PipelineSchedule) {
		r.Description, r.Ref, r.Cron, r.Inputs = p.Description, p.Ref, p.Cron, laid(nil, p.Inputs)
		keep(&r.CronTimezone, p.Timezone)
		keep(&r.Active, p.Active)
	})
	if err != nil {
		return nil, err
	}
	return s.detailSchedule(c, row)
}

func (s *Server) updateSchedule(c *call, p *struct {
	Description *string         `param:"description"`
	Ref         *string         `param:"ref"`
	Cron        *string         `param:"cron"`
	Timezone    *string         `param:"cron_timezone"`
	Active      *bool           `param:"active"`
	Inputs      []scheduleInput `param:"inputs"`
},
) (any, error) {
	row, err := s.ci.SaveSchedule(c.ctx(), c.actor, c.project, c.schedule.ID, func(r *models.PipelineSchedule) {
		keep(&r.Description, p.Description)
		keep(&r.Ref, p.Ref)
		keep(&r.Cron, p.Cron)
		keep(&r.CronTimezone, p.Timezone)
		keep(&r.Active, p.Active)
		r.Inputs = laid(r.Inputs, p.Inputs)
	})
	if err != nil {
		return nil, err
	}
	return s.detailSchedule(c, row)
}

func (s *Server) scheduleVariable(c *call) (v *models.ScheduleVariable, err error) {
	err = c.read(func(tx *models.Tx) error {
		v, err = tx.ScheduleVariable(c.schedule.ID, c.Param("key"))
		return err
	})
	return v, missing(err, "Variable")
}

func (s *Server) createScheduleVariable(c *call, p *struct {
	Key   string `param:"key,required"`
	Value string `param:"value,required"`
	Type  string `param:"variable_type" values:"env_var file"`
},
) (any, error) {
	switch {
	case c.subject.Level < c.project.VariablesMinimumRole:
		return nil, errForbidden
	case !variable.ValidKey(p.Key):
		return nil, fault.Field("key", "can contain only letters, digits and '_'.")
	}
	v := s.ci.NewScheduleVariable(c.schedule.ID, p.Key, p.Value, p.Type)
	err := s.ci.DB().Write(c.ctx(), func(tx *models.Tx) error { return tx.CreateScheduleVariable(v) })
	if errors.Is(err, models.ErrDuplicate) {
		return nil, fault.Field("key", "has already been taken")
	}
	if err != nil {
		return nil, err
	}
	return s.scheduleVariableOf(v)
}

func (s *Server) updateScheduleVariable(c *call, p *struct {
	Value *string `param:"value"`
	Type  *string `param:"variable_type" values:"env_var file"`
},
) (any, error) {
	if c.subject.Level < c.project.VariablesMinimumRole {
		return nil, errForbidden
	}
	old, err := s.scheduleVariable(c)
	if err != nil {
		return nil, err
	}
	value, err := s.ci.ScheduleVariableValue(old)
	if err != nil {
		return nil, err
	}
	keep(&value, p.Value)
	keep(&old.Type, p.Type)
	v := s.ci.NewScheduleVariable(c.schedule.ID, old.Key, value, old.Type)
	if err := s.ci.DB().Write(c.ctx(), func(tx *models.Tx) error { return tx.SetScheduleVariable(v) }); err != nil {
		return nil, err
	}
	return s.scheduleVariableOf(v)
}

func (s *Server) deleteScheduleVariable(c *call) (any, error) {
	v, err := s.scheduleVariable(c)
	if err != nil {
		return nil, err
	}
	if err := s.ci.DB().Write(c.ctx(), func(tx *models.Tx) error { return tx.DeleteScheduleVariable(c.schedule.ID, v.Key) }); err != nil {
		return nil, err
	}
	e, err := s.scheduleVariableOf(v)
	return reply{202, e}, err
}
