package slack

import (
	"fmt"
	"regexp"
	"strings"

	"signalbox/models"
)

var (
	domain    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	channelID = regexp.MustCompile(`^[A-Z0-9]+$`) // as those of workspaces are
	stamp     = regexp.MustCompile(`^[0-9]+\.[0-9]+$`)
)

// Permalink is the address of the bot's message about a command, or of the thread where it was given. Events do not tell the
// domain of the workspace: then it is the thread's in Slack's pages for browsers, which name workspaces by their ids.
func (Chat) Permalink(_ *models.ChatIntegration, c *models.ChatCommand) string {
	channel, ts := c.ChannelID, c.Thread
	if where, at, found := strings.Cut(c.MessageID, "/"); found {
		channel, ts = where, at
	}
	thread := ts
	if stamp.MatchString(c.Thread) {
		thread = c.Thread
	}
	known := domain.MatchString(c.TeamDomain)
	if !known && !channelID.MatchString(c.TeamID) || !channelID.MatchString(channel) || !stamp.MatchString(ts) {
		return ""
	}
	if !known {
		return fmt.Sprintf("https://app.slack.com/client/%s/%s/thread/%s-%s", c.TeamID, channel, channel, thread)
	}
	link := fmt.Sprintf("https://%s.slack.com/archives/%s/p%s", c.TeamDomain, channel, strings.Replace(ts, ".", "", 1))
	if thread != ts {
		link += "?thread_ts=" + thread + "&cid=" + channel
	}
	return link
}
