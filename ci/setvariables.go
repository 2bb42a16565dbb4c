package ci

import (
	"context"
	"errors"
	"regexp"

	"signalbox/ci/access"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/models"
)

// VariableInput is a CI/CD variable as somebody gives it; nil fields stay as they are, or are the default.
type VariableInput struct {
	Key              string
	Value            *string
	Type             *string
	Protected        *bool
	Masked           *bool
	Hidden           *bool // masked_and_hidden: only when it is made
	Raw              *bool
	EnvironmentScope *string
	Description      *string
}

var (
	maskedValue    = regexp.MustCompile(`^[A-Za-z0-9_+=/@:.~-]{8,}$`)
	maskedRawValue = regexp.MustCompile(`^\S{8,}$`)
)

const maxVariable = 10_000

func set[T any](into *T, from *T) {
	if from != nil {
		*into = *from
	}
}

// apply lays the input over a variable and checks what comes of it (facts: rest-api 2.10).
func (c *Coordinator) apply(v *models.Variable, in VariableInput, value string, create bool) error {
	hidden := v.Hidden
	wasMasked := v.Masked
	set(&v.Type, in.Type)
	set(&v.Protected, in.Protected)
	set(&v.Masked, in.Masked)
	set(&v.Raw, in.Raw)
	set(&v.EnvironmentScope, in.EnvironmentScope)
	set(&v.Description, in.Description)
	set(&value, in.Value)
	if v.EnvironmentScope == "" || v.Scope == "instance" {
		v.EnvironmentScope = "*"
	}
	if in.Hidden != nil && *in.Hidden {
		if !create && !hidden {
			return fault.Field("base", "The visibility setting cannot be changed to masked and hidden after variable is created.")
		}
		v.Hidden, v.Masked = true, true
	}
	switch {
	case hidden && !v.Masked && wasMasked:
		return fault.Field("base", "The visibility setting cannot be changed for masked and hidden variables.")
	case !variable.ValidKey(v.Key):
		return fault.Field("key", "can contain only letters, digits and '_'.")
	case len(v.Key) > 255:
		return fault.Field("key", "is too long (maximum is 255 characters)")
	case len(v.Description) > 255:
		return fault.Field("description", "is too long (maximum is 255 characters)")
	case len(v.EnvironmentScope) > 255:
		return fault.Field("environment_scope", "is too long (maximum is 255 characters)")
	case len(value) > maxVariable:
		return fault.Field("value", "is too long (maximum is %d characters)", maxVariable)
	case v.Masked && v.Raw && !maskedRawValue.MatchString(value), v.Masked && !v.Raw && !maskedValue.MatchString(value):
		return fault.Field("value", "is invalid")
	}
	v.Value = c.keys.Seal(v.Place(), value)
	return nil
}

// CreateVariable makes a variable of the instance, a group or a project.
func (c *Coordinator) CreateVariable(ctx context.Context, by access.Actor, scope string, scopeID int64, in VariableInput) (*models.Variable, error) {
	v := &models.Variable{Scope: scope, ScopeID: scopeID, Key: in.Key, Type: "env_var"}
	if err := c.apply(v, in, "", true); err != nil {
		return nil, err
	}
	err := c.db.Write(ctx, func(tx *models.Tx) error {
		v.ID = 0
		if err := tx.CreateVariable(v); err != nil {
			return err
		}
		return audit(tx, by, "variable_created", scope, scopeID, v.Key)
	})
	if errors.Is(err, models.ErrDuplicate) {
		return nil, fault.Field("key", "(%s) has already been taken", v.Key)
	}
	return v, err
}

// FindVariable finds a variable by key, and by environment scope if that is given; several are a conflict.
func (c *Coordinator) FindVariable(ctx context.Context, scope string, scopeID int64, key, environment string) (*models.Variable, error) {
	var rows []*models.Variable
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		rows, err = tx.VariablesByKey(scope, scopeID, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	var found []*models.Variable
	for _, r := range rows {
		if environment == "" || r.EnvironmentScope == environment {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 0:
		thing := map[string]string{"project": "Variable", "group": "GroupVariable", "instance": "InstanceVariable"}[scope]
		return nil, fault.Missing("%s", thing)
	case 1:
		return found[0], nil
	}
	return nil, fault.New(fault.Conflict, "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'")
}

// UpdateVariable changes a variable.
func (c *Coordinator) UpdateVariable(ctx context.Context, by access.Actor, v *models.Variable, in VariableInput) error {
	value, err := c.VariableValue(v)
	if err != nil {
		return err
	}
	if err := c.apply(v, in, value, false); err != nil {
		return err
	}
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.UpdateVariable(v); err != nil {
			return err
		}
		return audit(tx, by, "variable_updated", v.Scope, v.ScopeID, v.Key)
	})
	if errors.Is(err, models.ErrDuplicate) {
		return fault.Field("key", "(%s) has already been taken", v.Key)
	}
	return err
}

// DeleteVariable removes a variable.
func (c *Coordinator) DeleteVariable(ctx context.Context, by access.Actor, v *models.Variable) error {
	return c.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.DeleteVariable(v.ID); err != nil {
			return err
		}
		return audit(tx, by, "variable_deleted", v.Scope, v.ScopeID, v.Key)
	})
}

// VariableValue opens the value of a variable, for those who may administer it.
func (c *Coordinator) VariableValue(v *models.Variable) (string, error) {
	return c.keys.Open(v.Place(), v.Value)
}

// PipelineVariableValue opens the value of a variable given to a pipeline.
func (c *Coordinator) PipelineVariableValue(v *models.PipelineVariable) (string, error) {
	return c.keys.Open(v.Place(), v.Value)
}
