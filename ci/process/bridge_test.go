package process

import (
	"fmt"
	"testing"

	s "signalbox/models/enum"
)

// TestFollow says how bridges follow the pipelines that they started or show.
func TestFollow(t *testing.T) {
	for _, c := range []struct {
		strategy      string
		bridge, shown s.Status
		want          string
	}{
		{"", s.Success, s.Failed, "[]"},
		{Depend, s.Running, s.Running, "[]"},
		{Depend, s.Running, s.Skipped, "[drop]"},
		{Depend, s.Failed, s.Skipped, "[]"},
		{Depend, s.Running, s.Manual, "[]"},
		{Mirror, s.Running, s.Skipped, "[skip]"},
		{Mirror, s.Running, s.Manual, "[block]"},
		{Mirror, s.Manual, s.Running, "[reopen]"},
		{Mirror, s.Failed, s.Success, "[reopen success]"},
		{NeedsPipeline, s.Pending, s.Pending, "[]"},
		{NeedsPipeline, s.Pending, s.Running, "[run]"},
		{NeedsPipeline, s.Running, s.Running, "[]"},
		{NeedsPipeline, s.Failed, s.Running, "[reopen run]"},
		{NeedsPipeline, s.Failed, s.Pending, "[reopen]"},
		{NeedsPipeline, s.Pending, s.Success, "[success]"},
		{NeedsPipeline, s.Pending, s.Failed, "[drop]"},
		{NeedsPipeline, s.Pending, s.Skipped, "[skip]"},
		{NeedsPipeline, s.Pending, s.Manual, "[block]"},
		{NeedsPipeline, s.Pending, s.Canceled, "[cancel]"},
		{NeedsPipeline, s.Running, s.Canceling, "[]"},
		{NeedsPipeline, s.Success, s.Success, "[]"},
	} {
		events := Follow(c.strategy, c.bridge, c.shown)
		if got := fmt.Sprint(events); got != c.want {
			t.Errorf("%s: a bridge that is %s with a pipeline that is %s: %s, want %s", c.strategy, c.bridge, c.shown, got, c.want)
		}
		at, ok := c.bridge, true
		for _, e := range events {
			if at, ok = MoveBridge(at, e); !ok {
				t.Errorf("%s: %s is no move of a bridge that is %s", c.strategy, e, c.bridge)
			}
		}
	}
}
