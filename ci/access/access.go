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
	// Token is the personal access token that was used, if one was.
	Token *models.PersonalAccessToken
	// Job is set for a job token, which acts as its user within its project, and only where jobs may.
	Job *models.Job
	// IP is the address of the client, for the audit log.
	IP string
}

// Admin says whether the actor administers the instance.
func (a Actor) Admin() bool { return a.User != nil && a.User.Admin }

// Name is what the actor is called where people read of it.
func (a Actor) Name() string {
	if a.User == nil {
		return "signalbox"
	}
	return "@" + a.User.Username
}

// ID is the user's id; 0 for nobody.
func (a Actor) ID() int64 {
	if a.User == nil {
		return 0
	}
	return a.User.ID
}

// Ability is something that one may or may not do.
type Ability string

// The abilities about projects.
const (
	ReadProject       Ability = "read_project"
	ReadRepository    Ability = "read_repository" // fetch, and what jobs may read of it
	ReadCode          Ability = "read_code"       // the rest of the repository
	PushRef           Ability = "push_ref"        // change one branch or tag
	ReadMergeRequests Ability = "read_merge_request"
	CreatePipeline    Ability = "create_pipeline" // on the ref of the subject, if it names one
	SetVariables      Ability = "set_pipeline_variables"
	ReadPipelines     Ability = "read_pipelines"
	ReadJob           Ability = "read_job"       // one job and its log
	ReadDebugLog      Ability = "read_debug_log" // the log of a job that shows every variable
	ReadArtifacts     Ability = "read_artifacts"
	UpdatePipeline    Ability = "update_pipeline" // its name
	DeletePipeline    Ability = "delete_pipeline"
	ReadPipelineVars  Ability = "read_pipeline_variables"
	UpdateJob         Ability = "update_job" // play, retry, cancel
	EraseJob          Ability = "erase_job"
	KeepArtifacts     Ability = "keep_artifacts"
	DeleteArtifacts   Ability = "delete_artifacts"
	LintConfig        Ability = "lint_config"
	AdminProject      Ability = "admin_project" // integrations, protected refs, settings
	AdminVariables    Ability = "admin_variables"
	AdminMembers      Ability = "admin_members"
	AdminRunners      Ability = "admin_runners" // a project's own
	AdminTokens       Ability = "admin_tokens"  // access tokens of the project
	DeleteProject     Ability = "delete_project"
	ChangeVisibility  Ability = "change_visibility_level"
	ReadCommands      Ability = "read_commands"
	CreateCommand     Ability = "create_command"
	ReadProtectedRefs Ability = "read_protected_refs"

	UpdateMergeRequests  Ability = "update_merge_request" // and open new ones
	DeleteMergeRequests  Ability = "destroy_merge_request"
	TriggerPipeline      Ability = "trigger_pipeline" // with the token of a job
	AdminTriggers        Ability = "admin_triggers"
	ManageSchedules      Ability = "manage_pipeline_schedules" // whoever owns them
	CreateStatuses       Ability = "create_commit_status"
	ReadReleases         Ability = "read_release"
	CreateReleases       Ability = "create_release"
	ReadEnvironments     Ability = "read_environment" // and deployments
	UpdateEnvironments   Ability = "update_environment"
	DeleteDeployments    Ability = "destroy_deployment"
	ReadResourceGroups   Ability = "read_resource_group"
	UpdateResourceGroups Ability = "update_resource_group"
)

// The abilities about groups.
const (
	ReadGroup           Ability = "read_group"
	AdminGroup          Ability = "admin_group"
	AdminGroupMembers   Ability = "admin_group_members"
	AdminGroupVariables Ability = "admin_group_variables"
	AdminGroupRunners   Ability = "admin_group_runners"
	ReadGroupRunners    Ability = "read_group_runners"
	AdminGroupTokens    Ability = "admin_group_tokens"
	CreateProjects      Ability = "create_projects"
	CreateSubgroup      Ability = "create_subgroup"
)

// The abilities about nothing but the instance.
const (
	ReadPublic      Ability = "read_public" // what needs nobody in particular: lists of what one may see
	ReadSelf        Ability = "read_self"   // users, versions
	ReadOwn         Ability = "read_own"    // one's own tokens, runners, groups
	RotateSelf      Ability = "rotate_self" // the token that asks, itself
	ReadToken       Ability = "read_token"  // one token, such as the one that asks
	WriteOwn        Ability = "write_own"
	CreateRunner    Ability = "create_runner"
	ReadRunner      Ability = "read_runner"   // which one is asked apart
	ManageRunner    Ability = "manage_runner" // the same
	ReadJobSelf     Ability = "read_job_self" // the job whose token asks
	AdminInstance   Ability = "admin_instance"
	CreateNamespace Ability = "create_namespace"
)

// rule is a row of the table. An ability without write is used for reading and writing alike, and whoever
// serves it asks Scoped whether the token may write.
type rule struct {
	level  enum.AccessLevel
	open   bool     // anybody who may see the project or group may do it
	jobs   bool     // job tokens may, in their project
	pushes bool     // job tokens may over git alone, in their own project, if it lets them push
	public bool     // open, and for guests too, unless the project keeps its pipelines for members
	write  bool     // needs more than a reading token
	ref    bool     // the right to the branch or tag counts too
	scopes []string // further token scopes that suffice
	global bool     // not about a project or group
	nobody bool     // nobody in particular may
	group  bool     // about a group
	also   Ability  // what it takes besides
}

var table = map[Ability]rule{
	ReadProject:       {level: enum.Guest, open: true, scopes: []string{"read_api"}},
	ReadRepository:    {level: enum.Reporter, open: true, jobs: true, scopes: []string{"read_repository"}},
	ReadCode:          {level: enum.Reporter, open: true, scopes: []string{"read_repository"}},
	PushRef:           {level: enum.Developer, pushes: true, write: true, ref: true, scopes: []string{"write_repository"}},
	CreatePipeline:    {level: enum.Developer, write: true, ref: true},
	SetVariables:      {level: enum.Developer, write: true},
	ReadPipelines:     {level: enum.Reporter, public: true, jobs: true},
	ReadJob:           {level: enum.Reporter, public: true},
	ReadDebugLog:      {level: enum.Developer},
	ReadArtifacts:     {level: enum.Reporter, public: true, jobs: true},
	UpdatePipeline:    {level: enum.Developer, write: true, jobs: true},
	DeletePipeline:    {level: enum.Owner, write: true},
	ReadPipelineVars:  {level: enum.Developer},
	UpdateJob:         {level: enum.Developer, write: true, ref: true},
	EraseJob:          {level: enum.Developer, write: true, ref: true},
	KeepArtifacts:     {level: enum.Developer, write: true},
	DeleteArtifacts:   {level: enum.Maintainer, write: true},
	LintConfig:        {level: enum.Developer, write: true},
	AdminProject:      {level: enum.Maintainer},
	AdminVariables:    {level: enum.Maintainer},
	AdminMembers:      {level: enum.Maintainer},
	AdminRunners:      {level: enum.Maintainer},
	AdminTokens:       {level: enum.Maintainer},
	DeleteProject:     {level: enum.Owner, write: true},
	ChangeVisibility:  {level: enum.Owner, write: true},
	ReadCommands:      {level: enum.Reporter},
	CreateCommand:     {level: enum.Developer, write: true},
	ReadProtectedRefs: {level: enum.Reporter, open: true},

	ReadMergeRequests:    {level: enum.Reporter, open: true, also: ReadCode, scopes: []string{"read_repository"}},
	UpdateMergeRequests:  {level: enum.Developer, write: true},
	DeleteMergeRequests:  {level: enum.Owner, write: true},
	TriggerPipeline:      {level: enum.Developer, write: true, jobs: true},
	AdminTriggers:        {level: enum.Maintainer},
	ManageSchedules:      {level: enum.Maintainer, write: true},
	CreateStatuses:       {level: enum.Developer, write: true, ref: true},
	ReadReleases:         {level: enum.Guest, open: true, jobs: true},
	CreateReleases:       {level: enum.Developer, write: true, jobs: true, ref: true},
	ReadEnvironments:     {level: enum.Reporter, public: true, jobs: true},
	UpdateEnvironments:   {level: enum.Developer, write: true, jobs: true},
	DeleteDeployments:    {level: enum.Maintainer, write: true, jobs: true},
	ReadResourceGroups:   {level: enum.Developer},
	UpdateResourceGroups: {level: enum.Developer, write: true},

	ReadGroup:           {level: enum.Guest, open: true, group: true},
	AdminGroup:          {level: enum.Owner, group: true},
	AdminGroupMembers:   {level: enum.Owner, write: true, group: true},
	AdminGroupVariables: {level: enum.Owner, group: true},
	AdminGroupRunners:   {level: enum.Owner, group: true},
	ReadGroupRunners:    {level: enum.Maintainer, group: true},
	AdminGroupTokens:    {level: enum.Owner, group: true},
	CreateProjects:      {level: enum.Developer, write: true, group: true},
	CreateSubgroup:      {level: enum.Maintainer, write: true, group: true},

	ReadPublic:      {global: true, nobody: true},
	ReadSelf:        {global: true, scopes: []string{"read_user"}},
	ReadOwn:         {global: true},
	RotateSelf:      {global: true, write: true, scopes: []string{"self_rotate"}},
	ReadToken:       {global: true, scopes: []string{"self_rotate", "read_user"}},
	WriteOwn:        {global: true, write: true},
	CreateRunner:    {global: true, write: true, scopes: []string{"create_runner"}},
	ReadRunner:      {global: true, scopes: []string{"manage_runner"}},
	ManageRunner:    {global: true, write: true, scopes: []string{"manage_runner"}},
	ReadJobSelf:     {global: true, jobs: true},
	AdminInstance:   {level: enum.AdminAccess, global: true},
	CreateNamespace: {global: true, write: true},
}

// features are the parts of projects that can be for members alone or switched off, and what each is needed for. What else
// belongs to CI follows builds_access_level.
var features = map[Ability]string{
	ReadRepository: "repository", ReadCode: "repository", PushRef: "repository",
	ReadMergeRequests: "merge_requests", UpdateMergeRequests: "merge_requests", DeleteMergeRequests: "merge_requests",
	ReadReleases: "releases", CreateReleases: "releases",
	ReadEnvironments: "environments", UpdateEnvironments: "environments", DeleteDeployments: "environments",
}

// Subject is what something is done to: a project or a group.
type Subject struct {
	Project   *models.Project
	Group     *models.Namespace
	Level     enum.AccessLevel // the actor's role there
	Protected []*models.ProtectedRef
	// Open says that the token of a job of another project reaches this one.
	Open bool
	Ref  string // short name of the branch or tag concerned; "" if none
	Tag  bool
}

// Allowed is the only permission check.
func Allowed(a Actor, ability Ability, s Subject) bool {
	r, known := table[ability]
	if !known || a.User != nil && a.User.Blocked() {
		return false
	}
	if a.Job != nil && !jobMay(a.Job, r, s) {
		return false
	}
	if !scoped(a, r) {
		return false
	}
	if r.also != "" && !Allowed(a, r.also, s) {
		return false
	}
	if feature := features[ability]; feature != "" && s.Project != nil {
		switch s.Project.Settings.FeatureAccess(feature) {
		case "disabled":
			return false
		case "private":
			r.open, r.public = false, false
		}
	}
	switch {
	case r.global:
		return r.nobody || a.User != nil && (r.level < enum.AdminAccess || a.User.Admin)
	case r.group && s.Group == nil, !r.group && s.Project == nil:
		return false
	case s.Project != nil && s.Project.PendingDelete:
		return false
	case r.open && visible(a, s), r.public && (visible(a, s) || s.Level >= enum.Guest) && !s.Project.Settings.PrivateJobs && (s.Level >= enum.Guest || !s.Project.Settings.MembersOnlyJobs):
		return true
	case a.User == nil, !a.Admin() && s.Level < r.level:
		return false
	case r.write && s.Project != nil && s.Project.Archived && ability != AdminProject && ability != DeleteProject:
		return false // an archived project is read, not changed
	}
	return !r.ref || s.Ref == "" || refAllowed(a, ability, s)
}

// jobMay says whether the token of a job reaches as far as a rule asks; its user's role is asked apart. Pushing is for the
// project's own jobs alone, whichever others it lets in (GitLab: ci_push_repository_for_job_token_allowed).
func jobMay(j *models.Job, r rule, s Subject) bool {
	own := s.Project != nil && j.ProjectID == s.Project.ID
	if r.pushes {
		return own && s.Project.Settings.JobTokenPush
	}
	return r.jobs && (r.global || own || s.Project != nil && s.Open)
}

// Who may read artifacts, besides those who may read artifacts at all (`artifacts:access`).
const (
	ArtifactsForAll         = "all"
	ArtifactsForDevelopers  = "developer"
	ArtifactsForMaintainers = "maintainer"
	ArtifactsForNobody      = "none"
)

// ArtifactAllowed says whether an actor may read an artifact that is kept for some.
func ArtifactAllowed(a Actor, s Subject, level string) bool {
	if !Allowed(a, ReadArtifacts, s) {
		return false
	}
	switch level {
	case ArtifactsForNobody:
		return false
	case ArtifactsForMaintainers:
		return s.Level >= enum.Maintainer
	case ArtifactsForDevelopers:
		return s.Level >= enum.Developer
	}
	return true
}

// Scoped says whether the token of an actor reaches far enough for an ability, whatever the role. If not, it
// names the scopes that would.
func Scoped(a Actor, ability Ability, write bool) (ok bool, need []string) {
	r := table[ability]
	r.write = r.write || write
	need = append(need, "api")
	if !r.write {
		need = append(need, "read_api")
	}
	for _, s := range r.scopes {
		if s != "read_api" {
			need = append(need, s)
		}
	}
	return scoped(a, r), need
}

// ForJobs says whether an ability is one that job tokens have in the API; pushing is for git.
func ForJobs(ability Ability) bool { return table[ability].jobs }

func visible(a Actor, s Subject) bool {
	v := enum.Private
	if s.Project != nil {
		v = s.Project.Visibility
	} else if s.Group != nil {
		v = s.Group.Visibility
	}
	switch v {
	case enum.Public:
		return true
	case enum.Internal:
		return a.User != nil && !a.User.External
	}
	return false
}

// scoped says whether the token's scopes reach far enough.
func scoped(a Actor, r rule) bool {
	if a.Scopes == nil || slices.Contains(a.Scopes, "api") {
		return true
	}
	for _, s := range r.scopes {
		if slices.Contains(a.Scopes, s) {
			return true
		}
	}
	return !r.write && slices.Contains(a.Scopes, "read_api")
}

// refAllowed asks the rules for protected branches and tags. Of several that match, the most generous one
// counts, as on GitLab. Running a pipeline or a job takes the right to push or to merge.
func refAllowed(a Actor, ability Ability, s Subject) bool {
	matched := Matching(s.Protected, s.Ref, s.Tag)
	if len(matched) == 0 || a.Admin() {
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
		if r.Kind == kind && MatchesWildcard(r.Name, ref) {
			out = append(out, r)
		}
	}
	return out
}

// MatchesWildcard: `*` stands for any text, slashes included; nothing else is special.
func MatchesWildcard(pattern, name string) bool {
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
	if a.Job != nil && a.Job.ProjectID != p.ID {
		if s.Open = p.Settings.OpenToJobTokens; !s.Open {
			if s.Open, err = tx.JobTokensAllowed(p.ID, a.Job.ProjectID); err != nil {
				return s, err
			}
		}
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

// GroupSubject reads what a decision about a group needs.
func GroupSubject(tx *models.Tx, a Actor, g *models.Namespace) (Subject, error) {
	s := Subject{Group: g}
	if a.User == nil {
		return s, nil
	}
	if a.User.Admin {
		s.Level = enum.AdminAccess
		return s, nil
	}
	var err error
	s.Level, err = tx.GroupAccessLevel(a.User.ID, g.ID)
	return s, err
}
