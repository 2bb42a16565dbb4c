package slack

import (
	"fmt"
	"regexp"
	"strings"

	"signalbox/models"
)

var (
	domain    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	channelID = regexp.MustCompile(`^[A-Z0-9]+$`)
	stamp     = regexp.MustCompile(`^[0-9]+\.[0-9]+$`)
)

// Permalink is the address of the bot's message about a command, or of the thread where it was given. Events do not tell the
// domain of the workspace, so that commands by them have none.
func (Chat) Permalink(_ *models.ChatIntegration, c *models.ChatCommand) string {
	channel, ts := c.ChannelID, c.Thread
	if where, at, found := strings.Cut(c.MessageID, "/"); found {
		channel, ts = where, at
	}
	if !domain.MatchString(c.TeamDomain) || !channelID.MatchString(channel) || !stamp.MatchString(ts) {
		return ""
	}
	return fmt.Sprintf("https://%s.slack.com/archives/%s/p%s", c.TeamDomain, channel, strings.Replace(ts, ".", "", 1))
}
