// Package slack is Slack's side of chat commands: its slash command requests, and its messages.
package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
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
		path := "/projects/:id/" + face + "/slack_slash_commands"
		r.POST(path+"/trigger", httpapi.Handle(log, h.trigger))
		r.POST(path+"/interactions", httpapi.Handle(log, h.interaction))
		r.POST(path+"/events", httpapi.Handle(log, h.event))
	}
	r.POST("/slack/trigger", httpapi.Handle(log, h.appTrigger))
	r.POST("/integrations/slack/interactions", httpapi.Handle(log, h.appInteraction))
	r.POST("/integrations/slack/options", httpapi.Handle(log, h.appOptions))
	r.POST("/integrations/slack/events", httpapi.Handle(log, h.appEvent))
}

const (
	maxBody = 64 << 10
	// maxSkew is how far a signed request's clock may be from ours, in both directions.
	maxSkew = 5 * time.Minute
)

func (h *Handler) trigger(c *gin.Context) error {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	if err != nil {
		return fault.Refused(fault.Invalid, "the body cannot be read").Because(err)
	}
	form, err := url.ParseQuery(string(raw)) // never the address: Slack signs the body alone
	if err != nil {
		return fault.Refused(fault.Invalid, "the body is not a form").Because(err)
	}
	if form.Get("ssl_check") == "1" {
		c.Status(http.StatusOK)
		return nil
	}
	if !form.Has("token") {
		return &httpapi.ParamError{Text: "token is missing"}
	}
	ctx := c.Request.Context()
	asked := chatops.Asked{Kind: enum.SlashCommand, UserID: form.Get("user_id"), UserName: form.Get("user_name"), Text: form.Get("text")}
	in, err := h.service.Judge(ctx, c.Param("id"), enum.Slack, asked, chatops.ByToken(form.Get("token"), func(signing string) enum.Verdict {
		if signing == "" {
			return enum.Taken
		}
		return h.signed(c.Request.Header, raw, signing)
	}))
	if err != nil {
		return err
	}
	answer, err := h.service.Receive(ctx, in, command(in.ID, form))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, answerBody(answer))
	return nil
}

// signed checks Slack's signature over the raw body.
func (h *Handler) signed(header http.Header, raw []byte, signing string) enum.Verdict {
	stamp := header.Get("X-Slack-Request-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || !hmac.Equal([]byte(Signature(signing, stamp, raw)), []byte(header.Get("X-Slack-Signature"))) {
		return enum.BadSignature
	}
	if h.now().Sub(time.Unix(seconds, 0)).Abs() > maxSkew {
		return enum.Stale
	}
	return enum.Taken
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
