package discord

import (
	"testing"

	"signalbox/chatops/chatopstest"
	"signalbox/internal/testenv/chats"
)

// TestWithinLimits: whatever a job prints, what is sent is within Discord's limits.
func TestWithinLimits(t *testing.T) { chatopstest.WithinLimits(t, Chat{}, chats.CheckDiscord) }
