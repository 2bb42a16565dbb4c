package api

import (
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

type projectIdentity struct {
	ID                int64        `json:"id"`
	Description       string       `json:"description"`
	Name              string       `json:"name"`
	NameWithNamespace string       `json:"name_with_namespace"`
	Path              string       `json:"path"`
	PathWithNamespace string       `json:"path_with_namespace"`
	CreatedAt         httpapi.Time `json:"created_at"`
}

type basicProject struct {
	projectIdentity
	DefaultBranch  *string         `json:"default_branch"`
	TagList        []string        `json:"tag_list"`
	Topics         []string        `json:"topics"`
	SSHURL         string          `json:"ssh_url_to_repo"`
	HTTPURL        string          `json:"http_url_to_repo"`
	WebURL         string          `json:"web_url"`
	ReadmeURL      *string         `json:"readme_url"`
	ForksCount     int             `json:"forks_count"`
	AvatarURL      *string         `json:"avatar_url"`
	StarCount      int             `json:"star_count"`
	LastActivityAt httpapi.Time    `json:"last_activity_at"`
	Visibility     enum.Visibility `json:"visibility"`
	Namespace      namespaceEntity `json:"namespace"`
}

type projectEntity struct {
	basicProject
	Links                gin.H        `json:"_links"`
	EmptyRepo            bool         `json:"empty_repo"`
	Archived             bool         `json:"archived"`
	Owner                *userBasic   `json:"owner,omitempty"`
	CreatorID            *int64       `json:"creator_id"`
	UpdatedAt            httpapi.Time `json:"updated_at"`
	ImportURL            *string      `json:"import_url"`
	ImportType           *string      `json:"import_type"`
	ImportStatus         string       `json:"import_status"`
	ImportError          *string      `json:"import_error"`
	JobsEnabled          bool         `json:"jobs_enabled"`
	BuildsAccess         string       `json:"builds_access_level"`
	SharedRunnersEnabled bool         `json:"shared_runners_enabled"`
	CIConfigPath         string       `json:"ci_config_path"`
	PublicJobs           bool         `json:"public_jobs"`
	SharedWithGroups     []any        `json:"shared_with_groups"`
	MergeIfPassed        bool         `json:"only_allow_merge_if_pipeline_succeeds"`
	MergeOnSkipped       *bool        `json:"allow_merge_on_skipped_pipeline"`
	MarkedForDeletionAt  *string      `json:"marked_for_deletion_at"` // null always: what is deleted is gone at once
	MarkedForDeletionOn  *string      `json:"marked_for_deletion_on"`
	MaxArtifacts         *int         `json:"max_artifacts_size"`
	projectFacts
	*maintainerProject
	Permissions any `json:"permissions"`
}

// maintainerProject is what maintainers see besides.
type maintainerProject struct {
	GitDepth              int      `json:"ci_default_git_depth"`
	DeletePipelines       *int     `json:"ci_delete_pipelines_in_seconds"`
	KeepCommands          int      `json:"chat_commands_keep_days"`
	ForwardDeployment     bool     `json:"ci_forward_deployment_enabled"`
	Rollback              bool     `json:"ci_forward_deployment_rollback_allowed"`
	JobTokenScope         bool     `json:"ci_job_token_scope_enabled"`
	SeparatedCaches       bool     `json:"ci_separated_caches"`
	ForkPipelines         bool     `json:"ci_allow_fork_pipelines_to_run_in_parent_project"`
	JobTokenPush          bool     `json:"ci_push_repository_for_job_token_allowed"`
	SubClaims             []string `json:"ci_id_token_sub_claim_components"`
	GitStrategy           string   `json:"build_git_strategy"`
	KeepLatest            bool     `json:"keep_latest_artifact"`
	RestrictVariables     bool     `json:"restrict_user_defined_variables"`
	VariablesRole         string   `json:"ci_pipeline_variables_minimum_override_role"`
	RunnerTokenExpiration *int     `json:"runner_token_expiration_interval"`
	GroupRunners          bool     `json:"group_runners_enabled"`
	ResourceGroupMode     string   `json:"resource_group_default_process_mode"`
	AutoCancel            string   `json:"auto_cancel_pending_pipelines"`
	BuildTimeout          int      `json:"build_timeout"`
	maintainedFacts
	RunnersToken *string `json:"runners_token"`
}

var roleNames = map[string]enum.AccessLevel{
	"no_one_allowed": enum.NoAccess, "developer": enum.Developer, "maintainer": enum.Maintainer, "owner": enum.Owner,
}

// noOne is the level above all roles: variables are for nobody.
const noOne = enum.AdminAccess + 1

func roleName(l enum.AccessLevel) string {
	for name, level := range roleNames {
		if level == l {
			return name
		}
	}
	return "no_one_allowed"
}

func (s *Server) basicProject(p *models.Project, n *models.Namespace) basicProject {
	url := s.ci.URL() + "/" + p.FullPath
	topics := append([]string{}, p.Settings.Topics...)
	active := p.CreatedAt
	if p.LastActivityAt != nil {
		active = *p.LastActivityAt
	}
	if n == nil {
		n = &models.Namespace{}
	}
	return basicProject{
		projectIdentity: projectIdentity{
			ID: p.ID, Description: p.Description, Name: p.Name, NameWithNamespace: n.Name + " / " + p.Name, Path: p.Path,
			PathWithNamespace: p.FullPath, CreatedAt: httpapi.Time(p.CreatedAt),
		},
		DefaultBranch: given(p.DefaultBranch), TagList: topics, Topics: topics, HTTPURL: url + ".git", WebURL: url,
		LastActivityAt: httpapi.Time(active), Visibility: p.Visibility, Namespace: s.namespaceOf(n),
	}
}

func buildsAccess(p *models.Project) string {
	switch {
	case !p.BuildsEnabled:
		return "disabled"
	case p.Settings.MembersOnlyJobs:
		return "private"
	}
	return "enabled"
}

// projects renders projects: one query each for namespaces, roles and owners, whatever their number.
func (s *Server) projects(c *call, rows []*models.Project) ([]projectEntity, error) {
	var spaces map[int64]*models.Namespace
	var levels map[int64]models.Roles
	var owners map[int64]*models.User
	err := c.read(func(tx *models.Tx) (err error) {
		if spaces, err = tx.NamespacesByID(each(rows, func(p *models.Project) int64 { return p.NamespaceID })); err != nil {
			return err
		}
		var ids []int64
		for _, n := range spaces {
			if n.OwnerID != nil {
				ids = append(ids, *n.OwnerID)
			}
		}
		if owners, err = tx.Users(ids); err != nil {
			return err
		}
		levels, err = tx.AccessLevels(c.actor.ID(), rows)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]projectEntity, 0, len(rows))
	for _, p := range rows {
		n := spaces[p.NamespaceID]
		e, err := s.project(p, n, levels[p.ID], c.actor.Admin() || levels[p.ID].Level() >= enum.Maintainer)
		if err != nil {
			return nil, err
		}
		if n != nil && n.OwnerID != nil {
			e.Owner = s.basic(owners[*n.OwnerID])
		}
		out = append(out, e)
	}
	return out, nil
}

func (s *Server) project(p *models.Project, n *models.Namespace, roles models.Roles, maintainer bool) (projectEntity, error) {
	empty, err := s.ci.Repo(p).Empty()
	if err != nil {
		return projectEntity{}, err
	}
	self := s.ci.URL() + "/api/v4/projects/" + strconv.FormatInt(p.ID, 10)
	e := projectEntity{
		basicProject: s.basicProject(p, n),
		Links: gin.H{
			"self": self, "repo_branches": self + "/repository/branches", "members": self + "/members", "merge_requests": self + "/merge_requests",
		},
		EmptyRepo: empty, Archived: p.Archived, CreatorID: p.CreatorID, UpdatedAt: httpapi.Time(p.UpdatedAt), ImportURL: given(p.MirrorURL),
		ImportStatus: "none", JobsEnabled: p.BuildsEnabled, BuildsAccess: buildsAccess(p),
		SharedRunnersEnabled: p.SharedRunnersEnabled, CIConfigPath: p.CIConfigPath,
		PublicJobs: !p.Settings.PrivateJobs, SharedWithGroups: []any{}, MergeIfPassed: p.Settings.MergeIfPipelinePassed,
		MergeOnSkipped: &p.Settings.AllowMergeOnSkipped, projectFacts: tellFacts[projectFacts](p.Settings.Facts),
	}
	if p.Settings.MaxArtifactsSize > 0 {
		e.MaxArtifacts = &p.Settings.MaxArtifactsSize
	}
	if maintainer {
		e.maintainerProject = maintained(p)
	}
	e.Permissions = gin.H{"project_access": roleOf(roles.Project), "group_access": roleOf(roles.Group)}
	return e, nil
}

func roleOf(level enum.AccessLevel) any {
	if level == enum.NoAccess {
		return nil
	}
	return gin.H{"access_level": level, "notification_level": 3}
}

func maintained(p *models.Project) *maintainerProject {
	set := p.Settings
	m := &maintainerProject{
		GitDepth: p.GitDepth, ForwardDeployment: !set.NoForwardDeployment, Rollback: !set.NoRollback, SeparatedCaches: !set.SharedCaches,
		ForkPipelines: set.ForkPipelines, JobTokenPush: set.JobTokenPush, SubClaims: set.SubClaimComponents, GitStrategy: "fetch",
		KeepLatest: !set.ForgetLatestArtifact, VariablesRole: roleName(p.VariablesMinimumRole), GroupRunners: p.GroupRunnersEnabled,
		ResourceGroupMode: set.ResourceGroupMode, AutoCancel: "enabled", BuildTimeout: p.BuildTimeout,
		maintainedFacts: tellFacts[maintainedFacts](set.Facts), RestrictVariables: p.VariablesMinimumRole > enum.Developer,
	}
	if set.GitStrategyClone {
		m.GitStrategy = "clone"
	}
	if set.KeepRedundant {
		m.AutoCancel = "disabled"
	}
	if m.SubClaims == nil {
		m.SubClaims = []string{"project_path", "ref_type", "ref"}
	}
	if m.ResourceGroupMode == "" {
		m.ResourceGroupMode = "unordered"
	}
	m.KeepCommands = set.KeepCommandsDays
	if set.DeletePipelinesAfter > 0 {
		m.DeletePipelines = &p.Settings.DeletePipelinesAfter
	}
	return m
}

func (s *Server) projectRoutes(r routes) {
	r.get("/projects", anybody(access.ReadPublic), with(func(c *call, p *projectList) (any, error) {
		f, err := p.filter()
		if err != nil {
			return nil, err
		}
		return s.listProjects(c, p, f)
	}))
	r.get("/users/:id/projects", anybody(access.ReadPublic), with(s.userProjects))
	r.get("/groups/:id/projects", group(access.ReadGroup), with(s.groupProjects))
	r.post("/projects", user(access.CreateNamespace), with(func(c *call, p *newProject) (any, error) { return s.createProject(c, p, 0) }))
	r.post("/projects/user/:user_id", user(access.AdminInstance), with(func(c *call, p *newProject) (any, error) {
		n, err := c.id("user_id", "User")
		if err != nil {
			return nil, err
		}
		return s.createProject(c, p, n)
	}))
	show := func(c *call) (any, error) { return s.renderProject(c, c.project) }
	r.get("/projects/:id", project(access.ReadProject), show)
	r.put("/projects/:id", project(access.AdminProject), with(s.updateProject))
	r.delete("/projects/:id", project(access.DeleteProject), with(func(c *call, p *struct {
		Permanently bool   `param:"permanently_remove"`
		FullPath    string `param:"full_path"`
	},
	) (any, error) {
		if p.Permanently && p.FullPath != c.project.FullPath {
			return nil, fault.New(fault.Invalid, "`full_path` is incorrect. You must enter the complete path for the project.")
		}
		return accepted, s.ci.DeleteProject(c.ctx(), c.actor, c.project)
	}))
	for word, archived := range map[string]bool{"archive": true, "unarchive": false} {
		r.post("/projects/:id/"+word, project(access.DeleteProject), func(c *call) (any, error) {
			p, err := s.ci.UpdateProject(c.ctx(), c.actor, c.project.ID, func(p *models.Project) error {
				p.Archived = archived
				return nil
			})
			if err != nil {
				return nil, err
			}
			return s.renderProject(c, p)
		})
	}
	r.get("/projects/:id/import", project(access.AdminProject), func(c *call) (any, error) {
		return gin.H{
			"id": c.project.ID, "description": c.project.Description, "name": c.project.Name, "path": c.project.Path,
			"path_with_namespace": c.project.FullPath, "created_at": httpapi.Time(c.project.CreatedAt), "import_status": "none",
			"import_type": nil, "correlation_id": nil, "failed_relations": []any{}, "import_error": nil,
		}, nil
	})
	r.post("/projects/:id/runners/reset_registration_token", project(access.AdminRunners), func(c *call) (any, error) {
		token, err := s.ci.ResetRegistration(c.ctx(), c.project)
		return gin.H{"token": token, "token_expires_at": nil}, err
	})
}

func (s *Server) renderProject(c *call, p *models.Project) (any, error) {
	rows, err := s.projects(c, []*models.Project{p})
	if err != nil {
		return nil, err
	}
	return rows[0], nil
}

type projectList struct {
	httpapi.Page
	Search           string            `param:"search"`
	SearchNamespaces bool              `param:"search_namespaces"`
	Simple           bool              `param:"simple"`
	Membership       bool              `param:"membership"`
	Owned            bool              `param:"owned"`
	Starred          bool              `param:"starred"`
	Archived         *bool             `param:"archived"`
	Active           *bool             `param:"active"`
	Visibility       string            `param:"visibility" values:"private internal public"`
	MinLevel         *int              `param:"min_access_level" values:"5 10 15 20 30 40 50"`
	OrderBy          string            `param:"order_by" values:"id name path created_at updated_at last_activity_at similarity star_count"`
	Sort             string            `param:"sort" values:"asc desc"`
	IDAfter          int64             `param:"id_after"`
	IDBefore         int64             `param:"id_before"`
	ActivityAfter    httpapi.Timestamp `param:"last_activity_after"`
	ActivityBefore   httpapi.Timestamp `param:"last_activity_before"`
	UpdatedAfter     httpapi.Timestamp `param:"updated_after"`
	UpdatedBefore    httpapi.Timestamp `param:"updated_before"`
	Topic            []string          `param:"topic"`
	Subgroups        bool              `param:"include_subgroups"`
}

func (p *projectList) filter() (models.ProjectFilter, error) {
	f := models.ProjectFilter{
		Search: p.Search, SearchNamespaces: p.SearchNamespaces, Membership: p.Membership, Owned: p.Owned, Archived: p.Archived,
		Visibility: enum.Visibility(p.Visibility), Topics: p.Topic, IDAfter: p.IDAfter, IDBefore: p.IDBefore,
		Activity: models.TimeRange{After: p.ActivityAfter.Time, Before: p.ActivityBefore.Time},
		Updated:  models.TimeRange{After: p.UpdatedAfter.Time, Before: p.UpdatedBefore.Time},
	}
	if p.Active != nil {
		archived := !*p.Active
		f.Archived = &archived
	}
	if p.MinLevel != nil {
		f.MinLevel = enum.AccessLevel(*p.MinLevel)
	}
	if p.Starred {
		f.NamespaceIDs = []int64{} // nobody has stars here
	}
	if p.Keyset() && p.OrderBy != "" && p.OrderBy != "id" {
		return f, fault.New(fault.WrongMethod, "Keyset pagination is not yet available for this type of request")
	}
	return f, nil
}

func (s *Server) listProjects(c *call, p *projectList, f models.ProjectFilter) (any, error) {
	page := pageOf(p.Page)
	page.Descending = p.Sort != "asc"
	page.OrderBy = p.OrderBy
	switch {
	case p.Keyset():
		page.OrderBy, page.Keyset = "", true
	case p.OrderBy == "" || p.OrderBy == "similarity" || p.OrderBy == "star_count":
		page.OrderBy = "created_at"
	}
	var rows []*models.Project
	var total int64
	err := c.read(func(tx *models.Tx) (err error) {
		rows, total, err = tx.ListProjects(c.visible(), f, page)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := paged(rows, p.Page, total)
	if page.Keyset {
		out.keyset, out.param = true, "id_after"
		if page.Descending {
			out.param = "id_before"
		}
		if len(rows) == p.PerPage() {
			out.next = strconv.FormatInt(rows[len(rows)-1].ID, 10)
		}
	}
	if p.Simple || c.actor.User == nil {
		out.rows, err = s.simpleProjects(c, rows)
		return out, err
	}
	out.rows, err = s.projects(c, rows)
	return out, err
}

func (s *Server) simpleProjects(c *call, rows []*models.Project) ([]basicProject, error) {
	var spaces map[int64]*models.Namespace
	err := c.read(func(tx *models.Tx) (err error) {
		spaces, err = tx.NamespacesByID(each(rows, func(p *models.Project) int64 { return p.NamespaceID }))
		return err
	})
	return each(rows, func(p *models.Project) basicProject { return s.basicProject(p, spaces[p.NamespaceID]) }), err
}

func (s *Server) userProjects(c *call, p *projectList) (any, error) {
	f, err := p.filter()
	if err != nil {
		return nil, err
	}
	err = c.read(func(tx *models.Tx) error {
		var u *models.User
		if n, numberErr := strconv.ParseInt(c.Param("id"), 10, 64); numberErr == nil {
			u, err = tx.User(n)
		} else {
			u, err = tx.UserByName(c.Param("id"))
		}
		if err == nil {
			f.OfUser = u.ID
		}
		return missing(err, "User")
	})
	if err != nil {
		return nil, err
	}
	return s.listProjects(c, p, f)
}

func (s *Server) groupProjects(c *call, p *projectList) (any, error) {
	f, err := p.filter()
	if err != nil {
		return nil, err
	}
	f.NamespaceIDs = []int64{c.group.ID}
	if p.Subgroups {
		err := c.read(func(tx *models.Tx) error {
			ids, err := tx.NamespacesBelow(c.group)
			f.NamespaceIDs = ids
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return s.listProjects(c, p, f)
}

// projectParams are the attributes that can be set, at creation and later.
type projectParams struct {
	Name              *string  `param:"name"`
	Path              *string  `param:"path"`
	Description       *string  `param:"description"`
	Visibility        *string  `param:"visibility" values:"private internal public"`
	DefaultBranch     *string  `param:"default_branch"`
	Topics            []string `param:"topics"`
	TagList           []string `param:"tag_list"`
	BuildTimeout      *int     `param:"build_timeout"`
	GitStrategy       *string  `param:"build_git_strategy" values:"fetch clone"`
	AutoCancel        *string  `param:"auto_cancel_pending_pipelines" values:"disabled enabled"`
	ConfigPath        *string  `param:"ci_config_path"`
	GitDepth          *int     `param:"ci_default_git_depth"`
	ForwardDeployment *bool    `param:"ci_forward_deployment_enabled"`
	Rollback          *bool    `param:"ci_forward_deployment_rollback_allowed"`
	SeparatedCaches   *bool    `param:"ci_separated_caches"`
	ForkPipelines     *bool    `param:"ci_allow_fork_pipelines_to_run_in_parent_project"`
	JobTokenPush      *bool    `param:"ci_push_repository_for_job_token_allowed"`
	VariablesRole     *string  `param:"ci_pipeline_variables_minimum_override_role" values:"no_one_allowed developer maintainer owner"`
	Restrict          *bool    `param:"restrict_user_defined_variables"`
	SubClaims         []string `param:"ci_id_token_sub_claim_components"`
	DeletePipelines   *int     `param:"ci_delete_pipelines_in_seconds"`
	KeepCommands      *int     `param:"chat_commands_keep_days"`
	KeepLatest        *bool    `param:"keep_latest_artifact"`
	PublicJobs        *bool    `param:"public_jobs"`
	PublicBuilds      *bool    `param:"public_builds"`
	SharedRunners     *bool    `param:"shared_runners_enabled"`
	GroupRunners      *bool    `param:"group_runners_enabled"`
	JobsEnabled       *bool    `param:"jobs_enabled"`
	BuildsAccess      *string  `param:"builds_access_level" values:"disabled private enabled"`
	ResourceGroupMode *string  `param:"resource_group_default_process_mode" values:"unordered oldest_first newest_first newest_ready_first"`
	MaxArtifacts      *int     `param:"max_artifacts_size"`
	MergeIfPassed     *bool    `param:"only_allow_merge_if_pipeline_succeeds"`
	MergeOnSkipped    *bool    `param:"allow_merge_on_skipped_pipeline"`
	projectFacts
	maintainedFacts
}

// apply lays the parameters over a project.
func (p *projectParams) apply(row *models.Project) error {
	keep(&row.Name, p.Name)
	keep(&row.Path, p.Path)
	keep(&row.Description, p.Description)
	keep(&row.DefaultBranch, p.DefaultBranch)
	keep(&row.BuildTimeout, p.BuildTimeout)
	keep(&row.CIConfigPath, p.ConfigPath)
	keep(&row.GitDepth, p.GitDepth)
	keep(&row.SharedRunnersEnabled, p.SharedRunners)
	keep(&row.GroupRunnersEnabled, p.GroupRunners)
	keep(&row.BuildsEnabled, p.JobsEnabled)
	if p.Visibility != nil {
		row.Visibility = enum.Visibility(*p.Visibility)
	}
	if p.BuildsAccess != nil {
		row.BuildsEnabled = *p.BuildsAccess != "disabled"
		row.Settings.MembersOnlyJobs = *p.BuildsAccess == "private"
	}
	if p.VariablesRole != nil {
		row.VariablesMinimumRole = roleNames[*p.VariablesRole]
		if *p.VariablesRole == "no_one_allowed" {
			row.VariablesMinimumRole = noOne
		}
	} else if p.Restrict != nil && *p.Restrict && row.VariablesMinimumRole <= enum.Developer {
		row.VariablesMinimumRole = enum.Maintainer
	} else if p.Restrict != nil && !*p.Restrict {
		row.VariablesMinimumRole = enum.Developer
	}
	return p.settings(&row.Settings)
}

func (p *projectParams) settings(set *models.ProjectSettings) error {
	for _, list := range [][]string{p.TagList, p.Topics} {
		if list != nil {
			set.Topics = list
		}
	}
	not := func(into *bool, from *bool) {
		if from != nil {
			*into = !*from
		}
	}
	not(&set.NoForwardDeployment, p.ForwardDeployment)
	not(&set.NoRollback, p.Rollback)
	not(&set.SharedCaches, p.SeparatedCaches)
	not(&set.ForgetLatestArtifact, p.KeepLatest)
	not(&set.PrivateJobs, p.PublicBuilds)
	not(&set.PrivateJobs, p.PublicJobs)
	keep(&set.ForkPipelines, p.ForkPipelines)
	keep(&set.JobTokenPush, p.JobTokenPush)
	keep(&set.DeletePipelinesAfter, p.DeletePipelines)
	keep(&set.KeepCommandsDays, p.KeepCommands)
	keep(&set.ResourceGroupMode, p.ResourceGroupMode)
	keep(&set.MaxArtifactsSize, p.MaxArtifacts)
	keep(&set.MergeIfPipelinePassed, p.MergeIfPassed)
	keep(&set.AllowMergeOnSkipped, p.MergeOnSkipped)
	set.Facts = keepFacts(keepFacts(set.Facts, p.projectFacts), p.maintainedFacts)
	p.follow(set.Facts)
	if p.SubClaims != nil {
		set.SubClaimComponents = p.SubClaims
	}
	if p.GitStrategy != nil {
		set.GitStrategyClone = *p.GitStrategy == "clone"
	}
	if p.AutoCancel != nil {
		set.KeepRedundant = *p.AutoCancel == "disabled"
	}
	if len(set.Topics) > 50 || slices.ContainsFunc(set.Topics, func(t string) bool { return len(t) > 255 || strings.Contains(t, "\n") }) {
		return fault.Field("topics", "must be at most 50 of at most 255 characters on one line each")
	}
	return nil
}

type newProject struct {
	projectParams
	NamespaceID int64    `param:"namespace_id"`
	Readme      bool     `param:"initialize_with_readme"`
	ImportURL   string   `param:"import_url"`
	_           struct{} `oneof:"name path"`
}

func (s *Server) createProject(c *call, p *newProject, forUser int64) (any, error) {
	if p.ImportURL != "" {
		return nil, fault.Field("import_url", "is not supported: push the repository to the new project instead")
	}
	actor := c.actor
	if forUser != 0 {
		err := c.read(func(tx *models.Tx) (err error) {
			actor.User, err = tx.User(forUser)
			return missing(err, "User")
		})
		if err != nil {
			return nil, err
		}
	}
	n := ci.NewProject{NamespaceID: p.NamespaceID, Change: p.apply}
	keep(&n.Path, p.Path)
	keep(&n.Name, p.Name)
	keep(&n.DefaultBranch, p.DefaultBranch)
	if n.Path == "" {
		n.Path = slug(n.Name)
		p.Path = &n.Path
	}
	if n.Name == "" {
		n.Name = n.Path
		p.Name = &n.Name
	}
	if p.DefaultBranch != nil && *p.DefaultBranch == "" {
		p.DefaultBranch = nil
	}
	row, err := s.ci.CreateProject(c.ctx(), actor, n)
	if err != nil {
		return nil, err
	}
	if p.Readme {
		_, err = s.ci.Commit(c.ctx(), actor, row, ci.NewCommit{
			Branch: row.DefaultBranch, Message: "Initial commit",
			Changes: []gitrepo.Change{{Action: gitrepo.CreateFile, Path: "README.md", Content: []byte("# " + row.Name + "\n\n" + row.Description + "\n")}},
		})
		if err != nil {
			return nil, err
		}
	}
	return s.renderProject(c, row)
}

// slug makes a path of a name.
func slug(name string) string {
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name)
	return strings.Trim(out, "-.")
}

type changedProject struct {
	projectParams
	_ struct{} `oneof:"*"`
}

func (s *Server) updateProject(c *call, p *changedProject) (any, error) {
	row, err := s.ci.UpdateProject(c.ctx(), c.actor, c.project.ID, p.apply)
	if err != nil {
		return nil, err
	}
	return s.renderProject(c, row)
}
