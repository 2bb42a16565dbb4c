package api

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

type commandEntity struct {
	ID              int64             `json:"id"`
	Text            string            `json:"text"`
	Channel         string            `json:"channel"`
	State           enum.CommandState `json:"state"`
	Acknowledgement string            `json:"acknowledgement"`
	Refusal         *string           `json:"refusal"`
	PipelineID      *int64            `json:"pipeline_id"`
	JobID           *int64            `json:"job_id"`
	Reply           *string           `json:"reply"`
	DeliveryError   *string           `json:"delivery_error"`
	CreatedAt       httpapi.Time      `json:"created_at"`
	FinishedAt      *httpapi.Time     `json:"finished_at"`
}

func commandOf(c *models.ChatCommand) commandEntity {
	e := commandEntity{
		ID: c.ID, Text: c.Text, Channel: c.ChannelName, State: c.State, Acknowledgement: c.Acknowledgement, PipelineID: c.PipelineID, JobID: c.JobID,
		Reply: c.Reply, CreatedAt: httpapi.Time(c.CreatedAt), FinishedAt: httpapi.TimeOf(c.FinishedAt),
	}
	if c.Refusal != "" {
		e.Refusal = &c.Refusal
	}
	if c.DeliveryError != "" {
		e.DeliveryError = &c.DeliveryError
	}
	return e
}

func (s *Server) chatRoutes(r gin.IRouter) {
	r.POST("/projects/:id/chat/commands", s.project(access.CreateCommand, s.giveCommand))
	r.GET("/projects/:id/chat/commands", s.project(access.ReadCommands, s.listCommands))
	r.GET("/projects/:id/chat/commands/:command_id", s.project(access.ReadCommands, s.getCommand))
	for _, face := range []string{"integrations", "services"} {
		r.GET("/projects/:id/"+face+"/:slug", s.project(access.AdminProject, s.getIntegration))
		r.PUT("/projects/:id/"+face+"/:slug", s.project(access.AdminProject, s.putIntegration))
		r.DELETE("/projects/:id/"+face+"/:slug", s.project(access.AdminProject, s.deleteIntegration))
	}
}

func (s *Server) giveCommand(c *gin.Context, a access.Actor, p *models.Project) error {
	params, err := httpapi.ReadParams(c)
	if err != nil {
		return err
	}
	text, err := params.Required("text")
	if err != nil {
		return err
	}
	channel, err := params.String("channel")
	if err != nil {
		return err
	}
	row, err := s.chat.Give(c.Request.Context(), a, p, text, channel)
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, commandOf(row))
	return nil
}

func (s *Server) listCommands(c *gin.Context, _ access.Actor, p *models.Project) error {
	pg, err := page(c)
	if err != nil {
		return err
	}
	var rows []*models.ChatCommand
	var total int64
	err = s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) (err error) {
		rows, total, err = tx.ListCommands(p.ID, pg)
		return err
	})
	if err != nil {
		return err
	}
	return s.list(c, pg, total, each(rows, commandOf))
}

func (s *Server) getCommand(c *gin.Context, _ access.Actor, p *models.Project) error {
	n, err := id(c, "command_id", "Command")
	if err != nil {
		return err
	}
	var row *models.ChatCommand
	err = s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) (err error) {
		row, err = tx.Command(n)
		return err
	})
	if err == nil && row.ProjectID != p.ID {
		err = models.ErrNotFound
	}
	if err != nil {
		return missing(err, "Command")
	}
	c.JSON(http.StatusOK, commandOf(row))
	return nil
}

// slugs are the integrations that exist here, by their part of the address.
var slugs = map[string]enum.Chat{"slack-slash-commands": enum.Slack, "mattermost-slash-commands": enum.Mattermost}

type integrationEntity struct {
	ID         int64         `json:"id"`
	Title      string        `json:"title"`
	Slug       string        `json:"slug"`
	CreatedAt  *httpapi.Time `json:"created_at"`
	UpdatedAt  *httpapi.Time `json:"updated_at"`
	Active     bool          `json:"active"`
	Inherited  bool          `json:"inherited"`
	Properties gin.H         `json:"properties"`
}

func integrationOf(slug string, in *models.ChatIntegration) integrationEntity {
	e := integrationEntity{Slug: slug, Title: "Slack slash commands", Properties: gin.H{}}
	if slug == "mattermost-slash-commands" {
		e.Title = "Mattermost slash commands"
	}
	if in != nil {
		e.ID, e.Active, e.CreatedAt, e.UpdatedAt = in.ID, in.Active, httpapi.TimeOf(&in.CreatedAt), httpapi.TimeOf(&in.UpdatedAt)
		e.Properties = gin.H{
			"channel_variable": in.ChannelVariable, "keep_ansi": in.KeepANSI, "reply_hosts": in.ReplyHosts, "token_set": in.TokenHash != "",
			"signing_secret_set": !in.SigningSecret.Empty(), "bot_token_set": !in.BotToken.Empty(),
		}
	}
	return e
}

func (s *Server) integration(c *gin.Context, p *models.Project) (in *models.ChatIntegration, chat enum.Chat, err error) {
	chat, known := slugs[c.Param("slug")]
	if !known {
		return nil, "", fault.New(fault.NotFound, "404 Integration Not Found")
	}
	err = s.ci.DB().Read(c.Request.Context(), func(tx *models.Tx) error {
		in, err = tx.Integration(p.ID, chat)
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil, chat, nil
	}
	return in, chat, err
}

func (s *Server) getIntegration(c *gin.Context, _ access.Actor, p *models.Project) error {
	in, _, err := s.integration(c, p)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, integrationOf(c.Param("slug"), in))
	return nil
}

func (s *Server) putIntegration(c *gin.Context, a access.Actor, p *models.Project) error {
	in, chat, err := s.integration(c, p)
	if err != nil {
		return err
	}
	params, err := httpapi.ReadParams(c)
	if err != nil {
		return err
	}
	if in == nil {
		in = &models.ChatIntegration{ProjectID: p.ID, Chat: chat, ChannelVariable: "name"}
	}
	if err := s.change(in, params); err != nil {
		return err
	}
	err = s.ci.DB().Write(c.Request.Context(), func(tx *models.Tx) error {
		if err := tx.SaveIntegration(in); err != nil {
			return err
		}
		return tx.Audit(&models.AuditEvent{UserID: &a.User.ID, Action: "integration_set", EntityType: "project", EntityID: p.ID, Details: string(chat), IPAddress: c.ClientIP()})
	})
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, integrationOf(c.Param("slug"), in))
	return nil
}

// change applies the parameters; secrets that are not given stay as they are.
func (s *Server) change(in *models.ChatIntegration, p httpapi.Params) error {
	token, err := p.String("token")
	switch {
	case err != nil:
		return err
	case token != "":
		in.TokenHash = secret.Hash(token)
	case in.TokenHash == "":
		return &httpapi.ParamError{Text: "token is missing"}
	}
	for name, into := range map[string]*secret.Sealed{"signing_secret": &in.SigningSecret, "bot_token": &in.BotToken} {
		if !p.Has(name) {
			continue
		}
		value, err := p.String(name)
		if err != nil {
			return err
		}
		if *into = (secret.Sealed{}); value != "" {
			*into = s.ci.Keys().Seal(in.Place(name), value)
		}
	}
	if in.Active, err = p.Bool("active", true); err != nil {
		return err
	}
	if in.KeepANSI, err = p.Bool("keep_ansi", in.KeepANSI); err != nil {
		return err
	}
	if p.Has("channel_variable") {
		if in.ChannelVariable, err = p.String("channel_variable"); err != nil || in.ChannelVariable != "name" && in.ChannelVariable != "id" {
			return &httpapi.ParamError{Text: "channel_variable does not have a valid value"}
		}
	}
	if p.Has("reply_hosts") {
		hosts, err := p.List("reply_hosts")
		if err != nil {
			return err
		}
		for _, h := range hosts {
			if u, err := url.Parse("https://" + h); err != nil || u.Host != h || strings.ContainsAny(h, "/@") {
				return &httpapi.ParamError{Text: "reply_hosts is invalid: want host or host:port"}
			}
		}
		in.ReplyHosts = hosts
	}
	return nil
}

func (s *Server) deleteIntegration(c *gin.Context, a access.Actor, p *models.Project) error {
	in, chat, err := s.integration(c, p)
	if err != nil {
		return err
	}
	if in == nil {
		return fault.New(fault.NotFound, "404 Integration Not Found")
	}
	err = s.ci.DB().Write(c.Request.Context(), func(tx *models.Tx) error {
		if err := tx.DeleteIntegration(in.ID); err != nil {
			return err
		}
		return tx.Audit(&models.AuditEvent{UserID: &a.User.ID, Action: "integration_removed", EntityType: "project", EntityID: p.ID, Details: string(chat), IPAddress: c.ClientIP()})
	})
	if err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}
