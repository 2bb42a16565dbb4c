package web

import (
	"net/http"
	"strings"

	"signalbox/chatops"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

const slackAppAt = "/admin/slack"

// workspaceRow is a workspace as the page of the instance's app shows it.
type workspaceRow struct {
	*models.SlackWorkspace
	By      *models.User // nil: whoever it was is gone
	Lacking []string     // scopes that the bot was not granted
}

// lacking are the scopes that an installation of before did not ask for.
func lacking(granted string) (out []string) {
	if granted == "" {
		return nil // a bot that was pasted: nothing is known
	}
	for _, scope := range chatops.SlackScopes {
		if !strings.Contains(","+granted+",", ","+scope[0]+",") {
			out = append(out, scope[0])
		}
	}
	return out
}

func (s *Server) workspaceRows(r *request) ([]workspaceRow, error) {
	found, err := s.chat.SlackWorkspaces(r.Context())
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, w := range found {
		if w.InstalledBy != nil {
			ids = append(ids, *w.InstalledBy)
		}
	}
	rows := make([]workspaceRow, len(found))
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		people, err := tx.Users(ids)
		for i, w := range found {
			rows[i] = workspaceRow{SlackWorkspace: w, Lacking: lacking(w.Scopes)}
			if w.InstalledBy != nil {
				rows[i].By = people[*w.InstalledBy]
			}
		}
		return err
	})
	return rows, err
}

func (s *Server) slackAppPage(r *request, _ []string) error {
	app, err := s.chat.SlackApp(r.Context())
	if err != nil {
		return err
	}
	d := data{
		"Title": "Slack app", "App": app, "Verification": app.VerificationHash != "", "Signing": app.Signing != "", "Secret": app.ClientSecret != "",
		"Level": app.AppToken != "", "Secure": strings.HasPrefix(s.ci.URL(), "https://"), "Scopes": chatops.SlackScopes, "Redirect": s.chat.SlackRedirect(nil),
		"BotIcon": s.ci.URL() + "/assets/bot-512.png",
	}
	if d["Manifest"], err = manifestOf(s.chat.SlackAppManifest(false)); err != nil {
		return err
	}
	if d["Socket"], err = manifestOf(s.chat.SlackAppManifest(true)); err != nil {
		return err
	}
	if d["Rows"], err = s.workspaceRows(r); err != nil {
		return err
	}
	s.render(r, http.StatusOK, "slackapp", d)
	return nil
}

func (s *Server) setSlackApp(r *request, _ []string) error {
	on, id := r.PostFormValue("enabled") != "", strings.TrimSpace(r.PostFormValue("client_id"))
	n := chatops.SlackAppInput{Enabled: &on, ID: &id}
	for name, into := range map[string]**string{
		"token": &n.VerificationToken, "signing_secret": &n.SigningSecret, "client_secret": &n.ClientSecret, "app_token": &n.AppToken,
	} {
		v := strings.TrimSpace(r.PostFormValue(name))
		if v != "" || r.PostFormValue("no_"+name) != "" {
			*into = &v
		}
	}
	if err := s.chat.SetSlackApp(r.Context(), r.actor, n); err != nil {
		return perField(err)
	}
	s.say(r, "Saved. Now add the app to a workspace.")
	return s.to(r, slackAppAt)
}

// installSlackApp leads to Slack. It is a link and no form, because forms may lead nowhere but to our own pages.
func (s *Server) installSlackApp(r *request, _ []string) error {
	return s.beginInstall(r, nil, slackAppAt)
}

func (s *Server) beginInstall(r *request, p *models.Project, back string) error {
	address, err := s.chat.BeginSlackInstall(r.Context(), r.actor, p)
	if err != nil {
		return s.refusedAt(r, back, err)
	}
	return s.to(r, address)
}

func (s *Server) slackAppInstalled(r *request, _ []string) error {
	return s.endInstall(r, nil, slackAppAt)
}

func (s *Server) endInstall(r *request, p *models.Project, back string) error {
	q := r.URL.Query()
	w, err := s.chat.EndSlackInstall(r.Context(), r.actor, p, q.Get("state"), q.Get("code"), q.Get("error"))
	if err != nil {
		return s.refusedAt(r, back, err)
	}
	s.say(r, "The app is in the workspace "+w.Name+". Invite its bot to a channel: /invite @signalbox.")
	return s.to(r, back) // code and state leave the address
}

func (s *Server) addSlackBot(r *request, _ []string) error {
	w, err := s.chat.AddSlackBot(r.Context(), r.actor, strings.TrimSpace(r.PostFormValue("bot_token")))
	if err != nil {
		return perField(err)
	}
	s.say(r, "The bot of the workspace "+w.Name+" is kept.")
	return s.to(r, slackAppAt)
}

func (s *Server) removeSlackWorkspace(r *request, args []string) error {
	revoked, err := s.chat.RemoveSlackWorkspace(r.Context(), r.actor, args[0])
	if err != nil {
		return err
	}
	text := "The bot of the workspace is forgotten, and its token is worth nothing any more."
	if !revoked {
		text = "The bot of the workspace is forgotten. Slack could not be told; remove the app there too."
	}
	s.say(r, text)
	return s.to(r, slackAppAt)
}

// shareSlackManifest and downloadSlackManifest stand at GitLab's addresses.
func (s *Server) shareSlackManifest(r *request, _ []string) error {
	m, err := manifestOf(s.chat.SlackAppManifest(false))
	if err != nil {
		return err
	}
	return s.to(r, m.Create)
}

func (s *Server) downloadSlackManifest(r *request, _ []string) error {
	m, err := manifestOf(s.chat.SlackAppManifest(false))
	if err != nil {
		return err
	}
	r.w.Header().Set("Content-Type", "application/json")
	r.w.Header().Set("Content-Disposition", httpapi.Disposition("attachment", "slack_manifest.json"))
	_, err = r.w.Write([]byte(m.JSON))
	return err
}
