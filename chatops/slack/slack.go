// Package slack is Slack's side of chat commands: its slash command requests, and its messages.
package slack

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"signalbox/chatops"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models/enum"
)

// Handler takes Slack's slash commands.
type Handler struct {
	service *chatops.Service
	now     func() time.Time
}

// Register adds the endpoints to a group at /api/v4.
func Register(r gin.IRouter, s *chatops.Service, now func() time.Time, log *slog.Logger) {
	h := &Handler{service: s, now: now}
	for _, face := range []string{"integrations", "services"} {
		r.POST("/projects/:id/"+face+"/slack_slash_commands/trigger", httpapi.Handle(log, h.trigger))
	}
}

const (
	maxBody = 64 << 10
	// maxSkew is how far a signed request's clock may be from ours, in both directions.
	maxSkew = 5 * time.Minute
)

func (h *Handler) trigger(c *gin.Context) error {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "400 Bad request - the body cannot be read")
	}
	form, err := url.ParseQuery(string(raw)) // never the address: Slack signs the body alone
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "400 Bad request - the body is not a form")
	}
	if form.Get("ssl_check") == "1" {
		c.Status(http.StatusOK)
		return nil
	}
	if !form.Has("token") {
		return &httpapi.ParamError{Text: "token is missing"}
	}
	ctx := c.Request.Context()
	in, err := h.service.Authenticate(ctx, c.Param("id"), enum.Slack, form.Get("token"), func(signing string) bool {
		return signing == "" || h.signed(c.Request.Header, raw, signing)
	})
	if err != nil {
		return err
	}
	answer, err := h.service.Receive(ctx, in, command(in.ID, form))
	if err != nil {
		return err
	}
	body := gin.H{"response_type": "ephemeral", "text": markup(answer.Text), "status": http.StatusOK}
	if answer.InChannel {
		body["response_type"] = "in_channel"
	}
	c.JSON(http.StatusOK, body)
	return nil
}

// signed checks Slack's signature over the raw body.
func (h *Handler) signed(header http.Header, raw []byte, signing string) bool {
	stamp := header.Get("X-Slack-Request-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || h.now().Sub(time.Unix(seconds, 0)).Abs() > maxSkew {
		return false
	}
	return hmac.Equal([]byte(Signature(signing, stamp, raw)), []byte(header.Get("X-Slack-Signature")))
}

// Signature is what Slack puts into X-Slack-Signature.
func Signature(signing, stamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(signing))
	fmt.Fprintf(mac, "v0:%s:", stamp)
	mac.Write(body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

func command(integration int64, f url.Values) chatops.Command {
	c := chatops.Command{
		Chat: enum.Slack, Workspace: f.Get("team_id"), WorkspaceDomain: f.Get("team_domain"), ChannelID: f.Get("channel_id"),
		ChannelName: f.Get("channel_name"), UserID: f.Get("user_id"), UserName: f.Get("user_name"), Trigger: f.Get("command"),
		Text: f.Get("text"), ResponseURL: f.Get("response_url"),
	}
	c.DeliveryKey = chatops.DeliveryKey(integration, c, f.Get("trigger_id"))
	return c
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// markup writes links as Slack does and lets nothing else be one.
func markup(text string) string {
	return chatops.Links(text, escaper.Replace, func(t, address string) string {
		return "<" + address + "|" + escaper.Replace(t) + ">"
	})
}

// Chat is how Slack shows messages.
type Chat struct {
	// API is the address of Slack's Web API; "" means Slack's own.
	API string
}

// ResponseHosts names Slack's own host for replies.
func (Chat) ResponseHosts() []string { return []string{"hooks.slack.com"} }

// Text is a message as Slack shows it.
func (Chat) Text(m chatops.Message) string {
	mention := ""
	if m.ChatUserID != "" {
		mention = "<@" + escaper.Replace(m.ChatUserID) + ">: "
	}
	output := m.Output
	if !m.KeepANSI {
		output = chatops.StripANSI(output)
	}
	output, cut := chatops.Shorten(output, chatops.MaxReply)
	text := escaper.Replace(output)
	link := fmt.Sprintf("<%s|%s #%d>", m.JobURL, escaper.Replace(m.JobName), m.JobID)
	if cut {
		text += fmt.Sprintf("\n<%s|The whole output>", m.JobURL)
	}
	switch {
	case m.Kind == chatops.Notice:
		return markup(m.Text)
	case m.Text == "":
		return mention + text
	case text == "":
		return mention + link + " " + escaper.Replace(m.Text)
	}
	return mention + link + " " + escaper.Replace(m.Text) + "\n" + text
}

// Render gives the body for a response address.
func (ch Chat) Render(m chatops.Message) ([]byte, error) {
	kind := "in_channel"
	if m.Kind == chatops.Notice {
		kind = "ephemeral"
	}
	return json.Marshal(map[string]string{"text": ch.Text(m), "response_type": kind})
}

// Post sends with chat.postMessage, which has no window.
func (ch Chat) Post(ctx context.Context, p chatops.Poster, botToken, _, channelID, thread string, m chatops.Message) error {
	api := ch.API
	if api == "" {
		api = "https://slack.com/api"
	}
	body := map[string]string{"channel": channelID, "text": ch.Text(m)}
	if thread != "" {
		body["thread_ts"] = thread
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	status, answer, err := p.PostJSON(ctx, api+"/chat.postMessage", botToken, raw)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("slack answers %d", status)
	}
	var result struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(answer, &result); err != nil {
		return errors.New("slack's answer cannot be read")
	}
	switch {
	case result.OK:
		return nil
	case result.Error == "ratelimited", result.Error == "internal_error", result.Error == "fatal_error", result.Error == "request_timeout":
		return fmt.Errorf("slack: %s", result.Error)
	}
	return &chatops.Refused{Reason: "slack does not take the message: " + result.Error}
}
