package api

import (
	"strconv"

	"signalbox/ci/access"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

type slackWorkspaceEntity struct {
	TeamID      string       `json:"team_id"`
	Name        string       `json:"name"`
	AppID       string       `json:"app_id"`
	BotUserID   string       `json:"bot_user_id"`
	Scopes      string       `json:"scopes"`
	Shared      bool         `json:"shared"`
	InstalledBy *int64       `json:"installed_by"`
	InstalledAt httpapi.Time `json:"installed_at"`
}

func slackWorkspaceOf(w *models.SlackWorkspace) slackWorkspaceEntity {
	return slackWorkspaceEntity{w.TeamID, w.Name, w.AppID, w.BotUserID, w.Scopes, w.Shared, w.InstalledBy, httpapi.Time(w.InstalledAt)}
}

type slackBotParams struct {
	BotToken string `param:"bot_token" max:"255"`
}

// slackAppRoutes serve where the instance's Slack app is installed, and what it is made from. Its settings are those of the application.
func (s *Server) slackAppRoutes(r routes) {
	const base = "/application/slack_app"
	r.get(base+"/manifest", user(access.AdminInstance), func(c *call) (any, error) {
		socket, _ := strconv.ParseBool(c.Query("socket_mode"))
		return s.chat.SlackAppManifest(socket), nil
	})
	r.get(base+"/workspaces", user(access.AdminInstance), func(c *call) (any, error) {
		rows, err := s.chat.SlackWorkspaces(c.ctx())
		return each(rows, slackWorkspaceOf), err
	})
	r.post(base+"/workspaces", user(access.AdminInstance), with(func(c *call, p *slackBotParams) (any, error) {
		w, err := s.chat.AddSlackBot(c.ctx(), c.actor, p.BotToken)
		if err != nil {
			return nil, err
		}
		return slackWorkspaceOf(w), nil
	}))
	r.delete(base+"/workspaces/:team_id", user(access.AdminInstance), func(c *call) (any, error) {
		_, err := s.chat.RemoveSlackWorkspace(c.ctx(), c.actor, c.Param("team_id"))
		return nil, err
	})
}
