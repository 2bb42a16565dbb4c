package chatops

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"signalbox/ci"
	"signalbox/ci/config"
	"signalbox/ci/plan"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/models"
	"signalbox/models/enum"
)

// start makes the pipeline of `run`. A job of exactly that name on the default branch comes first, whatever its name looks
// like; only then `stage`, `pipeline` and `@ref` are ours.
func (s *Service) start(ctx context.Context, g *given, a Action) error {
	ref, sha := "refs/heads/"+g.project.DefaultBranch, ""
	if g.command.DecidedSHA != "" { // as others approved it
		sha = g.command.DecidedSHA
		if g.command.DecidedRef != ref {
			return s.create(ctx, g, a.onRef(), g.command.DecidedRef, sha)
		}
	}
	err := s.create(ctx, g, a, ref, sha)
	var unknown *plan.Refusal
	var asks *asksFirst
	if named, ok := a.Quoted(); ok && errors.As(err, &unknown) && unknown.Reason == plan.UnknownJob {
		a = named
		err = s.create(ctx, g, a, ref, sha)
	}
	group, isGroup := a.AsGroup()
	if !errors.As(err, &asks) && (!errors.As(err, &unknown) || unknown.Reason != plan.UnknownJob) {
		return err
	}
	if isGroup {
		a = group
	}
	name, at := a.OnRef()
	if at == "" && !isGroup {
		return err
	}
	a.Name = name
	if at != "" {
		if ref, sha, err = s.find(ctx, g.project, at); err != nil {
			return err
		}
	}
	return s.create(ctx, g, a, ref, sha)
}

// find resolves what people write behind an @: a branch, a tag, or a commit that one of them holds.
func (s *Service) find(ctx context.Context, p *models.Project, name string) (ref, sha string, err error) {
	repo := s.ci.Repo(p)
	for _, full := range []string{"refs/heads/" + name, "refs/tags/" + name} {
		_, err := repo.Resolve(ctx, full)
		if err == nil {
			return full, "", nil
		}
		if !errors.Is(err, gitrepo.ErrNotFound) && !errors.Is(err, gitrepo.ErrBadName) {
			return "", "", err
		}
	}
	sha, err = repo.Find(ctx, name)
	if err == nil {
		ref, err = repo.Holding(ctx, sha, "refs/heads/"+p.DefaultBranch)
	}
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		return "", "", fault.New(fault.Invalid, "%s", s.noRef(ctx, repo, name))
	}
	return ref, sha, err
}

// noRef says that there is no such ref, and which names are close.
func (s *Service) noRef(ctx context.Context, repo *gitrepo.Repo, name string) string {
	text := "there is no branch, tag or commit " + code(name)
	refs, err := repo.Refs(ctx, "refs/heads/", 1000)
	if err != nil {
		return text
	}
	var names []string
	for _, r := range refs {
		names = append(names, strings.TrimPrefix(r.Name, "refs/heads/"))
	}
	if near := config.Nearest(name, names, 3); len(near) > 0 {
		return text + "; did you mean `" + strings.Join(near, "`, `") + "`?"
	}
	return text
}

func (s *Service) create(ctx context.Context, g *given, a Action, ref, sha string) error {
	named := sha
	if sha == "" && ref != "refs/heads/"+g.project.DefaultBranch {
		named = strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/tags/")
	}
	choice := ci.ChatChoice{Job: a.Name, WithNeeds: a.WithNeeds, Configured: unasked(named), Inputs: func(specs map[string]any) (map[string]any, error) { return Fill(config.InputSpecs(specs), a.Input) }}
	asked := false
	configured := func(specs []config.InputSpec) (map[string]any, error) {
		asked = len(specs) > 0
		return Fill(specs, a.Input)
	}
	switch a.Verb {
	case RunStage:
		choice = ci.ChatChoice{Stage: a.Name, Configured: configured}
	case RunPipeline:
		choice = ci.ChatChoice{Configured: configured}
	}
	_, err := s.ci.CreatePipeline(ctx, ci.PipelineRequest{
		Project: g.project, Actor: g.actor(), Source: enum.SourceChat, Ref: ref, SHA: sha, Chat: choice,
		Key: fmt.Sprintf("chat:%d", g.command.ID), Variables: chatVariables(g.command, g.integration, s.traits(g.command).Channel, a.Input),
		Within: func(tx *models.Tx, pipeline *models.Pipeline, jobs []*models.Job) error {
			fresh, err := tx.Command(g.command.ID)
			if err != nil {
				return err
			}
			var wait *needsApproval
			if err := s.allowed(tx, g, jobs); errors.As(err, &wait) {
				wait.ref, wait.sha = ref, pipeline.SHA
				return wait
			} else if err != nil {
				return err
			}
			fresh.State, fresh.PipelineID, fresh.Fillable = enum.CommandRunning, &pipeline.ID, asked
			var job *models.Job
			for _, j := range jobs {
				if choice.Job != "" && j.Name == choice.Job {
					job, fresh.JobID = j, &j.ID
				}
			}
			fresh.Acknowledgement, fresh.InChannel = s.acknowledgement(fresh, g, pipeline, job, len(jobs)), !s.followed(fresh, g.integration)
			if err := s.begin(tx, fresh, g.integration); err != nil {
				return err
			}
			if err := s.lateAnswer(tx, fresh); err != nil {
				return err
			}
			tx.AfterCommit(func() { s.changed(g.command) })
			return tx.UpdateCommand(fresh)
		},
	})
	return err
}

// chatVariables are what the job learns of the command (facts: chatops-page P3, P4). A channel whose name people do not know is named by
// its id.
func chatVariables(c *models.ChatCommand, in *models.ChatIntegration, known func(channel string) bool, arguments string) []variable.Variable {
	channel := c.ChannelName
	if in != nil && in.ChannelVariable == "id" || channel == "" || known != nil && !known(channel) {
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

func (s *Service) pipelineURL(p *models.Project, id int64) string {
	return fmt.Sprintf("%s/%s/-/pipelines/%d", s.ci.URL(), p.FullPath, id)
}

// acknowledgement says what happens now. job is nil if the command is about several.
func (s *Service) acknowledgement(c *models.ChatCommand, g *given, pipeline *models.Pipeline, job *models.Job, jobs int) string {
	var text string
	switch {
	case job == nil:
		text = fmt.Sprintf("Pipeline [#%d](%s) was started on %s; it has %d %s.", pipeline.ID, s.pipelineURL(g.project, pipeline.ID), code(pipeline.Ref), jobs, plural(jobs, "job"))
	case job.When == enum.WhenManual && s.followed(c, g.integration):
		text = fmt.Sprintf("Job [%s #%d](%s) waits to be started by hand: press “Start” here or on its page.", code(job.Name), job.ID, s.jobURL(g.project, job.ID))
	case job.When == enum.WhenManual:
		text = fmt.Sprintf("Job [%s #%d](%s) waits to be started by hand: open [its page](%s) and press “Start”.",
			code(job.Name), job.ID, s.jobURL(g.project, job.ID), s.jobURL(g.project, job.ID))
	default:
		text = fmt.Sprintf("Job [%s #%d](%s) was started", code(job.Name), job.ID, s.jobURL(g.project, job.ID))
		if pipeline.Ref != g.project.DefaultBranch || pipeline.Tag {
			text += " on " + code(pipeline.Ref)
		}
		if jobs > 1 {
			text += fmt.Sprintf(", after %d %s that it needs", jobs-1, plural(jobs-1, "job"))
		}
		text += "."
	}
	in := g.integration
	switch {
	case c.Chat == enum.Console || in != nil && in.HasBot():
	case c.ResponseURL.Empty():
		text += " The chat named no address for the reply, so it stays on that page."
	default:
		text += fmt.Sprintf(" Its reply comes here if it ends within %d minutes; after that it stays on that page.", int(s.traits(c).Window.Minutes()))
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

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
