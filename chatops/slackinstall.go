package chatops

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// Installer is a chat whose app is installed in workspaces, which gives it a bot there.
type Installer interface {
	// AuthorizeURL is the page of the chat that asks whether the app may be installed.
	AuthorizeURL(g Grant) string
	// Exchange changes what that page brings back for the bot of the workspace.
	Exchange(ctx context.Context, p Poster, g Grant, code string) (Installed, error)
	// Identify says which workspace a bot belongs to.
	Identify(ctx context.Context, p Poster, bot string) (Installed, error)
	// Revoke makes the token of a bot worthless.
	Revoke(ctx context.Context, p Poster, bot string) error
}

// Grant is what an installation is asked for with.
type Grant struct{ ClientID, ClientSecret, State, Redirect string }

// Installed is what a chat tells of an installation.
type Installed struct {
	Team, TeamName, App, BotUser, Bot, Scopes string
	Organization                              bool // for all workspaces of an organization at once
}

// installTime is how long an installation may take.
const installTime = 10 * time.Minute

var (
	errInstallState = fault.New(fault.Forbidden, "This installation was not begun by you here, was ended before, or took longer than 10 minutes. Begin it again.")
	errNoInstall    = fault.New(fault.Invalid, "The instance's Slack app cannot be installed yet: an administrator has to switch it on and save its client ID and client secret.")
)

// SlackRedirect is where Slack leads back to after an installation, at GitLab's addresses.
func (s *Service) SlackRedirect(p *models.Project) string {
	if p == nil {
		return s.ci.URL() + "/admin/application_settings/slack/slack_auth"
	}
	return s.ci.URL() + "/" + p.FullPath + "/-/settings/slack/slack_auth"
}

func (s *Service) installer() Installer {
	i, _ := optional[Installer](s, enum.SlackApp)
	return i
}

// BeginSlackInstall gives the page of Slack on which the instance's app is installed in a workspace, for a project or, if p is nil, for all
// of them. What Slack brings back is good once, for ten minutes, and for whoever began.
func (s *Service) BeginSlackInstall(ctx context.Context, by access.Actor, p *models.Project) (address string, err error) {
	app, err := s.SlackApp(ctx)
	if err != nil {
		return "", err
	}
	if !app.Installable() {
		return "", errNoInstall
	}
	state := secret.NewToken("")
	err = s.db.Write(ctx, func(tx *models.Tx) error {
		i := &models.SlackInstall{StateHash: secret.Hash(state), UserID: by.User.ID, ExpiresAt: tx.Now().Add(installTime)}
		if p != nil {
			i.ProjectID = &p.ID
		}
		return tx.CreateSlackInstall(i)
	})
	return s.installer().AuthorizeURL(Grant{ClientID: app.ID, State: state, Redirect: s.SlackRedirect(p)}), err
}

// EndSlackInstall takes what Slack brought back: whoever began an installation has the bot of its workspace kept. denied is Slack's word for
// why there is nothing, "" if there is.
func (s *Service) EndSlackInstall(ctx context.Context, by access.Actor, p *models.Project, state, code, denied string) (*models.SlackWorkspace, error) {
	err := s.db.Write(ctx, func(tx *models.Tx) error {
		i, err := tx.TakeSlackInstall(secret.Hash(state))
		if errors.Is(err, models.ErrNotFound) {
			return errInstallState
		}
		if err != nil {
			return err
		}
		if i.UserID != by.User.ID || (i.ProjectID == nil) != (p == nil) || p != nil && *i.ProjectID != p.ID {
			return errInstallState
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case denied == "access_denied":
		return nil, fault.New(fault.Invalid, "Slack was told not to install the app; nothing was changed.")
	case denied != "" || code == "":
		return nil, fault.New(fault.Invalid, "Slack did not install the app; nothing was changed. Begin again.")
	}
	app, err := s.SlackApp(ctx)
	if err != nil {
		return nil, err
	}
	if !app.Installable() {
		return nil, errNoInstall
	}
	g := Grant{ClientID: app.ID, Redirect: s.SlackRedirect(p)}
	if g.ClientSecret, err = s.keys.OpenText(placeClientSecret, app.ClientSecret); err != nil {
		return nil, err
	}
	got, err := s.installer().Exchange(ctx, s.post, g, code)
	if err != nil {
		return nil, fault.New(fault.Unprocessable, "Slack did not give the app its bot: %s", err)
	}
	return s.keepWorkspace(ctx, by, p, got)
}

// AddSlackBot keeps the bot of a workspace in which the instance's app was installed by hand.
func (s *Service) AddSlackBot(ctx context.Context, by access.Actor, bot string) (*models.SlackWorkspace, error) {
	if bot == "" {
		return nil, fault.Field("bot_token", "can't be blank")
	}
	got, err := s.installer().Identify(ctx, s.post, bot)
	if err != nil {
		return nil, fault.Field("bot_token", "is not taken by Slack: %s", err)
	}
	return s.keepWorkspace(ctx, by, nil, got)
}

// keepWorkspace stores the bot of a workspace. An administrator opens it for all projects; a project's keeper connects the project to it.
func (s *Service) keepWorkspace(ctx context.Context, by access.Actor, p *models.Project, got Installed) (*models.SlackWorkspace, error) {
	if got.Organization || got.Team == "" {
		return nil, fault.New(fault.Invalid, "Slack installed the app for a whole organization; install it in one workspace after the other.")
	}
	w := &models.SlackWorkspace{TeamID: got.Team, Name: got.TeamName, AppID: got.App, BotUserID: got.BotUser, Scopes: got.Scopes, InstalledBy: &by.User.ID}
	w.BotToken = s.keys.Seal(w.Place(), got.Bot)
	err := s.db.Write(ctx, func(tx *models.Tx) error {
		old, err := tx.SlackWorkspace(w.TeamID)
		if notThere(err) != nil {
			return err
		}
		w.Shared, w.InstalledAt = p == nil || old != nil && old.Shared, tx.Now()
		if err := tx.SaveSlackWorkspace(w); err != nil {
			return err
		}
		event := &models.AuditEvent{UserID: &by.User.ID, Action: "slack_app_installed", EntityType: "instance", Details: w.TeamID + " " + w.Name, IPAddress: by.IP}
		if p == nil {
			return tx.Audit(event)
		}
		event.EntityType, event.EntityID = "project", p.ID
		return errors.Join(connectProject(tx, p, w.TeamID), tx.Audit(event))
	})
	if errors.Is(err, models.ErrDuplicate) {
		return nil, fault.New(fault.Conflict, "Another project of this workspace has the same alias; change the alias, and install again.")
	}
	return w, err
}

// connectProject lets a workspace's commands reach a project.
func connectProject(tx *models.Tx, p *models.Project, team string) error {
	in, err := tx.Integration(p.ID, enum.SlackApp)
	if errors.Is(err, models.ErrNotFound) {
		in, err = &models.ChatIntegration{ProjectID: p.ID, Chat: enum.SlackApp, ChannelVariable: "name", Active: true}, nil
	}
	if err != nil {
		return err
	}
	in.TeamID, in.TeamProved = team, true
	return tx.SaveIntegration(in)
}

// SlackWorkspaces lists the workspaces in which the instance's app has a bot.
func (s *Service) SlackWorkspaces(ctx context.Context) (rows []*models.SlackWorkspace, err error) {
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		rows, err = tx.SlackWorkspaces()
		return err
	})
	return rows, err
}

// RemoveSlackWorkspace forgets the bot of a workspace, and tells Slack that its token is worth nothing any more. revoked says whether Slack took that.
func (s *Service) RemoveSlackWorkspace(ctx context.Context, by access.Actor, team string) (revoked bool, err error) {
	var bot string
	err = s.db.Write(ctx, func(tx *models.Tx) error {
		w, err := tx.SlackWorkspace(team)
		if errors.Is(err, models.ErrNotFound) {
			return fault.Missing("Workspace")
		}
		if err != nil {
			return err
		}
		if bot, err = s.keys.Open(w.Place(), w.BotToken); err != nil {
			bot = "" // sealed with another key: there is nothing to revoke
		}
		if _, err := tx.DeleteSlackWorkspace(team, tx.Now()); err != nil {
			return err
		}
		return tx.Audit(&models.AuditEvent{UserID: &by.User.ID, Action: "slack_app_removed", EntityType: "instance", Details: team + " " + w.Name, IPAddress: by.IP})
	})
	if err != nil || bot == "" {
		return false, err
	}
	if err := s.installer().Revoke(ctx, s.post, bot); err != nil {
		s.log.WarnContext(ctx, "slack was not told that a bot's token is given up", "workspace", team, "error", err)
		return false, nil
	}
	return true, nil
}

// SlackUninstalled forgets the bot of a workspace that Slack says is gone. Slack repeats what it thinks was lost: an older word does not
// end a newer installation.
func (s *Service) SlackUninstalled(ctx context.Context, team string, at time.Time) error {
	return s.db.Write(ctx, func(tx *models.Tx) error {
		// Slack tells whole seconds.
		gone, err := tx.DeleteSlackWorkspace(team, at.Add(time.Second))
		if err != nil || !gone {
			return err
		}
		return tx.Audit(&models.AuditEvent{Action: "slack_app_uninstalled", EntityType: "instance", Details: fmt.Sprintf("%s, by Slack", team)})
	})
}
