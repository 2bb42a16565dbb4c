package web

import (
	"errors"
	"net/http"
	"strings"

	"signalbox/chatops"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

func projectSlackAt(c *inside) string {
	return "/" + c.project.FullPath + "/-/settings/integrations/slack_app"
}

// projectSlackApp shows how a project hangs together with the instance's Slack app.
func (s *Server) projectSlackApp(r *request, c *inside) error {
	app, err := s.chat.SlackApp(r.Context())
	if err != nil {
		return err
	}
	d := data{"Title": slackAppName, "At": projectSlackAt(c), "App": app, "Chat": chats[len(chats)-1], "Install": "/" + c.project.FullPath + "/-/settings/slack/install"}
	in := &models.ChatIntegration{Active: true, ChannelVariable: "name"}
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		found, err := tx.Integration(c.project.ID, enum.SlackApp)
		if err == nil {
			in, d["On"] = found, true
			err = s.workspaceOf(tx, in, d)
		}
		if errors.Is(err, models.ErrNotFound) {
			err = nil
		}
		return err
	})
	if err != nil {
		return err
	}
	if d["Integration"] = in; in.ID != 0 {
		if d["Deliveries"], err = s.chatDeliveries(r, in); err != nil {
			return err
		}
	}
	return s.show(r, c, "projectslackapp", d)
}

// workspaceOf tells which workspace's bot speaks for a project.
func (s *Server) workspaceOf(tx *models.Tx, in *models.ChatIntegration, d data) error {
	if in.TeamID == "" {
		return nil
	}
	w, err := tx.SlackWorkspace(in.TeamID)
	if err == nil {
		d["Workspace"], d["Open"] = w, w.Shared || in.TeamProved
	}
	return err
}

func (s *Server) setProjectSlackApp(r *request, c *inside) error {
	text := func(name string) *string {
		v := strings.TrimSpace(r.PostFormValue(name))
		return &v
	}
	active, quiet := r.PostFormValue("active") != "", r.PostFormValue("quiet") != ""
	_, err := s.chat.SetIntegration(r.Context(), r.actor, c.project, enum.SlackApp, chatops.IntegrationInput{
		Alias: text("alias"), TeamID: text("team_id"), ChannelVariable: text("channel_variable"), Active: &active, Quiet: &quiet,
	})
	if err != nil {
		return perField(err)
	}
	s.say(r, "Saved.")
	return s.to(r, projectSlackAt(c))
}

func (s *Server) projectSlackAppAction(r *request, c *inside) error {
	switch c.args[0] {
	case "test":
		if err := s.testChat(r, c, enum.SlackApp); err != nil {
			return err
		}
	case "remove":
		if err := s.chat.RemoveIntegration(r.Context(), r.actor, c.project, enum.SlackApp); err != nil {
			return err
		}
		s.say(r, "The project takes no more commands of the instance's Slack app.")
	default:
		return notFound(r)
	}
	return s.to(r, projectSlackAt(c))
}

func (s *Server) installInProject(r *request, c *inside) error {
	return s.beginInstall(r, c.project, projectSlackAt(c))
}

func (s *Server) installedInProject(r *request, c *inside) error {
	return s.endInstall(r, c.project, projectSlackAt(c))
}

// refusedAt leads to a page that says why something was refused.
func (s *Server) refusedAt(r *request, page string, err error) error {
	if kind := fault.KindOf(err); kind == fault.Internal || kind == fault.Forbidden || kind == fault.Unauthorized || kind == fault.Unavailable {
		return err
	}
	s.sessions.Put(r.Context(), "error", sentence(fault.Message(err)))
	http.Redirect(r.w, r.Request, page, http.StatusSeeOther)
	return nil
}
