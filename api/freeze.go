package api

import (
	"signalbox/ci/access"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

type freezeEntity struct {
	ID           int64        `json:"id"`
	FreezeStart  string       `json:"freeze_start"`
	FreezeEnd    string       `json:"freeze_end"`
	CronTimezone string       `json:"cron_timezone"`
	CreatedAt    httpapi.Time `json:"created_at"`
	UpdatedAt    httpapi.Time `json:"updated_at"`
}

func freezeOf(f *models.FreezePeriod) freezeEntity {
	return freezeEntity{f.ID, f.FreezeStart, f.FreezeEnd, f.CronTimezone, httpapi.Time(f.CreatedAt), httpapi.Time(f.UpdatedAt)}
}

type freezeParams struct {
	Start    *string `param:"freeze_start"`
	End      *string `param:"freeze_end"`
	Timezone *string `param:"cron_timezone"`
}

// inFreeze finds the freeze period of :freeze_period_id in its project.
func inFreeze(a access.Ability) place {
	return project(a).within(func(c *call) error {
		n, err := c.id("freeze_period_id", "Freeze Period")
		if err != nil {
			return err
		}
		err = c.read(func(tx *models.Tx) (err error) {
			c.freeze, err = tx.FreezePeriod(n)
			return err
		})
		if err == nil && c.freeze.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missing(err, "Freeze Period")
	})
}

func (s *Server) freezeRoutes(r routes) {
	base, one := "/projects/:id/freeze_periods", "/projects/:id/freeze_periods/:freeze_period_id"
	r.get(base, project(access.ReadEnvironments), with(func(c *call, p *struct{ httpapi.Page }) (any, error) {
		var rows []*models.FreezePeriod
		err := c.read(func(tx *models.Tx) (err error) {
			rows, err = tx.FreezePeriods(c.project.ID)
			return err
		})
		return sliced(each(rows, freezeOf), p.Page), err
	}))
	r.post(base, project(access.AdminProject), with(func(c *call, p *struct {
		Start    string  `param:"freeze_start,required"`
		End      string  `param:"freeze_end,required"`
		Timezone *string `param:"cron_timezone"`
	},
	) (any, error) {
		f := &models.FreezePeriod{ProjectID: c.project.ID, FreezeStart: p.Start, FreezeEnd: p.End}
		keep(&f.CronTimezone, p.Timezone)
		err := s.ci.SaveFreezePeriod(c.ctx(), f)
		return freezeOf(f), err
	}))
	r.get(one, inFreeze(access.ReadEnvironments), func(c *call) (any, error) { return freezeOf(c.freeze), nil })
	r.put(one, inFreeze(access.AdminProject), with(func(c *call, p *freezeParams) (any, error) {
		f := c.freeze
		keep(&f.FreezeStart, p.Start)
		keep(&f.FreezeEnd, p.End)
		keep(&f.CronTimezone, p.Timezone)
		err := s.ci.SaveFreezePeriod(c.ctx(), f)
		return freezeOf(f), err
	}))
	r.delete(one, inFreeze(access.AdminProject), func(c *call) (any, error) {
		return nil, s.ci.DB().Write(c.ctx(), func(tx *models.Tx) error { return tx.DeleteFreezePeriod(c.freeze.ID) })
	})
}
