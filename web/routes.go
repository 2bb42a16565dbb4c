package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
)

// find splits an address. Below /-/ of a project stand its parts; the project's own path may be nested.
func (s *Server) find(r *request) page {
	path := strings.TrimSuffix(r.URL.Path, "/")
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, row := range s.table() {
		if args, ok := match(row.path, path); ok && row.method == method {
			return func(r *request) error { return row.page(r, args) }
		}
	}
	if group, ok := strings.CutPrefix(path, "/groups/"); ok {
		return s.groupPages(group, method)
	}
	whole := strings.TrimPrefix(path, "/")
	project, part, inner := strings.Cut(whole, "/-/")
	old := !inner && method == http.MethodGet
	if project == "" || strings.HasPrefix(project, "-/") || strings.HasPrefix(project, "admin/") {
		return noPage
	}
	if !strings.Contains(project, "/") && !inner && method == http.MethodGet {
		return named(project, func(r *request) error { return s.namespacePage(r, project) })
	}
	if full, ok := strings.CutSuffix(project, "/edit"); ok && !inner && strings.Contains(full, "/") {
		project, part, inner = full, "edit", true
	}
	project = strings.TrimSuffix(project, ".git")
	for _, row := range s.projectTable() {
		args, ok := match(row.path, part)
		if ok && row.method == method && (row.path != "") == inner {
			p := named(project, s.inProject(project, args, row.page))
			if old {
				p = s.orLegacy(whole, p)
			}
			return p
		}
	}
	return noPage
}

// named is the page of a group, a user or a project. A path that none of them can have is no page for anybody: it hides nothing.
func named(path string, p page) page {
	return func(r *request) error {
		err := p(r)
		if fault.KindOf(err) == fault.NotFound && !ci.MayBeNamed(path) {
			return errNoPage
		}
		return err
	}
}

// match compares an address with a pattern, whose * stands for one part, and ** at the end for any number of
// them. What stands there is returned.
func match(pattern, path string) (args []string, ok bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if last := len(want) - 1; want[last] == "**" && len(have) >= last {
		args, ok = match(strings.Join(want[:last], "/"), strings.Join(have[:last], "/"))
		return append(args, strings.Join(have[last:], "/")), ok
	}
	if len(want) != len(have) {
		return nil, false
	}
	for i, w := range want {
		if w == "*" && have[i] != "" {
			args = append(args, have[i])
		} else if w != have[i] {
			return nil, false
		}
	}
	return args, true
}

type row struct {
	method, path string
	page         func(r *request, args []string) error
}

func plain(p page) func(*request, []string) error {
	return func(r *request, _ []string) error { return p(r) }
}

func person(p page) func(*request, []string) error { return plain(signedIn(p)) }

// admin lets only administrators through; for others there is nothing.
func admin(p func(r *request, args []string) error) func(*request, []string) error {
	return func(r *request, args []string) error {
		if r.actor.User == nil {
			return errSignIn
		}
		if !access.Allowed(r.actor, access.AdminInstance, access.Subject{}) {
			return notFound(r)
		}
		return p(r, args)
	}
}

// toProfile leads from GitLab's addresses of tokens to ours.
func toProfile(r *request) error {
	http.Redirect(r.w, r.Request, "/-/profile", http.StatusSeeOther)
	return nil
}

func (s *Server) table() []row {
	return []row{
		{"GET", "", person(s.home)},
		{"GET", "/projects/new", person(s.newProjectPage)},
		{"POST", "/projects", person(s.createProject)},
		{"POST", "/groups", person(s.createGroup)},
		{"GET", "/users/sign_in", plain(s.signInPage)},
		{"POST", "/users/sign_in", plain(s.signIn)},
		{"POST", "/users/sign_out", plain(s.signOut)},
		{"GET", "/-/profile/chat_names/new", person(s.linkPage)},
		{"POST", "/-/profile/chat_names/new", person(s.connect)},
		{"GET", "/-/profile", person(s.profilePage)},
		{"POST", "/-/profile", person(s.changeProfile)},
		{"GET", "/-/user_settings/personal_access_tokens", person(toProfile)},
		{"GET", "/-/profile/personal_access_tokens", person(toProfile)},
		{"POST", "/-/profile/password", person(s.changePassword)},
		{"POST", "/-/profile/tokens", person(s.createToken)},
		{"POST", "/-/profile/tokens/*/revoke", s.revokeToken},
		{"POST", "/-/profile/chat_names/*/remove", s.unlink},
		{"GET", "/admin", admin(s.adminHome)},
		{"GET", "/admin/users", admin(s.adminUsers)},
		{"POST", "/admin/users", admin(s.adminCreateUser)},
		{"POST", "/admin/users/*", admin(s.adminUser)},
		{"GET", "/admin/runners", admin(s.adminRunners)},
		{"POST", "/admin/runners", admin(s.adminCreateRunner)},
		{"POST", "/admin/runners/*", admin(s.adminRunner)},
		{"GET", "/admin/jobs", admin(s.adminJobs)},
		{"GET", "/admin/tasks", admin(s.adminTasks)},
		{"POST", "/admin/tasks/*", admin(s.adminTask)},
		{"GET", "/admin/settings", admin(s.adminSettings)},
		{"POST", "/admin/settings", admin(s.adminSetSettings)},
		{"GET", "/admin/slack", admin(s.slackAppPage)},
		{"POST", "/admin/slack", admin(s.setSlackApp)},
		{"GET", "/admin/slack/install", admin(s.installSlackApp)},
		{"POST", "/admin/slack/workspaces", admin(s.addSlackBot)},
		{"POST", "/admin/slack/workspaces/*/remove", admin(s.removeSlackWorkspace)},
		{"GET", "/admin/application_settings/slack/slack_auth", admin(s.slackAppInstalled)},
		{"GET", "/admin/application_settings/slack_app_manifest_share", admin(s.shareSlackManifest)},
		{"GET", "/admin/application_settings/slack_app_manifest_download", admin(s.downloadSlackManifest)},
	}
}

// inside is a project's page: the project, the asker's role there, and what stands in the address.
type inside struct {
	project *models.Project
	subject access.Subject
	args    []string
}

// may asks for an ability about the project.
func (c *inside) may(r *request, a access.Ability) bool { return access.Allowed(r.actor, a, c.subject) }

// number is a numeric part of the address; 0, which nothing has, if it is none.
func (c *inside) number(i int) int64 {
	n, _ := strconv.ParseInt(c.args[i], 10, 64)
	return n
}

type projectRow struct {
	method, path string
	page         func(r *request, c *inside) error
}

func (s *Server) inProject(path string, args []string, h func(r *request, c *inside) error) page {
	return func(r *request) error {
		p, subject, err := s.ci.FindProject(r.Context(), r.actor, path, access.ReadProject)
		var moved *ci.Moved
		if errors.As(err, &moved) && r.Method != http.MethodPost {
			return s.to(r, "/"+moved.Path+strings.TrimPrefix(r.URL.RequestURI(), "/"+path))
		}
		if err != nil {
			return err
		}
		r.project = p
		return h(r, &inside{p, subject, args})
	}
}

// able lets only those through who have an ability; for others there is nothing.
func able(a access.Ability, h func(r *request, c *inside) error) func(*request, *inside) error {
	return func(r *request, c *inside) error {
		if r.actor.User == nil && (r.Method == http.MethodPost || a == access.AdminProject) {
			return errSignIn
		}
		if !c.may(r, a) {
			if r.Method == http.MethodPost {
				return fault.New(fault.Forbidden, "Your role in this project does not allow that.")
			}
			return notFound(r)
		}
		return h(r, c)
	}
}

func (s *Server) projectTable() []projectRow {
	return []projectRow{
		{"GET", "", s.projectPage},
		{"GET", "pipelines", able(access.ReadPipelines, s.pipelinesPage)},
		{"POST", "pipelines", able(access.CreatePipeline, s.runPipeline)},
		{"GET", "pipelines/new", able(access.CreatePipeline, s.newPipelinePage)},
		{"GET", "pipelines/live", s.liveProject},
		{"GET", "pipelines/latest", s.latestPipeline},
		{"GET", "pipelines/*", s.pipelinePage},
		{"GET", "merge_requests/*", able(access.ReadPipelines, s.toMergeRequest)},
		{"GET", "pipelines/*/test_report", able(access.ReadPipelines, s.testsPage)},
		{"GET", "pipelines/*/builds", s.instead("pipelines/*")},
		{"GET", "pipelines/*/failures", s.instead("pipelines/*")},
		{"GET", "jobs", s.instead("pipelines")},
		{"GET", "commit/*", able(access.ReadCode, s.commitPage)},
		{"GET", "commits/**", s.ofRef},
		{"GET", "tree/**", s.ofRef},
		{"GET", "tags/**", s.ofRef},
		{"GET", "blob/**", able(access.ReadCode, s.filePage)},
		{"GET", "raw/**", able(access.ReadCode, s.rawRepositoryFile)},
		{"GET", "archive/**", able(access.ReadCode, s.sourceArchive)},
		{"GET", "edit", able(access.AdminProject, s.editPage)},
		{"POST", "edit", able(access.AdminProject, s.editProject)},
		{"GET", "runners", able(access.AdminRunners, s.projectRunners)},
		{"POST", "runners", able(access.AdminRunners, s.createProjectRunner)},
		{"POST", "runners/*", able(access.AdminRunners, s.projectRunner)},
		{"GET", "pipelines/*/live", s.livePipeline},
		{"POST", "pipelines/*/*", able(access.UpdateJob, s.pipelineAction)},
		{"GET", "jobs/*", s.jobPage},
		{"GET", "jobs/*/live", s.liveJob},
		{"GET", "jobs/*/raw", s.rawLog},
		{"GET", "jobs/*/artifacts/download", s.downloadArtifacts},
		{"GET", "jobs/*/artifacts/browse", s.browseArtifacts},
		{"GET", "jobs/*/artifacts/browse/**", s.browseArtifacts},
		{"GET", "jobs/*/artifacts/file/**", s.artifactFile},
		{"POST", "jobs/*/*", s.jobAction},
		{"GET", "pipeline_schedules", able(access.ReadPipelines, s.schedulesPage)},
		{"GET", "pipeline_schedules/new", able(access.CreatePipeline, s.schedulePage)},
		{"POST", "pipeline_schedules", able(access.CreatePipeline, s.saveSchedule)},
		{"GET", "pipeline_schedules/*/edit", able(access.CreatePipeline, s.schedulePage)},
		{"POST", "pipeline_schedules/*", able(access.CreatePipeline, s.saveSchedule)},
		{"POST", "pipeline_schedules/*/*", able(access.CreatePipeline, s.scheduleAction)},
		{"GET", "releases", able(access.ReadReleases, s.releasesPage)},
		{"GET", "releases/*/downloads/**", able(access.ReadReleases, s.ofRelease)},
		{"GET", "releases/**", able(access.ReadReleases, s.ofRelease)},
		{"GET", "environments", able(access.ReadEnvironments, s.environmentsPage)},
		{"GET", "environments/*", able(access.ReadEnvironments, s.environmentPage)},
		{"POST", "deployments/*/*", able(access.UpdateEnvironments, s.approveDeployment)},
		{"POST", "environments/*/stop", able(access.UpdateEnvironments, s.stopEnvironment)},
		{"GET", "integrations/slash_commands", able(access.ReadProject, s.confirmPage)},
		{"POST", "integrations/slash_commands", able(access.ReadProject, s.confirm)},
		{"GET", "chat/commands", able(access.ReadCommands, s.commandsPage)},
		{"POST", "chat/commands", able(access.CreateCommand, s.giveCommand)},
		{"GET", "chat/commands/live", able(access.ReadCommands, s.liveCommands)},
		{"GET", "chat/commands/export", able(access.ReadCommands, s.exportCommands)},
		{"GET", "chat/commands/*", able(access.ReadCommands, s.commandPage)},
		{"GET", "chat/commands/*/live", able(access.ReadCommands, s.liveCommand)},
		{"GET", "project_members", able(access.ReadProject, s.membersPage)},
		{"POST", "project_members", able(access.AdminMembers, s.addMember)},
		{"POST", "project_members/*/*", able(access.AdminMembers, s.memberAction)},
		{"GET", "settings/ci_cd", able(access.AdminVariables, s.variablesPage)},
		{"POST", "settings/ci_cd/variables", able(access.AdminVariables, s.addVariable)},
		{"POST", "settings/ci_cd/variables/*/*", able(access.AdminVariables, s.variableAction)},
		{"GET", "settings/repository", able(access.AdminProject, s.protectedPage)},
		{"POST", "settings/repository/protected", able(access.AdminProject, s.protect)},
		{"POST", "settings/repository/protected/remove", able(access.AdminProject, s.unprotect)},
		{"GET", "protected_environments", able(access.AdminProject, s.protectionsPage)},
		{"POST", "protected_environments", able(access.AdminProject, s.saveProtection)},
		{"POST", "protected_environments/*", able(access.AdminProject, s.saveProtection)},
		{"POST", "protected_environments/*/remove", able(access.AdminProject, s.removeProtection)},
		{"GET", "hooks", able(access.AdminProject, s.hooksPage)},
		{"POST", "hooks", able(access.AdminProject, s.saveHook)},
		{"GET", "hooks/*/edit", able(access.AdminProject, s.hookPage)},
		{"POST", "hooks/*", able(access.AdminProject, s.saveHook)},
		{"POST", "hooks/*/*", able(access.AdminProject, s.hookAction)},
		{"GET", "hooks/*/hook_logs/*", able(access.AdminProject, s.deliveryPage)},
		{"POST", "hooks/*/hook_logs/*/retry", able(access.AdminProject, s.resendDelivery)},
		{"GET", "triggers", able(access.AdminTriggers, s.triggersPage)},
		{"POST", "triggers", able(access.AdminTriggers, s.createTrigger)},
		{"POST", "triggers/*/*", able(access.AdminTriggers, s.triggerAction)},
		{"GET", "settings/integrations", able(access.AdminProject, s.chatPage)},
		{"GET", "settings/integrations/slack_slash_commands/edit", s.instead("settings/integrations/slack")},
		{"GET", "settings/integrations/mattermost_slash_commands/edit", s.instead("settings/integrations/mattermost")},
		{"GET", "settings/integrations/rules", able(access.AdminProject, s.chatRulesPage)},
		{"POST", "settings/integrations/rules", able(access.AdminProject, s.saveChatRule)},
		{"POST", "settings/integrations/rules/*", able(access.AdminProject, s.saveChatRule)},
		{"POST", "settings/integrations/rules/*/remove", able(access.AdminProject, s.removeChatRule)},
		{"GET", "settings/integrations/notifications", able(access.AdminProject, s.notificationsPage)},
		{"POST", "settings/integrations/notifications", able(access.AdminProject, s.saveNotification)},
		{"POST", "settings/integrations/notifications/*", able(access.AdminProject, s.saveNotification)},
		{"POST", "settings/integrations/notifications/*/*", able(access.AdminProject, s.notificationAction)},
		{"GET", "settings/integrations/slack_app", able(access.AdminProject, s.projectSlackApp)},
		{"GET", "settings/integrations/gitlab_slack_application/edit", s.instead("settings/integrations/slack_app")},
		{"POST", "settings/integrations/slack_app", able(access.AdminProject, s.setProjectSlackApp)},
		{"POST", "settings/integrations/slack_app/*", able(access.AdminProject, s.projectSlackAppAction)},
		{"GET", "settings/slack/install", able(access.AdminProject, s.installInProject)},
		{"GET", "settings/slack/slack_auth", able(access.AdminProject, s.installedInProject)},
		{"GET", "settings/integrations/*", able(access.AdminProject, s.chatSetUp)},
		{"POST", "settings/integrations/*", able(access.AdminProject, s.setChat)},
		{"POST", "settings/integrations/*/*", able(access.AdminProject, s.chatAction)},
		{"POST", "settings/integrations/*/deliveries/*/replay", able(access.AdminProject, s.replayDelivery)},
	}
}
