// Package config reads .gitlab-ci.yml: it checks the keywords and gives the jobs that a configuration
// defines. Which of them a pipeline gets is decided elsewhere. It accepts and refuses as GitLab does, with
// GitLab's texts, and adds where the mistake stands (facts: ci-yaml).
package config

import (
	"fmt"
	"strings"

	"signalbox/ci/config/yaml"
	"signalbox/models/enum"
)

// Config is a configuration that can be run.
type Config struct {
	Stages    []string // .pre first, .post last
	Variables []Variable
	Jobs      []*Job // in the order of the file
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
	Line         int // where it stands
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
	Name       string     `json:"name"`
	Alias      string     `json:"alias,omitempty"`
	Entrypoint []string   `json:"entrypoint,omitempty"`
	Command    []string   `json:"command,omitempty"`
	Variables  []Variable `json:"variables,omitempty"`
	PullPolicy []string   `json:"pull_policy,omitempty"`
}

// Policy is `only` or `except`.
type Policy struct {
	Refs []string
	Line int
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
}

// Need is a job that must have succeeded before.
type Need struct {
	Job       string
	Artifacts bool
	Optional  bool
}

// Cache is a cache of files between jobs.
type Cache struct {
	Key          string   `json:"key"`
	Files        []string `json:"files,omitempty"` // the key is made of these files' contents
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
	if e.Excerpt == "" {
		return e.Error()
	}
	return e.Error() + "\n" + e.Excerpt
}

// File is the text of a configuration and its name.
type File struct {
	Name    string
	Content []byte
}

// Load reads a configuration. All mistakes of the structure are returned together, in the order of the
// file; of the relations between jobs the first.
func Load(f File) (*Config, []*Error) {
	l := &loader{file: f}
	if strings.TrimSpace(string(f.Content)) == "" {
		return nil, l.fatal(nil, "Please provide content of "+f.Name)
	}
	docs, err := yaml.Parse(f.Content)
	if err != nil {
		e, _ := err.(*yaml.Error)
		return nil, l.fatal(&yaml.Node{Line: e.Line, Column: e.Column}, e.Message)
	}
	root := l.content(docs)
	if len(l.errors) > 0 {
		return nil, l.errors
	}
	c := l.root(root)
	if len(l.errors) == 0 {
		l.relations(c)
	}
	if len(l.errors) > 0 {
		return nil, l.errors
	}
	c.Warnings, c.root = l.warnings, root
	return c, nil
}

// loader collects mistakes while it walks one file.
type loader struct {
	file     File
	errors   []*Error
	warnings []*Error
	positions
}

// positions remembers where jobs and their keys stand, for mistakes found later.
type positions struct {
	jobs map[string]*yaml.Node
}

func (l *loader) content(docs []*yaml.Node) *yaml.Node {
	if len(docs) > 2 {
		l.add(docs[2], "The parsed YAML has too many documents")
		return nil
	}
	if len(docs) == 2 {
		if docs[0].Kind == yaml.Map && docs[0].Get("spec") != nil {
			l.unsupported(docs[0], "spec")
			return nil
		}
		docs = docs[1:]
	}
	if len(docs) == 0 || docs[0].Kind != yaml.Map {
		l.fatal(nil, "Invalid configuration format")
		return nil
	}
	return docs[0]
}

func (l *loader) fatal(at *yaml.Node, text string) []*Error {
	l.errors = nil
	l.add(at, text)
	return l.errors
}

// add notes a mistake whose text is used as it is.
func (l *loader) add(at *yaml.Node, text string) {
	e := &Error{Text: text, File: l.file.Name}
	if at != nil && at.Line > 0 {
		e.Line, e.Column, e.Excerpt = at.Line, at.Column, excerpt(l.file.Content, at.Line, at.Column)
	}
	l.errors = append(l.errors, e)
}

// bad notes a mistake in GitLab's form: the place in the configuration, then what is wrong, in lower case.
func (l *loader) bad(at *yaml.Node, location, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if location != "" {
		text = location + " " + text
	}
	l.add(at, strings.ToLower(text))
}

// unsupported refuses a keyword that GitLab knows and this version does not, rather than ignore it.
func (l *loader) unsupported(at *yaml.Node, location string) {
	l.add(at, location+" is not supported yet by this version of signalbox")
}

// excerpt shows the line of a mistake and the one before, with a mark below the column.
func excerpt(content []byte, line, column int) string {
	lines := strings.Split(strings.ReplaceAll(string(content), "\r\n", "\n"), "\n")
	var b strings.Builder
	for n := max(1, line-1); n <= min(line, len(lines)); n++ {
		text := []rune(lines[n-1])
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
