package ci

import (
	"context"
	"time"

	"signalbox/internal/cron"
	"signalbox/internal/fault"
	"signalbox/models"
)

// SaveFreezePeriod makes or changes a freeze period of a project.
func (c *Coordinator) SaveFreezePeriod(ctx context.Context, f *models.FreezePeriod) error {
	if f.CronTimezone == "" {
		f.CronTimezone = "UTC"
	}
	for field, line := range map[string]string{"freeze_start": f.FreezeStart, "freeze_end": f.FreezeEnd} {
		switch _, err := cron.Parse(line, f.CronTimezone); err {
		case nil:
		case cron.ErrZone:
			return fault.Field("cron_timezone", "syntax is invalid")
		default:
			return fault.Field(field, "syntax is invalid")
		}
	}
	return c.db.Write(ctx, func(tx *models.Tx) error { return tx.SaveFreezePeriod(f) })
}

// frozen says whether a project wants nothing deployed at a time: the last start of a period is later than its last end.
func frozen(periods []*models.FreezePeriod, now time.Time) bool {
	for _, f := range periods {
		start, err := cron.Parse(f.FreezeStart, f.CronTimezone)
		if err != nil {
			continue
		}
		end, err := cron.Parse(f.FreezeEnd, f.CronTimezone)
		if err != nil {
			continue
		}
		began, err := start.Previous(now)
		if err != nil {
			continue
		}
		if ends, err := end.Next(began); err == nil && now.Before(ends) {
			return true
		}
	}
	return false
}
