package chatops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/plan"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// runPattern is GitLab's grammar of the action: the job is one word, everything behind it is its input.
var runPattern = regexp.MustCompile(`(?s)\Arun[\s\v]+([^\s\v]+)(?:[\s\v]+(.+))?\z`)

// ParseRun reads `run <job> <arguments>`; false if the text is something else.
func ParseRun(text string) (job, arguments string, ok bool) {
	m := runPattern.FindStringSubmatch(text)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// run does the task of a command. It may run twice: the pipeline has a key, so that only one is made.
func (s *Service) run(ctx context.Context, t *models.Task) error {
	var p struct{ Command int64 }
	if err := json.Unmarshal([]byte(t.Payload), &p); err != nil {
		return fmt.Errorf("payload of a command: %w", err)
	}
	var c *models.ChatCommand
	var project *models.Project
	var user *models.User
	var in *models.ChatIntegration
	err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
		if c, err = tx.Command(p.Command); err != nil {
			return err
		}
		if project, err = tx.Project(c.ProjectID); err != nil {
			return err
		}
		if c.IntegrationID != nil {
			if in, err = tx.IntegrationByID(*c.IntegrationID); err != nil && !errors.Is(err, models.ErrNotFound) {
				return err
			}
		}
		user, err = tx.User(*c.UserID)
		return err
	})
	if errors.Is(err, models.ErrNotFound) || err == nil && c.State != enum.CommandAccepted {
		return nil
	}
	if err != nil {
		return err
	}
	job, arguments, ok := ParseRun(c.Text)
	if !ok {
		return s.refuse(ctx, c, help(c, project, s.ci.URL()))
	}
	err = s.create(ctx, c, in, project, user, job, arguments)
	if reason := refusal(err, project, user); reason != "" {
		return s.refuse(ctx, c, reason)
	}
	return err
}

func (s *Service) create(ctx context.Context, c *models.ChatCommand, in *models.ChatIntegration, p *models.Project, u *models.User, job, arguments string) error {
	_, err := s.ci.CreatePipeline(ctx, ci.PipelineRequest{
		Project: p, Actor: access.Actor{User: u}, Source: enum.SourceChat, Ref: "refs/heads/" + p.DefaultBranch, ChatJob: job,
		Key: fmt.Sprintf("chat:%d", c.ID), Variables: chatVariables(c, in, arguments),
		Within: func(tx *models.Tx, pipeline *models.Pipeline, jobs []*models.Job) error {
			fresh, err := tx.Command(c.ID)
			if err != nil {
				return err
			}
			fresh.State, fresh.PipelineID, fresh.JobID = enum.CommandRunning, &pipeline.ID, &jobs[0].ID
			fresh.Acknowledgement, fresh.InChannel = s.acknowledgement(fresh, in, p, jobs[0]), true
			if err := s.lateAnswer(tx, fresh); err != nil {
				return err
			}
			tx.AfterCommit(func() { s.hub.Publish(topic(c.DeliveryKey)) })
			return tx.UpdateCommand(fresh)
		},
	})
	return err
}

// chatVariables are what the job learns of the command (facts: chatops-page P3, P4).
func chatVariables(c *models.ChatCommand, in *models.ChatIntegration, arguments string) []variable.Variable {
	channel := c.ChannelName
	if in != nil && in.ChannelVariable == "id" || channel == "" || channel == "directmessage" || channel == "privategroup" {
		channel = c.ChannelID
	}
	// What people type in a chat is text, never a reference to a variable.
	given := func(key, value string) variable.Variable { return variable.Variable{Key: key, Value: value, Raw: true} }
	return []variable.Variable{
		given("CHAT_INPUT", arguments), given("CHAT_CHANNEL", channel), given("CHAT_CHANNEL_ID", c.ChannelID),
		given("CHAT_CHANNEL_NAME", c.ChannelName), given("CHAT_USER_ID", c.ChatUserID), given("CHAT_USER_NAME", c.ChatUserName),
	}
}

func (s *Service) jobURL(p *models.Project, jobID int64) string {
	return fmt.Sprintf("%s/%s/-/jobs/%d", s.ci.URL(), p.FullPath, jobID)
}

// acknowledgement says what happens now.
func (s *Service) acknowledgement(c *models.ChatCommand, in *models.ChatIntegration, p *models.Project, j *models.Job) string {
	text := fmt.Sprintf("Job [%s #%d](%s) ", code(j.Name), j.ID, s.jobURL(p, j.ID))
	if j.When == enum.WhenManual {
		text += fmt.Sprintf("waits to be started by hand: open [its page](%s) and press “Start”.", s.jobURL(p, j.ID))
	} else {
		text += "was started."
	}
	switch {
	case c.Chat == enum.Console || in != nil && !in.BotToken.Empty():
	case c.ResponseURL.Empty():
		text += " The chat named no address for the reply, so it stays on that page."
	default:
		text += " Its reply comes here if it ends within 30 minutes; after that it stays on that page."
	}
	if in != nil && !c.ResponseURL.Empty() {
		if address, err := s.keys.Open(c.Place(), c.ResponseURL); err == nil {
			if err := s.allowedHost(in, address); err != nil {
				text += " But " + fault.Message(err) + "."
			}
		}
	}
	return text
}

// code sets a name apart from the text around it.
func code(s string) string { return "`" + strings.ReplaceAll(s, "`", "'") + "`" }

// refusal puts in words why there is no pipeline; "" if the error is none of the user's making.
func refusal(err error, p *models.Project, u *models.User) string {
	var broken *ci.ConfigError
	var refused *plan.Refusal
	var cycle *variable.CycleError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &broken):
		return fmt.Sprintf("The configuration on `%s` is broken, nothing was run:\n```\n%s\n```", p.DefaultBranch, broken.Report())
	case errors.As(err, &refused):
		return "Nothing was run: " + strings.TrimSuffix(refused.Text, ".") + fullStop(refused.Text)
	case errors.As(err, &cycle):
		return "Nothing was run: " + cycle.Error() + "."
	case u.Blocked():
		return "Nothing was run: your account is blocked."
	case fault.KindOf(err) == fault.Forbidden:
		return fmt.Sprintf("You may not run jobs of `%s` on `%s`: %s", p.FullPath, p.DefaultBranch, fault.Message(err))
	case fault.KindOf(err) == fault.Invalid:
		return "Nothing was run: " + fault.Message(err)
	}
	return ""
}

// fullStop is the full stop that a sentence still needs.
func fullStop(sentence string) string {
	if strings.HasSuffix(sentence, "?") {
		return ""
	}
	return "."
}

func help(c *models.ChatCommand, p *models.Project, base string) string {
	trigger := c.TriggerWord
	if trigger != "" {
		trigger += " "
	}
	text := ""
	if !strings.HasPrefix(c.Text, "help") {
		text = "The specified command is not valid.\n"
	}
	return text + fmt.Sprintf("*Available commands*\n• `%srun <job> <arguments>` runs a job of [%s](%s/%s) and replies with its output, for example `%srun deploy production`",
		trigger, p.FullPath, base, p.FullPath, trigger)
}

// refuse ends a command with a reason.
func (s *Service) refuse(ctx context.Context, c *models.ChatCommand, reason string) error {
	return s.db.Write(ctx, func(tx *models.Tx) error {
		fresh, err := tx.Command(c.ID)
		if err != nil || fresh.State != enum.CommandAccepted {
			return err
		}
		now := tx.Now()
		fresh.State, fresh.Refusal, fresh.FinishedAt = enum.CommandRefused, reason, &now
		tx.AfterCommit(func() { s.hub.Publish(topic(c.DeliveryKey)) })
		if err := s.lateAnswer(tx, fresh); err != nil {
			return err
		}
		return tx.UpdateCommand(fresh)
	})
}

// lateAfter is when an answer that did not go out with the chat's request is sent on its own.
const lateAfter = 5 * time.Second

// lateAnswer stores a task that sends the answer, should the chat's request have ended without it.
func (s *Service) lateAnswer(tx *models.Tx, c *models.ChatCommand) error {
	if c.ResponseURL.Empty() {
		return nil
	}
	key := fmt.Sprintf("%s:%d", taskAcknowledge, c.ID)
	return tx.AddTask(&models.Task{Kind: taskAcknowledge, Key: &key, Payload: payload(c.ID), RunAt: tx.Now().Add(lateAfter)})
}
