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

// mostTries is how often a command is tried that fails for a reason which may pass. It takes some four minutes.
const mostTries = 8

// passing says whether an error of a kind may be none at the next try. Every kind is named, so that a new one is judged: what is
// said of the command itself is final at once, and so is what nobody expected once its tries are over.
func passing(k fault.Kind) bool {
	switch k {
	case fault.Internal, fault.Unavailable, fault.Conflict, fault.OutOfSpace, fault.TooSlow:
		return true
	case fault.NotFound, fault.Forbidden, fault.Unauthorized, fault.Invalid, fault.TooLarge, fault.NotAllowed, fault.TooMany, fault.WrongMethod,
		fault.Precondition, fault.Unprocessable:
		return false
	}
	return true
}

// refusal puts in words why a command is not done; "" if it is tried again.
func (s *Service) refusal(ctx context.Context, err error, g *given) string {
	if err == nil {
		return ""
	}
	if text := said(err); text != "" {
		return text + withNeedsHint(err, g)
	}
	kind := fault.KindOf(err)
	switch {
	case g.user.Blocked():
		return "Nothing was run: your account is blocked."
	case kind == fault.Forbidden:
		return s.forbidden(ctx, err, g)
	case !passing(kind):
		return nothing(fault.Message(err))
	case g.tries < mostTries:
		return ""
	case kind == fault.Internal:
		return unexpected(g.command.ID, g.tries)
	}
	return fmt.Sprintf("It could not be done in %d tries: %s Give the command again later.", g.tries, sentence(fault.Message(err)))
}

// withNeedsHint tells how a job that needs others is run with them.
func withNeedsHint(err error, g *given) string {
	var refused *plan.Refusal
	a, _ := Parse(g.command.Text)
	if !errors.As(err, &refused) || refused.MissingNeed == "" || a.Verb != Run || a.WithNeeds {
		return ""
	}
	if named, ok := a.Quoted(); ok {
		a = named
	}
	a.WithNeeds = true
	return fmt.Sprintf(" %s runs it with what it needs.", code(a.withInput(a.Input)))
}

// unexpected is what is said of an error that nobody expected.
func unexpected(command int64, tries int) string {
	return fmt.Sprintf("It could not be done in %d tries: an error in signalbox itself. Administrators find it in the log as that of command %d.", tries, command)
}

// said are the words of errors that bring their own.
func said(err error) string {
	var state *unfit
	var broken *ci.ConfigError
	var refused *plan.Refusal
	var cycle *variable.CycleError
	var wrong *InputsError
	var input *config.InputError
	var asks *asksFirst
	switch {
	case errors.As(err, &state):
		return state.text
	case errors.As(err, &broken):
		return fmt.Sprintf("The configuration is broken, nothing was run:\n```\n%s\n```", broken.Report())
	case errors.As(err, &refused):
		return nothing(refused.Text)
	case errors.As(err, &wrong):
		return "Nothing was run: " + wrong.Error()
	case errors.As(err, &asks):
		return "Nothing was run: " + asks.Error()
	case errors.As(err, &input):
		return "Nothing was run: " + input.Text + "."
	case errors.As(err, &cycle):
		return "Nothing was run: " + cycle.Error() + "."
	}
	return ""
}

func nothing(why string) string { return "Nothing was run: " + sentence(why) }

// sentence is a text with the full stop that it may still need.
func sentence(text string) string {
	text = strings.TrimSuffix(text, ".")
	if strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}

// forbidden says which role is held, beside what the refusal itself says.
func (s *Service) forbidden(ctx context.Context, cause error, g *given) string {
	level, protected := enum.NoAccess, ""
	err := s.db.Read(ctx, func(tx *models.Tx) error {
		subject, err := access.SubjectOf(tx, g.actor(), g.project)
		if err != nil {
			return err
		}
		level = subject.Level
		ref, tag, err := refOf(tx, g)
		if err == nil && access.Allowed(g.actor(), access.CreatePipeline, subject) && !access.Allowed(g.actor(), access.CreatePipeline, subject.On(ref, tag)) {
			protected = ref
		}
		return err
	})
	text := fmt.Sprintf("You may not run jobs of %s: %s", code(g.project.FullPath), strings.TrimSuffix(fault.Message(cause), ".")) + "."
	if err != nil {
		return text
	}
	switch {
	case protected != "":
		return fmt.Sprintf("You may not run jobs of %s on %s: it is protected, and your role is %s. A Maintainer can let %ss run there, with “Merge and run” (“Allowed to merge”) of %s under Settings → Repository.",
			code(g.project.FullPath), code(protected), level, level, code(protected))
	case level == enum.NoAccess:
		return text + " You are no member of the project; it takes the role Developer or more."
	case level < enum.Developer:
		return fmt.Sprintf("%s It takes the role Developer or more; yours is %s.", text, level)
	}
	return fmt.Sprintf("%s Your role is %s.", text, level)
}

// refOf is the branch or tag that a command is about: that of its pipeline, the one that it names, or the default branch.
func refOf(tx *models.Tx, g *given) (ref string, tag bool, err error) {
	if id := g.command.DecidedPipelineID; id != nil {
		p, err := tx.Pipeline(*id)
		if err != nil {
			return "", false, notThere(err)
		}
		return p.Ref, p.Tag, nil
	}
	a, _ := Parse(g.command.Text)
	if _, at := a.OnRef(); a.Verb == Run && at != "" {
		return at, false, nil
	}
	return g.project.DefaultBranch, false, nil
}

// KeepsDevelopersOut says whether the default branch of a project, where `run` makes its pipelines, is for Maintainers alone.
func (s *Service) KeepsDevelopersOut(ctx context.Context, p *models.Project) (out bool, err error) {
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		somebody := access.Actor{User: &models.User{State: "active"}}
		subject, err := access.SubjectOf(tx, somebody, p)
		subject.Level = enum.Developer
		out = !access.Allowed(somebody, access.CreatePipeline, subject.On(p.DefaultBranch, false))
		return err
	})
	return out, err
}
