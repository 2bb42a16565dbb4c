package chatops

import (
	"testing"

	"signalbox/models"
	"signalbox/models/enum"
)

// TestBranchesOfNotifications: GitLab's words, names and patterns. What needs the project is asked in app.
func TestBranchesOfNotifications(t *testing.T) {
	main, other := &models.Pipeline{Ref: "main", Protected: true}, &models.Pipeline{Ref: "topic"}
	for words, want := range map[string][2]bool{
		"": {true, true}, "all": {true, true}, "main": {true, false}, "top*": {false, true}, "protected": {true, false}, "none": {false, false},
	} {
		for i, p := range []*models.Pipeline{main, other} {
			if got, err := onBranches(nil, words, p); err != nil || got != want[i] {
				t.Errorf("%q on %s: %v %v", words, p.Ref, got, err)
			}
		}
	}
}

// TestChannelOfJobs: the name if people know it, else the id.
func TestChannelOfJobs(t *testing.T) {
	known := func(name string) bool { return name != "u1__u2" }
	for _, c := range []struct{ name, variable, want string }{
		{"ops", "name", "ops"}, {"ops", "id", "C1"}, {"", "name", "C1"}, {"u1__u2", "name", "C1"},
	} {
		for _, v := range chatVariables(&models.ChatCommand{ChannelID: "C1", ChannelName: c.name}, &models.ChatIntegration{ChannelVariable: c.variable, Chat: enum.Mattermost}, known, "") {
			if v.Key == "CHAT_CHANNEL" && v.Value != c.want {
				t.Errorf("%+v: %q", c, v.Value)
			}
		}
	}
}
