// Package config reads .gitlab-ci.yml: it checks the keywords and gives the jobs that a configuration
// defines. Which of them a pipeline gets is decided elsewhere. It accepts and refuses as GitLab does, with
// GitLab's texts, and adds where the mistake stands (facts: ci-yaml).
package config

import (
	"fmt"
	"strings"

	"signalbox/ci/config/yaml"
	"signalbox/ci/expression"
	"signalbox/ci/variable"
	"signalbox/models/enum"
)

// Config is a configuration that can be run.
type Config struct {
	Stages    []string // .pre first, .post last
	Variables []Variable
	Jobs      []*Job // in the order of the file
	Workflow  Workflow
	Includes  []Included // the files that it is made of, besides its own
	Warnings  []*Error
	root      *yaml.Node
}

// Merged is the configuration as one YAML text, with aliases and merge keys resolved.
func (c *Config) Merged() string { return yaml.Write(c.root) }

// Job is a job as it is defined, with defaults applied.
type Job struct {
	Name         string
	Stage        string
	StageIndex   int
	BeforeScript []string
	Script       []string
	AfterScript  []string
	Variables    []Variable
	Image        *Image
	Services     []Image
	Tags         []string
	When         enum.When
	StartIn      int // seconds
	AllowFailure bool
	AllowCodes   []int // exit codes that may fail
	Only         *Policy
	Except       *Policy
	Artifacts    *Artifacts
	Dependencies *[]string // nil: all jobs of earlier stages
	Needs        *[]Need   // nil: it waits for stages
	Cache        []Cache
	Timeout      int // seconds; 0: the project's
	Retry        *Retry

	Rules         []Rule
	HasRules      bool // also an empty list, which keeps the job out
	Trigger       *Trigger
	Parallel      *Parallel
	Base          string    // the name in the file, if parallel made it several jobs
	Instance      *Instance // which one of them it is
	Environment   *Environment
	ResourceGroup string
	Interruptible bool
	Coverage      string // RE2
	Release       *Release
	Pages         *Pages
	IDTokens      map[string][]string // name to audiences
	Secrets       map[string]any
	Identity      string
	Hooks         []string // pre_get_sources_script
	Run           []any
	Inputs        map[string]any // of the job, with their specifications
	DAST          map[string]any // dast_configuration
	Confirmation  string         // what is asked before it is started by hand
	// RootVariables says which variables of the root it gets: nil are all.
	RootVariables *[]string

	Line int // where it stands
	At   Place
}

// Place is where something stands in a file.
type Place struct {
	File         string
	Line, Column int
}

func place(n *yaml.Node) Place {
	p := Place{Line: n.Line, Column: n.Column}
	if n.Source != nil {
		p.File = n.Source.Name
	}
	return p
}

func (p Place) String() string {
	if p.File == "" {
		return fmt.Sprintf("line %d", p.Line)
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Variable is a variable of the configuration.
type Variable struct {
	Key         string `json:"key"`
	Value       string `json:"value"`
	Raw         bool   `json:"raw,omitempty"` // expand: false
	Description string `json:"description,omitempty"`
}

// Image is a container image of a job or a service.
type Image struct {
	Name       string         `json:"name"`
	Alias      string         `json:"alias,omitempty"`
	Entrypoint []string       `json:"entrypoint,omitempty"`
	Command    []string       `json:"command,omitempty"`
	Variables  []Variable     `json:"variables,omitempty"`
	PullPolicy []string       `json:"pull_policy,omitempty"`
	Executor   map[string]any `json:"executor_opts,omitempty"` // docker and kubernetes
}

// Policy is `only` or `except`.
type Policy struct {
	Refs       []string // nil: none are named
	Kubernetes bool
	Variables  []*expression.Expr
	Changes    []string
	Line       int
}

// Artifacts is what a job keeps.
type Artifacts struct {
	Name      string              `json:"name,omitempty"`
	Paths     []string            `json:"paths,omitempty"`
	Exclude   []string            `json:"exclude,omitempty"`
	Untracked bool                `json:"untracked,omitempty"`
	When      string              `json:"when,omitempty"`
	ExpireIn  string              `json:"expire_in,omitempty"`
	Reports   map[string][]string `json:"reports,omitempty"`
	ExposeAs  string              `json:"expose_as,omitempty"`
	Access    string              `json:"access,omitempty"` // all, developer, maintainer or none; "" is all
}

// Need is a job that must have succeeded before.
type Need struct {
	Job       string
	Artifacts bool
	Optional  bool
	Matrix    [][]Variable // the instances of a matrix that are meant; nil: all
	Cross     *CrossNeed   // of another pipeline
}

// Cache is a cache of files between jobs.
type Cache struct {
	Key          string   `json:"key"`
	Files        []string `json:"files,omitempty"`     // the key is made of these files' contents
	ByCommit     bool     `json:"by_commit,omitempty"` // or of the commits that changed them last
	Prefix       string   `json:"prefix,omitempty"`
	Paths        []string `json:"paths,omitempty"`
	Untracked    bool     `json:"untracked,omitempty"`
	Unprotect    bool     `json:"unprotect,omitempty"`
	Policy       string   `json:"policy"`
	When         string   `json:"when"`
	FallbackKeys []string `json:"fallback_keys,omitempty"`
}

// Retry is how often and why a failed job is tried again.
type Retry struct {
	Max       int      `json:"max"`
	When      []string `json:"when,omitempty"`
	ExitCodes []int    `json:"exit_codes,omitempty"`
}

// Error is a mistake in a configuration: GitLab's own text, and where it stands.
type Error struct {
	Text         string
	File         string
	Line, Column int // from 1; 0 if the mistake has no place
	Excerpt      string
	Hint         string // more than GitLab says: what exactly is wrong, or what was likely meant
}

// Error is the text with its place in front.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Text)
}

// Report is the mistake as people read it: text, place and the lines around it.
func (e *Error) Report() string {
	text := e.Error()
	if e.Excerpt != "" {
		text += "\n" + e.Excerpt
	}
	if e.Hint != "" {
		text += "\n" + e.Hint
	}
	return text
}

// File is the text of a configuration and its name.
type File struct {
	Name    string
	Content []byte
}

// Options are what a configuration is read with.
type Options struct {
	Inputs    map[string]any      // given to the file itself
	Variables variable.Collection // what locations and rules of includes, and expand_vars, may use
	Resolver  Resolver            // nil: nothing can be included
	// Child says that the pipeline is another one's child: its files may come from that one's artifacts.
	Child bool
	// Project and SHA are where the file lies.
	Project, SHA string
	// Rules says whether a rule of an include in a file holds; nil: conditions on variables alone are asked.
	Rules func(from Context, r Rule) (bool, error)
}

// Load reads a configuration. All mistakes of the structure are returned together, in the order of the
// file; of the relations between jobs the first.
func Load(f File, o Options) (*Config, []*Error) {
	c, errs, _ := LoadWith(f, o)
	return c, errs
}

// LoadWith is Load for a resolver that may fail: what went wrong there, as opposed to in a file, is the error.
func LoadWith(f File, o Options) (*Config, []*Error, error) {
	l := &loader{file: f}
	c, errs := l.load(f, o)
	return c, errs, l.failed
}

func (l *loader) load(f File, o Options) (*Config, []*Error) {
	if strings.TrimSpace(string(f.Content)) == "" {
		return nil, l.fatal(nil, "Please provide content of "+f.Name)
	}
	u := &unit{source: &yaml.Source{Name: f.Name, Content: f.Content}, variables: o.Variables}
	if o.Inputs != nil {
		u.inputs = NodeOf(o.Inputs)
	}
	x, here := newIncluder(l, o), Context{Source: u.source.Name, Project: o.Project, SHA: o.SHA}
	u.included = func(list *yaml.Node) ([]*input, *yaml.Node, string) { return x.headers(list, here, nil) }
	root, at, problem := u.read()
	if problem != "" {
		return nil, l.fatal(at, problem)
	}
	root = x.file(root, here, nil)
	for _, step := range []func(*yaml.Node) *yaml.Node{l.extends, l.references} {
		if len(l.errors) > 0 {
			return nil, l.errors
		}
		root = step(root)
	}
	if len(l.errors) > 0 {
		return nil, l.errors
	}
	c := l.root(root)
	if len(l.errors) == 0 {
		c.Jobs = l.expand(c.Jobs)
	}
	if len(l.errors) == 0 {
		l.relations(c)
	}
	if len(l.errors) > 0 {
		return nil, l.errors
	}
	c.Warnings, c.root, c.Includes = l.warnings, root, x.included
	return c, nil
}

// loader collects mistakes while it walks one file.
type loader struct {
	file     File
	failed   error // of the resolver, that is nobody's mistake in a file
	errors   []*Error
	warnings []*Error
	split    map[string][]string // lines of files
	weight   int                 // of regular expressions
	shared   map[string]*Job     // what each default says, read once
	positions
}

// positions remembers where jobs and their keys stand, for mistakes found later.
type positions struct {
	jobs map[string]*yaml.Node
}

func (l *loader) fatal(at *yaml.Node, text string) []*Error {
	l.errors = nil
	l.add(at, text)
	return l.errors
}

// add notes a mistake whose text is used as it is.
func (l *loader) add(at *yaml.Node, text string) {
	l.errors = append(l.errors, l.mistake(at, text))
}

func (l *loader) mistake(at *yaml.Node, text string) *Error {
	e := &Error{Text: text, File: l.file.Name}
	if at != nil && at.Line > 0 {
		content := l.file.Content
		if at.Source != nil {
			e.File, content = at.Source.Name, at.Source.Content
		}
		e.Line, e.Column, e.Excerpt = at.Line, at.Column, excerpt(l.lines(e.File, content), at.Line, at.Column)
	}
	return e
}

// lines splits a file once.
func (l *loader) lines(name string, content []byte) []string {
	if l.split == nil {
		l.split = map[string][]string{}
	}
	if l.split[name] == nil {
		l.split[name] = strings.Split(string(content), "\n")
	}
	return l.split[name]
}

// explain says more of the mistake that was noted last.
func (l *loader) explain(text string) { l.errors[len(l.errors)-1].Hint = text }

// suggest names what was likely meant by a wrong name.
func (l *loader) suggest(wrong string, names []string) {
	if near := Nearest(wrong, names, 2); len(near) > 0 {
		l.explain("Did you mean `" + strings.Join(near, "` or `") + "`?")
	}
}

// warn notes what GitLab warns of.
func (l *loader) warn(at *yaml.Node, text string) {
	l.warnings = append(l.warnings, l.mistake(at, text))
}

// bad notes a mistake in GitLab's form: the place in the configuration, then what is wrong, in lower case.
func (l *loader) bad(at *yaml.Node, location, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if location != "" {
		text = location + " " + text
	}
	l.add(at, strings.ToLower(text))
}

// excerpt shows the line of a mistake and the one before, with a mark below the column.
func excerpt(lines []string, line, column int) string {
	var b strings.Builder
	for n := max(1, line-1); n <= min(line, len(lines)); n++ {
		text := []rune(strings.TrimSuffix(lines[n-1], "\r"))
		if len(text) > 160 {
			text = append(text[:159:159], '…')
		}
		fmt.Fprintf(&b, "%5d | %s\n", n, string(text))
	}
	if column > 0 && column < 160 {
		b.WriteString(strings.Repeat(" ", 7+column) + "^")
	}
	return strings.TrimRight(b.String(), "\n")
}
