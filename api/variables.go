package api

import (
	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

type instanceVariable struct {
	Type        string  `json:"variable_type"`
	Key         string  `json:"key"`
	Value       *string `json:"value"`
	Protected   bool    `json:"protected"`
	Masked      bool    `json:"masked"`
	Raw         bool    `json:"raw"`
	Description *string `json:"description"`
}

type variableEntity struct {
	instanceVariable
	Hidden           bool   `json:"hidden"`
	EnvironmentScope string `json:"environment_scope"`
}

func (s *Server) variableOf(v *models.Variable) (any, error) {
	value, err := s.ci.VariableValue(v)
	if err != nil {
		return nil, err
	}
	e := instanceVariable{Type: v.Type, Key: v.Key, Value: &value, Protected: v.Protected, Masked: v.Masked, Raw: v.Raw, Description: given(v.Description)}
	if v.Scope == "instance" {
		return e, nil
	}
	if v.Hidden {
		e.Value = nil
	}
	return variableEntity{instanceVariable: e, Hidden: v.Hidden, EnvironmentScope: v.EnvironmentScope}, nil
}

func (s *Server) variableRoutes(r routes) {
	for path, at := range map[string]place{
		"/projects/:id/variables": project(access.AdminVariables), "/groups/:id/variables": group(access.AdminGroupVariables),
		"/admin/ci/variables": user(access.AdminInstance),
	} {
		r.get(path, at, with(s.listVariables))
		r.post(path, at, with(s.createVariable))
		r.get(path+"/:key", at, with(s.getVariable))
		r.put(path+"/:key", at, with(s.updateVariable))
		r.delete(path+"/:key", at, with(s.deleteVariable))
	}
}

// scope is where the variables of the call's address belong.
func (c *call) scope() (scope string, id int64) {
	switch {
	case c.project != nil:
		return "project", c.project.ID
	case c.group != nil:
		return "group", c.group.ID
	}
	return "instance", 0
}

func (s *Server) listVariables(c *call, p *struct{ httpapi.Page }) (any, error) {
	scope, id := c.scope()
	var out listing
	err := c.read(func(tx *models.Tx) error {
		rows, total, err := tx.ListVariables(scope, id, pageOf(p.Page))
		if err != nil {
			return err
		}
		entities := []any{}
		for _, v := range rows {
			e, err := s.variableOf(v)
			if err != nil {
				return err
			}
			entities = append(entities, e)
		}
		out = paged(entities, p.Page, total)
		return nil
	})
	return out, err
}

type variableParams struct {
	Value            *string `param:"value"`
	Type             *string `param:"variable_type" values:"env_var file"`
	Protected        *bool   `param:"protected"`
	Masked           *bool   `param:"masked"`
	Hidden           *bool   `param:"masked_and_hidden"`
	Raw              *bool   `param:"raw"`
	EnvironmentScope *string `param:"environment_scope"`
	Description      *string `param:"description"`
}

func (p variableParams) input(key string) ci.VariableInput {
	return ci.VariableInput{
		Key: key, Value: p.Value, Type: p.Type, Protected: p.Protected, Masked: p.Masked, Hidden: p.Hidden, Raw: p.Raw,
		EnvironmentScope: p.EnvironmentScope, Description: p.Description,
	}
}

func (s *Server) createVariable(c *call, p *struct {
	Key   string `param:"key,required"`
	Given string `param:"value,required"`
	variableParams
},
) (any, error) {
	scope, id := c.scope()
	v, err := s.ci.CreateVariable(c.ctx(), c.actor, scope, id, p.input(p.Key))
	if err != nil {
		return nil, err
	}
	return s.variableOf(v)
}

type filter struct {
	Filter struct {
		EnvironmentScope string `param:"environment_scope"`
	} `param:"filter"`
}

func (s *Server) findVariable(c *call, f filter) (*models.Variable, error) {
	scope, id := c.scope()
	return s.ci.FindVariable(c.ctx(), scope, id, c.Param("key"), f.Filter.EnvironmentScope)
}

func (s *Server) getVariable(c *call, p *filter) (any, error) {
	v, err := s.findVariable(c, *p)
	if err != nil {
		return nil, err
	}
	return s.variableOf(v)
}

func (s *Server) updateVariable(c *call, p *struct {
	variableParams
	filter
},
) (any, error) {
	v, err := s.findVariable(c, p.filter)
	if err != nil {
		return nil, err
	}
	if err := s.ci.UpdateVariable(c.ctx(), c.actor, v, p.input(v.Key)); err != nil {
		return nil, err
	}
	return s.variableOf(v)
}

func (s *Server) deleteVariable(c *call, p *filter) (any, error) {
	v, err := s.findVariable(c, *p)
	if err != nil {
		return nil, err
	}
	return nil, s.ci.DeleteVariable(c.ctx(), c.actor, v)
}
