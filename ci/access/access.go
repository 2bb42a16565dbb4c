// Package access answers who may do what: one table of abilities, one function that reads it. It decides on
// facts that were read before and stores nothing.
package access

import (
	"path"
	"slices"
	"strings"

	"signalbox/models"
	"signalbox/models/enum"
)

// Actor is who is asking: a person behind a session, a password, a token, or a linked chat account. Who it
// is was proved before; it never comes from a commit, a header or a form field.
type Actor struct {
	User *models.User // nil: nobody is signed in
	// Scopes limit a token; nil means the full rights of a session or a password.
	Scopes []string
	// Job is set for a job token, which reads its project and nothing else.
	Job *models.Job
}

// Ability is something that one may or may not do.
type Ability string

// The abilities.
const (
	ReadProject     Ability = "read_project"
	ReadRepository  Ability = "read_repository"
	PushRef         Ability = "push_ref"        // change one branch or tag
	CreatePipeline  Ability = "create_pipeline" // on the ref of the subject, if it names one
	SetVariables    Ability = "set_pipeline_variables"
	ReadPipelines   Ability = "read_pipelines"
	UpdateJob       Ability = "update_job" // play, retry, cancel
	EraseJob        Ability = "erase_job"
	AdminProject    Ability = "admin_project" // members, integrations, variables, runners
	ReadCommands    Ability = "read_commands"
	CreateCommand   Ability = "create_command"
	AdminInstance   Ability = "admin_instance"
	CreateNamespace Ability = "create_namespace"
)

type rule struct {
	level  enum.AccessLevel
	open   bool   // anybody who may see the project may do it
	write  bool   // needs more than a reading token
	ref    bool   // the right to the branch or tag counts too
	scope  string // a further token scope that suffices
	global bool   // not about a project
}

var table = map[Ability]rule{
	ReadProject:     {level: enum.Guest, open: true, scope: "read_api"},
	ReadRepository:  {level: enum.Reporter, open: true, scope: "read_repository"},
	PushRef:         {level: enum.Developer, write: true, ref: true, scope: "write_repository"},
	CreatePipeline:  {level: enum.Developer, write: true, ref: true},
	SetVariables:    {level: enum.Developer, write: true},
	ReadPipelines:   {level: enum.Reporter, open: true, scope: "read_api"},
	UpdateJob:       {level: enum.Developer, write: true, ref: true},
	EraseJob:        {level: enum.Maintainer, write: true},
	AdminProject:    {level: enum.Maintainer, write: true},
	ReadCommands:    {level: enum.Reporter, scope: "read_api"},
	CreateCommand:   {level: enum.Developer, write: true},
	AdminInstance:   {level: enum.AdminAccess, write: true, global: true},
	CreateNamespace: {level: enum.NoAccess, write: true, global: true},
}

// Subject is what something is done to.
type Subject struct {
	Project   *models.Project
	Level     enum.AccessLevel // the actor's role there
	Protected []*models.ProtectedRef
	Ref       string // short name of the branch or tag concerned; "" if none
	Tag       bool
}

// Allowed is the only permission check.
func Allowed(a Actor, ability Ability, s Subject) bool {
	r, known := table[ability]
	if !known || a.User != nil && a.User.Blocked() {
		return false
	}
	if a.Job != nil {
		return allowedToJob(a, ability, s)
	}
	if !scoped(a, r) {
		return false
	}
	if r.global {
		return a.User != nil && (r.level < enum.AdminAccess || a.User.Admin)
	}
	if s.Project == nil || s.Project.PendingDelete && !admin(a) {
		return false
	}
	if r.open && visible(a, s) {
		return true
	}
	if a.User == nil || !admin(a) && s.Level < r.level {
		return false
	}
	return !r.ref || s.Ref == "" || refAllowed(a, ability, s)
}

// allowedToJob: a job token reads the repository of its own project, as its user.
func allowedToJob(a Actor, ability Ability, s Subject) bool {
	return ability == ReadRepository && a.User != nil && s.Project != nil && a.Job.ProjectID == s.Project.ID
}

func admin(a Actor) bool { return a.User != nil && a.User.Admin }

func visible(a Actor, s Subject) bool {
	switch s.Project.Visibility {
	case enum.Public:
		return true
	case enum.Internal:
		return a.User != nil
	}
	return false
}

// scoped says whether the token's scopes reach far enough.
func scoped(a Actor, r rule) bool {
	if a.Scopes == nil || slices.Contains(a.Scopes, "api") {
		return true
	}
	if r.scope != "" && slices.Contains(a.Scopes, r.scope) {
		return true
	}
	return !r.write && slices.Contains(a.Scopes, "read_api")
}

// refAllowed asks the rules for protected branches and tags. Of several that match, the most generous one
// counts, as on GitLab. Running a pipeline or a job takes the right to push or to merge.
func refAllowed(a Actor, ability Ability, s Subject) bool {
	matched := Matching(s.Protected, s.Ref, s.Tag)
	if len(matched) == 0 || admin(a) {
		return true
	}
	for _, p := range matched {
		if grants(p.PushLevel, s.Level) || ability != PushRef && !s.Tag && grants(p.MergeLevel, s.Level) {
			return true
		}
	}
	return false
}

// grants: a level of 0 means nobody.
func grants(need, have enum.AccessLevel) bool { return need != enum.NoAccess && have >= need }

// Matching lists the rules that protect a branch or tag.
func Matching(rules []*models.ProtectedRef, ref string, tag bool) []*models.ProtectedRef {
	kind := "branch"
	if tag {
		kind = "tag"
	}
	var out []*models.ProtectedRef
	for _, r := range rules {
		if r.Kind == kind && matchesWildcard(r.Name, ref) {
			out = append(out, r)
		}
	}
	return out
}

// matchesWildcard: `*` stands for any text, slashes included; nothing else is special.
func matchesWildcard(pattern, name string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == name
	}
	const slash = "\x00"
	escaped := strings.NewReplacer(`\`, `\\`, "?", `\?`, "[", `\[`, "/", slash).Replace(pattern)
	ok, err := path.Match(escaped, strings.ReplaceAll(name, "/", slash))
	return err == nil && ok
}

// ForcePush says whether a branch may be rewritten.
func ForcePush(rules []*models.ProtectedRef, branch string) bool {
	for _, r := range Matching(rules, branch, false) {
		if !r.AllowForcePush {
			return false
		}
	}
	return true
}

// SubjectOf reads what a decision about a project needs.
func SubjectOf(tx *models.Tx, a Actor, p *models.Project) (Subject, error) {
	s := Subject{Project: p}
	var err error
	if s.Protected, err = tx.ProtectedRefs(p.ID); err != nil || a.User == nil {
		return s, err
	}
	if a.User.Admin {
		s.Level = enum.AdminAccess
		return s, nil
	}
	s.Level, err = tx.AccessLevel(a.User.ID, p)
	return s, err
}

// On is the subject for one branch or tag.
func (s Subject) On(ref string, tag bool) Subject {
	s.Ref, s.Tag = ref, tag
	return s
}
