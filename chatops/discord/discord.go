// Package discord is Discord's side of chat commands: its interactions, and its messages.
package discord

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"signalbox/chatops"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

// Handler takes Discord's interactions.
type Handler struct {
	service *chatops.Service
	now     func() time.Time
	chat    Chat
}

// Register adds the endpoint to a group at /api/v4. chat says where interactions are answered.
func Register(r gin.IRouter, s *chatops.Service, chat Chat, now func() time.Time, log *slog.Logger) {
	h := &Handler{service: s, now: now, chat: chat}
	for _, face := range []string{"integrations", "services"} {
		r.POST("/projects/:id/"+face+"/discord/interactions", httpapi.Handle(log, h.interaction))
	}
}

const (
	maxBody = 64 << 10
	// maxSkew is how far a signed request's clock may be from ours, in both directions.
	maxSkew = 5 * time.Minute
)

// Kinds of interactions, and of answers to them.
const (
	ping         = 1
	command      = 2
	component    = 3
	autocomplete = 4
	submitted    = 5

	pong     = 1
	message  = 4
	deferred = 5
	choices  = 8
	modal    = 9
)

type person struct {
	ID       string `json:"id"`
	Username string `json:"username"`
}

type option struct {
	Name    string `json:"name"`
	Value   any    `json:"value"`
	Focused bool   `json:"focused"`
}

// interaction is what Discord sends; what is not named is not read.
type interaction struct {
	ID        string `json:"id"`
	Type      int    `json:"type"`
	Token     string `json:"token"`
	GuildID   string `json:"guild_id"`
	ChannelID string `json:"channel_id"`
	Channel   struct {
		Name string `json:"name"`
	} `json:"channel"`
	Member struct {
		User person `json:"user"`
	} `json:"member"`
	User person `json:"user"` // instead of the member in direct messages
	Data struct {
		Name     string   `json:"name"`
		Options  []option `json:"options"`
		CustomID string   `json:"custom_id"`
		// Components are the fields of a form that was filled in.
		Components []filled `json:"components"`
	} `json:"data"`
	Message struct {
		ID string `json:"id"`
	} `json:"message"`
}

// errUnsigned is the one answer to whatever Discord did not sign for a project that takes it; Discord tries this before it
// saves an address.
var errUnsigned = fault.Refused(fault.Unauthorized, "")

func (h *Handler) interaction(c *gin.Context) error {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	if err != nil {
		return fault.Refused(fault.Invalid, "the body cannot be read").Because(err)
	}
	ctx := c.Request.Context()
	in, err := h.service.Authenticate(ctx, c.Param("id"), enum.Discord, func(in *models.ChatIntegration, _ string) bool {
		return h.signed(c.Request.Header, raw, in.PublicKey)
	})
	if errors.Is(err, chatops.ErrNoIntegration) {
		return errUnsigned
	}
	if err != nil {
		return err
	}
	var i interaction
	if err := json.Unmarshal(raw, &i); err != nil {
		return fault.Refused(fault.Invalid, "the body is no JSON").Because(err)
	}
	switch i.Type {
	case ping:
		c.JSON(http.StatusOK, gin.H{"type": pong})
		return nil
	case autocomplete:
		found := []gin.H{}
		for _, c := range h.suggested(ctx, in, i) {
			found = append(found, gin.H{"name": c, "value": c})
		}
		c.JSON(http.StatusOK, gin.H{"type": choices, "data": gin.H{"choices": found}})
		return nil
	}
	cmd := h.command(in, i)
	switch i.Type {
	case command:
		cmd.Text, cmd.Trigger = text(i), "/"+i.Data.Name
	case component:
		var form *chatops.Form
		cmd.MessageID = i.Message.ID
		form, cmd, err = h.service.Press(ctx, in, cmd, i.Data.CustomID)
		if form != nil {
			c.JSON(http.StatusOK, gin.H{"type": modal, "data": modalOf(*form)})
			return nil
		}
	case submitted:
		cmd, err = h.service.Submitted(ctx, in, cmd, i.Data.CustomID, values(i.Data.Components))
		var wrong *chatops.InputsError
		if errors.As(err, &wrong) {
			err = nil // a modal cannot show it: the command is refused for it
		}
	default:
		return fault.Refused(fault.Invalid, "an interaction of an unknown type")
	}
	if kind := fault.KindOf(err); kind == fault.Invalid || kind == fault.Forbidden { // Discord signed it
		c.JSON(http.StatusOK, answered(chatops.Answer{Text: fault.Message(err)}))
		return nil
	}
	if err != nil {
		return err
	}
	answer, err := h.service.Receive(ctx, in, cmd)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, answered(answer))
	return nil
}

// signed checks Discord's signature over the time and the raw body.
func (h *Handler) signed(header http.Header, raw []byte, public string) bool {
	stamp := header.Get("X-Signature-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || h.now().Sub(time.Unix(seconds, 0)).Abs() > maxSkew {
		return false
	}
	key, err := hex.DecodeString(public)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return false
	}
	signature, err := hex.DecodeString(header.Get("X-Signature-Ed25519"))
	return err == nil && ed25519.Verify(key, append([]byte(stamp), raw...), signature)
}

func author(i interaction) person {
	if i.Member.User.ID != "" {
		return i.Member.User
	}
	return i.User
}

// direct stands for the server of direct messages, which belong to none.
const direct = "@me"

func workspace(i interaction) string {
	if i.GuildID == "" {
		return direct
	}
	return i.GuildID
}

func (h *Handler) command(in *models.ChatIntegration, i interaction) chatops.Command {
	who, channel := author(i), i.Channel.Name
	if i.GuildID == "" {
		channel = "directmessage"
	}
	return chatops.Command{
		Chat: enum.Discord, Workspace: workspace(i), WorkspaceDomain: workspace(i), ChannelID: i.ChannelID, ChannelName: channel,
		UserID: who.ID, UserName: who.Username, ResponseURL: h.chat.api() + "/webhooks/" + in.ApplicationID + "/" + i.Token,
		DeliveryKey: fmt.Sprintf("discord:%d:%s", in.ID, i.ID),
	}
}

// text is the command as it would be typed.
func text(i interaction) string {
	given := map[string]string{}
	for _, o := range i.Data.Options {
		given[o.Name] = fmt.Sprint(o.Value)
	}
	if i.Data.Name == "run" {
		return strings.TrimRight("run "+given["job"]+" "+given["args"], " ")
	}
	if given["command"] == "" {
		return "help"
	}
	return given["command"]
}

// suggested are what may stand in the field that is being filled in: jobs, or arguments of the job that was chosen.
func (h *Handler) suggested(ctx context.Context, in *models.ChatIntegration, i interaction) []string {
	job := ""
	for _, o := range i.Data.Options {
		if o.Name == "job" {
			job = fmt.Sprint(o.Value)
		}
		if o.Focused && o.Name == "args" {
			return h.service.SuggestArguments(ctx, in, workspace(i), author(i).ID, job, fmt.Sprint(o.Value), maxChoices)
		}
	}
	return h.service.Suggest(ctx, in, workspace(i), author(i).ID, typed(i), maxChoices)
}

// typed is what stands in the field that is being filled in.
func typed(i interaction) string {
	for _, o := range i.Data.Options {
		if o.Focused {
			return fmt.Sprint(o.Value)
		}
	}
	return ""
}

// maxChoices is how many suggestions Discord takes.
const maxChoices = 25

// answered is the answer to a command or a press.
func answered(a chatops.Answer) gin.H {
	if a.Pending {
		return gin.H{"type": deferred, "data": gin.H{"flags": alone}}
	}
	b := plainBody(a.Text)
	if !a.InChannel {
		b.Flags |= alone
	}
	b.Components = buttons(a.Buttons)
	return gin.H{"type": message, "data": b}
}
