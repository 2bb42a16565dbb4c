package chatops

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// IntegrationInput is what connects a project to a chat; nil and empty fields stay as they are.
type IntegrationInput struct {
	Token           string  // the slash command's; it must be given once
	SigningSecret   *string // Slack's; "" removes it
	BotToken        *string // "" removes it
	Active          *bool   // nil: on
	KeepANSI        *bool
	ChannelVariable *string // name or id
	ReplyHosts      []string
	ServerURL       *string // of the chat's own server
	AppToken        *string // Slack's for Socket Mode; "" removes it
	ApplicationID   *string // Discord's
	PublicKey       *string // Discord's
	TeamID          *string // of the instance's Slack app
	Alias           *string
	Quiet           *bool // no message that follows a running job
}

// SetIntegration connects a project to a chat, or changes how. Secrets are sealed or hashed, and never shown.
func (s *Service) SetIntegration(ctx context.Context, by access.Actor, p *models.Project, chat enum.Chat, n IntegrationInput) (*models.ChatIntegration, error) {
	in := &models.ChatIntegration{ProjectID: p.ID, Chat: chat, ChannelVariable: "name"}
	err := s.db.Read(ctx, func(tx *models.Tx) error {
		old, err := tx.Integration(p.ID, chat)
		if err == nil {
			in = old
		}
		return err
	})
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		return nil, err
	}
	team := in.TeamID
	if err := s.changeIntegration(in, n); err != nil {
		return nil, err
	}
	if n.TeamID != nil && (in.TeamID != team || by.Admin()) {
		in.TeamProved = by.Admin() && in.TeamID != ""
	}
	err = s.db.Write(ctx, func(tx *models.Tx) error {
		if err := tx.SaveIntegration(in); err != nil {
			return err
		}
		return tx.Audit(&models.AuditEvent{
			UserID: &by.User.ID, Action: "integration_set", EntityType: "project", EntityID: p.ID, Details: string(chat), IPAddress: by.IP,
		})
	})
	if errors.Is(err, models.ErrDuplicate) {
		return nil, fault.Field("alias", "has already been taken")
	}
	return in, err
}

// needsToken says whether a slash command's token is what proves requests: not where the instance's app, a signature or a
// connection of our own does.
func needsToken(in *models.ChatIntegration, n IntegrationInput) bool {
	socket := n.AppToken != nil && *n.AppToken != "" || !in.AppToken.Empty()
	return in.Chat != enum.SlackApp && in.Chat != enum.Discord && !socket
}

func (s *Service) changeIntegration(in *models.ChatIntegration, n IntegrationInput) error {
	switch {
	case n.Token != "":
		in.TokenHash = secret.Hash(n.Token)
	case in.TokenHash == "" && needsToken(in, n):
		return fault.Field("token", "can't be blank")
	}
	for name, given := range map[string]struct {
		value *string
		into  *secret.Sealed
	}{"signing_secret": {n.SigningSecret, &in.SigningSecret}, "bot_token": {n.BotToken, &in.BotToken}, "app_token": {n.AppToken, &in.AppToken}} {
		if given.value == nil {
			continue
		}
		if *given.into = (secret.Sealed{}); *given.value != "" {
			*given.into = s.keys.Seal(in.Place(name), *given.value)
		}
	}
	in.Active = n.Active == nil || *n.Active
	if n.KeepANSI != nil {
		in.KeepANSI = *n.KeepANSI
	}
	if n.ChannelVariable != nil {
		if *n.ChannelVariable != "name" && *n.ChannelVariable != "id" {
			return fault.Field("channel_variable", "must be name or id")
		}
		in.ChannelVariable = *n.ChannelVariable
	}
	if n.Quiet != nil {
		in.Quiet = *n.Quiet
	}
	if err := addresses(in, n); err != nil {
		return err
	}
	if in.Chat == enum.Discord && in.PublicKey == "" {
		return fault.Field("public_key", "can't be blank")
	}
	if in.Chat == enum.Discord && in.ApplicationID == "" {
		return fault.Field("application_id", "can't be blank")
	}
	for _, h := range n.ReplyHosts {
		if u, err := url.Parse("https://" + h); err != nil || u.Host != h || strings.ContainsAny(h, "/@") {
			return fault.Field("reply_hosts", "must be host or host:port each")
		}
	}
	if n.ReplyHosts != nil {
		in.ReplyHosts = n.ReplyHosts
	}
	signing, err := s.keys.Open(in.Place("signing_secret"), in.SigningSecret)
	if err != nil {
		return err
	}
	if n.Token != "" || n.SigningSecret != nil || n.PublicKey != nil {
		in.Credential = secret.Fingerprint(in.TokenHash, signing, in.PublicKey)
	}
	return nil
}

// addresses takes what names a chat's server and application.
func addresses(in *models.ChatIntegration, n IntegrationInput) error {
	if n.ServerURL != nil {
		u, err := url.Parse(*n.ServerURL)
		if *n.ServerURL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "") {
			return fault.Field("server_url", "must be an http address such as https://chat.example.com")
		}
		in.ServerURL = strings.TrimRight(*n.ServerURL, "/")
	}
	if n.TeamID != nil {
		in.TeamID = *n.TeamID
	}
	if n.Alias != nil {
		if strings.ContainsFunc(*n.Alias, unicode.IsSpace) {
			return fault.Field("alias", "must be one word")
		}
		in.Alias = *n.Alias
	}
	if n.ApplicationID != nil {
		in.ApplicationID = *n.ApplicationID
	}
	if n.PublicKey != nil {
		if raw, err := hex.DecodeString(*n.PublicKey); *n.PublicKey != "" && (err != nil || len(raw) != 32) {
			return fault.Field("public_key", "must be the 64 hexadecimal digits that Discord shows")
		}
		in.PublicKey = *n.PublicKey
	}
	return nil
}

// RemoveIntegration ends the connection of a project to a chat.
func (s *Service) RemoveIntegration(ctx context.Context, by access.Actor, p *models.Project, chat enum.Chat) error {
	err := s.db.Write(ctx, func(tx *models.Tx) error {
		in, err := tx.Integration(p.ID, chat)
		if err != nil {
			return err
		}
		if err := tx.DeleteIntegration(in.ID); err != nil {
			return err
		}
		return tx.Audit(&models.AuditEvent{
			UserID: &by.User.ID, Action: "integration_removed", EntityType: "project", EntityID: p.ID, Details: string(chat), IPAddress: by.IP,
		})
	})
	if errors.Is(err, models.ErrNotFound) {
		return fault.Missing("Integration")
	}
	return err
}

// Test says what can be told of a connection without the chat's help: what is set, whether the chat would
// reach us, and which commands it could give.
func (s *Service) Test(ctx context.Context, p *models.Project, chat enum.Chat) (string, error) {
	var in *models.ChatIntegration
	err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
		if in, err = tx.Integration(p.ID, chat); err != nil {
			return err
		}
		return inItsWorkspace(tx, in)
	})
	if errors.Is(err, models.ErrNotFound) {
		return "", fault.New(fault.Invalid, "Save the command's token first.")
	}
	if err != nil {
		return "", err
	}
	var found []string
	jobs, _, err := s.chatJobs(ctx, access.Actor{}, p, "")
	var asks *asksFirst
	switch {
	case errors.As(err, &asks):
		found = append(found, "This chat can run the pipeline with its inputs: "+asks.usage()+".")
	case err != nil:
		return "", fault.New(fault.Invalid, "The connection is set, but the project's configuration cannot be used: %s", fault.Message(err))
	case len(jobs) == 0:
		return "", fault.New(fault.Invalid, "The connection is set, but the configuration on %s has no job that a chat may run.", p.DefaultBranch)
	}
	var names []string
	for _, j := range jobs[:min(20, len(jobs))] {
		names = append(names, j.Name)
	}
	if len(names) > 0 {
		found = append(found, "This chat can run: "+strings.Join(names, ", ")+".")
	}
	registered, err := s.register(ctx, in)
	if err != nil {
		return "", fault.New(fault.Invalid, "The chat does not take the list of commands: %s", err)
	}
	if registered {
		found = append(found, "It knows the commands now.")
	}
	if u, err := url.Parse(s.ci.URL()); err == nil && u.Scheme != "https" && chat != enum.Mattermost {
		found = append(found, "It calls only https addresses, and ours is "+s.ci.URL()+": set --external-url once a proxy with TLS stands before signalbox.")
	}
	if !in.HasBot() {
		found = append(found, fmt.Sprintf("Without a bot token, replies that take over %d minutes stay on the command's page.", int(s.chats[chat].Traits().Window.Minutes())))
	}
	return strings.Join(found, " "), nil
}

// register tells a chat which commands there are, if it wants to know and there is a bot that can say so.
func (s *Service) register(ctx context.Context, in *models.ChatIntegration) (done bool, err error) {
	chat, ok := optional[Registrar](s, in.Chat)
	if !ok || !in.HasBot() {
		return false, nil
	}
	to := Target{App: in.ApplicationID}
	if to.Bot, err = s.botToken(in); err != nil {
		return false, err
	}
	return true, chat.Register(ctx, s.post, to)
}

// botToken opens the token of the bot that speaks for an integration; "" if there is none.
func (s *Service) botToken(in *models.ChatIntegration) (string, error) {
	token, place := in.Bot()
	return s.keys.Open(place, token)
}
