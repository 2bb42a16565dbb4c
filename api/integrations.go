package api

import (
	"errors"

	"github.com/gin-gonic/gin"

	"signalbox/chatops"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

// slugs are the integrations that exist here, by their part of the address.
var slugs = map[string]enum.Chat{
	"slack-slash-commands": enum.Slack, "mattermost-slash-commands": enum.Mattermost, "gitlab-slack-application": enum.SlackApp, "discord": enum.Discord,
}

var titles = map[string]string{
	"gitlab-slack-application": "Slack app of the instance", "slack-slash-commands": "Slack slash commands", "mattermost-slash-commands": "Mattermost slash commands",
	"discord": "Discord",
}

type integrationEntity struct {
	ID                  int64         `json:"id"`
	Title               string        `json:"title"`
	Slug                string        `json:"slug"`
	CreatedAt           *httpapi.Time `json:"created_at"`
	UpdatedAt           *httpapi.Time `json:"updated_at"`
	Active              bool          `json:"active"`
	CommitEvents        bool          `json:"commit_events"`
	PushEvents          bool          `json:"push_events"`
	IssuesEvents        bool          `json:"issues_events"`
	ConfidentialIssues  bool          `json:"confidential_issues_events"`
	MergeRequestsEvents bool          `json:"merge_requests_events"`
	TagPushEvents       bool          `json:"tag_push_events"`
	NoteEvents          bool          `json:"note_events"`
	ConfidentialNotes   bool          `json:"confidential_note_events"`
	PipelineEvents      bool          `json:"pipeline_events"`
	WikiPageEvents      bool          `json:"wiki_page_events"`
	JobEvents           bool          `json:"job_events"`
	CommentOnEvent      bool          `json:"comment_on_event_enabled"`
	Inherited           bool          `json:"inherited"`
}

type integrationDetail struct {
	integrationEntity
	Properties gin.H `json:"properties"`
}

func integrationOf(slug string, in *models.ChatIntegration) integrationDetail {
	d := integrationDetail{integrationEntity{Slug: slug, Title: titles[slug], CommitEvents: true}, gin.H{}}
	if in != nil {
		d.ID, d.Active, d.CreatedAt, d.UpdatedAt = in.ID, in.Active, httpapi.TimeOf(&in.CreatedAt), httpapi.TimeOf(&in.UpdatedAt)
		d.Properties = gin.H{
			"channel_variable": in.ChannelVariable, "keep_ansi": in.KeepANSI, "reply_hosts": in.ReplyHosts, "token_set": in.TokenHash != "",
			"signing_secret_set": !in.SigningSecret.Empty(), "bot_token_set": !in.BotToken.Empty(),
			"app_token_set": !in.AppToken.Empty(), "server_url": in.ServerURL, "application_id": in.ApplicationID, "public_key": in.PublicKey, "quiet": in.Quiet,
			"team_id": in.TeamID, "alias": in.Alias,
		}
	}
	return d
}

func (s *Server) integrationRoutes(r routes) {
	for _, face := range []string{"integrations", "services"} {
		path := "/projects/:id/" + face
		r.get(path, project(access.AdminProject), s.listIntegrations)
		r.get(path+"/:slug", project(access.AdminProject), func(c *call) (any, error) {
			in, _, err := s.integration(c)
			return integrationOf(c.Param("slug"), in), err
		})
		r.put(path+"/:slug", project(access.AdminProject), with(s.putIntegration))
		r.delete(path+"/:slug", project(access.AdminProject), func(c *call) (any, error) {
			_, chat, err := s.integration(c)
			if err != nil {
				return nil, err
			}
			return nil, s.chat.RemoveIntegration(c.ctx(), c.actor, c.project, chat)
		})
		s.deliveryRoutes(r, path+"/:slug")
	}
}

func (s *Server) listIntegrations(c *call) (any, error) {
	out := []integrationEntity{}
	err := c.read(func(tx *models.Tx) error {
		rows, err := tx.Integrations(c.project.ID)
		for _, in := range rows {
			for slug, chat := range slugs {
				if chat == in.Chat && in.Active {
					out = append(out, integrationOf(slug, in).integrationEntity)
				}
			}
		}
		return err
	})
	return out, err
}

func (s *Server) integration(c *call) (in *models.ChatIntegration, chat enum.Chat, err error) {
	chat, known := slugs[c.Param("slug")]
	if !known {
		return nil, "", fault.New(fault.NotFound, "404 Integration Not Found")
	}
	err = c.read(func(tx *models.Tx) error {
		in, err = tx.Integration(c.project.ID, chat)
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil, chat, nil
	}
	return in, chat, err
}

type integrationParams struct {
	Token           string   `param:"token" max:"255"`
	SigningSecret   *string  `param:"signing_secret" max:"255"`
	BotToken        *string  `param:"bot_token" max:"255"`
	Active          *bool    `param:"active"`
	KeepANSI        *bool    `param:"keep_ansi"`
	ChannelVariable *string  `param:"channel_variable" values:"name id"`
	ReplyHosts      []string `param:"reply_hosts"`
	ServerURL       *string  `param:"server_url" max:"255"`
	AppToken        *string  `param:"app_token" max:"255"`
	ApplicationID   *string  `param:"application_id" max:"64"`
	PublicKey       *string  `param:"public_key" max:"64"`
	Quiet           *bool    `param:"quiet"`
	TeamID          *string  `param:"team_id" max:"64"`
	Alias           *string  `param:"alias" max:"255"`
}

func (s *Server) putIntegration(c *call, p *integrationParams) (any, error) {
	in, chat, err := s.integration(c)
	if err != nil {
		return nil, err
	}
	if in == nil && p.Token == "" && chat != enum.SlackApp && chat != enum.Discord && p.AppToken == nil {
		return nil, &httpapi.ParamError{Text: "token is missing"}
	}
	row, err := s.chat.SetIntegration(c.ctx(), c.actor, c.project, chat, chatops.IntegrationInput{
		Token: p.Token, SigningSecret: p.SigningSecret, BotToken: p.BotToken, Active: p.Active, KeepANSI: p.KeepANSI,
		ChannelVariable: p.ChannelVariable, ReplyHosts: p.ReplyHosts, ServerURL: p.ServerURL, AppToken: p.AppToken,
		ApplicationID: p.ApplicationID, PublicKey: p.PublicKey, Quiet: p.Quiet, TeamID: p.TeamID, Alias: p.Alias,
	})
	if err != nil {
		return nil, err
	}
	return integrationOf(c.Param("slug"), row), nil
}
