package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/goccy/go-yaml"

	"signalbox/chatops"
	"signalbox/models"
	"signalbox/models/enum"
)

// manifest is a Slack app in both notations, ready to paste, and the address at which Slack makes it.
type manifest struct{ YAML, JSON, Create string }

func manifestOf(app chatops.SlackManifest) (m manifest, err error) {
	asYAML, err := yaml.MarshalWithOptions(app, yaml.IndentSequence(true))
	if err != nil {
		return m, err
	}
	var asJSON strings.Builder
	e := json.NewEncoder(&asJSON)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(app); err != nil {
		return m, err
	}
	create := "https://api.slack.com/apps?" + url.Values{"new_app": {"1"}, "manifest_yaml": {string(asYAML)}}.Encode()
	return manifest{strings.TrimSpace(string(asYAML)), strings.TrimSpace(asJSON.String()), create}, nil
}

// quoted is a text as a word of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// mattermostLines make the command from a shell.
func (s *Server) mattermostLines(p *models.Project, server string) (mmctl, bot, curl string, err error) {
	c := s.chat.MattermostCommand(p)
	mmctl = fmt.Sprintf("mmctl command create TEAM --creator YOUR_NAME --trigger-word %s --post \\\n  --url %s \\\n  --title %s --response-username signalbox --icon %s \\\n  --autocomplete --autocompleteHint %s --autocompleteDesc %s",
		c.Trigger, quoted(c.URL), quoted(c.DisplayName), quoted(c.IconURL), quoted(chatops.UsageHint), quoted(c.Description))
	bot = "mmctl bot create signalbox --display-name signalbox --with-token\nmmctl team users add TEAM signalbox"
	body, err := json.MarshalIndent(c, "", "  ")
	if server == "" {
		server = "https://chat.example.com"
	}
	curl = fmt.Sprintf("curl -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\\n  -d %s \\\n  %s", quoted(string(body)), quoted(server+"/api/v4/commands"))
	return mmctl, bot, curl, err
}

func (s *Server) chatSetUp(r *request, c *inside) error {
	for _, k := range chats {
		if k.Slug != c.args[0] {
			continue
		}
		var in *models.ChatIntegration
		err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
			in, err = tx.Integration(c.project.ID, k.Chat)
			return err
		})
		if err != nil && !errors.Is(err, models.ErrNotFound) {
			return err
		}
		d := data{
			"Title": k.Name, "Chat": k, "Integration": in, "BotIcon": s.chat.BotIcon(), "Trigger": chatops.TriggerWord(c.project), "Hint": chatops.UsageHint,
			"At": "/" + c.project.FullPath + "/-/settings/integrations/" + k.Slug, "Address": s.chat.Endpoint(c.project, k.Chat, "trigger"), "Scopes": chatops.SlackScopes,
			"Secure": strings.HasPrefix(s.ci.URL(), "https://"),
		}
		server := ""
		if in != nil {
			server = in.ServerURL
			d["Signing"], d["Bot"], d["App"] = !in.SigningSecret.Empty(), !in.BotToken.Empty(), !in.AppToken.Empty()
			if d["Deliveries"], err = s.chatDeliveries(r, in); err != nil {
				return err
			}
		}
		if d["KeptOut"], err = s.chat.KeepsDevelopersOut(r.Context(), c.project); err != nil {
			return err
		}
		d["Branch"] = c.project.DefaultBranch
		app, err := s.chat.SlackApp(r.Context())
		if err != nil {
			return err
		}
		d["AppOn"] = app.Enabled && app.Proves()
		if err := s.setUpData(d, c.project, k.Chat, server); err != nil {
			return err
		}
		return s.show(r, c, "chat", d)
	}
	return notFound(r)
}

func (s *Server) setUpData(d data, p *models.Project, chat enum.Chat, server string) (err error) {
	switch chat {
	case enum.Slack:
		if d["Manifest"], err = manifestOf(s.chat.SlackManifest(p, false)); err == nil {
			d["Socket"], err = manifestOf(s.chat.SlackManifest(p, true))
		}
	case enum.Discord:
		d["Address"] = s.chat.Endpoint(p, chat, "interactions")
	case enum.Mattermost:
		d["Mmctl"], d["MmctlBot"], d["Curl"], err = s.mattermostLines(p, server)
	}
	return err
}

// integrationForm reads the form of a chat's settings. Empty secrets stay as they are; what is not in the form does too.
func integrationForm(r *request) chatops.IntegrationInput {
	n := chatops.IntegrationInput{Token: strings.TrimSpace(r.PostFormValue("token"))}
	for name, into := range map[string]**string{"signing_secret": &n.SigningSecret, "bot_token": &n.BotToken, "app_token": &n.AppToken} {
		v := strings.TrimSpace(r.PostFormValue(name))
		if v != "" || r.PostFormValue("no_"+name) != "" {
			*into = &v
		}
	}
	for name, into := range map[string]**string{
		"channel_variable": &n.ChannelVariable, "server_url": &n.ServerURL, "application_id": &n.ApplicationID, "public_key": &n.PublicKey,
	} {
		if v := strings.TrimSpace(r.PostFormValue(name)); r.PostForm.Has(name) {
			*into = &v
		}
	}
	if r.PostForm.Has("reply_hosts") {
		n.ReplyHosts = append([]string{}, strings.Fields(strings.ReplaceAll(r.PostFormValue("reply_hosts"), ",", " "))...)
	}
	if r.PostFormValue("all") == "" {
		return n
	}
	for name, into := range map[string]**bool{"active": &n.Active, "keep_ansi": &n.KeepANSI, "quiet": &n.Quiet} {
		on := r.PostFormValue(name) != ""
		*into = &on
	}
	return n
}

func (s *Server) setChat(r *request, c *inside) error {
	for _, k := range chats {
		if k.Slug != c.args[0] {
			continue
		}
		if _, err := s.chat.SetIntegration(r.Context(), r.actor, c.project, k.Chat, integrationForm(r)); err != nil {
			return err
		}
		s.say(r, "Saved. Press “Test” to try the connection from here, then give the command in "+k.Name+".")
		return s.to(r, "/"+c.project.FullPath+"/-/settings/integrations/"+k.Slug)
	}
	return notFound(r)
}
