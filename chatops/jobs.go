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
	"signalbox/internal/fault"
	"signalbox/models"
)

// help lists what can be typed.
func (s *Service) help(g *given) string {
	trigger := g.command.TriggerWord
	if trigger != "" {
		trigger += " "
	}
	lines := []string{"*Available commands*"}
	for _, c := range [][2]string{
		{"run <job> <arguments>", "runs a job and replies with its output; `<job>@<ref>` on another branch, tag or commit, `--with-needs` with what it needs"},
		{"run stage <stage>", "runs all jobs of a stage; `run pipeline` all that chat may run"},
		{"deploy <environment> to <target-environment>", "starts the manual job that deploys there"},
		{"jobs", "lists the jobs; `help <job>` tells of one"},
		{"status", "tells how your last run is, or `status <job>`; also `logs`, `watch`, `retry` and `cancel`"},
	} {
		lines = append(lines, fmt.Sprintf("• `%s%s` – %s", trigger, c[0], c[1]))
	}
	lines = append(lines, fmt.Sprintf("*Project*\n[%s](%s/%s)", g.project.FullPath, s.ci.URL(), g.project.FullPath))
	return strings.Join(lines, "\n")
}

// chatJob is a job that a chat may run.
type chatJob struct {
	*config.Job
}

// summary is the first sentence of the job's help.
func (j chatJob) summary() string {
	first, _, _ := strings.Cut(j.Help, "\n")
	return first
}

// usage is how the job is called, with its inputs as they are if nothing is given.
func (j chatJob) usage() string {
	return called("run "+nameText(j.Name), config.InputSpecs(j.Inputs))
}

// chatJobs lists the jobs that a chat may run on a ref, as the configuration there has them; "" is the default branch. It is
// refused with *asksFirst if that cannot be known.
func (s *Service) chatJobs(ctx context.Context, a access.Actor, p *models.Project, ref string) (jobs, all []chatJob, err error) {
	r, err := s.ci.Lint(ctx, a, p, ci.LintRequest{Ref: ref, Given: unasked(ref)})
	if err != nil {
		return nil, nil, err
	}
	if !r.Valid() {
		if len(r.Errors) > 0 {
			return nil, nil, &ci.ConfigError{Errors: r.Errors}
		}
		return nil, nil, fault.New(fault.Invalid, "%s", strings.Join(r.Texts, "; "))
	}
	if ref == "" {
		ref = p.DefaultBranch
	}
	for _, j := range r.Config.Jobs {
		all = append(all, chatJob{j})
		if plan.ForChat(j, ref, p.FullPath) {
			jobs = append(jobs, chatJob{j})
		}
	}
	return jobs, all, nil
}

// maxListed bounds the list of jobs.
const maxListed = 50

func (s *Service) listJobs(ctx context.Context, g *given, a Action) error {
	ref := strings.TrimPrefix(a.Name, "@")
	jobs, _, err := s.chatJobs(ctx, g.actor(), g.project, ref)
	var asks *asksFirst
	if err != nil && !errors.As(err, &asks) {
		return err
	}
	if ref == "" {
		ref = g.project.DefaultBranch
	}
	if asks != nil {
		return s.tell(ctx, g.command, fmt.Sprintf("*Jobs on %s*\n• %s – %s.\nIt takes:\n%s", code(ref), code(asks.usage()), asks.text(), inputLines(asks.specs)))
	}
	if len(jobs) == 0 {
		return s.tell(ctx, g.command, fmt.Sprintf("Chat may run no job on %s.", code(ref)))
	}
	text := fmt.Sprintf("*Jobs on %s*", code(ref))
	for i, j := range jobs {
		if i == maxListed {
			text += fmt.Sprintf("\n… and %d more", len(jobs)-i)
			break
		}
		text += "\n• " + code(j.usage())
		if summary := j.summary(); summary != "" {
			text += " – " + summary
		}
	}
	return s.tell(ctx, g.command, text)
}

// helpOf tells of one job: the comment above it, its inputs, and where it stands.
func (s *Service) helpOf(ctx context.Context, g *given, a Action) error {
	name, ref := a.Name, ""
	jobs, all, err := s.chatJobs(ctx, g.actor(), g.project, "")
	if err != nil {
		return err
	}
	job := find(all, name)
	if named, ok := (Action{Verb: Run, Name: a.Name}).Quoted(); job == nil && ok {
		name = named.Name
		job = find(all, name)
	}
	if job == nil {
		if name, ref = a.OnRef(); ref != "" {
			if jobs, all, err = s.chatJobs(ctx, g.actor(), g.project, ref); err != nil {
				return err
			}
			job = find(all, name)
		}
	}
	if job == nil {
		var names []string
		for _, j := range jobs {
			names = append(names, j.Name)
		}
		text := "there is no job " + code(name)
		if near := config.Nearest(name, names, 3); len(near) > 0 {
			text += "; did you mean `" + strings.Join(near, "`, `") + "`?"
		}
		return fault.New(fault.Invalid, "%s", text)
	}
	text := "*" + job.Name + "*"
	if job.Help != "" {
		text += "\n" + job.Help
	}
	text += "\n" + code(job.usage())
	if specs := config.InputSpecs(job.Inputs); len(specs) > 0 {
		text += "\n" + inputLines(specs)
	}
	if find(jobs, job.Name) == nil {
		text += "\nChat may not run it: its rules keep it out."
	}
	text += fmt.Sprintf("\nIt stands in %s, line %d.", code(job.At.File), job.At.Line)
	return s.tell(ctx, g.command, text)
}

func find(jobs []chatJob, name string) *chatJob {
	for i := range jobs {
		if jobs[i].Name == name {
			return &jobs[i]
		}
	}
	return nil
}
