package chatops

import (
	"fmt"
	"regexp"
	"strings"

	"signalbox/models"
	"signalbox/models/enum"
)

// SlackScopes are what the bot of a Slack app may do, and why.
var SlackScopes = [][2]string{
	{"commands", "the slash command"},
	{"chat:write", "replies by the bot: the message that follows a job, and replies after 30 minutes"},
	{"files:write", "whole outputs and pictures as files"},
	{"app_mentions:read", "commands that mention the bot, which work in threads too"},
	{"im:history", "commands in direct messages to the bot"},
}

// SlackManifest describes a Slack app, in the words of Slack.
type SlackManifest struct {
	Display struct {
		Name        string `json:"name" yaml:"name"`
		Description string `json:"description" yaml:"description"`
		Background  string `json:"background_color" yaml:"background_color"`
	} `json:"display_information" yaml:"display_information"`
	Features struct {
		Home struct {
			Messages bool `json:"messages_tab_enabled" yaml:"messages_tab_enabled"`
			ReadOnly bool `json:"messages_tab_read_only_enabled" yaml:"messages_tab_read_only_enabled"`
		} `json:"app_home" yaml:"app_home"`
		Bot struct {
			Name   string `json:"display_name" yaml:"display_name"`
			Online bool   `json:"always_online" yaml:"always_online"`
		} `json:"bot_user" yaml:"bot_user"`
		Commands []slashCommand `json:"slash_commands" yaml:"slash_commands"`
	} `json:"features" yaml:"features"`
	OAuth struct {
		Redirects []string `json:"redirect_urls,omitempty" yaml:"redirect_urls,omitempty"`
		Scopes    struct {
			Bot []string `json:"bot" yaml:"bot"`
		} `json:"scopes" yaml:"scopes"`
	} `json:"oauth_config" yaml:"oauth_config"`
	Settings struct {
		Events struct {
			URL string   `json:"request_url,omitempty" yaml:"request_url,omitempty"`
			Bot []string `json:"bot_events" yaml:"bot_events"`
		} `json:"event_subscriptions" yaml:"event_subscriptions"`
		Interactivity struct {
			Enabled bool   `json:"is_enabled" yaml:"is_enabled"`
			URL     string `json:"request_url,omitempty" yaml:"request_url,omitempty"`
			Options string `json:"message_menu_options_url,omitempty" yaml:"message_menu_options_url,omitempty"`
		} `json:"interactivity" yaml:"interactivity"`
		Org      bool `json:"org_deploy_enabled" yaml:"org_deploy_enabled"`
		Socket   bool `json:"socket_mode_enabled" yaml:"socket_mode_enabled"`
		Rotation bool `json:"token_rotation_enabled" yaml:"token_rotation_enabled"`
	} `json:"settings" yaml:"settings"`
}

type slashCommand struct {
	Command     string `json:"command" yaml:"command"`
	URL         string `json:"url,omitempty" yaml:"url,omitempty"`
	Description string `json:"description" yaml:"description"`
	Hint        string `json:"usage_hint" yaml:"usage_hint"`
	Escape      bool   `json:"should_escape" yaml:"should_escape"`
}

var notTrigger = regexp.MustCompile(`[^a-z0-9_-]+`)

// TriggerWord is the word by which a chat calls a project, without its slash.
func TriggerWord(p *models.Project) string {
	word := strings.Trim(notTrigger.ReplaceAllString(strings.ToLower(p.Path), "-"), "-")
	if len(word) > 30 {
		word = strings.Trim(word[:30], "-")
	}
	if word == "" {
		return "ci"
	}
	return word
}

// UsageHint is what chats show behind the word.
const UsageHint = "run <job> <arguments>"

// SlackManifest is the app that commands of a project need: with our addresses, or for Socket Mode, which needs none.
func (s *Service) SlackManifest(p *models.Project, socket bool) SlackManifest {
	at := func(what string) string { return s.Endpoint(p, enum.Slack, what) }
	m := slackManifest("/"+TriggerWord(p), UsageHint, "jobs of "+p.FullPath, socket)
	if !socket {
		m.Features.Commands[0].URL, m.Settings.Events.URL, m.Settings.Interactivity.URL = at("trigger"), at("events"), at("interactions")
	}
	return m
}

// SlackAppManifest is the one app of the instance, which is installed by a button in any number of workspaces.
func (s *Service) SlackAppManifest(socket bool) SlackManifest {
	at := func(what string) string { return s.ci.URL() + "/api/v4/" + what }
	m := slackManifest("/signalbox", "<project> "+UsageHint, "CI jobs", socket)
	m.Settings.Events.Bot = append(m.Settings.Events.Bot, "app_uninstalled", "tokens_revoked")
	if socket {
		return m
	}
	m.OAuth.Redirects = []string{s.ci.URL()} // Slack takes what lies below it
	m.Features.Commands[0].URL, m.Settings.Events.URL = at("slack/trigger"), at("integrations/slack/events")
	m.Settings.Interactivity.URL, m.Settings.Interactivity.Options = at("integrations/slack/interactions"), at("integrations/slack/options")
	return m
}

// slackManifest is an app with one command, without addresses.
func slackManifest(command, hint, runs string, socket bool) (m SlackManifest) {
	m.Display.Name, m.Display.Background = "signalbox", "#15324a"
	m.Display.Description = cutTo("Runs "+strings.Replace(runs, "jobs of", "CI jobs of", 1), 140)
	m.Features.Home.Messages = true
	m.Features.Bot.Name, m.Features.Bot.Online = "signalbox", true
	m.Features.Commands = []slashCommand{{Command: command, Description: cutTo("Runs "+runs, 100), Hint: hint}}
	for _, scope := range SlackScopes {
		m.OAuth.Scopes.Bot = append(m.OAuth.Scopes.Bot, scope[0])
	}
	m.Settings.Events.Bot = []string{"app_mention", "message.im"}
	m.Settings.Interactivity.Enabled, m.Settings.Socket = true, socket
	return m
}

// MattermostCommand is a slash command as Mattermost's API makes it.
type MattermostCommand struct {
	TeamID       string `json:"team_id"` // to be filled in
	Trigger      string `json:"trigger"`
	Method       string `json:"method"`
	URL          string `json:"url"`
	DisplayName  string `json:"display_name"`
	Username     string `json:"username"`
	IconURL      string `json:"icon_url"`
	AutoComplete bool   `json:"auto_complete"`
	Hint         string `json:"auto_complete_hint"`
	Description  string `json:"auto_complete_desc"`
}

// MattermostCommand is the slash command that commands of a project need.
func (s *Service) MattermostCommand(p *models.Project) MattermostCommand {
	return MattermostCommand{
		TeamID: "TEAM_ID", Trigger: TriggerWord(p), Method: "P", URL: s.Endpoint(p, enum.Mattermost, "trigger"), DisplayName: "signalbox " + p.FullPath,
		Username: "signalbox", IconURL: s.BotIcon(), AutoComplete: true, Hint: "run job arguments", Description: "Runs jobs of " + p.FullPath,
	}
}

// BotIcon is where chats find a picture for the bot.
func (s *Service) BotIcon() string { return s.ci.URL() + "/assets/bot-512.png" }

func cutTo(s string, characters int) string {
	if r := []rune(s); len(r) > characters {
		return string(r[:characters-1]) + "…"
	}
	return s
}

// Endpoint is where a chat sends something of a project: trigger, interactions or events.
func (s *Service) Endpoint(p *models.Project, chat enum.Chat, what string) string {
	if chat == enum.Discord {
		return fmt.Sprintf("%s/api/v4/projects/%d/integrations/discord/%s", s.ci.URL(), p.ID, what)
	}
	return fmt.Sprintf("%s/api/v4/projects/%d/integrations/%s_slash_commands/%s", s.ci.URL(), p.ID, chat, what)
}
