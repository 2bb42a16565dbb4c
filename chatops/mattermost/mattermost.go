// Package mattermost is Mattermost's side of chat commands: its slash command requests, and its messages.
package mattermost

import (
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"signalbox/chatops"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models/enum"
)

// Handler takes Mattermost's slash commands.
type Handler struct{ service *chatops.Service }

// Register adds the endpoints to a group at /api/v4.
func Register(r gin.IRouter, s *chatops.Service, log *slog.Logger) {
	h := &Handler{service: s}
	for _, face := range []string{"integrations", "services"} {
		path := "/projects/:id/" + face + "/mattermost_slash_commands"
		r.POST(path+"/trigger", httpapi.Handle(log, h.trigger))
		r.POST(path+"/interactions", httpapi.Handle(log, h.interaction))
		r.POST(path+"/dialogs", httpapi.Handle(log, h.dialog))
	}
}

const maxBody = 64 << 10

func (h *Handler) trigger(c *gin.Context) error {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	if err != nil {
		return fault.Refused(fault.Invalid, "the body cannot be read").Because(err)
	}
	f, err := url.ParseQuery(string(raw))
	if err != nil {
		return fault.Refused(fault.Invalid, "the body is not a form").Because(err)
	}
	if !f.Has("token") {
		return &httpapi.ParamError{Text: "token is missing"}
	}
	asked := chatops.Asked{Kind: enum.SlashCommand, UserID: f.Get("user_id"), UserName: f.Get("user_name"), Text: f.Get("text")}
	in, err := h.service.Judge(c.Request.Context(), c.Param("id"), enum.Mattermost, asked, chatops.ByToken(f.Get("token"), nil))
	if err != nil {
		return err
	}
	answer, err := h.service.Receive(c.Request.Context(), in, command(in.ID, f))
	if err != nil {
		return err
	}
	kind := "ephemeral"
	if answer.InChannel {
		kind = "in_channel"
	}
	body := gin.H{"response_type": kind, "text": chatops.Markdown(answer.Text), "status": http.StatusOK, "skip_slack_parsing": true}
	if len(answer.Buttons) > 0 {
		body["attachments"] = []attachment{{Actions: actions(answer.Buttons, answer.ActionURL)}}
	}
	c.JSON(http.StatusOK, body)
	return nil
}

func command(integration int64, f url.Values) chatops.Command {
	c := chatops.Command{
		Chat: enum.Mattermost, Workspace: f.Get("team_id"), WorkspaceDomain: f.Get("team_domain"), ChannelID: f.Get("channel_id"),
		ChannelName: f.Get("channel_name"), Thread: f.Get("root_id"), UserID: f.Get("user_id"), UserName: f.Get("user_name"),
		Trigger: f.Get("command"), Text: f.Get("text"), ResponseURL: f.Get("response_url"),
	}
	c.DeliveryKey = chatops.DeliveryKey(integration, c, f.Get("trigger_id"))
	return c
}
