// Package mattermost is Mattermost's side of chat commands: its slash command requests, and its messages.
package mattermost

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

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
		r.POST("/projects/:id/"+face+"/mattermost_slash_commands/trigger", httpapi.Handle(log, h.trigger))
	}
}

const maxBody = 64 << 10

func (h *Handler) trigger(c *gin.Context) error {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "400 Bad request - the body cannot be read")
	}
	f, err := url.ParseQuery(string(raw))
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "400 Bad request - the body is not a form")
	}
	if !f.Has("token") {
		return &httpapi.ParamError{Text: "token is missing"}
	}
	in, err := h.service.Authenticate(c.Request.Context(), c.Param("id"), enum.Mattermost, f.Get("token"), nil)
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
	c.JSON(http.StatusOK, gin.H{"response_type": kind, "text": answer.Text, "status": http.StatusOK, "skip_slack_parsing": true})
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

// Chat is how Mattermost shows messages.
type Chat struct{}

// ResponseHosts is empty: every team has a server of its own, which the integration names.
func (Chat) ResponseHosts() []string { return nil }

type field struct {
	Short bool   `json:"short"`
	Title string `json:"title"`
	Value string `json:"value"`
}

type attachment struct {
	Color  string  `json:"color"`
	Text   string  `json:"text"`
	Fields []field `json:"fields"`
}

const (
	green = "#00c100"
	red   = "#e40303"
)

// attachments is a job's reply in the form that GitLab gives it.
func attachments(m chatops.Message) []attachment {
	by := fmt.Sprintf("[%s](%s)", plain(m.StartedBy), m.StartedByAt)
	a := attachment{Color: green, Text: "ChatOps job started by " + by + " completed successfully"}
	if m.Kind == chatops.Failed {
		a.Color, a.Text = red, "ChatOps job started by "+by+" "+plain(m.Text)
	}
	a.Fields = []field{
		{Short: true, Title: "ID", Value: fmt.Sprintf("[#%d](%s)", m.JobID, m.JobURL)},
		{Short: true, Title: "Name", Value: plain(m.JobName)},
	}
	output, cut := chatops.Shorten(chatops.StripANSI(m.Output), chatops.MaxReply)
	switch {
	case output != "":
		a.Fields = append(a.Fields, field{Title: "Output", Value: fence(output)})
	case m.Kind == chatops.Succeeded:
		a.Fields = append(a.Fields, field{Title: "Output", Value: m.Text})
	}
	if cut {
		a.Fields = append(a.Fields, field{Title: "The whole output", Value: fmt.Sprintf("[#%d](%s)", m.JobID, m.JobURL)})
	}
	return []attachment{a}
}

// fence puts text into a code block that it cannot end.
func fence(s string) string {
	mark := "```"
	for strings.Contains(s, mark) {
		mark += "`"
	}
	return mark + "shell\n" + s + "\n" + mark
}

var escaper = strings.NewReplacer("[", `\[`, "]", `\]`, "`", "'", "@", "@\u200b", "*", `\*`, "_", `\_`)

func plain(s string) string { return escaper.Replace(s) }

// Render gives the body for a response address.
func (Chat) Render(m chatops.Message) ([]byte, error) {
	if m.Kind == chatops.Notice {
		return json.Marshal(map[string]any{"response_type": "ephemeral", "text": m.Text, "skip_slack_parsing": true})
	}
	return json.Marshal(map[string]any{"response_type": "in_channel", "attachments": attachments(m), "skip_slack_parsing": true})
}

// Post sends as the bot, which has no window.
func (Chat) Post(ctx context.Context, p chatops.Poster, botToken, origin, channelID, thread string, m chatops.Message) error {
	if origin == "" {
		return &chatops.Refused{Reason: "it is not known where this Mattermost is: the command named no allowed response address"}
	}
	body := map[string]any{"channel_id": channelID, "root_id": thread}
	if m.Kind == chatops.Notice {
		body["message"] = m.Text
	} else {
		body["props"] = map[string]any{"attachments": attachments(m)}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	status, _, err := p.PostJSON(ctx, origin+"/api/v4/posts", botToken, raw)
	switch {
	case err != nil:
		return err
	case status < 300:
		return nil
	case status >= 500 || status == http.StatusTooManyRequests:
		return fmt.Errorf("mattermost answers %d", status)
	}
	return &chatops.Refused{Reason: fmt.Sprintf("mattermost answers %d to the bot's post", status)}
}
