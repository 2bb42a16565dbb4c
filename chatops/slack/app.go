package slack

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"signalbox/chatops"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models/enum"
)

// appTrigger takes the slash command of the instance's app, which its verification token proves; a signature, if there is
// one and the instance knows its secret, must be right too.
func (h *Handler) appTrigger(c *gin.Context) error {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	if err != nil {
		return fault.Refused(fault.Invalid, "the body cannot be read").Because(err)
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return fault.Refused(fault.Invalid, "the body is not a form").Because(err)
	}
	if form.Get("ssl_check") == "1" {
		c.Status(http.StatusOK)
		return nil
	}
	if !form.Has("text") {
		return &httpapi.ParamError{Text: "text is missing"}
	}
	ctx := c.Request.Context()
	err = h.service.AppCommand(ctx, form.Get("token"), c.GetHeader("X-Slack-Signature") != "", func(signing string) bool {
		return h.signed(c.Request.Header, raw, signing) == enum.Taken
	})
	if err != nil {
		return err
	}
	cmd := command(0, form)
	cmd.Chat = enum.SlackApp
	answer, err := h.service.ReceiveFor(ctx, cmd)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, answerBody(answer))
	return nil
}

// answerBody is an answer as the body that Slack expects.
func answerBody(a chatops.Answer) gin.H {
	body := gin.H{"response_type": "ephemeral", "text": markup(a.Text), "status": http.StatusOK}
	if a.InChannel {
		body["response_type"] = "in_channel"
	}
	if len(a.Buttons) > 0 {
		body["blocks"] = blocks(chatops.Message{Text: a.Text, Buttons: a.Buttons})
	}
	return body
}

var errUnsigned = fault.Refused(fault.Unauthorized, "")

// appBody reads a request that the signature of the instance's app proves.
func (h *Handler) appBody(c *gin.Context) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	if err != nil {
		return nil, fault.Refused(fault.Invalid, "the body cannot be read").Because(err)
	}
	genuine, err := h.service.AppSigned(c.Request.Context(), func(signing string) bool { return h.signed(c.Request.Header, raw, signing) == enum.Taken })
	if err == nil && !genuine {
		err = errUnsigned
	}
	return raw, err
}

// appInteraction takes the press of a button of the instance's app, or a form that was filled in; both say for which project.
func (h *Handler) appInteraction(c *gin.Context) error {
	raw, err := h.appBody(c)
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return fault.Refused(fault.Invalid, "the body is not a form").Because(err)
	}
	answer, err := h.appInteract(c.Request.Context(), []byte(form.Get("payload")))
	return answered(c, answer, err)
}

// appInteract takes the payload of an interaction of the instance's app, however it came; it says for which project it is.
func (h *Handler) appInteract(ctx context.Context, payload []byte) (answer any, err error) {
	var p interaction
	if err := json.Unmarshal(payload, &p); err != nil {
		return nil, fault.Refused(fault.Invalid, "the payload is no JSON").Because(err)
	}
	value := p.View.Metadata
	if p.Type == "block_actions" && len(p.Actions) > 0 {
		value = p.Actions[0].Value
	} else if p.Type != "view_submission" {
		return nil, nil // nothing of ours
	}
	in, err := h.service.ButtonOf(ctx, value, p.Team.ID)
	if errors.Is(err, chatops.ErrNoIntegration) && p.Type == "block_actions" {
		return nil, h.service.TellStranger(ctx, enum.SlackApp, p.ResponseURL, chatops.Message{Text: chatops.GoneButton, ChatUserID: p.User.ID})
	}
	if err != nil {
		return nil, err
	}
	return h.interact(ctx, in, payload)
}

// appOptions answers that there is nothing to choose from: no message of ours has a menu.
func (h *Handler) appOptions(c *gin.Context) error {
	if _, err := h.appBody(c); err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"options": []any{}})
	return nil
}

// appEvent takes what the instance's app hears; the first word behind the mention names the project.
func (h *Handler) appEvent(c *gin.Context) error {
	raw, err := h.appBody(c)
	if err != nil {
		return err
	}
	challenge, err := h.appHear(c.Request.Context(), raw)
	if err != nil {
		return err
	}
	if challenge != "" {
		c.JSON(http.StatusOK, gin.H{"challenge": challenge})
		return nil
	}
	c.Status(http.StatusOK)
	return nil
}

// appHear takes an event of the instance's app, however it came.
func (h *Handler) appHear(ctx context.Context, raw []byte) (challenge string, err error) {
	var e envelope
	if err := json.Unmarshal(raw, &e); err != nil {
		return "", fault.Refused(fault.Invalid, "the event is no JSON").Because(err)
	}
	if e.Type == "event_callback" && (e.Event.Type == "app_uninstalled" || e.Event.Type == "tokens_revoked" && len(e.Event.Tokens.Bot) > 0) {
		return "", h.service.SlackUninstalled(ctx, e.TeamID, time.Unix(e.EventTime, 0))
	}
	return h.hear(ctx, raw, nil, func(ctx context.Context, cmd chatops.Command) error {
		cmd.Chat, cmd.Deferred = enum.SlackApp, true
		_, err := h.service.ReceiveFor(ctx, cmd)
		return err
	})
}
