package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"signalbox/chatops"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// signedBody reads a request that only its signature proves, as those of the app do.
func (h *Handler) signedBody(c *gin.Context, kind enum.DeliveryKind) ([]byte, *models.ChatIntegration, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	if err != nil {
		return nil, nil, fault.Refused(fault.Invalid, "the body cannot be read").Because(err)
	}
	in, err := h.service.Judge(c.Request.Context(), c.Param("id"), enum.Slack, chatops.Asked{Kind: kind}, func(_ *models.ChatIntegration, signing string) enum.Verdict {
		if signing == "" {
			return enum.BadSignature
		}
		return h.signed(c.Request.Header, raw, signing)
	})
	return raw, in, err
}

type named struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Username string `json:"username"`
	Domain   string `json:"domain"`
}

// interaction is what Slack tells of a press, or of a form that was filled in.
type interaction struct {
	Type        string `json:"type"`
	User        named  `json:"user"`
	Team        named  `json:"team"`
	Channel     named  `json:"channel"`
	ResponseURL string `json:"response_url"`
	Message     struct {
		TS     string `json:"ts"`
		Thread string `json:"thread_ts"`
	} `json:"message"`
	Actions []struct {
		Value string `json:"value"`
	} `json:"actions"`
	Trigger string `json:"trigger_id"`
	View    view   `json:"view"`
}

// interaction takes the press of a button, or a form.
func (h *Handler) interaction(c *gin.Context) error {
	raw, in, err := h.signedBody(c, enum.Interaction)
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return fault.Refused(fault.Invalid, "the body is not a form").Because(err)
	}
	answer, err := h.interact(c.Request.Context(), in, []byte(form.Get("payload")))
	return answered(c, answer, err)
}

// answered answers an interaction; nil is an answer without words.
func answered(c *gin.Context, answer any, err error) error {
	switch {
	case err != nil:
		return err
	case answer == nil:
		c.Status(http.StatusOK)
	default:
		c.JSON(http.StatusOK, answer)
	}
	return nil
}

// interact takes the payload of an interaction, however it came, and gives what it is answered with.
func (h *Handler) interact(ctx context.Context, in *models.ChatIntegration, payload []byte) (answer any, err error) {
	var p interaction
	if err := json.Unmarshal(payload, &p); err != nil {
		return nil, fault.Refused(fault.Invalid, "the payload is no JSON").Because(err)
	}
	from := chatops.Command{
		Workspace: p.Team.ID, WorkspaceDomain: p.Team.Domain, ChannelID: p.Channel.ID, ChannelName: p.Channel.Name, Thread: p.Message.Thread,
		UserID: p.User.ID, UserName: firstOf(p.User.Username, p.User.Name), ResponseURL: p.ResponseURL, MessageID: p.Channel.ID + "/" + p.Message.TS,
	}
	switch {
	case p.Type == "block_actions" && len(p.Actions) > 0:
		err = h.press(ctx, in, from, p.Actions[0].Value, p.Trigger)
	case p.Type == "view_submission":
		answer, err = h.submit(ctx, in, from, p.View)
	default:
		h.service.Note(in, chatops.Asked{Kind: enum.Interaction, UserID: p.User.ID, Text: p.Type}, enum.Ignored, "", http.StatusOK)
		return nil, nil // nothing of ours
	}
	if fault.KindOf(err) == fault.Forbidden {
		h.service.Note(in, chatops.Asked{Kind: enum.Interaction, UserID: p.User.ID}, enum.Refused, fault.Message(err), http.StatusForbidden)
	}
	return answer, err
}

func (h *Handler) press(ctx context.Context, in *models.ChatIntegration, from chatops.Command, value, trigger string) error {
	form, cmd, err := h.service.Press(ctx, in, from, value)
	switch kind := fault.KindOf(err); kind {
	case fault.Forbidden, fault.Invalid:
		untold := h.tell(ctx, in, from, err)
		if kind == fault.Forbidden && untold == nil {
			h.service.Note(in, chatops.Asked{Kind: enum.Interaction, UserID: from.UserID}, enum.Refused, fault.Message(err), http.StatusOK)
		}
		return untold
	}
	if err != nil {
		return err
	}
	if form == nil {
		return h.service.Defer(ctx, in, cmd)
	}
	if err := h.service.Ask(ctx, in, cmd, trigger, *form); err != nil {
		return h.tell(ctx, in, from, err)
	}
	return nil
}

// tell shows whoever pressed a button why nothing came of it. Where no message can say so, the request itself is refused with it.
func (h *Handler) tell(ctx context.Context, in *models.ChatIntegration, from chatops.Command, why error) error {
	if h.service.TellOf(ctx, in, from, fault.Message(why)) != nil {
		return why
	}
	return nil
}

// envelope is what the Events API sends.
type envelope struct {
	Type      string `json:"type"`
	Challenge string `json:"challenge"`
	TeamID    string `json:"team_id"`
	EventID   string `json:"event_id"`
	EventTime int64  `json:"event_time"`
	Event     struct {
		Type        string `json:"type"`
		Subtype     string `json:"subtype"`
		BotID       string `json:"bot_id"`
		User        string `json:"user"`
		Text        string `json:"text"`
		Channel     string `json:"channel"`
		ChannelType string `json:"channel_type"`
		TS          string `json:"ts"`
		Thread      string `json:"thread_ts"`
		Tokens      struct {
			Bot []string `json:"bot"`
		} `json:"tokens"`
	} `json:"event"`
}

// event takes what the app hears: being mentioned, and direct messages. Mentions work in threads, where slash commands do not.
func (h *Handler) event(c *gin.Context) error {
	raw, in, err := h.signedBody(c, enum.ChatEvent)
	if err != nil {
		return err
	}
	challenge, err := h.hear(c.Request.Context(), raw, in, func(ctx context.Context, cmd chatops.Command) error {
		return h.service.Defer(ctx, in, cmd)
	})
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

// hear gives the command in an event, however it came, to take; and the challenge that is to be answered, if it is one. in
// is nil for the instance's app.
func (h *Handler) hear(ctx context.Context, raw []byte, in *models.ChatIntegration, take func(context.Context, chatops.Command) error) (challenge string, err error) {
	var e envelope
	if err := json.Unmarshal(raw, &e); err != nil {
		return "", fault.Refused(fault.Invalid, "the event is no JSON").Because(err)
	}
	if e.Type == "url_verification" {
		h.service.Note(in, chatops.Asked{Kind: enum.ChatEvent, Text: "the address is checked"}, enum.Taken, "", http.StatusOK)
		return e.Challenge, nil
	}
	direct := e.Event.Type == "message" && e.Event.ChannelType == "im" && e.Event.Subtype == ""
	if e.Event.BotID != "" || e.Event.User == "" || e.Event.Type != "app_mention" && !direct {
		h.service.Note(in, chatops.Asked{Kind: enum.ChatEvent, UserID: e.Event.User, Text: e.Event.Type}, enum.Ignored, "", http.StatusOK)
		return "", nil
	}
	text := strings.TrimSpace(e.Event.Text)
	if strings.HasPrefix(text, "<@") { // the mention of the bot
		_, rest, _ := strings.Cut(text, ">")
		text = strings.TrimSpace(rest)
	}
	thread := e.Event.Thread
	if thread == "" && !direct {
		thread = e.Event.TS // the answer begins a thread below what was asked
	}
	id := int64(0)
	if in != nil {
		id = in.ID
	}
	return "", take(ctx, chatops.Command{
		Chat: enum.Slack, Workspace: e.TeamID, WorkspaceDomain: e.TeamID, ChannelID: e.Event.Channel, Thread: thread, UserID: e.Event.User,
		UserName: e.Event.User, Text: text, Kind: enum.ChatEvent, DeliveryKey: fmt.Sprintf("slack:event:%d:%s", id, e.EventID),
	})
}
