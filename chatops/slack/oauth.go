package slack

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"signalbox/chatops"
)

const formType = "application/x-www-form-urlencoded"

// AuthorizeURL is Slack's page that asks whether the app may be installed, and in which workspace.
func (ch Chat) AuthorizeURL(g chatops.Grant) string {
	var scopes []string
	for _, s := range chatops.SlackScopes {
		scopes = append(scopes, s[0])
	}
	q := url.Values{"client_id": {g.ClientID}, "scope": {strings.Join(scopes, ",")}, "state": {g.State}, "redirect_uri": {g.Redirect}}
	return strings.TrimSuffix(ch.api(), "/api") + "/oauth/v2/authorize?" + q.Encode()
}

// oauthErrors are Slack's words for what is wrong with an installation, and what to do.
var oauthErrors = map[string]string{
	"invalid_client_id":         "the client id is not the app's",
	"bad_client_secret":         "the client secret is not the app's; copy it again",
	"bad_redirect_uri":          "the app does not know our address: add it to its redirect URLs, or take the manifest again",
	"invalid_code":              "its code is not good; begin the installation again",
	"code_already_used":         "its code was used before; begin the installation again",
	"invalid_team_for_non_dist": "the app may be installed in its own workspace alone until it is distributed",
}

// Exchange asks for the bot of the workspace with oauth.v2.access.
func (ch Chat) Exchange(ctx context.Context, p chatops.Poster, g chatops.Grant, code string) (chatops.Installed, error) {
	form := url.Values{"client_id": {g.ClientID}, "client_secret": {g.ClientSecret}, "code": {code}, "redirect_uri": {g.Redirect}}
	a, err := read(p.Do(ctx, chatops.Request{Address: ch.api() + "/oauth.v2.access", ContentType: formType, Body: []byte(form.Encode())}))
	if text := oauthErrors[a.Error]; err != nil && text != "" {
		return chatops.Installed{}, errors.New(text)
	}
	if err != nil {
		return chatops.Installed{}, err
	}
	got := chatops.Installed{Team: a.Team.ID, TeamName: a.Team.Name, App: a.AppID, BotUser: a.BotUserID, Bot: a.AccessToken, Scopes: a.Scope, Organization: a.Enterprise}
	if a.TokenType != "bot" || a.AccessToken == "" {
		return chatops.Installed{}, errors.New("the answer holds no bot's token; the app needs a bot user")
	}
	return got, nil
}

// Identify asks auth.test whose a token is.
func (ch Chat) Identify(ctx context.Context, p chatops.Poster, bot string) (chatops.Installed, error) {
	a, err := read(p.Do(ctx, chatops.Request{Address: ch.api() + "/auth.test", Authorization: "Bearer " + bot, ContentType: formType}))
	if err != nil {
		return chatops.Installed{}, err
	}
	if a.BotID == "" {
		return chatops.Installed{}, errors.New("it is a person's token, not a bot's")
	}
	return chatops.Installed{Team: a.TeamID, TeamName: a.Team.Name, BotUser: a.UserID, Bot: bot, Organization: a.Enterprise}, nil
}

// Revoke ends a token with auth.revoke.
func (ch Chat) Revoke(ctx context.Context, p chatops.Poster, bot string) error {
	_, err := read(p.Do(ctx, chatops.Request{Address: ch.api() + "/auth.revoke", Authorization: "Bearer " + bot, ContentType: formType}))
	return err
}
