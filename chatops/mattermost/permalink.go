package mattermost

import (
	"cmp"
	"regexp"

	"signalbox/models"
)

var name = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Permalink is the address of the bot's post about a command, or of the thread where it was given.
func (Chat) Permalink(in *models.ChatIntegration, c *models.ChatCommand) string {
	post := cmp.Or(c.MessageID, c.Thread)
	if in.ServerURL == "" || !name.MatchString(c.TeamDomain) || !name.MatchString(post) {
		return ""
	}
	return in.ServerURL + "/" + c.TeamDomain + "/pl/" + post
}
