package api

import (
	"github.com/gin-gonic/gin"

	"signalbox/chatops"
	"signalbox/ci/access"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

// chatDelivery is a request of a chat, as its maintainers see it. Nothing of it is secret.
type chatDelivery struct {
	ID           int64             `json:"id"`
	Kind         enum.DeliveryKind `json:"kind"`
	Verdict      enum.Verdict      `json:"verdict"`
	Reason       *string           `json:"reason"`
	Status       int               `json:"status"`
	ChatUserID   string            `json:"chat_user_id"`
	ChatUserName string            `json:"chat_user_name"`
	Text         string            `json:"text"`
	Times        int64             `json:"times"`
	CommandID    *int64            `json:"command_id"`
	Replayable   bool              `json:"replayable"`
	CreatedAt    httpapi.Time      `json:"created_at"`
	LastAt       httpapi.Time      `json:"last_at"`
}

func (c *call) delivery(d chatops.Delivery) chatDelivery {
	return chatDelivery{
		ID: d.ID, Kind: d.Kind, Verdict: d.Verdict, Reason: given(d.Reason), Status: d.Status, ChatUserID: d.ChatUserID, ChatUserName: d.ChatUserName,
		Text: d.Text, Times: d.Times, CommandID: d.CommandID, Replayable: d.Yours(c.actor), CreatedAt: httpapi.Time(d.CreatedAt), LastAt: httpapi.Time(d.LastAt),
	}
}

// connected finds the integration of the address, which must be set up.
func (s *Server) connected(c *call) (*models.ChatIntegration, error) {
	in, _, err := s.integration(c)
	if err == nil && in == nil {
		err = models.ErrNotFound
	}
	return in, missing(err, "Integration")
}

// chatSetUp is what a chat is told when the project is connected to it.
type chatSetUp struct {
	Address        string                     `json:"address,omitempty"`
	Manifest       *chatops.SlackManifest     `json:"manifest,omitempty"`
	SocketManifest *chatops.SlackManifest     `json:"socket_mode_manifest,omitempty"`
	Command        *chatops.MattermostCommand `json:"command,omitempty"`
	BotIcon        string                     `json:"bot_icon"`
}

// setUp gives what the page of a chat has ready to paste.
func (s *Server) setUp(c *call) (any, error) {
	_, chat, err := s.integration(c)
	if err != nil {
		return nil, err
	}
	out := chatSetUp{BotIcon: s.chat.BotIcon()}
	switch chat {
	case enum.Slack:
		reached, socket := s.chat.SlackManifest(c.project, false), s.chat.SlackManifest(c.project, true)
		out.Address, out.Manifest, out.SocketManifest = s.chat.Endpoint(c.project, chat, "trigger"), &reached, &socket
	case enum.Mattermost:
		command := s.chat.MattermostCommand(c.project)
		out.Address, out.Command = command.URL, &command
	case enum.Discord:
		out.Address = s.chat.Endpoint(c.project, chat, "interactions")
	}
	return out, nil
}

func (s *Server) deliveryRoutes(r routes, path string) {
	r.get(path+"/setup", project(access.AdminProject), s.setUp)
	r.get(path+"/deliveries", project(access.AdminProject), with(func(c *call, p *struct{ httpapi.Page }) (any, error) {
		in, err := s.connected(c)
		if err != nil {
			return nil, err
		}
		rows, total, err := s.chat.Deliveries(c.ctx(), in, pageOf(p.Page))
		return paged(each(rows, c.delivery), p.Page, total), err
	}))
	r.post(path+"/deliveries/:delivery_id/replay", project(access.AdminProject), func(c *call) (any, error) {
		in, err := s.connected(c)
		if err != nil {
			return nil, err
		}
		id, err := c.id("delivery_id", "Delivery")
		if err != nil {
			return nil, err
		}
		row, err := s.chat.Replay(c.ctx(), c.actor, in, id)
		if err != nil {
			return nil, err
		}
		return s.oneCommand(c, row)
	})
	r.post(path+"/test", project(access.AdminProject), with(func(c *call, p *struct {
		Channel string `param:"channel" max:"255"`
	},
	) (any, error) {
		in, err := s.connected(c)
		if err != nil {
			return nil, err
		}
		report, err := s.chat.SendTest(c.ctx(), c.actor, c.project, in, p.Channel)
		return gin.H{"message": report, "sent": p.Channel != ""}, err
	}))
}
