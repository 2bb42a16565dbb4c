package models

import (
	"time"

	"signalbox/internal/secret"
	"signalbox/models/enum"
)

// SlackWorkspace is a workspace in which the instance's Slack app is installed, with the bot that Slack gave it there.
type SlackWorkspace struct {
	TeamID      string `gorm:"primaryKey"`
	Name        string
	AppID       string
	BotUserID   string
	Scopes      string // with commas between them, as Slack granted them
	BotToken    secret.Sealed
	Shared      bool   // an administrator installed it: every project with the app may write to its channels by itself
	InstalledBy *int64 // the user who did
	InstalledAt time.Time
}

// Place is what the token of the workspace's bot is sealed for.
func (w *SlackWorkspace) Place() string { return "slack_workspaces.bot_token/" + w.TeamID }

// SlackInstall is an installation that somebody began: what Slack brings back proves that they did, once.
type SlackInstall struct {
	StateHash string `gorm:"primaryKey"`
	UserID    int64
	ProjectID *int64 // nil: for the instance
	ExpiresAt time.Time
}

// Bot is the sealed token of the bot that speaks for the integration, and what it is sealed for: the one of the workspace, if
// the instance's app has one there, else the integration's own.
func (c *ChatIntegration) Bot() (token secret.Sealed, place string) {
	if c.Workspace != nil && !c.Workspace.BotToken.Empty() {
		return c.Workspace.BotToken, c.Workspace.Place()
	}
	return c.BotToken, c.Place("bot_token")
}

// HasBot says whether a bot speaks for the integration.
func (c *ChatIntegration) HasBot() bool {
	token, _ := c.Bot()
	return !token.Empty()
}

// SlackWorkspace finds a workspace with the instance's app.
func (tx *Tx) SlackWorkspace(teamID string) (*SlackWorkspace, error) {
	return first[SlackWorkspace](tx.db.Where("team_id = ?", teamID))
}

// SlackWorkspaces lists the workspaces with the instance's app, a thousand at most.
func (tx *Tx) SlackWorkspaces() ([]*SlackWorkspace, error) {
	var rows []*SlackWorkspace
	err := tx.db.Order("name, team_id").Limit(1000).Find(&rows).Error
	return rows, err
}

// SaveSlackWorkspace stores a workspace, in the place of an earlier installation there.
func (tx *Tx) SaveSlackWorkspace(w *SlackWorkspace) error { return tx.db.Save(w).Error }

// DeleteSlackWorkspace forgets a workspace, if it was installed no later than a time; false if it was not there, or is newer.
func (tx *Tx) DeleteSlackWorkspace(teamID string, until time.Time) (bool, error) {
	res := tx.db.Where("team_id = ? AND installed_at <= ?", teamID, until).Delete(&SlackWorkspace{})
	return res.RowsAffected == 1, res.Error
}

// InWorkspace gives an integration of the instance's app the bot of a workspace, if there is one.
func (tx *Tx) InWorkspace(in *ChatIntegration, teamID string) error {
	in.Workspace = nil
	if in.Chat != enum.SlackApp || teamID == "" {
		return nil
	}
	w, err := tx.SlackWorkspace(teamID)
	if err == ErrNotFound {
		return nil
	}
	in.Workspace = w
	return err
}

// IntegrationOf finds the integration that took a command, with the bot of the command's workspace.
func (tx *Tx) IntegrationOf(c *ChatCommand) (*ChatIntegration, error) {
	if c.IntegrationID == nil {
		return nil, ErrNotFound
	}
	in, err := tx.IntegrationByID(*c.IntegrationID)
	if err != nil {
		return nil, err
	}
	return in, tx.InWorkspace(in, c.TeamID)
}

// CreateSlackInstall stores that an installation begins. Those that nobody ended in time go.
func (tx *Tx) CreateSlackInstall(i *SlackInstall) error {
	if err := tx.db.Where("expires_at <= ?", tx.now()).Delete(&SlackInstall{}).Error; err != nil {
		return err
	}
	return translate(tx.db.Create(i).Error)
}

// TakeSlackInstall finds an installation that began and ends it, so that it serves once; ErrNotFound if there is none in time.
func (tx *Tx) TakeSlackInstall(hash string) (*SlackInstall, error) {
	i, err := first[SlackInstall](tx.db.Where("state_hash = ? AND expires_at > ?", hash, tx.now()))
	if err != nil {
		return nil, err
	}
	res := tx.db.Where("state_hash = ?", hash).Delete(&SlackInstall{})
	if res.Error == nil && res.RowsAffected == 0 {
		return nil, ErrNotFound
	}
	return i, res.Error
}
