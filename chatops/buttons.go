package chatops

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// Button does something with a job when it is pressed, as whoever presses it.
type Button struct {
	ID    string // names what it does and with which attempt, in letters and digits: a place in the message is no identity
	Label string
	Style ButtonStyle
	Value string // what comes back; a seal that only we can make
}

// ButtonStyle is how a button looks.
type ButtonStyle string

// The styles.
const (
	Plain   ButtonStyle = ""
	Primary ButtonStyle = "primary"
	Danger  ButtonStyle = "danger"
)

// againVerb begins the text of a button that gives a command again, before the command's number. No command begins so.
const againVerb = "again "

// buttonTrigger stands where the word of a slash command would: the command was a press.
const buttonTrigger = "button"

func buttonPlace(in *models.ChatIntegration) string { return fmt.Sprintf("chat_button/%d", in.ID) }

// buttons are the moves of a job in a message, or, if job is nil, of its pipeline. Only messages of the bot have them.
func (s *Service) buttons(ctx context.Context, in *models.ChatIntegration, p *models.Pipeline, jobs []*models.Job, job *models.Job) ([]Button, error) {
	if in == nil || !in.HasBot() {
		return nil, nil
	}
	var moves []Move
	var err error
	if job != nil {
		moves, err = s.Moves(ctx, job)
	} else {
		newest := int64(0)
		for _, j := range jobs {
			newest = max(newest, j.ID)
		}
		moves, err = s.PipelineMoves(ctx, in, p, jobs, newest)
	}
	if err != nil {
		return nil, err
	}
	var out []Button
	for _, m := range moves {
		text := m.Text
		switch {
		case m.again != 0: // the text may be longer than what a button holds
			text = fmt.Sprint(againVerb, m.again)
		case m.Turn != "":
			text += "\n" + m.Turn
		}
		out = append(out, s.button(in, m.Label, m.Style, text))
	}
	again, err := s.again(ctx, in, p, job)
	return append(out, again...), err
}

// button gives a command when it is pressed.
func (s *Service) button(in *models.ChatIntegration, label string, style ButtonStyle, command string) Button {
	return Button{buttonID(command), label, style, fmt.Sprintf("%d.%s", in.ID, s.keys.SealText(buttonPlace(in), command))}
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9]+`)

// buttonID is the command of a button, and the attempt that it is about, as an id that every chat takes: cancel #12 is cancel12, and
// cancel pipeline #7 as of attempt 15 is cancelpipeline7at15. Some chats look a press up in the message as it is now: a button that
// is not there any more must not be found as another one.
func buttonID(command string) string {
	return notInID.ReplaceAllString(strings.ReplaceAll(command, "\n", "at"), "")
}

// actionURL is where chats send presses, for those that ask for an address with each button.
func (s *Service) actionURL(in *models.ChatIntegration) string {
	return fmt.Sprintf("%s/api/v4/projects/%d/integrations/%s_slash_commands/interactions", s.ci.URL(), in.ProjectID, in.Chat)
}

// Pressed makes the command of a press. The same press of the same person is the same command, however often it comes, unless it
// was refused.
func (s *Service) Pressed(in *models.ChatIntegration, c Command, value string) (Command, error) {
	id, sealed, _ := strings.Cut(value, ".")
	text, err := s.keys.OpenText(buttonPlace(in), sealed)
	if err != nil || id != fmt.Sprint(in.ID) {
		return c, errForeign
	}
	c.Chat, c.Trigger, c.Kind = in.Chat, buttonTrigger, enum.Interaction
	var turn string
	c.Text, turn, _ = strings.Cut(text, "\n")
	c.Turn, _ = strconv.ParseInt(turn, 10, 64) // 0: the button is about no pipeline
	c.DeliveryKey = string(in.Chat) + ":press:" + secret.Fingerprint(fmt.Sprint(in.ID), c.Workspace, c.UserID, text)
	return c, nil
}

// errForeign refuses a press whose value we did not make: of another integration, or of an earlier secret.
var errForeign = fault.New(fault.Forbidden, GoneButton)

// GoneButton is told to whoever presses a button that no project knows.
const GoneButton = "This button is gone: it is not one of this project's any more. Press a newer one, or give the command."

// pressKey is the key of a press that comes now: what was refused is asked anew, since whoever pressed may have become somebody who may.
func (s *Service) pressKey(ctx context.Context, first string) (string, error) {
	key := first
	err := s.db.Read(ctx, func(tx *models.Tx) error {
		for {
			before, err := tx.CommandByDelivery(key)
			if err != nil || before.State != enum.CommandRefused {
				return notThere(err)
			}
			key = fmt.Sprintf("%s:%d", first, before.ID)
		}
	})
	return key, err
}

// ButtonOf finds the integration of the instance's app that a button's value names, with the bot of the workspace.
func (s *Service) ButtonOf(ctx context.Context, value, workspace string) (in *models.ChatIntegration, err error) {
	text, _, _ := strings.Cut(value, ".")
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, ErrNoIntegration
	}
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		if in, err = tx.IntegrationByID(id); err != nil {
			return err
		}
		return tx.InWorkspace(in, workspace)
	})
	if errors.Is(err, models.ErrNotFound) || err == nil && (in.Chat != enum.SlackApp || !in.Active) {
		return nil, ErrNoIntegration
	}
	return in, err
}

// repeat makes of a press the command that it gives again, in a message of its own.
func (s *Service) repeat(ctx context.Context, in *models.ChatIntegration, c Command, number string) (Command, error) {
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return c, errForeign
	}
	run, err := s.ranBy(ctx, in, id)
	if err != nil {
		return c, err
	}
	c.Text, c.MessageID = run.Text, ""
	if c.Thread == "" && c.ChannelID == run.ChannelID {
		c.Thread = run.Thread
	}
	return c, nil
}

// ranBy finds a command of an integration by its number.
func (s *Service) ranBy(ctx context.Context, in *models.ChatIntegration, id int64) (run *models.ChatCommand, err error) {
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		if run, err = tx.Command(id); err == nil && !runBy(run, in) {
			err = models.ErrNotFound
		}
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil, errNotKept
	}
	return run, err
}

var errNotKept = fault.New(fault.Invalid, "This button is gone: its command is not kept any more; give it anew.")

// runBy says whether a command came from an integration.
func runBy(c *models.ChatCommand, in *models.ChatIntegration) bool {
	return c.IntegrationID != nil && *c.IntegrationID == in.ID
}
