package ci

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"signalbox/ci/access"
	"signalbox/ci/config"
	"signalbox/ci/expression"
	"signalbox/ci/plan"
	"signalbox/ci/rubyregexp"
	"signalbox/ci/templates"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/models"
	"signalbox/models/enum"
)

// files answers what configurations and rules ask of repositories, for one pipeline and the person that it is
// for: files to include, files that changed, files that exist. What was asked once is kept.
type files struct {
	c       *Coordinator
	ctx     context.Context
	whole   context.Context // without the bound of a reading
	b       *builder        // whose project, commit and person
	vars    variable.Collection
	hidden  []string // what must not be told of them
	most    int      // how many files may be included
	trees   map[string][]string
	changes map[string]changedPaths
	clock   *stopwatch // bounds a reading; nil: nothing is read
}

func (b *builder) files(ctx context.Context, vars variable.Collection) *files {
	return &files{c: b.c, ctx: ctx, b: b, vars: vars, most: int(b.c.current(ctx).MaxIncludes)}
}

type changedPaths struct {
	paths []string
	known bool
}

func (f *files) options(inputs map[string]any) config.Options {
	return config.Options{
		Inputs: inputs, Given: f.b.r.Chat.Configured, Variables: f.vars, Resolver: f, Project: f.b.r.Project.FullPath, SHA: f.b.ref.SHA, Rules: f.includeRule,
		Pattern: rubyregexp.Check, Child: f.b.r.Upstream != nil && f.b.r.Source != enum.SourcePipeline, MaxIncludes: f.most,
	}
}

// load reads a configuration with all that it includes, within includesWithin. Waiting for the turn of others does not
// count: it says nothing of the configuration.
func (f *files) load(file config.File, inputs map[string]any) (*config.Result, error) {
	whole := f.ctx
	ctx, cancel := context.WithCancelCause(whole)
	defer cancel(nil)
	f.clock = startStopwatch(includesWithin, func() { cancel(errSlowIncludes) })
	defer f.clock.timer.Stop()
	f.ctx, f.whole = ctx, whole
	r, err := f.compiled(file, inputs)
	f.ctx = whole
	f.hideResult(r)
	if errors.Is(err, errCostly) {
		const advice = "The configuration is too large: reading it takes too long. Split it into child pipelines."
		return &config.Result{Errors: []*config.Error{{Text: advice, File: file.Name}}}, nil
	}
	if (err != nil || r.Errors != nil) && whole.Err() == nil && context.Cause(ctx) == errSlowIncludes {
		return &config.Result{Errors: []*config.Error{{Text: "Request timed out when fetching configuration files.", File: file.Name}}}, nil
	}
	return r, err
}

// includeRule asks a rule of an include: files lie where the file that holds the rule lies.
func (f *files) includeRule(from config.Context, r config.Rule) (bool, error) {
	if err := f.ctx.Err(); err != nil {
		return false, err
	}
	if r.If != nil && !r.If.Matches(expression.Values{Variable: f.vars.Get}) {
		return false, nil
	}
	facts := plan.Facts{Variables: f.vars, Files: f}
	if r.Exists != nil && r.Exists.Project == "" && from.Project != "" {
		exists := *r.Exists
		exists.Project, exists.Ref = from.Project, from.SHA
		r.Exists = &exists
	}
	r.If = nil
	ok, err := plan.Matches(facts, r)
	var wrong *plan.RuleError
	if errors.As(err, &wrong) {
		return false, &config.Refused{Text: wrong.Text}
	}
	return ok, err
}

// Changed lists the paths that the pipeline is about. For a push they are those since the commit before; nothing is
// known of new branches, tags, and pipelines that nothing was pushed for. For a merge request they are all of its changes.
func (f *files) Changed(compareTo string) ([]string, bool, error) {
	if c, ok := f.changes[compareTo]; ok {
		return c.paths, c.known, nil
	}
	repo := f.c.Repo(f.b.r.Project)
	from := f.b.r.BeforeSHA
	if compareTo != "" {
		sha, err := repo.Find(f.ctx, compareTo)
		if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
			return nil, false, &plan.RuleError{Text: "rules:changes:compare_to is not a valid ref"}
		}
		if err != nil {
			return nil, false, err
		}
		if from, err = repo.MergeBase(f.ctx, sha, f.b.ref.SHA); errors.Is(err, gitrepo.ErrNotFound) {
			from, err = sha, nil
		}
		if err != nil {
			return nil, false, err
		}
	} else if f.b.diff != nil {
		from = f.b.diff.BaseSHA
	} else if f.b.tag || from == "" || gitrepo.IsZero(from) {
		return nil, false, nil
	}
	if gitrepo.IsZero(from) {
		// A merge request whose branches have nothing in common changes all of its files.
	} else if _, err := repo.Commit(f.ctx, from); errors.Is(err, gitrepo.ErrNotFound) { // rewritten and gone
		return nil, false, nil
	}
	paths, err := repo.Changed(f.ctx, from, f.b.ref.SHA)
	if err != nil {
		return nil, false, err
	}
	if f.changes == nil {
		f.changes = map[string]changedPaths{}
	}
	f.changes[compareTo] = changedPaths{paths, true}
	return paths, true, nil
}

// Tree lists the files of a commit.
func (f *files) Tree(project, ref string) ([]string, error) {
	key := project + "\x00" + ref
	if t, ok := f.trees[key]; ok {
		return t, nil
	}
	p, sha := f.b.r.Project, f.b.ref.SHA
	if project != "" && (project != p.FullPath || ref != sha) {
		var err error
		if p, sha, err = f.other(project, ref); err != nil {
			return nil, err
		}
	}
	entries, err := f.c.Repo(p).RecursiveTree(f.ctx, sha, "")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if e.Type != "tree" {
			out = append(out, e.Path)
		}
	}
	if f.trees == nil {
		f.trees = map[string][]string{}
	}
	f.trees[key] = out
	return out, nil
}

// other finds another project's commit, if the person may read its files.
func (f *files) other(project, ref string) (*models.Project, string, error) {
	p, _, err := f.c.FindProject(f.ctx, f.b.r.Actor, project, access.ReadRepository)
	if kind := fault.KindOf(err); kind == fault.NotFound || kind == fault.Forbidden { // who may not see it learns nothing
		return nil, "", &plan.RuleError{Text: "rules:exists:project `" + project + "` not found or access denied"}
	}
	if err != nil {
		return nil, "", err
	}
	if ref == "" {
		ref = p.DefaultBranch
	}
	sha, err := f.c.Repo(p).Find(f.ctx, ref)
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		return nil, "", &plan.RuleError{Text: "rules:exists:ref `" + ref + "` is not a valid ref in project `" + project + "`"}
	}
	return p, sha, err
}

// Any holds paths against a pattern.
func (f *files) Any(pattern string, paths []string) (bool, error) {
	return rubyregexp.Any(pattern, paths)
}

func refuse(format string, args ...any) error {
	return &config.Refused{Text: fmt.Sprintf(format, args...)}
}

// Fetch gives a file that an include names.
func (f *files) Fetch(from config.Context, l config.Location) ([]byte, config.Context, error) {
	switch l.Kind {
	case "local":
		p, err := f.projectOf(from)
		if err != nil {
			return nil, from, err
		}
		return f.read(p, from.SHA, l.Name, from.Project, "Local file `"+l.Name+"`")
	case "project":
		p, sha, err := f.included(l)
		if err != nil {
			return nil, from, err
		}
		return f.read(p, sha, l.Name, p.FullPath, "Project `"+l.Project+"` file `"+l.Name+"`")
	case "component":
		return f.component(l)
	case "template":
		return f.template(from, l)
	case "remote":
		var text []byte
		var at config.Context
		var err error
		f.b.aside(f.whole, func() { text, at, err = f.c.remote.fetch(f.ctx, l) })
		return text, at, err
	case "artifact":
		return f.artifact(from, l)
	}
	return nil, from, refuse("Included file `%s` is empty or does not exist!", l.Name)
}

// template reads one of the instance's templates; what it includes as `local` lies where its reader's lies.
func (f *files) template(from config.Context, l config.Location) ([]byte, config.Context, error) {
	at := from
	at.Source = "template " + l.Name
	text, err := templates.Find(f.c.settings.Templates, l.Name)
	switch {
	case !strings.HasSuffix(l.Name, templates.Suffix):
		err = refuse("Template file `%s` is not a valid location!", l.Name)
	case errors.Is(err, templates.ErrNotFound):
		err = refuse("Included file `%s` is empty or does not exist!", l.Name)
	}
	return text, at, err
}

// projectOf is the project where a file lies, which the person could read when it was included.
func (f *files) projectOf(from config.Context) (p *models.Project, err error) {
	if from.Project == f.b.r.Project.FullPath {
		return f.b.r.Project, nil
	}
	p, _, err = f.c.FindProject(f.ctx, f.b.r.Actor, from.Project, access.ReadRepository)
	return p, err
}

func (f *files) read(p *models.Project, sha, name, shown, what string) ([]byte, config.Context, error) {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	at := config.Context{Source: name, Project: p.FullPath, SHA: sha}
	if shown != f.b.r.Project.FullPath {
		at.Source = p.FullPath + ":" + name
	}
	text, err := f.c.Repo(p).File(f.ctx, sha, name, maxConfig)
	switch {
	case errors.Is(err, gitrepo.ErrNotFound), errors.Is(err, gitrepo.ErrBadName):
		return nil, at, refuse("%s does not exist!", what)
	case errors.Is(err, gitrepo.ErrTooLarge):
		return nil, at, refuse("The parsed YAML is too big")
	case err != nil:
		return nil, at, err
	case len(strings.TrimSpace(string(text))) == 0:
		return nil, at, refuse("%s is empty!", what)
	}
	return text, at, nil
}

func (f *files) included(l config.Location) (*models.Project, string, error) {
	p, _, err := f.c.FindProject(f.ctx, f.b.r.Actor, strings.ToLower(l.Project), access.ReadRepository)
	if kind := fault.KindOf(err); kind == fault.NotFound || kind == fault.Forbidden {
		return nil, "", refuse("Project `%s` not found or access denied! Make sure any includes in the pipeline configuration are correctly defined.", l.Project)
	}
	if err != nil {
		return nil, "", err
	}
	ref := l.Ref
	if ref == "" || ref == "HEAD" {
		ref = p.DefaultBranch
	}
	sha, err := f.c.Repo(p).Find(f.ctx, ref)
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		return nil, "", refuse("Project `%s` reference `%s` does not exist!", l.Project, l.Ref)
	}
	return p, sha, err
}

var partialVersion = regexp.MustCompile(`^\d+(\.\d+)?$`)

// component finds host/group/project/name@version on this instance (facts: ci-yaml 6.1).
func (f *files) component(l config.Location) ([]byte, config.Context, error) {
	address, version, ok := strings.Cut(l.Name, "@")
	host, _ := f.vars.Get("CI_SERVER_FQDN")
	rest, here := strings.CutPrefix(address, host+"/")
	at := strings.LastIndex(rest, "/")
	if !ok || !here || at < 0 || version == "" {
		return nil, config.Context{}, refuse("Component '%s' - the component path is not supported", l.Name)
	}
	project, name := rest[:at], rest[at+1:]
	p, _, err := f.c.FindProject(f.ctx, f.b.r.Actor, project, access.ReadRepository)
	if kind := fault.KindOf(err); kind == fault.NotFound || kind == fault.Forbidden {
		return nil, config.Context{}, refuse("Component '%s' - project does not exist or you don't have sufficient permissions", l.Name)
	}
	if err != nil {
		return nil, config.Context{}, err
	}
	sha, reference, err := f.version(p, version)
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		return nil, config.Context{}, refuse("Component '%s' - content not found", l.Name)
	}
	if err != nil {
		return nil, config.Context{}, err
	}
	for _, file := range []string{"templates/" + name + ".yml", "templates/" + name + "/template.yml"} {
		text, where, err := f.read(p, sha, file, p.FullPath, "Component")
		var missing *config.Refused
		if errors.As(err, &missing) {
			continue
		}
		where.Component = map[string]string{"name": name, "sha": sha, "version": reference, "reference": version}
		return text, where, err
	}
	return nil, config.Context{}, refuse("Component '%s' - content not found", l.Name)
}

// version finds the commit of a version: a tag, a branch, a commit, ~latest, or the newest of a partial version.
func (f *files) version(p *models.Project, version string) (sha, name string, err error) {
	repo := f.c.Repo(p)
	if version != "~latest" && !partialVersion.MatchString(version) {
		sha, err = repo.Find(f.ctx, version)
		return sha, version, err
	}
	if sha, err = repo.Find(f.ctx, version); err == nil && version != "~latest" {
		return sha, version, nil // a tag or branch that is called so
	}
	refs, err := repo.Refs(f.ctx, "refs/tags/", 5000)
	if err != nil {
		return "", "", err
	}
	var best *gitrepo.Ref
	for i, r := range refs {
		tag := strings.TrimPrefix(r.Name, "refs/tags/")
		if parts(tag) == nil || version != "~latest" && !strings.HasPrefix(tag, version+".") {
			continue
		}
		if best == nil || slices.Compare(parts(strings.TrimPrefix(best.Name, "refs/tags/")), parts(tag)) < 0 {
			best = &refs[i]
		}
	}
	if best == nil {
		return "", "", gitrepo.ErrNotFound
	}
	return best.SHA, strings.TrimPrefix(best.Name, "refs/tags/"), nil
}

var released = regexp.MustCompile(`^(\d{1,9})\.(\d{1,9})\.(\d{1,9})$`)

// parts are the numbers of a released version; nil of what is none.
func parts(tag string) []int {
	if !released.MatchString(tag) {
		return nil
	}
	n := make([]int, 3)
	fmt.Sscanf(tag, "%d.%d.%d", &n[0], &n[1], &n[2])
	return n
}

// Match lists the files of a commit that a local pattern stands for: * within a folder, ** through any.
func (f *files) Match(from config.Context, pattern string) ([]string, error) {
	project := from.Project
	if project == f.b.r.Project.FullPath && from.SHA == f.b.ref.SHA {
		project = ""
	}
	all, err := f.Tree(project, from.SHA)
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(config.LocalPattern(pattern))
	if err != nil {
		return nil, refuse("Local file `%s` does not exist!", pattern)
	}
	var out []string
	for _, file := range all {
		if re.MatchString(file) {
			out = append(out, file)
		}
	}
	slices.Sort(out)
	return out, nil
}
