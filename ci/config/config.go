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
	Help string // the comment above it
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

// File is the text of a configuration and its name.
type File struct {
	Name    string
	Content []byte
}

// Options are what a configuration is read with.
type Options struct {
	Inputs map[string]any // given to the file itself
	// Given gives them instead, once it is known what the file asks for; an error of it ends the reading, and is returned.
	Given     func(specs []InputSpec) (map[string]any, error)
	Variables variable.Collection // what locations and rules of includes, and expand_vars, may use
	Resolver  Resolver            // nil: nothing can be included
	// Pattern says what is wrong with a pattern of paths in Ruby's syntax; nil: those that RE2 takes are right.
	Pattern func(source string) error
	// Child says that the pipeline is another one's child: its files may come from that one's artifacts.
	Child bool
	// MaxIncludes is how many files may be included, each as often as it is named; 0 is 150.
	MaxIncludes int
	// Project and SHA are where the file lies.
	Project, SHA string
	// Stopped is asked while a configuration is read; its error ends the reading and is returned. It may be nil.
	Stopped func() error
	// Rules says whether a rule of an include in a file holds; nil: conditions on variables alone are asked.
	Rules func(from Context, r Rule) (bool, error)
}

// Result is what was found in a configuration.
type Result struct {
	Config *Config // nil if there are errors
	// Errors are all mistakes that can be found, first those that GitLab tells, in its order: of the structure all,
	// of the relations between jobs the first. The others are marked as beyond.
	Errors   []*Error
	Warnings []*Error
	// Varied says that values of variables had a part in it, apart from the answers of Rules.
	Varied bool
}

// Load reads a configuration whose resolver, if it has one, cannot fail.
func Load(f File, o Options) (*Config, []*Error) {
	r, _ := LoadWith(f, o)
	return r.Config, r.Errors
}

// LoadWith reads a configuration. What went wrong with the resolver or with what was given, as opposed to in a file, is the
// error; there is a result nonetheless.
func LoadWith(f File, o Options) (*Result, error) {
	l := &loader{file: f, pattern: o.Pattern, ask: o.Stopped, chains: map[string][]string{}, positions: positions{tops: map[string][]top{}}}
	c := l.load(f, o)
	if len(l.errors) == 0 {
		return &Result{Config: c, Warnings: l.warnings, Varied: l.varied}, l.failed
	}
	return &Result{Errors: append(Told(l.errors), beyond(l.errors)...), Warnings: l.warnings, Varied: l.varied}, l.failed
}

// load goes on after a mistake as long as what comes next can be judged without what is broken.
func (l *loader) load(f File, o Options) *Config {
	if strings.TrimSpace(string(f.Content)) == "" {
		l.add(nil, "Please provide content of "+f.Name)
		return nil
	}
	u := &unit{source: &yaml.Source{Name: f.Name, Content: f.Content}, variables: o.Variables, given: o.Given, varied: &l.varied, stopped: l.stopped}
	if o.Inputs != nil {
		u.inputs = NodeOf(o.Inputs)
	}
	x, here := newIncluder(l, o), Context{Source: u.source.Name, Project: o.Project, SHA: o.SHA}
	u.included = func(list *yaml.Node) ([]*input, *yaml.Node, string) { return x.headers(list, here, nil) }
	root, at, problem := u.read()
	if u.refused != nil {
		l.failed = u.refused
	}
	if l.failed != nil {
		return nil
	}
	if problem == emptyFile {
		problem = "Invalid configuration format"
	}
	if problem != "" {
		l.fatal(at, problem)
		l.further(u.further, "")
		return nil
	}
	l.remember(root)
	root = x.file(root, here, nil)
	if len(l.errors) > 0 || l.stopped() != nil {
		return nil // what is missing would only look like further mistakes
	}
	root = l.extends(root)
	root = l.references(root)
	if l.aimless || l.stopped() != nil {
		return nil
	}
	l.beyond = len(l.errors) > 0
	c := l.root(l.healthy(root))
	l.beyond = len(l.errors) > 0
	if !l.aimless && l.stopped() == nil {
		c.Jobs = l.expand(c.Jobs)
	}
	if !l.aimless && l.stopped() == nil {
		l.relations(c)
	}
	c.root, c.Includes = root, x.included
	return c
}

// loader collects mistakes while it walks one file.
type loader struct {
	file     File
	failed   error // of the resolver, that is nobody's mistake in a file
	ask      func() error
	errors   []*Error
	warnings []*Error
	pattern  func(string) error
	beyond   bool                // what is found now GitLab would not tell any more
	sick     map[string]bool     // keys of the root that cannot be judged, because what they stand on is broken
	aimless  bool                // the stages are broken, or too much is: relations cannot be judged
	split    map[string][]string // lines of files
	weight   int                 // of regular expressions
	shared   map[string]*Job     // what each default says, read once
	varied   bool
	chains   map[string][]string // how each file came to be included
	positions
}

// stopped says why the reading shall end, once it shall.
func (l *loader) stopped() error {
	if l.failed == nil && l.ask != nil {
		l.failed = l.ask()
	}
	return l.failed
}

// positions remembers where jobs and their keys stand, for mistakes found later.
type positions struct {
	jobs    map[string]*yaml.Node // the name of each job
	bodies  map[string]*yaml.Node
	tops    map[string][]top    // of each file
	bases   map[string][]string // what each key of the root extends
	ways    map[[2]string][]string
	current string // the job that is being read
}
