package chatops

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"unicode"

	"signalbox/internal/secret"
	"signalbox/models"
)

// settingSlackApp is where the instance's Slack app lies, as JSON with sealed secrets.
const settingSlackApp = "slack_app"

// SlackApp is the one Slack app of the instance, whose command names the project (facts: chatops 1.2).
type SlackApp struct {
	Enabled          bool   `json:"enabled"`
	ID               string `json:"id"`
	VerificationHash string `json:"verification_hash"`
	Signing          string `json:"signing"` // sealed
}

// SlackAppInput changes it; nil stays as it is.
type SlackAppInput struct {
	Enabled           *bool
	ID                *string
	VerificationToken *string
	SigningSecret     *string
}

// SlackApp reads the instance's Slack app.
func (s *Service) SlackApp(ctx context.Context) (app SlackApp, err error) {
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		text, err := tx.Setting(settingSlackApp)
		if err != nil || text == "" {
			return err
		}
		return json.Unmarshal([]byte(text), &app)
	})
	return app, err
}

// SetSlackApp changes the instance's Slack app.
func (s *Service) SetSlackApp(ctx context.Context, n SlackAppInput) error {
	if n == (SlackAppInput{}) {
		return nil
	}
	app, err := s.SlackApp(ctx)
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
	if n.SigningSecret != nil {
		if app.Signing = ""; *n.SigningSecret != "" {
			app.Signing = s.keys.SealText(settingSlackApp, *n.SigningSecret)
		}
	}
	raw, err := json.Marshal(app)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *models.Tx) error { return tx.SetSetting(settingSlackApp, string(raw)) })
}

// AppByToken says whether a request has the verification token of the instance's app.
func (s *Service) AppByToken(ctx context.Context, token string) error {
	app, err := s.SlackApp(ctx)
	if err != nil {
		return err
	}
	hash := app.VerificationHash
	if hash == "" {
		hash = secret.Hash("")
	}
	if known := secret.Matches(token, hash); !known || !app.Enabled || app.VerificationHash == "" {
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
	signing, err := s.keys.OpenText(settingSlackApp, app.Signing)
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
