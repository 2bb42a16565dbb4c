package chatops

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/config"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
	"signalbox/models/enum"
)

// AgainLabel is the label of the button that asks for other arguments.
const AgainLabel = "Run again with other arguments"

// formVerb begins the text of a button that opens a form, before the number of the command that it begins with. No command
// begins so.
const formVerb = "form "

// formTime is how long a form may be filled in.
const formTime = time.Hour

// formPlace binds a form to who opened it: a chat that signs nothing could be told of anybody else.
func formPlace(in *models.ChatIntegration, c Command) string {
	return fmt.Sprintf("chat_form/%d/%q/%q", in.ID, c.Workspace, c.UserID)
}

func (s *Service) formButton(in *models.ChatIntegration, label string, style ButtonStyle, command int64) Button {
	return s.button(in, label, style, fmt.Sprint(formVerb, command))
}

// forms says whether the chat of an integration can show forms.
func (s *Service) forms(in *models.ChatIntegration) bool {
	if in == nil || s.chats[in.Chat] == nil {
		return false
	}
	t := s.chats[in.Chat].Traits()
	if t.OwnServer && in.ServerURL == "" {
		return false
	}
	return t.FormFields > 0 && (t.FormsFree || in.HasBot())
}

// runOf finds the command that ran a pipeline, among those that count; nil if no chat did.
func (s *Service) runOf(ctx context.Context, pipeline int64, counts func(*models.ChatCommand) bool) (run *models.ChatCommand, err error) {
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		rows, err := tx.CommandsByPipeline(pipeline)
		for _, c := range rows {
			if a, ok := Parse(c.Text); ok && a.Verb == Run && counts(c) {
				run = c
			}
		}
		return err
	})
	return run, err
}

// Again is the command that ran a job, for its words to be changed; "" if none did that can be given again. A command about
// several jobs is that itself; job is nil then.
func (s *Service) Again(ctx context.Context, c *models.ChatCommand, job *models.Job) (string, error) {
	if a, ok := Parse(c.Text); ok && a.Verb == Run && c.JobID == nil && c.PipelineID != nil {
		return c.Text, nil
	}
	if job == nil || job.Retried || job.Status == enum.Manual {
		return "", nil
	}
	run, err := s.runOf(ctx, job.PipelineID, func(*models.ChatCommand) bool { return true })
	if err != nil || run == nil {
		return "", err
	}
	return run.Text, nil
}

// again is the button that asks for other arguments, if the job was run from the chat of the integration. One for a pipeline is
// there if its configuration takes any; job is nil then.
func (s *Service) again(ctx context.Context, in *models.ChatIntegration, p *models.Pipeline, job *models.Job) ([]Button, error) {
	if !s.forms(in) || job != nil && (job.Retried || job.Status == enum.Manual) {
		return nil, nil
	}
	run, err := s.runOf(ctx, p.ID, func(c *models.ChatCommand) bool {
		return runBy(c, in) && (job != nil || c.Fillable)
	})
	if err != nil || run == nil {
		return nil, err
	}
	return []Button{s.formButton(in, AgainLabel, Plain, run.ID)}, nil
}

// Press makes of a press what it asks for: a form, or, if that is nil, a command. Who cannot have the form that a button opens
// gets a command instead, whose answer says why.
func (s *Service) Press(ctx context.Context, in *models.ChatIntegration, c Command, value string) (*Form, Command, error) {
	cmd, err := s.Pressed(in, c, value)
	if err != nil {
		return nil, cmd, err
	}
	if number, again := strings.CutPrefix(cmd.Text, againVerb); again {
		cmd, err = s.repeat(ctx, in, cmd, number)
		return nil, cmd, err
	}
	text, isForm := strings.CutPrefix(cmd.Text, formVerb)
	if !isForm {
		return nil, cmd, nil
	}
	cmd.DeliveryKey, cmd.MessageID = fmt.Sprintf("%s:form:%s", in.Chat, secret.NewToken("")), ""
	f, err := s.formOf(ctx, in, cmd, text)
	if err != nil {
		return nil, cmd, err
	}
	if !f.open {
		cmd.Text = f.instead()
		return nil, cmd, nil
	}
	form := &Form{
		Title: f.title(), Text: f.help, Fields: formFields(f.specs, f.last, s.chats[in.Chat].Traits().FormFields), Address: s.formURL(in),
	}
	state := fmt.Sprintf("%d %s %s", f.run.ID, strconv.FormatInt(s.db.Now().Unix(), 36), secret.NewToken("")[:8])
	form.State = fmt.Sprintf("%d.%s", in.ID, s.keys.SealText(formPlace(in, cmd), state))
	return form, cmd, nil
}

// formURL is where chats send what was filled in, for those that ask for an address with each form.
func (s *Service) formURL(in *models.ChatIntegration) string {
	return fmt.Sprintf("%s/api/v4/projects/%d/integrations/%s_slash_commands/dialogs", s.ci.URL(), in.ProjectID, in.Chat)
}

// form is what one is made of.
type form struct {
	run    *models.ChatCommand // that it begins with
	action Action
	specs  []config.InputSpec
	help   string
	last   string // arguments
	open   bool   // for this person, as the configuration is now
}

func (f form) title() string {
	switch f.action.Verb {
	case RunPipeline, RunStage:
		return strings.TrimSpace(strings.TrimPrefix(string(f.action.Verb), "run ") + " " + f.action.Name)
	}
	return f.action.Name
}

// instead is a command whose answer says why there is no form.
func (f form) instead() string {
	if f.action.Verb != Run || f.action.Name == "" {
		return string(Help)
	}
	return string(Help) + " " + f.action.Name
}

// formOf reads what a form is made of, for the person who asks.
func (s *Service) formOf(ctx context.Context, in *models.ChatIntegration, c Command, number string) (f form, err error) {
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return f, fault.New(fault.Forbidden, "the form is not one of ours")
	}
	var user *models.User
	var p *models.Project
	reads := false
	err = s.db.Read(ctx, func(tx *models.Tx) error {
		if f.run, err = tx.Command(id); err != nil {
			return err
		}
		if !runBy(f.run, in) {
			return models.ErrNotFound
		}
		user, p, reads, err = s.reader(tx, in, c.Workspace, c.UserID)
		return notThere(err)
	})
	if errors.Is(err, models.ErrNotFound) {
		return f, errNotKept
	}
	if err != nil {
		return f, err
	}
	f.action, _ = Parse(f.run.Text)
	if user == nil {
		return f, nil
	}
	actor := access.Actor{User: user}
	if f.open, err = s.asksFor(ctx, actor, p, &f); err != nil {
		return f, err
	}
	// What somebody else typed is for those who may read commands.
	if f.run.UserID != nil && *f.run.UserID == user.ID || reads {
		f.last = f.action.Input
	}
	return f, nil
}

// reader finds the user of a chat user who may see a project's jobs, and whether it may read all commands too; nil if there is none.
func (s *Service) reader(tx *models.Tx, in *models.ChatIntegration, workspace, chatUser string) (*models.User, *models.Project, bool, error) {
	identity, err := tx.IdentityFor(in, workspace, chatUser)
	if err != nil {
		return nil, nil, false, err
	}
	user, err := tx.User(identity.UserID)
	if err != nil {
		return nil, nil, false, err
	}
	p, err := tx.Project(in.ProjectID)
	if err != nil {
		return nil, nil, false, err
	}
	actor := access.Actor{User: user}
	subject, err := access.SubjectOf(tx, actor, p)
	if err != nil {
		return nil, nil, false, err
	}
	if identity.Credential != in.Credential || user.Blocked() || !access.Allowed(actor, access.ReadJob, subject) {
		return nil, nil, false, models.ErrNotFound
	}
	return user, p, access.Allowed(actor, access.ReadCommands, subject), nil
}

// asksFor reads what the job, pipeline or stage of a form asks for now, as `run` finds it; false if chat may not run it.
func (s *Service) asksFor(ctx context.Context, actor access.Actor, p *models.Project, f *form) (bool, error) {
	refused := func(err error) error {
		if kind := fault.KindOf(err); kind == fault.Invalid || kind == fault.NotFound || kind == fault.Forbidden {
			return nil
		}
		var broken *ci.ConfigError
		if errors.As(err, &broken) {
			return nil
		}
		return err
	}
	jobs, _, err := s.chatJobs(ctx, actor, p, "")
	if err := refused(err); err != nil {
		return false, err
	}
	if named, ok := f.action.Quoted(); ok && find(jobs, f.action.Name) == nil {
		f.action = named
	}
	if job := find(jobs, f.action.Name); job != nil {
		f.specs, f.help = config.InputSpecs(job.Inputs), job.summary()
		return true, nil
	}
	if group, ok := f.action.AsGroup(); ok {
		f.action = group
		_, ref := group.OnRef()
		f.specs, err = s.configured(ctx, actor, p, ref)
		return err == nil, refused(err)
	}
	name, ref := f.action.OnRef()
	if ref == "" {
		return false, nil
	}
	if jobs, _, err = s.chatJobs(ctx, actor, p, ref); err != nil {
		return false, refused(err)
	}
	job := find(jobs, name)
	if job != nil {
		f.specs, f.help = config.InputSpecs(job.Inputs), job.summary()
	}
	return job != nil, nil
}

var errSeen = errors.New("the inputs are known")

// configured reads what the configuration itself asks for.
func (s *Service) configured(ctx context.Context, actor access.Actor, p *models.Project, ref string) (specs []config.InputSpec, err error) {
	_, err = s.ci.Lint(ctx, actor, p, ci.LintRequest{Ref: ref, Given: func(found []config.InputSpec) (map[string]any, error) {
		specs = found
		return nil, errSeen
	}})
	if errors.Is(err, errSeen) {
		err = nil
	}
	return specs, err
}

// Submitted makes the command of a form that was filled in: the same form with the same answers of the same person is the same
// command, however often it comes. An *InputsError says what was filled in wrongly; given all the same, the command is refused for it.
func (s *Service) Submitted(ctx context.Context, in *models.ChatIntegration, c Command, state string, values map[string]string) (Command, error) {
	id, sealed, _ := strings.Cut(state, ".")
	text, err := s.keys.OpenText(formPlace(in, c), sealed)
	parts := strings.Fields(text)
	if err != nil || id != fmt.Sprint(in.ID) || len(parts) != 3 {
		return c, fault.New(fault.Forbidden, "the form is not one of ours")
	}
	made, err := strconv.ParseInt(parts[1], 36, 64)
	if err != nil || s.db.Now().Sub(time.Unix(made, 0)) > formTime {
		return c, fault.New(fault.Invalid, "the form was open for too long; press the button again")
	}
	f, err := s.formOf(ctx, in, c, parts[0])
	if err != nil {
		return c, err
	}
	c.Chat, c.Trigger, c.Kind, c.MessageID = in.Chat, buttonTrigger, enum.Interaction, ""
	c.ChannelID, c.ChannelName, c.Thread, c.WorkspaceDomain = f.run.ChannelID, f.run.ChannelName, f.run.Thread, f.run.TeamDomain
	if c.UserName == "" {
		c.UserName = s.userName(ctx, in, c)
	}
	c.Text = f.instead()
	if f.open {
		arguments := filledIn(f.specs, values)
		c.Text = f.action.withInput(arguments)
		if len(f.specs) > 0 {
			_, err = Fill(f.specs, arguments)
		}
	}
	c.DeliveryKey = string(in.Chat) + ":form:" + secret.Fingerprint(fmt.Sprint(in.ID), c.Workspace, c.UserID, text, c.Text)
	return c, err
}

// userName is how a chat user was called when it was linked.
func (s *Service) userName(ctx context.Context, in *models.ChatIntegration, c Command) (name string) {
	err := s.db.Read(ctx, func(tx *models.Tx) error {
		identity, err := tx.IdentityFor(in, c.Workspace, c.UserID)
		if err == nil {
			name = identity.ChatUserName
		}
		return notThere(err)
	})
	if err != nil {
		s.log.InfoContext(ctx, "how a chat user is called is not known", "error", err)
	}
	return name
}
