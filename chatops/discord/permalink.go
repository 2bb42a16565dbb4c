package discord

import (
	"regexp"

	"signalbox/models"
)

var snowflake = regexp.MustCompile(`^[0-9]+$`)

// Permalink is the address of the bot's message about a command, or else of the channel or thread where it was given: for Discord
// a thread is a channel.
func (Chat) Permalink(_ *models.ChatIntegration, c *models.ChatCommand) string {
	if c.TeamID != direct && !snowflake.MatchString(c.TeamID) || !snowflake.MatchString(c.ChannelID) {
		return ""
	}
	link := "https://discord.com/channels/" + c.TeamID + "/" + c.ChannelID
	if snowflake.MatchString(c.MessageID) {
		link += "/" + c.MessageID
	}
	return link
}
