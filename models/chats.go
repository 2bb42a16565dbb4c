package models

import (
	"fmt"
	"time"

	"signalbox/internal/secret"
	"signalbox/models/enum"
)

// ChatIntegration connects a project to a chat's slash command.
type ChatIntegration struct {
	ID              int64
	ProjectID       int64
	Chat            enum.Chat
	Active          bool
	TokenHash       string
	SigningSecret   secret.Sealed // Slack's; if set, requests must be signed
	BotToken        secret.Sealed // sends what a response address no longer takes
	ChannelVariable string        // name or id: what CHAT_CHANNEL holds
	KeepANSI        bool          `gorm:"column:keep_ansi"`
	ReplyHosts      []string      `gorm:"serializer:json"`   // further hosts that replies may go to
	ServerURL       string        `gorm:"column:server_url"` // of a chat that has servers of its own
	AppToken        secret.Sealed // Slack's for Socket Mode
	ApplicationID   string        // Discord's
	PublicKey       string        // Discord's, in hexadecimal digits
	TeamID          string        // the workspace of the instance's Slack app; "" is any
	TeamProved      bool          // whoever named the workspace showed that they may: they installed the app there, or administer the instance
	Alias           string        // what names the project in the commands of that app; "" is its path
	Quiet           bool          // no message that follows a running job
	Credential      string        // fingerprint of what requests prove themselves with
	CreatedAt       time.Time
	UpdatedAt       time.Time
	// Workspace is where the instance's Slack app speaks with a bot of its own; nil unless it was asked for.
	Workspace *SlackWorkspace `gorm:"-"`
}

// Place is what a secret of the integration is sealed for.
func (c *ChatIntegration) Place(field string) string {
	return fmt.Sprintf("chat_integrations.%s/%d/%s", field, c.ProjectID, c.Chat)
}

// ChatIdentity is a chat user linked to a signalbox user, for the commands of one integration: whoever knows
// an integration's token can write any chat user's name into a request, so a link made for one project must
// not count for another.
type ChatIdentity struct {
	ID            int64
	UserID        int64
	IntegrationID int64
	Chat          enum.Chat
	TeamID        string
	TeamDomain    string
	ChatUserID    string
	ChatUserName  string
	Credential    string // of the integration when the link was made or confirmed
	CreatedAt     time.Time
}

// ChatLink is a one-time page on which a chat user is linked.
type ChatLink struct {
	ID            int64
	TokenHash     string
	IntegrationID int64
	Chat          enum.Chat
	TeamID        string
	TeamDomain    string
	ChatUserID    string
	ChatUserName  string
	Confirms      *int64        // the identity whose commands it confirms; nil: it links
	ResponseURL   secret.Sealed // of the command that asked for it
	ChannelID     string
	ExpiresAt     time.Time
	CreatedAt     time.Time
}

// Place is what the response address is sealed for.
func (l *ChatLink) Place() string { return "chat_links.response_url/" + l.TokenHash }

// ChatCommand is a command that a chat gave, and what became of it.
type ChatCommand struct {
	ID              int64
	ProjectID       int64
	IntegrationID   *int64
	Chat            enum.Chat
	DeliveryKey     string
	TeamID          string
	TeamDomain      string
	ChannelID       string
	ChannelName     string
	Thread          string
	ChatUserID      string
	ChatUserName    string
	UserID          *int64
	TriggerWord     string
	Text            string
	ResponseURL     secret.Sealed
	Posts           int // how many of the response address's posts are spent
	State           enum.CommandState
	Acknowledgement string
	InChannel       bool // the acknowledgement is for everyone
	Deferred        bool // the chat's request was answered without it
	Answered        bool // the acknowledgement reached the chat as the answer to its request
	Refusal         string
	Fillable        bool // a form can ask for its arguments: it was refused for them, or its configuration takes some
	PipelineID      *int64
	JobID           *int64
	// DecidedPipelineID and DecidedJobID are what the first try found the command to be about; later tries act on that alone.
	DecidedPipelineID *int64
	DecidedJobID      *int64
	DecidedRef        string // and the commit that it is to run
	DecidedSHA        string `gorm:"column:decided_sha"`
	Turn              int64  // newest attempt of the pipeline when the button that was pressed was made; 0: it was no such button
	Reply             *string
	PrivateReply      *string // for the asker alone
	Whispered         bool    // the asker has it
	Rich              string  // JSON of the reply's blocks
	MessageID         string  // the bot's message that lives
	Shown             string  // fingerprint of what it shows
	ClaimedUntil      *time.Time
	DeliveryError     string
	CreatedAt         time.Time
	FinishedAt        *time.Time
}

// Place is what the response address is sealed for.
func (c *ChatCommand) Place() string { return "chat_commands.response_url/" + c.DeliveryKey }

// Ended says whether nothing more will happen to the command by itself.
func (c *ChatCommand) Ended() bool {
	return c.State != enum.CommandAccepted && c.State != enum.CommandRunning && c.State != enum.CommandWaiting
}

// Integration finds a project's integration with a chat.
func (tx *Tx) Integration(projectID int64, chat enum.Chat) (*ChatIntegration, error) {
	return first[ChatIntegration](tx.db.Where("project_id = ? AND chat = ?", projectID, chat))
}

// IntegrationByID finds an integration.
func (tx *Tx) IntegrationByID(id int64) (*ChatIntegration, error) {
	return first[ChatIntegration](tx.db.Where("id = ?", id))
}

// SocketIntegrations lists the active integrations with Slack that have an app token, a thousand at most.
func (tx *Tx) SocketIntegrations() ([]*ChatIntegration, error) {
	var rows []*ChatIntegration
	err := tx.db.Where("app_token IS NOT NULL AND chat = ? AND active", enum.Slack).Order("id").Limit(1000).Find(&rows).Error
	return rows, err
}

// SaveIntegration creates or updates an integration.
func (tx *Tx) SaveIntegration(c *ChatIntegration) error {
	c.UpdatedAt = tx.now()
	if c.ReplyHosts == nil {
		c.ReplyHosts = []string{}
	}
	if c.ID != 0 {
		return translate(tx.db.Save(c).Error)
	}
	c.CreatedAt = tx.now()
	return translate(tx.db.Create(c).Error)
}

// DeleteIntegration removes an integration.
func (tx *Tx) DeleteIntegration(id int64) error {
	return tx.db.Where("id = ?", id).Delete(&ChatIntegration{}).Error
}

// IdentityFor finds who a chat user is, for an integration. The instance's own app is proved by a secret that only
// administrators know: a link made for one of its projects counts for all.
func (tx *Tx) IdentityFor(in *ChatIntegration, teamID, chatUserID string) (*ChatIdentity, error) {
	if in.Chat == enum.SlackApp {
		return first[ChatIdentity](tx.db.Where("chat = ? AND team_id = ? AND chat_user_id = ?", enum.SlackApp, teamID, chatUserID).Order("id"))
	}
	return tx.Identity(in.ID, teamID, chatUserID)
}

// IdentityByID finds an identity.
func (tx *Tx) IdentityByID(id int64) (*ChatIdentity, error) {
	return first[ChatIdentity](tx.db.Where("id = ?", id))
}

// ConfirmIdentity stores that its user has seen what an integration's requests prove themselves with now.
func (tx *Tx) ConfirmIdentity(id int64, credential string) error {
	return tx.db.Model(&ChatIdentity{}).Where("id = ?", id).Update("credential", credential).Error
}

// SlackAppProject finds the integration with the instance's Slack app that a word names in a workspace: its alias, or the
// path of its project; "" is the first one.
func (tx *Tx) SlackAppProject(teamID, word string) (*ChatIntegration, error) {
	q := tx.db.Where("chat = ? AND active AND team_id IN ?", enum.SlackApp, []string{teamID, ""})
	if word != "" {
		q = q.Where("alias = ? OR alias = '' AND project_id IN (SELECT id FROM projects WHERE full_path = ?)", word, word)
	}
	return first[ChatIntegration](q.Order("id"))
}

// Identity finds who a chat user is, for an integration.
func (tx *Tx) Identity(integrationID int64, teamID, chatUserID string) (*ChatIdentity, error) {
	return first[ChatIdentity](tx.db.Where("integration_id = ? AND team_id = ? AND chat_user_id = ?", integrationID, teamID, chatUserID))
}

// SaveIdentity links a chat user, replacing an earlier link of it.
func (tx *Tx) SaveIdentity(i *ChatIdentity) error {
	old, err := tx.Identity(i.IntegrationID, i.TeamID, i.ChatUserID)
	if err == ErrNotFound {
		i.CreatedAt = tx.now()
		return translate(tx.db.Create(i).Error)
	}
	if err != nil {
		return err
	}
	i.ID, i.CreatedAt = old.ID, old.CreatedAt
	return tx.db.Save(i).Error
}

// Identities lists the chat accounts of a user.
func (tx *Tx) Identities(userID int64) ([]*ChatIdentity, error) {
	var rows []*ChatIdentity
	err := tx.db.Where("user_id = ?", userID).Order("id").Limit(1000).Find(&rows).Error
	return rows, err
}

// DeleteIdentity unlinks a chat account of a user; ErrNotFound if it has none of that id.
func (tx *Tx) DeleteIdentity(userID, id int64) error {
	res := tx.db.Where("id = ? AND user_id = ?", id, userID).Delete(&ChatIdentity{})
	if res.Error == nil && res.RowsAffected == 0 {
		return ErrNotFound
	}
	return res.Error
}

// Integrations lists a project's chat integrations.
func (tx *Tx) Integrations(projectID int64) ([]*ChatIntegration, error) {
	var rows []*ChatIntegration
	err := tx.db.Where("project_id = ?", projectID).Order("id").Find(&rows).Error
	return rows, err
}

// IntegrationsByID finds integrations, for lists.
func (tx *Tx) IntegrationsByID(ids []int64) (map[int64]*ChatIntegration, error) {
	out := map[int64]*ChatIntegration{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []*ChatIntegration
	err := tx.db.Where("id IN ?", ids).Find(&rows).Error
	for _, r := range rows {
		out[r.ID] = r
	}
	return out, err
}

// CreateLink stores a one-time link.
func (tx *Tx) CreateLink(l *ChatLink) error {
	l.CreatedAt = tx.now()
	return translate(tx.db.Create(l).Error)
}

// Link finds a one-time link that is still good.
func (tx *Tx) Link(hash string) (*ChatLink, error) {
	return first[ChatLink](tx.db.Where("token_hash = ? AND expires_at > ?", hash, tx.now()))
}

// UseLink removes a one-time link; false if somebody used it before.
func (tx *Tx) UseLink(id int64) (bool, error) {
	res := tx.db.Where("id = ?", id).Delete(&ChatLink{})
	return res.RowsAffected == 1, res.Error
}

// DeleteExpiredLinks removes links nobody used.
func (tx *Tx) DeleteExpiredLinks() error {
	return tx.db.Where("expires_at <= ?", tx.now()).Delete(&ChatLink{}).Error
}

// CreateCommand stores a command; ErrDuplicate if its delivery was stored before.
func (tx *Tx) CreateCommand(c *ChatCommand) error {
	c.CreatedAt = tx.now()
	return translate(tx.db.Create(c).Error)
}

// Command finds a command by id.
func (tx *Tx) Command(id int64) (*ChatCommand, error) {
	return first[ChatCommand](tx.db.Where("id = ?", id))
}

// CommandByDelivery finds a command by its delivery key.
func (tx *Tx) CommandByDelivery(key string) (*ChatCommand, error) {
	return first[ChatCommand](tx.db.Where("delivery_key = ?", key))
}

// CommandsByPipeline lists the commands that made a pipeline or tried it again, newest first.
func (tx *Tx) CommandsByPipeline(pipelineID int64) ([]*ChatCommand, error) {
	var rows []*ChatCommand
	err := tx.db.Where("pipeline_id = ?", pipelineID).Order("id DESC").Limit(100).Find(&rows).Error
	return rows, err
}

// ListCommands pages through a project's commands, newest first.
func (tx *Tx) ListCommands(projectID int64, p Page) ([]*ChatCommand, int64, error) {
	p.Descending = true
	return list[ChatCommand](tx.db.Model(&ChatCommand{}).Where("project_id = ?", projectID), "id", p)
}

// UpdateCommand stores all fields of c but those that have a way of their own, which others may change at the same time.
func (tx *Tx) UpdateCommand(c *ChatCommand) error {
	return tx.db.Omit("answered", "deferred", "posts", "message_id", "shown", "claimed_until", "whispered").Save(c).Error
}

// DecideCommand stores what a command is about, once: false if that was stored before, or the command is over.
func (tx *Tx) DecideCommand(id, pipelineID int64, jobID *int64) (bool, error) {
	res := tx.db.Model(&ChatCommand{}).Where("id = ? AND state = ? AND decided_pipeline_id IS NULL", id, enum.CommandAccepted).
		Updates(map[string]any{"decided_pipeline_id": pipelineID, "decided_job_id": jobID})
	return res.RowsAffected == 1, res.Error
}

// MarkAnswered notes that the chat has the acknowledgement.
func (tx *Tx) MarkAnswered(id int64) error {
	return tx.db.Model(&ChatCommand{}).Where("id = ?", id).Update("answered", true).Error
}

// Watched says whether a command waits for the end of a pipeline. It costs a look into an index.
func (tx *Tx) Watched(pipelineID int64) (bool, error) {
	return some(tx.db.Model(&ChatCommand{}).Where("pipeline_id = ? AND state = ?", pipelineID, enum.CommandRunning))
}

// DeferCommand notes that the chat's request was answered without the result; an answer that waits already goes out now.
func (tx *Tx) DeferCommand(id int64) error {
	if err := tx.db.Exec("UPDATE chat_commands SET deferred = TRUE WHERE id = ?", id).Error; err != nil {
		return err
	}
	return tx.db.Exec("UPDATE tasks SET run_at = ? WHERE key = ? AND run_at > ?", tx.now(), fmt.Sprintf("chat-acknowledge:%d", id), tx.now()).Error
}

// ClaimCommand holds a command for a while; false if somebody holds it.
func (tx *Tx) ClaimCommand(id int64, hold time.Duration) (bool, error) {
	res := tx.db.Exec("UPDATE chat_commands SET claimed_until = ? WHERE id = ? AND (claimed_until IS NULL OR claimed_until < ?)", tx.now().Add(hold), id, tx.now())
	return res.RowsAffected == 1, res.Error
}

// ReleaseCommand holds a command no longer.
func (tx *Tx) ReleaseCommand(id int64) error {
	return tx.db.Exec("UPDATE chat_commands SET claimed_until = NULL WHERE id = ?", id).Error
}

// MarkWhispered notes that the asker has what is for them alone.
func (tx *Tx) MarkWhispered(id int64) error {
	return tx.db.Exec("UPDATE chat_commands SET whispered = TRUE WHERE id = ?", id).Error
}

// ShowCommand notes the message that lives, and what it shows.
func (tx *Tx) ShowCommand(id int64, message, shown string) error {
	return tx.db.Exec("UPDATE chat_commands SET message_id = ?, shown = ? WHERE id = ?", message, shown, id).Error
}

// CountPost notes that one of the posts of a response address is spent.
func (tx *Tx) CountPost(id int64) error {
	return tx.db.Exec("UPDATE chat_commands SET posts = posts + 1 WHERE id = ?", id).Error
}

// EndCommands says of the commands of a pipeline that is deleted that no reply will come.
func (tx *Tx) EndCommands(pipelineID int64, reason string) error {
	return tx.db.Model(&ChatCommand{}).
		Where("pipeline_id = ? AND state IN ?", pipelineID, []enum.CommandState{enum.CommandAccepted, enum.CommandRunning}).
		Updates(map[string]any{"state": enum.CommandUndeliverable, "delivery_error": reason, "finished_at": tx.now()}).Error
}

// LastRun finds the newest command of a chat user in a channel that made a pipeline. The index by project bounds what is read.
func (tx *Tx) LastRun(c *ChatCommand) (*ChatCommand, error) {
	return first[ChatCommand](tx.db.Where("project_id = ? AND id < ? AND user_id = ? AND channel_id = ? AND pipeline_id IS NOT NULL",
		c.ProjectID, c.ID, c.UserID, c.ChannelID).Order("id DESC"))
}

// ReplyWaits says whether a reply that came before in the channel of a command could not be delivered yet.
func (tx *Tx) ReplyWaits(c *ChatCommand) (bool, error) {
	return some(tx.db.Model(&ChatCommand{}).Where("integration_id = ? AND channel_id = ? AND id < ? AND state = 'running' AND reply IS NOT NULL AND delivery_error <> ''",
		c.IntegrationID, c.ChannelID, c.ID))
}

// NextReply finds the command in the same channel whose reply is the next to wait.
func (tx *Tx) NextReply(c *ChatCommand) (*ChatCommand, error) {
	return first[ChatCommand](tx.db.Where("integration_id = ? AND channel_id = ? AND id > ? AND state = 'running' AND reply IS NOT NULL AND pipeline_id IS NOT NULL",
		c.IntegrationID, c.ChannelID, c.ID).Order("id"))
}

// RecentRuns lists the newest commands of a project before one that made a pipeline of one job.
func (tx *Tx) RecentRuns(projectID, before int64, limit int) ([]*ChatCommand, error) {
	var rows []*ChatCommand
	err := tx.db.Where("project_id = ? AND id < ? AND job_id IS NOT NULL", projectID, before).Order("id DESC").Limit(limit).Find(&rows).Error
	return rows, err
}
