package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"signalbox/api"
	"signalbox/ci"
	"signalbox/ci/config"
	"signalbox/ci/plan"
	"signalbox/ci/rubyregexp"
	"signalbox/ci/templates"
	"signalbox/ci/variable"
	"signalbox/models/enum"
)

// LintCommand is `signalbox lint`: it checks a configuration in a working tree, without a server.
type LintCommand struct {
	Dir      string            `default:"." env:"SIGNALBOX_LINT_DIR" help:"Working tree."`
	File     string            `default:".gitlab-ci.yml" env:"SIGNALBOX_LINT_FILE" help:"Configuration file in it."`
	JSON     bool              `env:"SIGNALBOX_LINT_JSON" help:"Print GitLab's lint answer as JSON, with all that is known beside it in diagnostics."`
	Schema   bool              `env:"SIGNALBOX_LINT_SCHEMA" help:"Print the JSON Schema of the language, for editors, and check nothing."`
	DryRun   bool              `env:"SIGNALBOX_LINT_DRY_RUN" help:"Also say which jobs a pipeline would get, and why it would not get the others."`
	Ref      string            `default:"main" env:"SIGNALBOX_LINT_REF" help:"Branch of that pipeline."`
	Tag      string            `env:"SIGNALBOX_LINT_TAG" help:"Tag of that pipeline, instead of a branch."`
	Source   string            `default:"push" env:"SIGNALBOX_LINT_SOURCE" help:"What starts it: push, web, api, chat, schedule, trigger …"`
	Variable map[string]string `env:"SIGNALBOX_LINT_VARIABLE" help:"Variables that it gets, as NAME=value."`
	Own      string            `name:"templates" env:"SIGNALBOX_TEMPLATES" help:"Folder of templates, besides those that signalbox ships."`
	Changed  []string          `env:"SIGNALBOX_LINT_CHANGED" help:"Files that the push changed. Without any, nothing is known of changes, and rules on them match."`
	Input    map[string]string `env:"SIGNALBOX_LINT_INPUT" help:"Inputs of the configuration, as name=value."`
}

// codedError ends the program with an exit status of its own.
type codedError struct {
	error
	code int
}

// ExitCode is the program's exit status.
func (e *codedError) ExitCode() int { return e.code }

// errInvalid ends with 1 and says nothing: what is wrong was printed.
var errInvalid = &codedError{errors.New(""), 1}

// offline reads what a configuration includes from a working tree.
type offline struct {
	root    *os.Root
	own     string // folder of templates
	files   []string
	changed []string
	known   bool
}

func (o *offline) Fetch(from config.Context, l config.Location) ([]byte, config.Context, error) {
	if l.Kind == "template" {
		text, err := templates.Find(o.own, l.Name)
		if !strings.HasSuffix(l.Name, templates.Suffix) {
			err = &config.Refused{Text: "Template file `" + l.Name + "` is not a valid location!"}
		} else if errors.Is(err, templates.ErrNotFound) {
			err = &config.Refused{Text: "Included file `" + l.Name + "` is empty or does not exist!"}
		}
		from.Source = "template " + l.Name
		return text, from, err
	}
	if l.Kind == "remote" {
		if err := config.CheckRemote(l.Name); err != nil {
			return nil, from, err
		}
	}
	if l.Kind != "local" {
		return nil, from, fmt.Errorf("the include of %s `%s` cannot be read without a server; ask the project's lint there", l.Kind, l.Name)
	}
	name := strings.TrimPrefix(path.Clean("/"+l.Name), "/")
	text, err := o.root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, from, &config.Refused{Text: "Local file `" + l.Name + "` does not exist!"}
	}
	if err == nil && len(strings.TrimSpace(string(text))) == 0 {
		err = &config.Refused{Text: "Local file `" + l.Name + "` is empty!"}
	}
	from.Source = name
	return text, from, err
}

// tree lists the files once.
func (o *offline) tree() ([]string, error) {
	if o.files != nil {
		return o.files, nil
	}
	o.files = []string{}
	err := fs.WalkDir(o.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case !d.IsDir():
			o.files = append(o.files, name)
		}
		return nil
	})
	return o.files, err
}

func (o *offline) Match(_ config.Context, pattern string) ([]string, error) {
	files, err := o.tree()
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(config.LocalPattern(pattern))
	if err != nil {
		return nil, err
	}
	files = slices.DeleteFunc(slices.Clone(files), func(f string) bool { return !re.MatchString(f) })
	slices.Sort(files)
	return files, nil
}

func (o *offline) Changed(string) ([]string, bool, error) { return o.changed, o.known, nil }

func (o *offline) Tree(project, _ string) ([]string, error) {
	if project != "" && project != offlineProject {
		return nil, fmt.Errorf("the files of `%s` cannot be read without a server", project)
	}
	return o.tree()
}

func (o *offline) Any(pattern string, paths []string) (bool, error) {
	return rubyregexp.Any(pattern, paths)
}

// offlineProject stands for the project whose path nobody knows here.
const offlineProject = "local/project"

// linted is what was found.
type linted struct {
	config   *config.Config
	errors   []*config.Error
	warnings []*config.Error
	plan     *plan.Plan
	refused  string // why there would be no pipeline
}

// Run checks the configuration and prints what it found. The exit status is 0 for a valid configuration, 1 for an invalid one, 2 if it could not
// be checked.
func (c *LintCommand) Run(context.Context) error {
	return c.run(os.Stdout, coloured(os.Stdout))
}

func (c *LintCommand) run(w io.Writer, colours bool) error {
	if c.Schema {
		if _, err := w.Write(config.Schema()); err != nil {
			return &codedError{err, 2}
		}
		return nil
	}
	found, err := c.check()
	if err != nil {
		return &codedError{err, 2}
	}
	if c.JSON {
		err = c.printJSON(w, found)
	} else {
		c.print(w, found, colours)
	}
	if err != nil {
		return &codedError{err, 2}
	}
	if len(found.errors) > 0 || found.refused != "" {
		return errInvalid
	}
	return nil
}

func coloured(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}

func (c *LintCommand) check() (*linted, error) {
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("--dir: %w", err)
	}
	defer root.Close()
	text, err := root.ReadFile(c.File)
	if err != nil {
		return nil, fmt.Errorf("--file: %w", err)
	}
	if !slices.Contains(enum.Sources, enum.Source(c.Source)) {
		return nil, &SettingError{"--source", fmt.Sprintf("%q is no source of pipelines", c.Source)}
	}
	tree := &offline{root: root, own: c.Own, changed: c.Changed, known: len(c.Changed) > 0}
	facts, err := c.facts()
	if err != nil {
		return nil, err
	}
	facts.Files = tree
	options := config.Options{
		Variables: facts.Variables, Pattern: rubyregexp.Check, Resolver: tree, Project: offlineProject,
		Rules: func(_ config.Context, r config.Rule) (bool, error) { return plan.Matches(facts, r) },
	}
	if len(c.Input) > 0 {
		options.Inputs = map[string]any{}
		for k, v := range c.Input {
			options.Inputs[k] = v
		}
	}
	found := &linted{}
	result, err := config.LoadWith(config.File{Name: c.File, Content: text}, options)
	found.config, found.errors, found.warnings = result.Config, result.Errors, result.Warnings
	if err != nil || found.config == nil {
		return found, err
	}
	mistakes, warned := plan.NotYetDone(found.config)
	found.errors, found.warnings = append(found.errors, mistakes...), append(found.warnings, warned...)
	if !c.DryRun || len(found.errors) > 0 {
		return found, nil
	}
	var refused *plan.Refusal
	found.plan, err = plan.Build(found.config, facts)
	if errors.As(err, &refused) {
		found.refused, err = refused.Text, nil
	}
	return found, err
}

// ref is the tag or the branch of the pipeline.
func (c *LintCommand) ref() string {
	if c.Tag != "" {
		return c.Tag
	}
	return c.Ref
}

// facts are those of a pipeline as far as they are known here, with the variables that were given.
func (c *LintCommand) facts() (plan.Facts, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return plan.Facts{}, err
	}
	name := filepath.Base(dir)
	server := variable.Server{URL: "http://localhost", Version: ci.Version}
	project := variable.Project{Name: name, Title: name, Path: offlineProject, Namespace: path.Dir(offlineProject), DefaultBranch: "main", ConfigPath: c.File}
	commit := variable.Commit{SHA: strings.Repeat("0", 40), BeforeSHA: strings.Repeat("0", 40), Ref: c.ref(), Tag: c.Tag != ""}
	f := plan.Facts{Source: enum.Source(c.Source), Ref: c.ref(), Tag: c.Tag != "", ProjectPath: offlineProject}
	f.Variables = variable.Base(server, project, commit, variable.Pipeline{Source: c.Source})
	f.Predefined = len(f.Variables)
	f.Configured = variable.Configured(server, project, commit, variable.Pipeline{})
	for _, k := range sortedKeys(c.Variable) {
		f.Variables.Add(k, c.Variable[k])
	}
	_, err = f.Variables.ExpandAll()
	return f, err
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (c *LintCommand) print(w io.Writer, found *linted, colours bool) {
	paint := func(code, text string) string {
		if !colours {
			return text
		}
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
	mistakes := config.Apart(found.errors)
	for _, e := range mistakes {
		fmt.Fprintln(w, paint("31;1", "error"), e.Report())
		fmt.Fprintln(w)
	}
	for _, e := range found.warnings {
		fmt.Fprintln(w, paint("33;1", "warning"), e.Report())
		fmt.Fprintln(w)
	}
	switch {
	case len(mistakes) > 0:
		fmt.Fprintf(w, "%s is not valid: %s.\n", c.File, counted(len(mistakes), "mistake"))
		return
	case found.refused != "":
		fmt.Fprintln(w, paint("31;1", "no pipeline"), found.refused)
	default:
		fmt.Fprintf(w, "%s %s is valid: %s.\n", paint("32;1", "✓"), c.File, counted(len(found.config.Jobs), "job"))
	}
	if found.plan == nil {
		return
	}
	fmt.Fprintf(w, "\nA pipeline of source %s on %s gets:\n", c.Source, c.ref())
	for _, j := range found.plan.Jobs {
		fmt.Fprintf(w, "  %s %s %s\n", paint("32", "✓"), j.Name, paint("2", fmt.Sprintf("(%s, %s)", j.Stage, j.When)))
	}
	for _, l := range found.plan.LeftOut {
		fmt.Fprintf(w, "  %s %s: %s\n", paint("2", "–"), l.Name, l.Why)
	}
}

func counted(n int, word string) string {
	if n != 1 {
		word += "s"
	}
	return fmt.Sprintf("%d %s", n, word)
}

// diagnostic is a mistake or a warning with all that is known of it.
type diagnostic struct {
	Severity string   `json:"severity"`
	Text     string   `json:"text"`
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line,omitempty"`
	Column   int      `json:"column,omitempty"`
	Excerpt  string   `json:"excerpt,omitempty"`
	Via      []string `json:"via,omitempty"`  // how it came there: includes, extends, references
	Hint     string   `json:"hint,omitempty"` // what was likely meant
	Told     bool     `json:"told"`           // GitLab would tell it too
}

func diagnosed(severity string, e *config.Error) diagnostic {
	return diagnostic{severity, e.Text, e.File, e.Line, e.Column, e.Excerpt, e.Via, e.Hint, !e.Beyond}
}

func (c *LintCommand) printJSON(w io.Writer, found *linted) error {
	type leftOut struct {
		Name string `json:"name"`
		Why  string `json:"why"`
	}
	out := struct {
		Valid       bool          `json:"valid"`
		Errors      []string      `json:"errors"`
		Warnings    []string      `json:"warnings"`
		Merged      *string       `json:"merged_yaml"`
		Includes    []any         `json:"includes"`
		Jobs        []api.LintJob `json:"jobs"`
		LeftOut     []leftOut     `json:"left_out,omitempty"`
		Diagnostics []diagnostic  `json:"diagnostics"`
	}{Errors: []string{}, Warnings: []string{}, Includes: []any{}, Jobs: []api.LintJob{}, Diagnostics: []diagnostic{}}
	for _, e := range config.Told(found.errors) {
		out.Errors = append(out.Errors, e.Text)
	}
	for _, e := range config.Apart(found.errors) {
		out.Diagnostics = append(out.Diagnostics, diagnosed("error", e))
	}
	for _, e := range found.warnings {
		out.Warnings = append(out.Warnings, e.Text)
		out.Diagnostics = append(out.Diagnostics, diagnosed("warning", e))
	}
	if found.refused != "" {
		out.Errors = append(out.Errors, found.refused)
	}
	out.Valid = len(out.Errors) == 0
	if found.config != nil {
		merged := found.config.Merged()
		out.Merged = &merged
		for _, i := range found.config.Includes {
			i.At.Project, i.At.SHA = "", "" // nobody knows them here
			out.Includes = append(out.Includes, api.LintInclude(i, ""))
		}
		out.Jobs = api.LintJobs(&ci.LintResult{Config: found.config, Plan: found.plan})
	}
	if found.plan != nil {
		for _, l := range found.plan.LeftOut {
			out.LeftOut = append(out.LeftOut, leftOut{l.Name, l.Why})
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(out)
}
