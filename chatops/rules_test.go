package chatops

import (
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/models"
	"signalbox/models/enum"
)

// TestRule decides by one rule: the channel comes before the person, the person before the pause, the pause before approvals.
func TestRule(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ago := now.Add(-time.Minute)
	full := models.ChatRule{Pattern: "deploy*", Channels: []string{"C1", "ops"}, Who: []models.Grant{{UserID: 7}}, Approvals: 2, CooldownSeconds: 600, CooldownOf: "user"}
	for name, c := range map[string]struct {
		q     askedOf
		named bool
		last  *time.Time
		want  Outcome
		says  string
	}{
		"another channel":  {askedOf{channelID: "C2", channelName: "random"}, true, nil, Refuses, "from the channels `C1`, `ops` alone"},
		"channel by name":  {askedOf{channelID: "C2", channelName: "ops"}, true, nil, Asks, "2 approvals of somebody else are missing"},
		"somebody else":    {askedOf{channelID: "C1", level: enum.Maintainer}, false, &ago, Refuses, "run by @ada alone, by a rule of the project; your role is Maintainer"},
		"too soon":         {askedOf{channelID: "C1"}, true, &ago, Refuses, "it can be run again in"},
		"one approval":     {askedOf{channelID: "C1", approvals: 1}, true, nil, Asks, "1 approval of somebody else is missing"},
		"enough approvals": {askedOf{channelID: "C1", approvals: 2}, true, nil, Passes, ""},
	} {
		c.q.job, c.q.now = "deploy", now
		got := rule(&full, c.q, c.named, "@ada", c.last)
		if got.Outcome != c.want || !strings.Contains(got.Reason, c.says) || c.says == "" && got.Reason != "" {
			t.Errorf("%s: %s %q", name, got.Outcome, got.Reason)
		}
	}
	if got := rule(&models.ChatRule{Pattern: "*"}, askedOf{job: "x", now: now}, true, "", nil); got.Outcome != Passes {
		t.Errorf("an empty rule: %+v", got)
	}
}

// TestCheckRule says all that is wrong at once, and tidies what is right.
func TestCheckRule(t *testing.T) {
	wrong := CheckRule(&models.ChatRule{
		Pattern: " ", Channels: []string{"a b"}, Who: []models.Grant{{AccessLevel: 33}}, Approvals: 6, CooldownSeconds: 7*24*3600 + 1, CooldownOf: "job",
	})
	for _, field := range []string{"pattern", "channels", "who", "approvals", "cooldown_seconds", "cooldown_of"} {
		if len(wrong[field]) != 1 {
			t.Errorf("%s: %q", field, wrong[field])
		}
	}
	r := &models.ChatRule{Pattern: " deploy* ", Channels: []string{"#ops", " ", "ops", "C1"}, Who: []models.Grant{{UserID: 3}, {AccessLevel: enum.NoAccess}}, CooldownOf: "user"}
	if wrong := CheckRule(r); wrong != nil {
		t.Fatal(wrong)
	}
	if r.Pattern != "deploy*" || !slices.Equal(r.Channels, []string{"ops", "C1"}) || r.Who[1].ID != 2 {
		t.Errorf("%+v", r)
	}
}
