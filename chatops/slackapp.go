package chatops

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
)

// settingSlackApp is where the instance's Slack app lies, as JSON with sealed secrets.
const settingSlackApp = "slack_app"

// SlackApp is the one Slack app of the instance, whose command names the project (facts: chatops 1.2).
type SlackApp struct {
	Enabled          bool      `json:"enabled"`
	ID               string    `json:"id"` // the client id, as in GitLab's settings
	VerificationHash string    `json:"verification_hash"`
	Signing          string    `json:"signing"`                 // sealed
	ClientSecret     string    `json:"client_secret,omitempty"` // sealed
	AppToken         string    `json:"app_token,omitempty"`     // sealed; for Socket Mode
	UpdatedAt        time.Time `json:"updated_at"`
}

// Proves says whether requests can be proved genuine at all.
func (a SlackApp) Proves() bool {
	return a.VerificationHash != "" || a.Signing != "" || a.AppToken != ""
}

// Installable says whether the app can be installed by a button.
func (a SlackApp) Installable() bool { return a.Enabled && a.ID != "" && a.ClientSecret != "" }

// SlackAppInput changes it; nil stays as it is, and "" removes a secret.
type SlackAppInput struct {
	Enabled           *bool
	ID                *string
	VerificationToken *string
	SigningSecret     *string
	ClientSecret      *string
	AppToken          *string
}

// The places for which secrets of the app are sealed.
const (
	placeSigning      = settingSlackApp
	placeClientSecret = settingSlackApp + ".client_secret"
	placeAppToken     = settingSlackApp + ".app_token"
)

// SlackApp reads the instance's Slack app.
func (s *Service) SlackApp(ctx context.Context) (app SlackApp, err error) {
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		app, err = slackApp(tx)
		return err
	})
	return app, err
}

func slackApp(tx *models.Tx) (app SlackApp, err error) {
	text, err := tx.Setting(settingSlackApp)
	if err != nil || text == "" {
		return app, err
	}
	return app, json.Unmarshal([]byte(text), &app)
}

var clientID = regexp.MustCompile(`^[A-Za-z0-9._-]*$`)

// SetSlackApp changes the instance's Slack app.
func (s *Service) SetSlackApp(ctx context.Context, by access.Actor, n SlackAppInput) error {
	switch {
	case n == (SlackAppInput{}):
		return nil
	case n.ID != nil && !clientID.MatchString(*n.ID):
		return fault.Field("slack_app_id", "must be the client id that Slack shows, such as 1234567890.1234567890123")
	case n.AppToken != nil && *n.AppToken != "" && !strings.HasPrefix(*n.AppToken, "xapp-"):
		return fault.Field("slack_app_token", "must be an app-level token, which begins with xapp-")
	}
	return s.db.Write(ctx, func(tx *models.Tx) error {
		app, err := slackApp(tx)
		if err != nil {
			return err
		}
		if n.Enabled != nil {
			app.Enabled = *n.Enabled
		}
		if n.ID != nil {
			app.ID = *n.ID
		}
		if n.VerificationToken != nil {
			if app.VerificationHash = ""; *n.VerificationToken != "" {
				app.VerificationHash = secret.Hash(*n.VerificationToken)
			}
		}
		for place, given := range map[string]struct {
			value *string
			into  *string
		}{placeSigning: {n.SigningSecret, &app.Signing}, placeClientSecret: {n.ClientSecret, &app.ClientSecret}, placeAppToken: {n.AppToken, &app.AppToken}} {
			if given.value == nil {
				continue
			}
			if *given.into = ""; *given.value != "" {
				*given.into = s.keys.SealText(place, *given.value)
			}
		}
		app.UpdatedAt = tx.Now()
		raw, err := json.Marshal(app)
		if err != nil {
			return err
		}
		if err := tx.SetSetting(settingSlackApp, string(raw)); err != nil {
			return err
		}
		return tx.Audit(&models.AuditEvent{UserID: &by.User.ID, Action: "slack_app_updated", EntityType: "instance", Details: "slack_app", IPAddress: by.IP})
	})
}

// AppCommand says whether a slash command is genuine: by the verification token of the instance's app, or, if it has none, by its
// signature. A signature that is there must be right too, if the instance knows the app's secret.
func (s *Service) AppCommand(ctx context.Context, token string, hasSignature bool, signed func(signing string) bool) error {
	app, err := s.SlackApp(ctx)
	if err != nil {
		return err
	}
	hash := app.VerificationHash
	if hash == "" {
		hash = secret.Hash("")
	}
	known := secret.Matches(token, hash) && app.VerificationHash != ""
	genuine := false
	if app.Signing != "" {
		signing, err := s.keys.OpenText(placeSigning, app.Signing)
		if err != nil {
			return err
		}
		genuine = signed(signing)
	}
	switch {
	case !app.Enabled, app.Signing != "" && hasSignature && !genuine, app.VerificationHash != "" && !known, app.VerificationHash == "" && !genuine:
		return ErrNoIntegration
	}
	return nil
}

// AppSigned says whether a request is signed for the instance's app.
func (s *Service) AppSigned(ctx context.Context, signed func(signing string) bool) (bool, error) {
	app, err := s.SlackApp(ctx)
	if err != nil || !app.Enabled || app.Signing == "" {
		return false, err
	}
	signing, err := s.keys.OpenText(placeSigning, app.Signing)
	if err != nil {
		return false, err
	}
	return signed(signing), nil
}

// ReceiveFor takes a command of the instance's app: its first word names the project, the rest is the command.
func (s *Service) ReceiveFor(ctx context.Context, c Command) (Answer, error) {
	word, rest := cutWord(c.Text)
	if c.Text == "help" {
		return Answer{Text: "*Available commands*\n• `" + c.Trigger + " [project name or alias] help` lists what a project has\n" +
			"• `" + c.Trigger + " [project name or alias] run <job> <arguments>` runs a job and replies with its output"}, nil
	}
	if rest == "" {
		word, rest = "", c.Text
	}
	var in *models.ChatIntegration
	err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
		if in, err = tx.SlackAppProject(c.Workspace, word); err != nil {
			return err
		}
		return tx.InWorkspace(in, c.Workspace)
	})
	if errors.Is(err, models.ErrNotFound) {
		return Answer{Text: "GitLab error: project or alias not found"}, nil
	}
	if err != nil {
		return Answer{}, err
	}
	c.Text = rest
	if c.Deferred {
		return Answer{}, s.Defer(ctx, in, c)
	}
	return s.Receive(ctx, in, c)
}

// cutWord splits at the first blank, and only there: of two blanks the second one stays, as on GitLab.
func cutWord(text string) (word, rest string) {
	i := strings.IndexFunc(text, unicode.IsSpace)
	if i < 0 {
		return text, ""
	}
	return text[:i], text[i+1:]
}
