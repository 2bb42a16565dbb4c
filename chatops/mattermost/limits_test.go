package mattermost

import (
	"bytes"
	"encoding/json"
	"testing"

	"signalbox/chatops/chatopstest"
	"signalbox/internal/testenv/chats"
)

// TestWithinLimits: whatever a job prints, what is sent is within Mattermost's limits.
func TestWithinLimits(t *testing.T) {
	chatopstest.WithinLimits(t, Chat{}, func(body []byte) error {
		if bytes.HasPrefix(body, []byte(`{"post":`)) { // for one user
			var alone struct{ Post json.RawMessage }
			if err := json.Unmarshal(body, &alone); err != nil {
				return err
			}
			body = alone.Post
		}
		return chats.CheckMattermost(body)
	})
}

func TestNamesOfChannels(t *testing.T) {
	for name, want := range map[string]bool{
		"ops": true, "town-square": true, "a__b": true, "8yzg6ys1x3gzjxpfhdbxk1u1wo__pmgc3ndkqtbm5qmbj4xbxhsthe": false, "0f1e2d3c4b5a69788796a5b4c3d2e1f001234567": false,
	} {
		if got := known(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
