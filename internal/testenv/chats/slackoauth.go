package chats

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// slackCode is what an installation that was allowed brings back, for ten minutes and once.
type slackCode struct {
	team, redirect, scope string
	made                  time.Time
	used                  bool
}

var slackScopes = []string{"commands", "chat:write", "chat:write.public", "files:write", "app_mentions:read", "im:history", "users:read", "reactions:write"}

func bearer(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// asked checks the address of the page that asks whether the app may be installed.
func (s *Slack) asked(q url.Values) (problem string) {
	known := []string{"client_id", "scope", "user_scope", "state", "redirect_uri", "team"}
	for name, values := range q {
		if !slices.Contains(known, name) || len(values) != 1 {
			return "invalid_arguments: " + name
		}
	}
	redirect := q.Get("redirect_uri")
	switch {
	case q.Get("client_id") != s.ClientID:
		return "invalid_client_id"
	case q.Get("state") == "":
		return "no state: anybody could bring back an installation of theirs"
	case !slices.ContainsFunc(s.Redirects, func(r string) bool {
		return redirect == r || strings.HasPrefix(redirect, strings.TrimSuffix(r, "/")+"/")
	}):
		return "bad_redirect_uri"
	case q.Get("scope") == "":
		return "invalid_scope"
	}
	for _, scope := range strings.Split(q.Get("scope"), ",") {
		if !slices.Contains(slackScopes, scope) {
			return "invalid_scope"
		}
	}
	return ""
}

// allow makes the code of an installation, and the address to which the browser is led.
func (s *Slack) allow(q url.Values) string {
	code := fmt.Sprintf("code.%d.secret", s.next())
	s.codes[code] = &slackCode{team: s.Team, redirect: q.Get("redirect_uri"), scope: q.Get("scope"), made: s.Now()}
	return q.Get("redirect_uri") + "?" + url.Values{"code": {code}, "state": {q.Get("state")}}.Encode()
}

// Install is somebody who allows an installation in the workspace Team; the answer is where their browser is led.
func (s *Slack) Install(address string) string {
	s.t.Helper()
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, s.URL+"/oauth/v2/authorize?") {
		s.t.Fatalf("no page of Slack: %s", address)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if problem := s.asked(u.Query()); problem != "" {
		s.t.Fatalf("Slack shows %s for %s", problem, address)
	}
	return s.allow(u.Query())
}

// authorize is the page on which people decide.
func (s *Slack) authorize(r *http.Request, _ []byte) (int, any) {
	q := r.URL.Query()
	if problem := s.asked(q); problem != "" {
		s.complain("/oauth/v2/authorize: %s", problem)
		return 400, "<!doctype html><title>Slack</title><link rel=icon href=\"data:,\"><h1>Something went wrong</h1><p>" + html.EscapeString(problem)
	}
	no := q.Get("redirect_uri") + "?" + url.Values{"error": {"access_denied"}, "state": {q.Get("state")}}.Encode()
	return 200, fmt.Sprintf("<!doctype html><title>Slack</title><link rel=icon href=\"data:,\"><h1>signalbox asks to be added to %s</h1><a id=allow href=%q>Allow</a> <a id=cancel href=%q>Cancel</a>",
		s.Team, html.EscapeString(s.allow(q)), html.EscapeString(no))
}

// access is oauth.v2.access: a form in the body, the app's credentials there or as basic authentication, a code that serves once.
func (s *Slack) access(r *http.Request, body []byte) (int, any) {
	form, err := url.ParseQuery(string(body))
	if err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") || r.URL.RawQuery != "" {
		s.complain("oauth.v2.access %s with the query %q", r.Header.Get("Content-Type"), r.URL.RawQuery)
		return refuse("invalid_arguments")
	}
	for name, values := range form {
		if !slices.Contains([]string{"client_id", "client_secret", "code", "redirect_uri", "grant_type"}, name) || len(values) != 1 {
			s.complain("oauth.v2.access: %s", name)
			return refuse("invalid_arguments")
		}
	}
	id, secret, basic := r.BasicAuth()
	switch {
	case basic && form.Has("client_secret"), !basic && r.Header.Get("Authorization") != "":
		s.complain("oauth.v2.access with two kinds of credentials")
		return refuse("invalid_arguments")
	case !basic:
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	code := s.codes[form.Get("code")]
	switch {
	case id != s.ClientID:
		return refuse("invalid_client_id")
	case secret != s.ClientSecret:
		return refuse("bad_client_secret")
	case code == nil || s.Now().After(code.made.Add(10*time.Minute)):
		return refuse("invalid_code")
	case code.used:
		s.complain("oauth.v2.access with a code that was used")
		return refuse("code_already_used")
	case form.Get("redirect_uri") != code.redirect:
		s.complain("oauth.v2.access with the redirect_uri %q, not %q", form.Get("redirect_uri"), code.redirect)
		return refuse("bad_redirect_uri")
	}
	code.used = true
	token := fmt.Sprintf("xoxb-%s-%d", code.team, s.next())
	s.bots[token] = code.team
	return 200, map[string]any{
		"ok": true, "app_id": "A1", "authed_user": map[string]any{"id": "U1"}, "scope": code.scope, "token_type": "bot", "access_token": token,
		"bot_user_id": "B-" + code.team, "team": map[string]any{"id": code.team, "name": "The people of " + code.team}, "enterprise": nil, "is_enterprise_install": false,
	}
}

func (s *Slack) authTest(r *http.Request, _ []byte) (int, any) {
	team := s.bots[bearer(r)]
	return 200, map[string]any{
		"ok": true, "url": "https://team.slack.com/", "team": "The people of " + team, "user": "signalbox", "team_id": team, "user_id": "B-" + team,
		"bot_id": "BOT-" + team, "is_enterprise_install": false,
	}
}

func (s *Slack) authRevoke(r *http.Request, _ []byte) (int, any) {
	s.revoked[bearer(r)] = true
	return 200, map[string]any{"ok": true, "revoked": true}
}

// Revoked says whether the token of a bot is worth nothing any more.
func (s *Slack) Revoked(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revoked[token]
}
