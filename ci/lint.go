package ci

import (
	"context"
	"errors"
	"strings"

	"signalbox/ci/access"
	"signalbox/ci/config"
	"signalbox/ci/plan"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/models"
	"signalbox/models/enum"
)

// LintRequest asks whether a configuration is right.
type LintRequest struct {
	Content *string // nil: the project's own file
	Ref     string  // the commit of the file, and with DryRun the ref that a pipeline would be for; "" is the default branch
	DryRun  bool    // plan a pipeline as if it were pushed
	// Given gives the configuration's inputs; nil: none are given. Its error is returned.
	Given func(specs []config.InputSpec) (map[string]any, error)
}

// LintResult is what was found.
type LintResult struct {
	Errors   []*config.Error
	Warnings []*config.Error
	Texts    []string // errors that stand nowhere in a file
	Config   *config.Config
	Plan     *plan.Plan // with DryRun
}

// Valid says whether pipelines can be made of the configuration.
func (r *LintResult) Valid() bool { return len(r.Errors)+len(r.Texts) == 0 }

const detached = "Could not validate configuration. The configuration originates from an external project or a commit not associated with a " +
	"Git reference (a detached commit)"

// Lint checks a configuration. Only what cannot be checked is an error; a wrong configuration is a result.
func (c *Coordinator) Lint(ctx context.Context, a access.Actor, p *models.Project, r LintRequest) (*LintResult, error) {
	file := config.File{Name: p.ConfigPath()}
	ref := r.Ref
	if ref == "" {
		ref = p.DefaultBranch
	}
	repo := c.Repo(p)
	if r.Content == nil {
		sha, err := repo.Find(ctx, ref)
		if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
			if empty, emptyErr := repo.Empty(); emptyErr == nil && empty {
				return nil, fault.Missing("Repository")
			}
			return nil, fault.Missing("Commit")
		}
		if err != nil {
			return nil, err
		}
		if held, err := repo.Contained(ctx, sha); err != nil || !held {
			return &LintResult{Texts: []string{detached}}, err
		}
		if other := configElsewhere(p); other != nil {
			file = *other
		} else {
			file.Content, err = repo.File(ctx, sha, file.Name, maxConfig)
		}
		if errors.Is(err, gitrepo.ErrNotFound) {
			return &LintResult{Texts: []string{"Please provide content of .gitlab-ci.yml"}}, nil
		}
		if err != nil {
			return nil, err
		}
	} else {
		file.Content = []byte(*r.Content)
	}
	out := &LintResult{}
	b := &builder{c: c, r: PipelineRequest{Project: p, Actor: a, Source: enum.SourcePush, Ref: ref, Chat: ChatChoice{Configured: r.Given}}}
	files, err := b.lintFiles(ctx)
	if err != nil {
		return nil, err
	}
	found, err := files.load(file, nil)
	if err != nil {
		return nil, err
	}
	if out.Config, out.Errors, out.Warnings = found.Config, found.Errors, found.Warnings; out.Config == nil {
		return out, nil
	}
	refused, warned := plan.NotYetDone(out.Config)
	out.Errors, out.Warnings = append(out.Errors, refused...), append(out.Warnings, warned...)
	if !r.DryRun || len(refused) > 0 {
		return out, nil
	}
	return out, c.dryRun(ctx, a, p, ref, out)
}

// lintFiles reads for a configuration that is only checked: at the ref, with what its project offers to everybody
// who may ask. Protected variables are none of it.
func (b *builder) lintFiles(ctx context.Context) (*files, error) {
	f := b.files(ctx, nil)
	err := b.resolve(ctx)
	if fault.KindOf(err) == fault.Invalid {
		err = b.commitOnly(ctx)
	}
	if err != nil {
		return nil, err
	}
	f.vars, err = b.variables(ctx)
	var cycle *variable.CycleError
	if errors.As(err, &cycle) {
		err = nil
	}
	return f, err
}

// commitOnly takes the ref for the name of a commit. In an empty repository there is nothing to include.
func (b *builder) commitOnly(ctx context.Context) error {
	repo := b.c.Repo(b.r.Project)
	sha, err := repo.Find(ctx, b.r.Ref)
	if err == nil {
		b.ref = gitrepo.Ref{SHA: sha}
		b.commit, err = repo.Commit(ctx, sha)
	}
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		b.ref, b.commit, err = gitrepo.Ref{SHA: gitrepo.ZeroSHA}, &gitrepo.Commit{}, nil
	}
	return err
}

// dryRun plans a pipeline for the head of a ref, as the actor would push it, and keeps nothing.
func (c *Coordinator) dryRun(ctx context.Context, a access.Actor, p *models.Project, ref string, out *LintResult) error {
	b := &builder{c: c, r: PipelineRequest{Project: p, Actor: a, Source: enum.SourcePush, Ref: ref}}
	err := b.gather(ctx)
	var vars variable.Collection
	if err == nil {
		vars, err = b.variables(ctx)
	}
	if err == nil {
		f := b.files(ctx, vars)
		p, problem := plan.Build(out.Config, b.facts(vars, f))
		out.Plan, err = f.hideIn(p, problem)
	}
	var refused *plan.Refusal
	var cycle *variable.CycleError
	var f *fault.Error
	switch {
	case errors.As(err, &refused):
		out.Texts = append(out.Texts, strings.TrimSpace(refused.Text))
	case errors.As(err, &cycle):
		out.Texts = append(out.Texts, cycle.Error())
	case errors.As(err, &f) && f.Kind != fault.Internal:
		out.Texts = append(out.Texts, f.Message)
	default:
		return err
	}
	return nil
}
