package chatops

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"signalbox/ci/access"
	"signalbox/ci/config"
	"signalbox/models"
)

// maxSuggestion is how many characters a suggestion may have.
const maxSuggestion = 100

// Suggest lists jobs that a chat user may run and whose names begin with what was typed; none to those who are not linked.
func (s *Service) Suggest(ctx context.Context, in *models.ChatIntegration, workspace, chatUser, typed string, most int) []string {
	actor, p, ok := s.asking(ctx, in, workspace, chatUser)
	if !ok {
		return nil
	}
	jobs, _, err := s.chatJobs(ctx, actor, p, "")
	var asks *asksFirst
	if errors.As(err, &asks) && strings.HasPrefix("pipeline", strings.ToLower(typed)) {
		return []string{"pipeline"}
	}
	if err != nil {
		return nil // the command itself says what is wrong
	}
	var names []string
	for _, j := range jobs {
		if len(names) < most && strings.HasPrefix(strings.ToLower(j.Name), strings.ToLower(typed)) && len(j.Name) <= maxSuggestion {
			names = append(names, j.Name)
		}
	}
	return names
}

// SuggestArguments lists what the arguments of a job, which may be one of another ref, or of a pipeline or stage, can be completed to.
func (s *Service) SuggestArguments(ctx context.Context, in *models.ChatIntegration, workspace, chatUser, job, typed string, most int) []string {
	actor, p, ok := s.asking(ctx, in, workspace, chatUser)
	if !ok {
		return nil
	}
	a, ok := Parse("run " + job + " " + typed)
	if !ok {
		if a, ok = Parse("run " + job); !ok {
			return nil
		}
	}
	f := form{action: a}
	if open, err := s.asksFor(ctx, actor, p, &f); err != nil || !open {
		return nil // the command itself says what is wrong
	}
	return Complete(f.specs, typed, most)
}

// asking finds who asks for suggestions.
func (s *Service) asking(ctx context.Context, in *models.ChatIntegration, workspace, chatUser string) (actor access.Actor, p *models.Project, ok bool) {
	err := s.db.Read(ctx, func(tx *models.Tx) (err error) {
		actor.User, p, _, err = s.reader(tx, in, workspace, chatUser)
		return err
	})
	return actor, p, err == nil
}

// Complete lists what arguments become when their last word is completed: to the name of an input that is not given yet, behind
// name= to one of its values, and a word without a name to a value that only one input has. What was typed already stays.
func Complete(specs []config.InputSpec, typed string, most int) []string {
	head, last := typed, ""
	if i := strings.LastIndexAny(typed, " \t\n"); i >= 0 {
		head, last = typed[:i+1], typed[i+1:]
	} else {
		head, last = "", typed
	}
	given, _ := assign(specs, head)
	last = Unmangle(last)
	dash := ""
	if strings.HasPrefix(last, "--") {
		dash = "--"
	}
	name, value, named := strings.Cut(strings.TrimPrefix(last, dash), "=")
	var out []string
	add := func(word string) {
		if text := head + word; len(out) < most && utf8.RuneCountInString(text) <= maxSuggestion && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	begins := func(s, with string) bool { return strings.HasPrefix(strings.ToLower(s), strings.ToLower(with)) }
	for _, s := range specs {
		if _, done := given[s.Name]; done || named != (s.Name == name) && named {
			continue
		}
		if !named {
			if begins(s.Name, name) {
				add(dash + s.Name + "=")
			}
			continue
		}
		for _, v := range values(s) {
			if begins(v, strings.Trim(value, `"'`)) {
				add(dash + s.Name + "=" + quote(v))
			}
		}
	}
	for _, s := range specs {
		if named || dash != "" || last == "" {
			break
		}
		for _, v := range values(s) {
			if begins(v, last) && s.Kind != "boolean" && meant(specs, given, v) == s.Name {
				add(quote(v))
			}
		}
	}
	return out
}

// values are those that an input can have, if they can be told.
func values(s config.InputSpec) []string {
	if s.Kind == "boolean" {
		return []string{"true", "false"}
	}
	if len(s.Options) == 0 && s.Default != "" {
		return []string{shownDefault(s)}
	}
	return s.Options
}
