package ci

import (
	"testing"
	"time"

	"signalbox/models"
)

// TestUnited counts each moment once, and no time in which nothing ran.
func TestUnited(t *testing.T) {
	zero := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(n int) time.Time { return zero.Add(time.Duration(n) * time.Second) }
	ran := func(from, to int) models.RunTime {
		end := at(to)
		return models.RunTime{StartedAt: at(from), FinishedAt: &end}
	}
	for name, c := range map[string]struct {
		times []models.RunTime
		want  int
	}{
		"nothing":             {nil, 0},
		"overlap and a break": {[]models.RunTime{ran(1, 3), ran(2, 4), ran(6, 7)}, 4},
		"one within another":  {[]models.RunTime{ran(1, 9), ran(2, 3), ran(4, 10)}, 9},
		"still running":       {[]models.RunTime{ran(1, 3), {StartedAt: at(10)}}, 12},
		"clocks that jump":    {[]models.RunTime{ran(5, 2), ran(6, 8)}, 2},
	} {
		if got := united(c.times, at(20)); got != time.Duration(c.want)*time.Second {
			t.Errorf("%s: %s, want %ds", name, got, c.want)
		}
	}
}
