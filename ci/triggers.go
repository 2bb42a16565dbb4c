package ci

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"signalbox/ci/access"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// CreateTrigger makes a trigger token, which acts as the one who makes it.
func (c *Coordinator) CreateTrigger(ctx context.Context, by access.Actor, p *models.Project, description string, expires *time.Time) (*models.Trigger, string, error) {
	token := secret.NewToken(secret.TriggerToken)
	t := &models.Trigger{
		ProjectID: p.ID, OwnerID: by.User.ID, Description: description, TokenHash: secret.Hash(token), ExpiresAt: expires,
		ShortToken: token[len(secret.TriggerToken):][:4],
	}
	t.Token = c.keys.Seal(t.Place(), token)
	err := c.db.Write(ctx, func(tx *models.Tx) error {
		t.ID = 0
		if err := tx.CreateTrigger(t); err != nil {
			return err
		}
		return audit(tx, by, "trigger_created", "project", p.ID, description)
	})
	return t, token, err
}

// RenameTrigger says what a trigger token is for, which only its owner may.
func (c *Coordinator) RenameTrigger(ctx context.Context, by access.Actor, t *models.Trigger, description string) error {
	if !OwnsTrigger(by, t) {
		return fault.Refused(fault.Forbidden, "")
	}
	t.Description = description
	return c.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.RenameTrigger(t); err != nil {
			return err
		}
		return audit(tx, by, "trigger_updated", "project", t.ProjectID, description)
	})
}

// DeleteTrigger makes a trigger token worthless.
func (c *Coordinator) DeleteTrigger(ctx context.Context, by access.Actor, t *models.Trigger) error {
	return c.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.DeleteTrigger(t.ID); err != nil {
			return err
		}
		return audit(tx, by, "trigger_deleted", "project", t.ProjectID, t.Description)
	})
}

// OwnsTrigger says whether somebody may change a trigger token.
func OwnsTrigger(a access.Actor, t *models.Trigger) bool { return t.OwnerID == a.ID() || a.Admin() }

// TriggerToken opens a trigger token for its owner; others see its first characters.
func (c *Coordinator) TriggerToken(a access.Actor, t *models.Trigger) (string, error) {
	if !OwnsTrigger(a, t) {
		return t.ShortToken, nil
	}
	return c.keys.Open(t.Place(), t.Token)
}

// TriggerCall is a request to start a pipeline with a trigger token or the token of a running job.
type TriggerCall struct {
	Project   *models.Project
	Token     string
	Ref       string
	Variables []variable.Variable
	Inputs    map[string]any
	Payload   map[string]any // all parameters but the token
}

var errNoTrigger = fault.Refused(fault.NotFound, "")

// TriggerPipeline makes the pipeline of a trigger call: as the token's owner, or as the user of the job, whose pipeline
// is its upstream then. A token that is unknown, has expired or is of another project is not found.
func (c *Coordinator) TriggerPipeline(ctx context.Context, auth *access.Authenticator, call TriggerCall) (*models.Pipeline, error) {
	payload, err := json.Marshal(call.Payload)
	if err != nil {
		return nil, err
	}
	r := PipelineRequest{
		Project: call.Project, Ref: call.Ref, Variables: call.Variables, Inputs: call.Inputs,
		Payload: &variable.Variable{Key: "TRIGGER_PAYLOAD", Value: string(payload), File: true, Raw: true},
	}
	var trigger *models.Trigger
	err = c.db.Read(ctx, func(tx *models.Tx) (err error) {
		if trigger, err = tx.TriggerByToken(secret.Hash(call.Token)); err != nil {
			return err
		}
		r.Actor.User, err = tx.User(trigger.OwnerID)
		return err
	})
	switch {
	case errors.Is(err, models.ErrNotFound):
		return c.jobTriggers(ctx, auth, call.Token, r)
	case err != nil:
		return nil, err
	case trigger.ProjectID != call.Project.ID, trigger.ExpiresAt != nil && !c.db.Now().Before(*trigger.ExpiresAt), r.Actor.User.Blocked():
		return nil, errNoTrigger
	}
	r.Source, r.Trigger = enum.SourceTrigger, trigger
	r.Within = func(tx *models.Tx, _ *models.Pipeline, _ []*models.Job) error { return tx.TouchTrigger(trigger.ID) }
	return c.CreatePipeline(ctx, r)
}

// jobTriggers starts a pipeline for a running job.
func (c *Coordinator) jobTriggers(ctx context.Context, auth *access.Authenticator, token string, r PipelineRequest) (*models.Pipeline, error) {
	actor, err := auth.Job(ctx, token)
	if fault.KindOf(err) == fault.Unauthorized {
		return nil, errNoTrigger
	}
	if err != nil {
		return nil, err
	}
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		subject, err := access.SubjectOf(tx, actor, r.Project)
		if err != nil {
			return err
		}
		if !access.Allowed(actor, access.TriggerPipeline, subject) {
			return errNoTrigger
		}
		r.Upstream, err = tx.Pipeline(actor.Job.PipelineID)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.Source, r.Bridge = enum.SourcePipeline, actor.Job
	r.Actor = access.Actor{User: actor.User, IP: actor.IP}
	return c.CreatePipeline(ctx, r)
}

// ProjectToTrigger finds the project of a trigger call, whoever calls: the token decides.
func (c *Coordinator) ProjectToTrigger(ctx context.Context, idOrPath string) (p *models.Project, err error) {
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		if id, number := strconv.ParseInt(idOrPath, 10, 64); number == nil {
			p, err = tx.Project(id)
		} else {
			p, err = tx.ProjectByPath(idOrPath)
		}
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil, errNoTrigger
	}
	return p, err
}
