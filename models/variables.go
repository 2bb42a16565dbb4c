package models

import (
	"fmt"
	"time"

	"signalbox/internal/secret"
)

// Variable is a CI/CD variable of the instance, a group or a project.
type Variable struct {
	ID               int64
	Scope            string // instance, group or project
	ScopeID          int64
	Key              string
	Value            secret.Sealed
	Type             string // env_var or file
	Masked           bool
	Hidden           bool
	Protected        bool
	Raw              bool
	EnvironmentScope string
	Description      string
	CreatedAt        time.Time
}

// Place is what the value is sealed for.
func (v *Variable) Place() string {
	return fmt.Sprintf("variables.value/%s/%d/%s", v.Scope, v.ScopeID, v.Key)
}

// PipelineVariable is a variable given to one pipeline: by API, by hand, by chat.
type PipelineVariable struct {
	PipelineID int64
	Key        string
	Value      secret.Sealed
	Type       string
	Raw        bool
}

// Place is what the value is sealed for. The pipeline's id is not known before it is stored.
func (v *PipelineVariable) Place() string { return "pipeline_variables.value/" + v.Key }

// SetVariable creates or replaces a variable.
func (tx *Tx) SetVariable(v *Variable) error {
	if v.EnvironmentScope == "" {
		v.EnvironmentScope = "*"
	}
	if v.Type == "" {
		v.Type = "env_var"
	}
	old, err := first[Variable](tx.db.Where("scope = ? AND scope_id = ? AND key = ? AND environment_scope = ?",
		v.Scope, v.ScopeID, v.Key, v.EnvironmentScope))
	if err == ErrNotFound {
		return tx.CreateVariable(v)
	}
	if err != nil {
		return err
	}
	v.ID, v.CreatedAt = old.ID, old.CreatedAt
	return translate(tx.db.Save(v).Error)
}

// CreateVariable stores a new variable; ErrDuplicate if its key is taken in its environment scope.
func (tx *Tx) CreateVariable(v *Variable) error {
	if err := tx.scopeTakesMore(v); err != nil {
		return err
	}
	v.CreatedAt = tx.now()
	return translate(tx.db.Create(v).Error)
}

// scopeTakesMore refuses a new variable of a group or a project that is being deleted.
func (tx *Tx) scopeTakesMore(v *Variable) error {
	switch v.Scope {
	case "group":
		return tx.placeTakesMore(&v.ScopeID, nil)
	case "project":
		return tx.placeTakesMore(nil, &v.ScopeID)
	}
	return nil
}

// UpdateVariable stores all fields of v.
func (tx *Tx) UpdateVariable(v *Variable) error { return translate(tx.db.Save(v).Error) }

// DeleteVariable removes a variable.
func (tx *Tx) DeleteVariable(id int64) error {
	return tx.db.Where("id = ?", id).Delete(&Variable{}).Error
}

// ListVariables pages through the variables of one place: instance, group or project.
func (tx *Tx) ListVariables(scope string, scopeID int64, p Page) ([]*Variable, int64, error) {
	return list[Variable](tx.db.Model(&Variable{}).Where("scope = ? AND scope_id = ?", scope, scopeID), "id", p)
}

// VariablesByKey finds the variables of a key in one place, one for each environment scope.
func (tx *Tx) VariablesByKey(scope string, scopeID int64, key string) ([]*Variable, error) {
	var rows []*Variable
	err := tx.db.Where("scope = ? AND scope_id = ? AND key = ?", scope, scopeID, key).Order("id").Limit(1000).Find(&rows).Error
	return rows, err
}

// VariablesOf lists the variables that a project's jobs see: the instance's, then those of its groups from
// the root down, then its own. GitLab's limits bound their number.
func (tx *Tx) VariablesOf(p *Project) ([]*Variable, error) {
	ids, err := tx.namespacePath(p.NamespaceID)
	if err != nil {
		return nil, err
	}
	var all []*Variable
	err = tx.db.Where("scope = 'instance' OR (scope = 'group' AND scope_id IN ?) OR (scope = 'project' AND scope_id = ?)",
		ids, p.ID).Order("id").Limit(40000).Find(&all).Error
	if err != nil {
		return nil, err
	}
	out := make([]*Variable, 0, len(all))
	add := func(scope string, id int64) {
		for _, v := range all {
			if v.Scope == scope && v.ScopeID == id {
				out = append(out, v)
			}
		}
	}
	add("instance", 0)
	for _, id := range ids {
		add("group", id)
	}
	add("project", p.ID)
	return out, nil
}

// PipelineVariables lists the variables given to a pipeline.
func (tx *Tx) PipelineVariables(pipelineID int64) ([]*PipelineVariable, error) {
	var rows []*PipelineVariable
	err := tx.db.Where("pipeline_id = ?", pipelineID).Order("key").Limit(1000).Find(&rows).Error
	return rows, err
}

// Variable finds a variable by id.
func (tx *Tx) Variable(id int64) (*Variable, error) {
	return first[Variable](tx.db.Where("id = ?", id))
}
