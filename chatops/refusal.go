package chatops

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/config"
	"signalbox/ci/plan"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// code sets a name apart from the text around it.
func code(s string) string { return "`" + strings.ReplaceAll(s, "`", "'") + "`" }

// refusal puts in words why a command is not done; "" if the error is none of the user's making.
func (s *Service) refusal(ctx context.Context, err error, g *given) string {
	var broken *ci.ConfigError
	var refused *plan.Refusal
	var cycle *variable.CycleError
	var wrong *InputsError
	var input *config.InputError
	var asks *asksFirst
	switch {
	case err == nil:
		return ""
	case errors.As(err, &broken):
		return fmt.Sprintf("The configuration is broken, nothing was run:\n```\n%s\n```", broken.Report())
	case errors.As(err, &refused):
		return "Nothing was run: " + strings.TrimSuffix(refused.Text, ".") + fullStop(refused.Text)
	case errors.As(err, &wrong):
		return "Nothing was run: " + wrong.Error()
	case errors.As(err, &asks):
		return "Nothing was run: " + asks.Error()
	case errors.As(err, &input):
		return "Nothing was run: " + input.Text + "."
	case errors.As(err, &cycle):
		return "Nothing was run: " + cycle.Error() + "."
	case g.user.Blocked():
		return "Nothing was run: your account is blocked."
	case fault.KindOf(err) == fault.Forbidden:
		return s.forbidden(ctx, err, g)
	case fault.KindOf(err) == fault.Invalid, fault.KindOf(err) == fault.NotFound:
		text := fault.Message(err)
		return "Nothing was run: " + strings.TrimSuffix(text, ".") + fullStop(text)
	}
	return ""
}

// forbidden says which role is held, beside what the refusal itself says.
func (s *Service) forbidden(ctx context.Context, cause error, g *given) string {
	level := enum.NoAccess
	err := s.db.Read(ctx, func(tx *models.Tx) error {
		subject, err := access.SubjectOf(tx, g.actor(), g.project)
		level = subject.Level
		return err
	})
	text := fmt.Sprintf("You may not run jobs of %s: %s", code(g.project.FullPath), strings.TrimSuffix(fault.Message(cause), ".")) + "."
	if err != nil {
		return text
	}
	switch {
	case level == enum.NoAccess:
		return text + " You are no member of the project; it takes the role Developer or more."
	case level < enum.Developer:
		return fmt.Sprintf("%s It takes the role Developer or more; yours is %s.", text, level)
	}
	return fmt.Sprintf("%s Your role is %s.", text, level)
}

// fullStop is the full stop that a sentence still needs.
func fullStop(sentence string) string {
	if strings.HasSuffix(sentence, "?") {
		return ""
	}
	return "."
}
