package ci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"signalbox/ci/access"
	"signalbox/ci/plan"
	"signalbox/ci/variable"
	"signalbox/internal/cron"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/models"
	"signalbox/models/enum"
)

const maxInputs = 20

// scheduleTask is one slot of a schedule. By is who asked for it now; 0 is the clock.
type scheduleTask struct {
	Schedule int64  `json:"schedule"`
	By       int64  `json:"by,omitempty"`
	Key      string `json:"key"`
}

// sweepSchedules stores a task for each schedule whose time has come, and moves it to its next slot. Slots that were
// missed while no node ran come once.
func (c *Coordinator) sweepSchedules(ctx context.Context) error {
	var due []*models.PipelineSchedule
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		due, err = tx.DueSchedules(sweepBatch)
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, c, due, func(s *models.PipelineSchedule) string { return fmt.Sprint("schedule ", s.ID) }, func(s *models.PipelineSchedule) error {
		return c.fire(ctx, s)
	})
}

func (c *Coordinator) fire(ctx context.Context, s *models.PipelineSchedule) error {
	next, err := nextRun(s, c.db.Now())
	if err != nil {
		return c.db.Write(ctx, func(tx *models.Tx) error {
			return tx.NoteScheduleError(s.ID, "its cron line or time zone cannot be read", true)
		})
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		mine, err := tx.AdvanceSchedule(s.ID, *s.NextRunAt, next)
		if err != nil || !mine {
			return err
		}
		key := fmt.Sprintf("%s:%d:%d", TaskSchedule, s.ID, s.NextRunAt.Unix())
		return c.later(tx, TaskSchedule, key, scheduleTask{Schedule: s.ID, Key: key})
	})
}

func nextRun(s *models.PipelineSchedule, after time.Time) (*time.Time, error) {
	if !s.Active {
		return nil, nil
	}
	line, err := cron.Parse(s.Cron, s.CronTimezone)
	if err != nil {
		return nil, err
	}
	next, err := line.Next(after)
	return &next, err
}

// runSchedule makes the pipeline of a slot, as the schedule's owner or whoever asked. What keeps it from that is shown with
// the schedule; an owner who is gone or blocked ends it.
func (c *Coordinator) runSchedule(ctx context.Context, t *models.Task) error {
	var task scheduleTask
	if err := json.Unmarshal([]byte(t.Payload), &task); err != nil {
		return fmt.Errorf("payload %q: %w", t.Payload, err)
	}
	var s *models.PipelineSchedule
	var project *models.Project
	var user *models.User
	var vars []variable.Variable
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		if s, err = tx.Schedule(task.Schedule); err != nil {
			return err
		}
		if project, err = tx.Project(s.ProjectID); err != nil {
			return err
		}
		by := task.By
		if by == 0 && s.OwnerID != nil {
			by = *s.OwnerID
		}
		if user, err = tx.User(by); err != nil && !errors.Is(err, models.ErrNotFound) {
			return err
		}
		vars, err = c.scheduleVariables(tx, s.ID)
		return err
	})
	if err != nil {
		return notThere(err)
	}
	if user == nil || user.Blocked() {
		return c.db.Write(ctx, func(tx *models.Tx) error {
			return tx.NoteScheduleError(s.ID, "its owner is blocked or gone; somebody else can take it over", task.By == 0)
		})
	}
	inputs := map[string]any{}
	for _, in := range s.Inputs {
		inputs[in.Name] = in.Value
	}
	_, err = c.CreatePipeline(ctx, PipelineRequest{
		Project: project, Actor: access.Actor{User: user}, Source: enum.SourceSchedule, Ref: s.Ref, Variables: vars, Inputs: inputs,
		Schedule: s, Key: task.Key,
	})
	text := ""
	if err != nil {
		if !refused(err) {
			return err
		}
		text = err.Error()
	}
	if text == s.LastError {
		return nil
	}
	return c.db.Write(ctx, func(tx *models.Tx) error { return tx.NoteScheduleError(s.ID, text, false) })
}

// refused says whether there is no pipeline for a reason that stays, rather than because something is out of order.
func refused(err error) bool {
	var no *plan.Refusal
	var broken *ConfigError
	var cycle *variable.CycleError
	return errors.As(err, &no) || errors.As(err, &broken) || errors.As(err, &cycle) ||
		fault.KindOf(err) != fault.Internal && fault.KindOf(err) != fault.Unavailable
}

func (c *Coordinator) scheduleVariables(tx *models.Tx, id int64) ([]variable.Variable, error) {
	rows, err := tx.ScheduleVariables(id)
	if err != nil {
		return nil, err
	}
	var out []variable.Variable
	for _, r := range rows {
		value, err := c.keys.Open(r.Place(), r.Value)
		if err != nil {
			return nil, fmt.Errorf("variable %s of schedule %d: %w", r.Key, id, err)
		}
		out = append(out, variable.Variable{Key: r.Key, Value: value, File: r.Type == "file", Raw: r.Raw})
	}
	return out, nil
}

// ScheduleVariableValue opens the value of a schedule's variable.
func (c *Coordinator) ScheduleVariableValue(v *models.ScheduleVariable) (string, error) {
	return c.keys.Open(v.Place(), v.Value)
}

// NewScheduleVariable seals a value for a schedule's variable.
func (c *Coordinator) NewScheduleVariable(schedule int64, key, value, kind string) *models.ScheduleVariable {
	v := &models.ScheduleVariable{ScheduleID: schedule, Key: key, Type: kind}
	if v.Type == "" {
		v.Type = "env_var"
	}
	v.Value = c.keys.Seal(v.Place(), value)
	return v
}

// SaveSchedule makes or changes a schedule, after the one who does it was allowed to. change says what is new.
func (c *Coordinator) SaveSchedule(ctx context.Context, by access.Actor, p *models.Project, id int64, change func(*models.PipelineSchedule)) (s *models.PipelineSchedule, err error) {
	s = &models.PipelineSchedule{ProjectID: p.ID, OwnerID: &by.User.ID, Active: true, CronTimezone: "UTC", Inputs: []models.ScheduleInput{}}
	if id != 0 {
		err = c.db.Read(ctx, func(tx *models.Tx) error {
			s, err = tx.Schedule(id)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	change(s)
	if err := c.checkSchedule(ctx, by, p, s); err != nil {
		return nil, err
	}
	ref, at := s.Ref, s.NextRunAt
	limit := c.maxSchedules(ctx)
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		if id == 0 {
			n, err := tx.CountSchedules(p.ID)
			if err != nil {
				return err
			}
			if n >= limit {
				return fault.Field("base", "Maximum number of pipeline schedules (%d) exceeded", limit)
			}
			s.ID = 0
			return tx.CreateSchedule(s)
		}
		if s, err = tx.LockSchedule(id); err != nil {
			return err
		}
		change(s)
		s.Ref, s.NextRunAt, s.LastError = ref, at, ""
		return tx.UpdateSchedule(s)
	})
	return s, err
}

// checkSchedule checks a schedule and works out when it runs next and what its ref is called in full.
func (c *Coordinator) checkSchedule(ctx context.Context, by access.Actor, p *models.Project, s *models.PipelineSchedule) error {
	switch {
	case strings.TrimSpace(s.Description) == "":
		return fault.Field("description", "can't be blank")
	case len(s.Inputs) > maxInputs:
		return fault.Field("inputs", "exceed the limit of %d.", maxInputs)
	}
	_, err := cron.Parse(s.Cron, s.CronTimezone)
	switch {
	case errors.Is(err, cron.ErrZone):
		return fault.Field("cron_timezone", "syntax is invalid")
	case err != nil:
		return fault.Field("cron", "syntax is invalid")
	}
	if s.NextRunAt, err = nextRun(s, c.db.Now()); err != nil {
		return err
	}
	full, err := c.fullRef(ctx, p, s.Ref)
	if err != nil {
		return err
	}
	s.Ref = full
	return c.mayRunOn(ctx, by, p, full)
}

// fullRef is the full name of a branch or tag. What is not there yet is kept if it is full.
func (c *Coordinator) fullRef(ctx context.Context, p *models.Project, ref string) (string, error) {
	if strings.HasPrefix(ref, "refs/heads/") || strings.HasPrefix(ref, "refs/tags/") {
		return ref, nil
	}
	var found []string
	for _, full := range []string{"refs/heads/" + ref, "refs/tags/" + ref} {
		_, err := c.Repo(p).Resolve(ctx, full)
		switch {
		case err == nil:
			found = append(found, full)
		case !errors.Is(err, gitrepo.ErrNotFound) && !errors.Is(err, gitrepo.ErrBadName):
			return "", err
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 2:
		return "", fault.Field("ref", "is ambiguous")
	}
	return "", fault.Field("ref", "can't be found: there is no branch or tag %s", ref)
}

// mayRunOn asks whether somebody may run pipelines on a ref.
func (c *Coordinator) mayRunOn(ctx context.Context, by access.Actor, p *models.Project, full string) error {
	short, tag := strings.CutPrefix(full, "refs/tags/")
	short = strings.TrimPrefix(short, "refs/heads/")
	return c.db.Read(ctx, func(tx *models.Tx) error {
		subject, err := access.SubjectOf(tx, by, p)
		if err == nil && !access.Allowed(by, access.CreatePipeline, subject.On(short, tag)) {
			err = errForbidden
		}
		return err
	})
}

// OwnsSchedule says whether somebody may change a schedule: its owner, while still a developer, or an administrator.
func OwnsSchedule(a access.Actor, s access.Subject, schedule *models.PipelineSchedule) bool {
	return a.Admin() || schedule.OwnerID != nil && *schedule.OwnerID == a.ID() && access.Allowed(a, access.CreatePipeline, s)
}

// TakeSchedule makes somebody the owner of a schedule, whose pipelines run as that person from then on.
func (c *Coordinator) TakeSchedule(ctx context.Context, by access.Actor, id int64) (s *models.PipelineSchedule, err error) {
	err = c.db.Write(ctx, func(tx *models.Tx) error {
		if s, err = tx.LockSchedule(id); err != nil {
			return notFound(err, "Pipeline Schedule")
		}
		s.OwnerID, s.LastError = &by.User.ID, ""
		if err := tx.UpdateSchedule(s); err != nil {
			return err
		}
		return audit(tx, by, "schedule_taken", "project", s.ProjectID, s.Description)
	})
	return s, err
}

// errTooOften is the answer to who starts the same schedule twice within a minute.
var errTooOften = fault.New(fault.TooMany, "This endpoint has been requested too many times. Try again later.")

// PlaySchedule runs a schedule now, as the one who asks: at most once a minute for each.
func (c *Coordinator) PlaySchedule(ctx context.Context, by access.Actor, p *models.Project, s *models.PipelineSchedule) error {
	if err := c.mayRunOn(ctx, by, p, s.Ref); err != nil {
		return err
	}
	key := fmt.Sprintf("play:%d:%d:%d", s.ID, by.ID(), c.db.Now().Unix()/60)
	if _, err := c.created(ctx, key); err != models.ErrNotFound {
		return errors.Join(err, errTooOften)
	}
	return c.db.Write(ctx, func(tx *models.Tx) error {
		return c.later(tx, TaskSchedule, key, scheduleTask{Schedule: s.ID, By: by.ID(), Key: key})
	})
}
