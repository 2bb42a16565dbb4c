package app

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"signalbox/internal/testenv"
	"signalbox/models"
)

// TestClientGo drives every service that is served here with GitLab's own client for Go, as it is.
func TestClientGo(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.runner()
		c, err := gitlab.NewClient(rootToken, gitlab.WithBaseURL(w.node.Local))
		if err != nil {
			t.Fatal(err)
		}
		k := &clientWalk{t: t, w: w, c: c}
		k.instance()
		k.people()
		k.groups()
		k.project()
		k.members()
		k.repository()
		k.variables()
		k.pipelines()
		k.runners()
		k.rest()
	})
}

type clientWalk struct {
	t    *testing.T
	w    *world
	c    *gitlab.Client
	user *gitlab.User
	g    *gitlab.Group
	p    *gitlab.Project
}

// ok fails the test unless a call went well with a status.
func (k *clientWalk) ok(status int, res *gitlab.Response, err error) {
	k.t.Helper()
	if err != nil || res.StatusCode != status {
		code := 0
		if res != nil {
			code = res.StatusCode
		}
		k.t.Fatalf("status %d, want %d: %v", code, status, err)
	}
}

func (k *clientWalk) want(ok bool, what string, args ...any) {
	k.t.Helper()
	if !ok {
		k.t.Fatalf(what, args...)
	}
}

func (k *clientWalk) instance() {
	v, res, err := k.c.Version.GetVersion()
	k.ok(200, res, err)
	k.want(strings.Count(v.Version, ".") == 2, "version %q", v.Version)
	m, res, err := k.c.Metadata.GetMetadata()
	k.ok(200, res, err)
	k.want(!m.Enterprise && !m.KAS.Enabled, "metadata %+v", m)
	u, res, err := k.c.Users.CurrentUser()
	k.ok(200, res, err)
	k.want(u.Username == "root" && u.IsAdmin && u.CreatedAt != nil && u.NamespaceID > 0, "current user %+v", u)
}

func (k *clientWalk) people() {
	u, res, err := k.c.Users.CreateUser(&gitlab.CreateUserOptions{
		Email: gitlab.Ptr("mira@example.com"), Username: gitlab.Ptr("mira"), Name: gitlab.Ptr("Mira Holt"), Password: gitlab.Ptr("correct-horse"), SkipConfirmation: gitlab.Ptr(true),
	})
	k.ok(201, res, err)
	k.user = u
	_, res, err = k.c.Users.CreateUser(&gitlab.CreateUserOptions{
		Email: gitlab.Ptr("mira@example.com"), Username: gitlab.Ptr("other"), Name: gitlab.Ptr("O"), ForceRandomPassword: gitlab.Ptr(true),
	})
	k.want(err != nil && res.StatusCode == 409 && strings.Contains(err.Error(), "Email has already been taken"), "a second account of an address: %v", err)
	found, res, err := k.c.Users.ListUsers(&gitlab.ListUsersOptions{Username: gitlab.Ptr("MIRA")})
	k.ok(200, res, err)
	k.want(len(found) == 1 && found[0].ID == u.ID, "found %v", found)
	_, res, err = k.c.Users.ModifyUser(u.ID, &gitlab.ModifyUserOptions{Name: gitlab.Ptr("Mira H."), Note: gitlab.Ptr("a note")})
	k.ok(200, res, err)
	got, res, err := k.c.Users.GetUser(u.ID, gitlab.GetUsersOptions{})
	k.ok(200, res, err)
	k.want(got.Name == "Mira H." && got.Note == "a note", "changed user %+v", got)
	k.want(k.c.Users.BlockUser(u.ID) == nil && k.c.Users.UnblockUser(u.ID) == nil, "block and unblock")

	tok, res, err := k.c.Users.CreatePersonalAccessToken(u.ID, &gitlab.CreatePersonalAccessTokenOptions{
		Name: gitlab.Ptr("t"), Scopes: &[]string{"read_api", "self_rotate"}, ExpiresAt: gitlab.Ptr(gitlab.ISOTime(time.Now().Add(240 * time.Hour))),
	})
	k.ok(201, res, err)
	k.want(strings.HasPrefix(tok.Token, "glpat-") && tok.Active && tok.ExpiresAt != nil, "token %+v", tok)
	list, res, err := k.c.PersonalAccessTokens.ListPersonalAccessTokens(&gitlab.ListPersonalAccessTokensOptions{UserID: gitlab.Ptr(u.ID)})
	k.ok(200, res, err)
	k.want(len(list) == 1 && list[0].Token == "", "tokens %+v", list)
	mine, err := gitlab.NewClient(tok.Token, gitlab.WithBaseURL(k.w.node.Local))
	k.want(err == nil, "%v", err)
	self, res, err := mine.PersonalAccessTokens.GetSinglePersonalAccessToken()
	k.ok(200, res, err)
	k.want(self.ID == tok.ID, "self %+v", self)
	rotated, res, err := mine.PersonalAccessTokens.RotatePersonalAccessTokenSelf(nil)
	k.ok(200, res, err)
	k.want(rotated.ID != tok.ID && rotated.Token != "", "rotated %+v", rotated)
	_, res, err = mine.PersonalAccessTokens.GetSinglePersonalAccessToken()
	k.want(err != nil && res.StatusCode == 401, "the old token lives: %v", err)
	res, err = k.c.PersonalAccessTokens.RevokePersonalAccessTokenByID(rotated.ID)
	k.ok(204, res, err)
}

func (k *clientWalk) groups() {
	g, res, err := k.c.Groups.CreateGroup(&gitlab.CreateGroupOptions{Name: gitlab.Ptr("Team"), Path: gitlab.Ptr("team"), Visibility: gitlab.Ptr(gitlab.InternalVisibility)})
	k.ok(201, res, err)
	k.g = g
	sub, res, err := k.c.Groups.CreateGroup(&gitlab.CreateGroupOptions{Name: gitlab.Ptr("Sub"), Path: gitlab.Ptr("sub"), ParentID: gitlab.Ptr(g.ID)})
	k.ok(201, res, err)
	k.want(sub.FullPath == "team/sub" && sub.FullName == "Team / Sub" && sub.ParentID == g.ID, "subgroup %+v", sub)
	subs, res, err := k.c.Groups.ListSubGroups(g.ID, nil)
	k.ok(200, res, err)
	k.want(len(subs) == 1 && res.TotalItems == 1, "subgroups %v", subs)
	all, res, err := k.c.Groups.ListDescendantGroups("team", nil)
	k.ok(200, res, err)
	k.want(len(all) == 1, "descendants %v", all)
	_, res, err = k.c.Groups.UpdateGroup(sub.ID, &gitlab.UpdateGroupOptions{Path: gitlab.Ptr("renamed"), Description: gitlab.Ptr("d")})
	k.ok(200, res, err)
	got, res, err := k.c.Groups.GetGroup("team/renamed", nil)
	k.ok(200, res, err)
	k.want(got.ID == sub.ID && got.Description == "d", "renamed group %+v", got)
	ns, res, err := k.c.Namespaces.GetNamespace("team")
	k.ok(200, res, err)
	k.want(ns.Kind == "group" && ns.ID == g.ID, "namespace %+v", ns)
	spaces, res, err := k.c.Namespaces.ListNamespaces(&gitlab.ListNamespacesOptions{Search: gitlab.Ptr("tea")})
	k.ok(200, res, err)
	k.want(len(spaces) == 2, "namespaces %v", spaces)
	res, err = k.c.Groups.DeleteGroup(sub.ID, nil)
	k.ok(202, res, err)
	_, _, err = k.c.GroupVariables.CreateVariable(g.ID, &gitlab.CreateGroupVariableOptions{Key: gitlab.Ptr("FROM_GROUP"), Value: gitlab.Ptr("group-value")})
	k.want(err == nil, "%v", err)
	gv, res, err := k.c.GroupVariables.ListVariables(g.ID, nil)
	k.ok(200, res, err)
	k.want(len(gv) == 1 && gv[0].Value == "group-value", "group variables %v", gv)
}

func (k *clientWalk) project() {
	p, res, err := k.c.Projects.CreateProject(&gitlab.CreateProjectOptions{
		Name: gitlab.Ptr("App"), Path: gitlab.Ptr("app"), NamespaceID: gitlab.Ptr(k.g.ID), InitializeWithReadme: gitlab.Ptr(true), Topics: &[]string{"go", "ci"},
	})
	k.ok(201, res, err)
	k.p = p
	k.w.project = fmt.Sprint(p.ID)
	k.want(p.PathWithNamespace == "team/app" && p.ImportStatus == "none" && p.CreatedAt != nil && slices.Equal(p.Topics, []string{"go", "ci"}), "project %+v", p)
	got, res, err := k.c.Projects.GetProject("team/app", &gitlab.GetProjectOptions{License: gitlab.Ptr(true), WithCustomAttributes: gitlab.Ptr(true)})
	k.ok(200, res, err)
	k.want(got.ID == p.ID && !got.EmptyRepo && got.DefaultBranch == "main" && got.Namespace.ID == k.g.ID, "project %+v", got)
	_, res, err = k.c.Projects.EditProject(p.ID, &gitlab.EditProjectOptions{
		BuildTimeout: gitlab.Ptr(int64(1200)), CIConfigPath: gitlab.Ptr(""), AutoCancelPendingPipelines: gitlab.Ptr("disabled"), BuildGitStrategy: gitlab.Ptr("clone"),
		CIPipelineVariablesMinimumOverrideRole: gitlab.Ptr(gitlab.CiPipelineVariablesMaintainerRole),
	})
	k.ok(200, res, err)
	got, _, err = k.c.Projects.GetProject(p.ID, nil)
	k.want(err == nil && got.BuildTimeout == 1200 && got.AutoCancelPendingPipelines == "disabled" && got.BuildGitStrategy == "clone" &&
		got.CIPipelineVariablesMinimumOverrideRole == "maintainer", "changed project %+v %v", got, err)
	for opt, n := range map[*gitlab.ListProjectsOptions]int{
		{Search: gitlab.Ptr("ap")}: 1, {Owned: gitlab.Ptr(true)}: 1, {Topic: gitlab.Ptr("ci")}: 1, {Topic: gitlab.Ptr("x")}: 0, {Archived: gitlab.Ptr(true)}: 0,
		{Membership: gitlab.Ptr(true), OrderBy: gitlab.Ptr("last_activity_at")}: 1, {Simple: gitlab.Ptr(true)}: 1,
	} {
		list, res, err := k.c.Projects.ListProjects(opt)
		k.ok(200, res, err)
		k.want(len(list) == n, "list %+v has %d", opt, len(list))
	}
	keyset, res, err := k.c.Projects.ListProjects(&gitlab.ListProjectsOptions{ListOptions: gitlab.ListOptions{Pagination: "keyset", OrderBy: "id", PerPage: 1}})
	k.ok(200, res, err)
	k.want(len(keyset) == 1 && res.NextLink != "", "keyset %v %q", keyset, res.NextLink)
	keyset, res, err = k.c.Projects.ListProjects(nil, gitlab.WithKeysetPaginationParameters(res.NextLink))
	k.ok(200, res, err)
	k.want(len(keyset) == 0 && res.NextLink == "", "keyset goes on %v", keyset)
	_, res, err = k.c.Projects.ArchiveProject(p.ID)
	k.ok(201, res, err)
	_, res, err = k.c.Projects.UnarchiveProject(p.ID)
	k.ok(201, res, err)
	groupProjects, res, err := k.c.Groups.ListGroupProjects(k.g.ID, nil)
	k.ok(200, res, err)
	k.want(len(groupProjects) == 1, "projects of the group %v", groupProjects)
}

func (k *clientWalk) members() {
	m, res, err := k.c.ProjectMembers.AddProjectMember(k.p.ID, &gitlab.AddProjectMemberOptions{UserID: k.user.ID, AccessLevel: gitlab.Ptr(gitlab.DeveloperPermissions)})
	k.ok(201, res, err)
	k.want(m.Username == "mira" && m.AccessLevel == gitlab.DeveloperPermissions, "member %+v", m)
	_, res, err = k.c.ProjectMembers.AddProjectMember(k.p.ID, &gitlab.AddProjectMemberOptions{UserID: k.user.ID, AccessLevel: gitlab.Ptr(gitlab.DeveloperPermissions)})
	k.want(err != nil && res.StatusCode == 409, "twice a member: %v", err)
	_, res, err = k.c.ProjectMembers.EditProjectMember(k.p.ID, k.user.ID, &gitlab.EditProjectMemberOptions{AccessLevel: gitlab.Ptr(gitlab.MaintainerPermissions), ExpiresAt: gitlab.Ptr("")})
	k.ok(200, res, err)
	all, res, err := k.c.ProjectMembers.ListAllProjectMembers(k.p.ID, nil)
	k.ok(200, res, err)
	k.want(len(all) == 2, "all members %v", all)
	one, res, err := k.c.ProjectMembers.GetInheritedProjectMember(k.p.ID, 1)
	k.ok(200, res, err)
	k.want(one.AccessLevel == gitlab.OwnerPermissions, "the group's owner %+v", one)
	_, res, err = k.c.ProjectMembers.GetProjectMember(k.p.ID, 1)
	k.want(err != nil && res.StatusCode == 404, "an inherited member is none of its own: %v", err)
	_, res, err = k.c.GroupMembers.AddGroupMember(k.g.ID, &gitlab.AddGroupMemberOptions{UserID: gitlab.Ptr(k.user.ID), AccessLevel: gitlab.Ptr(gitlab.ReporterPermissions)})
	k.ok(201, res, err)
	res, err = k.c.GroupMembers.RemoveGroupMember(k.g.ID, k.user.ID, nil)
	k.ok(204, res, err)

	_, res, err = k.c.ProtectedBranches.ProtectRepositoryBranches(k.p.ID, &gitlab.ProtectRepositoryBranchesOptions{
		Name: gitlab.Ptr("release/*"), PushAccessLevel: gitlab.Ptr(gitlab.NoPermissions), MergeAccessLevel: gitlab.Ptr(gitlab.DeveloperPermissions),
	})
	k.ok(201, res, err)
	rule, res, err := k.c.ProtectedBranches.GetProtectedBranch(k.p.ID, "release/*")
	k.ok(200, res, err)
	k.want(rule.PushAccessLevels[0].AccessLevel == gitlab.NoPermissions && rule.MergeAccessLevels[0].AccessLevel == gitlab.DeveloperPermissions, "rule %+v", rule)
	_, res, err = k.c.ProtectedBranches.UpdateProtectedBranch(k.p.ID, "release/*", &gitlab.UpdateProtectedBranchOptions{AllowForcePush: gitlab.Ptr(true)})
	k.ok(200, res, err)
	rules, res, err := k.c.ProtectedBranches.ListProtectedBranches(k.p.ID, nil)
	k.ok(200, res, err)
	k.want(len(rules) == 2, "rules %v", rules)
	res, err = k.c.ProtectedBranches.UnprotectRepositoryBranches(k.p.ID, "release/*")
	k.ok(204, res, err)
	_, res, err = k.c.ProtectedTags.ProtectRepositoryTags(k.p.ID, &gitlab.ProtectRepositoryTagsOptions{Name: gitlab.Ptr("v*"), CreateAccessLevel: gitlab.Ptr(gitlab.MaintainerPermissions)})
	k.ok(201, res, err)
	tags, res, err := k.c.ProtectedTags.ListProtectedTags(k.p.ID, nil)
	k.ok(200, res, err)
	k.want(len(tags) == 1 && tags[0].Name == "v*", "protected tags %v", tags)

	tok, res, err := k.c.ProjectAccessTokens.CreateProjectAccessToken(k.p.ID, &gitlab.CreateProjectAccessTokenOptions{
		Name: gitlab.Ptr("bot"), Scopes: &[]string{"api"}, AccessLevel: gitlab.Ptr(gitlab.DeveloperPermissions),
	})
	k.ok(201, res, err)
	bot, err := gitlab.NewClient(tok.Token, gitlab.WithBaseURL(k.w.node.Local))
	k.want(err == nil, "%v", err)
	_, res, err = bot.Projects.GetProject(k.p.ID, nil)
	k.ok(200, res, err)
	_, res, err = bot.Projects.EditProject(k.p.ID, &gitlab.EditProjectOptions{Description: gitlab.Ptr("x")})
	k.want(err != nil && res.StatusCode == 403, "a developer's bot changes the project: %v", err)
	rotated, res, err := k.c.ProjectAccessTokens.RotateProjectAccessToken(k.p.ID, tok.ID, nil)
	k.ok(200, res, err)
	list, res, err := k.c.ProjectAccessTokens.ListProjectAccessTokens(k.p.ID, nil)
	k.ok(200, res, err)
	k.want(len(list) == 2 && list[0].AccessLevel == gitlab.DeveloperPermissions, "project tokens %+v", list)
	res, err = k.c.ProjectAccessTokens.RevokeProjectAccessToken(k.p.ID, rotated.ID)
	k.ok(204, res, err)
	gt, res, err := k.c.GroupAccessTokens.CreateGroupAccessToken(k.g.ID, &gitlab.CreateGroupAccessTokenOptions{Name: gitlab.Ptr("g"), Scopes: &[]string{"read_api"}})
	k.ok(201, res, err)
	k.want(gt.Token != "", "group token %+v", gt)
}

const clientConfig = `
build:
  stage: build
  script: [mkdir -p out, "echo $FROM_GROUP > out/a.txt", echo built $WORD]
  artifacts: {paths: [out]}
later:
  stage: deploy
  script: [echo later]
  when: manual
`

func (k *clientWalk) repository() {
	_, res, err := k.c.RepositoryFiles.CreateFile(k.p.ID, ".gitlab-ci.yml", &gitlab.CreateFileOptions{
		Branch: gitlab.Ptr("main"), Content: gitlab.Ptr(clientConfig), CommitMessage: gitlab.Ptr("Add CI [skip ci]\n\nBody\n\nChange-Id: I1"),
	})
	k.ok(201, res, err)
	_, res, err = k.c.RepositoryFiles.CreateFile(k.p.ID, ".gitlab-ci.yml", &gitlab.CreateFileOptions{Branch: gitlab.Ptr("main"), Content: gitlab.Ptr("x"), CommitMessage: gitlab.Ptr("m")})
	k.want(err != nil && res.StatusCode == 400 && strings.Contains(err.Error(), "already exists"), "created twice: %v", err)
	f, res, err := k.c.RepositoryFiles.GetFile(k.p.ID, ".gitlab-ci.yml", &gitlab.GetFileOptions{Ref: gitlab.Ptr("main")})
	k.ok(200, res, err)
	raw, _ := base64.StdEncoding.DecodeString(f.Content)
	k.want(string(raw) == clientConfig && f.Encoding == "base64" && f.Size == int64(len(raw)), "file %+v", f)
	meta, res, err := k.c.RepositoryFiles.GetFileMetaData(k.p.ID, ".gitlab-ci.yml", &gitlab.GetFileMetaDataOptions{Ref: gitlab.Ptr("main")})
	k.ok(200, res, err)
	k.want(meta.BlobID == f.BlobID && meta.SHA256 == f.SHA256 && meta.Size == f.Size, "meta %+v", meta)
	b, res, err := k.c.RepositoryFiles.GetRawFile(k.p.ID, "README.md", nil)
	k.ok(200, res, err)
	k.want(strings.HasPrefix(string(b), "# App"), "raw %q", b)
	_, res, err = k.c.Branches.CreateBranch(k.p.ID, &gitlab.CreateBranchOptions{Branch: gitlab.Ptr("feature/x"), Ref: gitlab.Ptr("main")})
	k.ok(201, res, err)
	commit, res, err := k.c.Commits.CreateCommit(k.p.ID, &gitlab.CreateCommitOptions{
		Branch: gitlab.Ptr("feature/x"), CommitMessage: gitlab.Ptr("Two files [skip ci]"), Actions: []*gitlab.CommitActionOptions{
			{Action: gitlab.Ptr(gitlab.FileCreate), FilePath: gitlab.Ptr("dir/a.sh"), Content: gitlab.Ptr("#!/bin/sh\n"), ExecuteFilemode: gitlab.Ptr(true)},
			{Action: gitlab.Ptr(gitlab.FileMove), FilePath: gitlab.Ptr("docs/README.md"), PreviousPath: gitlab.Ptr("README.md")},
		},
	})
	k.ok(201, res, err)
	k.want(commit.Stats.Additions > 0 && len(commit.ParentIDs) == 1, "commit %+v", commit)
	br, res, err := k.c.Branches.GetBranch(k.p.ID, "feature/x")
	k.ok(200, res, err)
	k.want(br.Commit.ID == commit.ID && !br.Default && br.CanPush && !br.Merged, "branch %+v", br)
	branches, res, err := k.c.Branches.ListBranches(k.p.ID, &gitlab.ListBranchesOptions{Search: gitlab.Ptr("feature")})
	k.ok(200, res, err)
	k.want(len(branches) == 1, "branches %v", branches)
	tree, res, err := k.c.Repositories.ListTree(k.p.ID, &gitlab.ListTreeOptions{Ref: gitlab.Ptr("feature/x"), Recursive: gitlab.Ptr(true)})
	k.ok(200, res, err)
	var paths []string
	for _, e := range tree {
		paths = append(paths, e.Type+" "+e.Path+" "+e.Mode)
	}
	k.want(slices.Contains(paths, "blob dir/a.sh 100755") && slices.Contains(paths, "tree docs 040000") && slices.Contains(paths, "blob docs/README.md 100644"), "tree %v", paths)
	commits, res, err := k.c.Commits.ListCommits(k.p.ID, &gitlab.ListCommitsOptions{RefName: gitlab.Ptr("feature/x"), Path: gitlab.Ptr("dir"), WithStats: gitlab.Ptr(true)})
	k.ok(200, res, err)
	k.want(len(commits) == 1 && commits[0].ID == commit.ID && commits[0].Stats != nil, "commits %v", commits)
	first, res, err := k.c.Commits.GetCommit(k.p.ID, "main", nil)
	k.ok(200, res, err)
	k.want(first.Trailers["Change-Id"] == "I1" && first.Title == "Add CI [skip ci]", "commit %+v", first)
	tag, res, err := k.c.Tags.CreateTag(k.p.ID, &gitlab.CreateTagOptions{TagName: gitlab.Ptr("v1.0"), Ref: gitlab.Ptr("main"), Message: gitlab.Ptr("One")})
	k.ok(201, res, err)
	k.want(tag.Message == "One" && tag.Protected && tag.Target != tag.Commit.ID, "tag %+v", tag)
	tags, res, err := k.c.Tags.ListTags(k.p.ID, nil)
	k.ok(200, res, err)
	k.want(len(tags) == 1, "tags %v", tags)
	for _, format := range []string{"tar.gz", "zip", "tar"} {
		a, res, err := k.c.Repositories.Archive(k.p.ID, &gitlab.ArchiveOptions{Format: gitlab.Ptr(format), SHA: gitlab.Ptr("feature/x"), Path: gitlab.Ptr("docs")})
		k.ok(200, res, err)
		k.want(len(a) > 100 && strings.Contains(res.Header.Get("Content-Disposition"), "."+format), "archive %s: %d bytes", format, len(a))
	}
	res, err = k.c.RepositoryFiles.DeleteFile(k.p.ID, "dir/a.sh", &gitlab.DeleteFileOptions{Branch: gitlab.Ptr("feature/x"), CommitMessage: gitlab.Ptr("rm [skip ci]")})
	k.ok(204, res, err)
	res, err = k.c.Branches.DeleteBranch(k.p.ID, "feature/x")
	k.ok(204, res, err)
	res, err = k.c.Tags.DeleteTag(k.p.ID, "v1.0")
	k.ok(204, res, err)
}

func (k *clientWalk) variables() {
	v, res, err := k.c.ProjectVariables.CreateVariable(k.p.ID, &gitlab.CreateProjectVariableOptions{
		Key: gitlab.Ptr("DEPLOY_KEY"), Value: gitlab.Ptr("s3cretvalue"), Masked: gitlab.Ptr(true), EnvironmentScope: gitlab.Ptr("production"), Description: gitlab.Ptr("used by deploy"),
	})
	k.ok(201, res, err)
	k.want(v.Masked && !v.Hidden && v.EnvironmentScope == "production" && v.Value == "s3cretvalue", "variable %+v", v)
	_, res, err = k.c.ProjectVariables.CreateVariable(k.p.ID, &gitlab.CreateProjectVariableOptions{Key: gitlab.Ptr("DEPLOY_KEY"), Value: gitlab.Ptr("x"), MaskedAndHidden: gitlab.Ptr(true)})
	k.want(err != nil && res.StatusCode == 400 && strings.Contains(err.Error(), "is invalid"), "a short value is masked: %v", err)
	hidden, res, err := k.c.ProjectVariables.CreateVariable(k.p.ID, &gitlab.CreateProjectVariableOptions{Key: gitlab.Ptr("DEPLOY_KEY"), Value: gitlab.Ptr("longenough"), MaskedAndHidden: gitlab.Ptr(true)})
	k.ok(201, res, err)
	k.want(hidden.Hidden && hidden.Masked && hidden.Value == "", "hidden %+v", hidden)
	_, res, err = k.c.ProjectVariables.GetVariable(k.p.ID, "DEPLOY_KEY", nil)
	k.want(err != nil && res.StatusCode == 409, "two of a key: %v", err)
	_, res, err = k.c.ProjectVariables.UpdateVariable(k.p.ID, "DEPLOY_KEY", &gitlab.UpdateProjectVariableOptions{
		Value: gitlab.Ptr("changedvalue"), Filter: &gitlab.VariableFilter{EnvironmentScope: "production"},
	})
	k.ok(200, res, err)
	got, res, err := k.c.ProjectVariables.GetVariable(k.p.ID, "DEPLOY_KEY", &gitlab.GetProjectVariableOptions{Filter: &gitlab.VariableFilter{EnvironmentScope: "production"}})
	k.ok(200, res, err)
	k.want(got.Value == "changedvalue" && got.Masked, "changed %+v", got)
	res, err = k.c.ProjectVariables.RemoveVariable(k.p.ID, "DEPLOY_KEY", &gitlab.RemoveProjectVariableOptions{Filter: &gitlab.VariableFilter{EnvironmentScope: "*"}})
	k.ok(204, res, err)
	iv, res, err := k.c.InstanceVariables.CreateVariable(&gitlab.CreateInstanceVariableOptions{Key: gitlab.Ptr("EVERYWHERE"), Value: gitlab.Ptr("1")})
	k.ok(201, res, err)
	k.want(iv.Key == "EVERYWHERE", "instance variable %+v", iv)
	res, err = k.c.InstanceVariables.RemoveVariable("EVERYWHERE")
	k.ok(204, res, err)
	lint, res, err := k.c.Validate.ProjectNamespaceLint(k.p.ID, &gitlab.ProjectNamespaceLintOptions{Content: gitlab.Ptr(clientConfig), IncludeJobs: gitlab.Ptr(true), Ref: gitlab.Ptr("")})
	k.ok(200, res, err)
	k.want(lint.Valid && strings.HasPrefix(lint.MergedYaml, "---\n"), "lint %+v", lint)
	lint, res, err = k.c.Validate.ProjectLint(k.p.ID, &gitlab.ProjectLintOptions{DryRun: gitlab.Ptr(true)})
	k.ok(200, res, err)
	k.want(lint.Valid, "lint of the project %+v", lint)
	lint, res, err = k.c.Validate.ProjectNamespaceLint(k.p.ID, &gitlab.ProjectNamespaceLintOptions{Content: gitlab.Ptr("a: {stage: nowhere, script: x}")})
	k.ok(200, res, err)
	k.want(!lint.Valid && len(lint.Errors) == 1, "lint of a wrong file %+v", lint)
}

func (k *clientWalk) pipelines() {
	_, res, err := k.c.Pipelines.GetLatestPipeline(k.p.ID, &gitlab.GetLatestPipelineOptions{Ref: gitlab.Ptr("none")})
	k.want(err != nil && res.StatusCode == 403, "no latest pipeline: %v", err)
	pl, res, err := k.c.Pipelines.CreatePipeline(k.p.ID, &gitlab.CreatePipelineOptions{
		Ref: gitlab.Ptr("main"), Variables: &[]*gitlab.PipelineVariableOptions{{Key: gitlab.Ptr("WORD"), Value: gitlab.Ptr("well")}},
	})
	k.ok(201, res, err)
	k.want(pl.DetailedStatus != nil && pl.User.Username == "root" && pl.Source == "api", "pipeline %+v", pl)
	k.w.eventually("the pipeline to wait for its manual job", func() bool {
		p, _, err := k.c.Pipelines.GetPipeline(k.p.ID, pl.ID)
		return err == nil && (p.Status == "manual" || p.Status == "success")
	})
	vars, res, err := k.c.Pipelines.GetPipelineVariables(k.p.ID, pl.ID)
	k.ok(200, res, err)
	k.want(len(vars) == 1 && vars[0].Value == "well", "variables %+v", vars)
	latest, res, err := k.c.Pipelines.GetLatestPipeline(k.p.ID, &gitlab.GetLatestPipelineOptions{Ref: gitlab.Ptr("main")})
	k.ok(200, res, err)
	k.want(latest.ID == pl.ID, "latest %+v", latest)
	named, res, err := k.c.Pipelines.UpdatePipelineMetadata(k.p.ID, pl.ID, &gitlab.UpdatePipelineMetadataOptions{Name: gitlab.Ptr("first")})
	k.ok(200, res, err)
	k.want(named.Name == "first", "named %+v", named)
	list, res, err := k.c.Pipelines.ListProjectPipelines(k.p.ID, &gitlab.ListProjectPipelinesOptions{
		Name: gitlab.Ptr("first"), Username: gitlab.Ptr("root"), Source: gitlab.Ptr("api"), UpdatedAfter: gitlab.Ptr(time.Now().Add(-time.Hour)), Scope: gitlab.Ptr("branches"),
	})
	k.ok(200, res, err)
	k.want(len(list) == 1 && res.TotalItems == 1, "pipelines %v", list)
	jobs, res, err := k.c.Jobs.ListPipelineJobs(k.p.ID, pl.ID, &gitlab.ListJobsOptions{Scope: &[]gitlab.BuildStateValue{"success", "manual"}})
	k.ok(200, res, err)
	k.want(len(jobs) == 2 && jobs[0].ID > jobs[1].ID, "jobs %v", jobs)
	build, later := jobs[1], jobs[0]
	if build.Name != "build" {
		build, later = later, build
	}
	got, res, err := k.c.Jobs.GetJob(k.p.ID, build.ID)
	k.ok(200, res, err)
	k.want(got.Runner.ID > 0 && got.Commit.Title == "Add CI [skip ci]" && got.ArtifactsFile.Size > 0 && got.User.CreatedAt != nil && got.Duration > 0, "job %+v", got)
	trace, res, err := k.c.Jobs.GetTraceFile(k.p.ID, build.ID)
	k.ok(200, res, err)
	text, _ := io.ReadAll(trace)
	k.want(strings.Contains(string(text), "built well"), "trace %q", text)
	archive, res, err := k.c.Jobs.GetJobArtifacts(k.p.ID, build.ID)
	k.ok(200, res, err)
	k.want(archive.Len() > 0, "archive is empty")
	file, res, err := k.c.Jobs.DownloadSingleArtifactsFile(k.p.ID, build.ID, "out/a.txt")
	k.ok(200, res, err)
	inside, _ := io.ReadAll(file)
	k.want(string(inside) == "group-value\n", "file %q", inside)
	played, res, err := k.c.Jobs.PlayJob(k.p.ID, later.ID, nil)
	k.ok(200, res, err)
	k.want(played.ID == later.ID, "played %+v", played)
	k.w.eventually("the pipeline to pass", func() bool {
		p, _, err := k.c.Pipelines.GetPipeline(k.p.ID, pl.ID)
		return err == nil && p.Status == "success"
	})
	byRef, res, err := k.c.Jobs.DownloadArtifactsFile(k.p.ID, "main", &gitlab.DownloadArtifactsFileOptions{Job: gitlab.Ptr("build")})
	k.ok(200, res, err)
	all, _ := io.ReadAll(byRef)
	k.want(bytes.HasPrefix(all, []byte("PK")), "archive by ref")
	one, res, err := k.c.Jobs.DownloadSingleArtifactsFileByTagOrBranch(k.p.ID, "main", "out/a.txt", &gitlab.DownloadArtifactsFileOptions{Job: gitlab.Ptr("build")})
	k.ok(200, res, err)
	inside, _ = io.ReadAll(one)
	k.want(string(inside) == "group-value\n", "file by ref %q", inside)
	kept, res, err := k.c.Jobs.KeepArtifacts(k.p.ID, build.ID)
	k.ok(200, res, err)
	k.want(kept.ArtifactsExpireAt == nil, "kept %+v", kept)
	again, res, err := k.c.Jobs.RetryJob(k.p.ID, build.ID, nil)
	k.ok(201, res, err)
	k.want(again.ID != build.ID, "retried %+v", again)
	_, res, err = k.c.Jobs.CancelJob(k.p.ID, again.ID, nil)
	k.want(err == nil || res.StatusCode == 422, "cancel: %v", err)
	own, res, err := k.c.Jobs.ListProjectJobs(k.p.ID, &gitlab.ListJobsOptions{IncludeRetried: gitlab.Ptr(true)})
	k.ok(200, res, err)
	k.want(len(own) == 3 && res.Header.Get("X-Total") == "", "jobs of the project: %d, total %q", len(own), res.Header.Get("X-Total"))
	k.w.eventually("the job to end", func() bool {
		j, _, err := k.c.Jobs.GetJob(k.p.ID, again.ID)
		return err == nil && (j.Status == "success" || j.Status == "canceled")
	})
	_, res, err = k.c.Jobs.EraseJob(k.p.ID, build.ID)
	k.ok(201, res, err)
	res, err = k.c.Jobs.DeleteArtifacts(k.p.ID, again.ID)
	k.ok(204, res, err)
	_, res, err = k.c.Pipelines.RetryPipelineBuild(k.p.ID, pl.ID)
	k.ok(201, res, err)
	_, res, err = k.c.Pipelines.CancelPipelineBuild(k.p.ID, pl.ID)
	k.ok(200, res, err)
	statuses, res, err := k.c.Commits.GetCommitStatuses(k.p.ID, pl.SHA, nil)
	k.ok(200, res, err)
	k.want(len(statuses) == 2, "statuses %v", statuses)
	res, err = k.c.Pipelines.DeletePipeline(k.p.ID, pl.ID)
	k.ok(204, res, err)
	_, res, err = k.c.Pipelines.GetPipeline(k.p.ID, pl.ID)
	k.want(err != nil && res.StatusCode == 404, "a deleted pipeline: %v", err)
}

func (k *clientWalk) runners() {
	r, res, err := k.c.Users.CreateUserRunner(&gitlab.CreateUserRunnerOptions{
		RunnerType: gitlab.Ptr("project_type"), ProjectID: gitlab.Ptr(k.p.ID), Description: gitlab.Ptr("builder"), TagList: &[]string{"linux", "gpu"},
	})
	k.ok(201, res, err)
	k.want(strings.HasPrefix(r.Token, "glrt-"), "runner %+v", r)
	d, res, err := k.c.Runners.GetRunnerDetails(r.ID)
	k.ok(200, res, err)
	k.want(d.Description == "builder" && slices.Equal(d.TagList, []string{"linux", "gpu"}) && len(d.Projects) == 1 && d.RunnerType == "project_type", "details %+v", d)
	_, res, err = k.c.Runners.UpdateRunnerDetails(r.ID, &gitlab.UpdateRunnerDetailsOptions{Paused: gitlab.Ptr(true), MaximumTimeout: gitlab.Ptr(int64(3600))})
	k.ok(200, res, err)
	d, _, err = k.c.Runners.GetRunnerDetails(r.ID)
	k.want(err == nil && d.Paused && d.MaximumTimeout == 3600 && d.Status == "paused", "paused %+v", d)
	list, res, err := k.c.Runners.ListRunners(&gitlab.ListRunnersOptions{Paused: gitlab.Ptr(true), TagList: &[]string{"gpu"}})
	k.ok(200, res, err)
	k.want(len(list) == 1 && list[0].ID == r.ID, "runners %v", list)
	online, res, err := k.c.Runners.ListAllRunners(&gitlab.ListRunnersOptions{Status: gitlab.Ptr("online")})
	k.ok(200, res, err)
	k.want(len(online) == 1 && online[0].Online, "online %+v", online)
	var managers []struct {
		SystemID string `json:"system_id"`
		Status   string
	}
	k.w.must(200, "GET", fmt.Sprintf("/runners/%d/managers", online[0].ID), nil, &managers)
	k.want(len(managers) > 0 && managers[0].SystemID != "" && managers[0].Status == "online", "managers %+v", managers)
	mine, res, err := k.c.Runners.ListProjectRunners(k.p.ID, nil)
	k.ok(200, res, err)
	k.want(len(mine) == 2, "of the project %v", mine)
	jobs, res, err := k.c.Runners.ListRunnerJobs(online[0].ID, nil)
	k.ok(200, res, err)
	_ = jobs
	second, _, err := k.c.Projects.CreateProject(&gitlab.CreateProjectOptions{Path: gitlab.Ptr("second")})
	k.want(err == nil, "%v", err)
	_, res, err = k.c.Runners.EnableProjectRunner(second.ID, &gitlab.EnableProjectRunnerOptions{RunnerID: r.ID})
	k.ok(201, res, err)
	res, err = k.c.Runners.DisableProjectRunner(second.ID, r.ID)
	k.ok(204, res, err)
	reset, res, err := k.c.Runners.ResetRunnerAuthenticationToken(r.ID)
	k.ok(201, res, err)
	k.want(*reset.Token != r.Token, "reset %+v", reset)
	res, err = k.c.Runners.RemoveRunner(r.ID)
	k.ok(204, res, err)
}

func (k *clientWalk) rest() {
	_, res, err := k.c.Services.SetSlackSlashCommandsService(k.p.ID, &gitlab.SetSlackSlashCommandsServiceOptions{Token: gitlab.Ptr("chat-token")})
	k.ok(200, res, err)
	in, res, err := k.c.Services.GetSlackSlashCommandsService(k.p.ID)
	k.ok(200, res, err)
	k.want(in.Active && in.Properties.Token == "", "integration %+v", in)
	list, res, err := k.c.Services.ListServices(k.p.ID)
	k.ok(200, res, err)
	k.want(len(list) == 1, "integrations %v", list)
	res, err = k.c.Services.DeleteSlackSlashCommandsService(k.p.ID)
	k.ok(204, res, err)
	events, res, err := k.c.AuditEvents.ListProjectAuditEvents(k.p.ID, nil)
	k.ok(200, res, err)
	k.want(len(events) > 5 && events[0].AuthorID == 1, "audit events %v", events)
	all, res, err := k.c.AuditEvents.ListInstanceAuditEvents(nil)
	k.ok(200, res, err)
	k.want(len(all) > len(events), "all audit events: %d", len(all))
	res, err = k.c.Projects.DeleteProject(k.p.ID, nil)
	k.ok(202, res, err)
	_, res, err = k.c.Projects.GetProject(k.p.ID, nil)
	k.want(err != nil && res.StatusCode == 404, "a deleted project: %v", err)
	res, err = k.c.Users.DeleteUser(k.user.ID)
	k.ok(204, res, err)
}

// TestPythonGitLab drives the API with python-gitlab as Debian ships it.
func TestPythonGitLab(t *testing.T) {
	beside(t)
	python := testenv.Python(t)
	w := start(t, models.Options{})
	w.runner()
	script, err := filepath.Abs("testdata/client.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, script, w.node.Local, rootToken)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "all done\n") {
		t.Fatalf("%v\n%s", err, out)
	}
}
