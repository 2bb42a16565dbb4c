package access

import (
	"testing"

	"signalbox/models"
	"signalbox/models/enum"
)

func TestAllowed(t *testing.T) {
	user := &models.User{ID: 1, State: "active"}
	root := &models.User{ID: 2, State: "active", Admin: true}
	blocked := &models.User{ID: 3, State: "blocked", Admin: true}
	project := func(v enum.Visibility) *models.Project { return &models.Project{ID: 7, Visibility: v} }
	rules := []*models.ProtectedRef{
		{Kind: "branch", Name: "main", PushLevel: enum.Maintainer, MergeLevel: enum.Developer},
		{Kind: "branch", Name: "release-*", PushLevel: enum.NoAccess, MergeLevel: enum.Maintainer},
		{Kind: "tag", Name: "v*", PushLevel: enum.Maintainer},
	}
	at := func(level enum.AccessLevel, ref string, tag bool) Subject {
		return Subject{Project: project(enum.Private), Level: level, Protected: rules, Ref: ref, Tag: tag}
	}
	letsPush := func(level enum.AccessLevel, ref string) Subject {
		s := at(level, ref, false)
		s.Project.Settings.JobTokenPush, s.Open = true, true
		return s
	}
	with := func(feature, access string, level enum.AccessLevel) Subject {
		p := project(enum.Public)
		p.Settings.Facts = map[string]any{feature + "_access_level": access}
		return Subject{Project: p, Level: level}
	}
	session, token := Actor{User: user}, Actor{User: user, Scopes: []string{"read_api"}}
	for name, c := range map[string]struct {
		a    Actor
		what Ability
		s    Subject
		want bool
	}{
		"nobody, private":                {Actor{}, ReadProject, at(0, "", false), false},
		"nobody, public":                 {Actor{}, ReadProject, Subject{Project: project(enum.Public)}, true},
		"nobody, internal":               {Actor{}, ReadProject, Subject{Project: project(enum.Internal)}, false},
		"stranger, internal":             {session, ReadProject, Subject{Project: project(enum.Internal)}, true},
		"guest reads":                    {session, ReadProject, at(enum.Guest, "", false), true},
		"guest, repository":              {session, ReadRepository, at(enum.Guest, "", false), false},
		"reporter pushes":                {session, PushRef, at(enum.Reporter, "x", false), false},
		"developer pushes":               {session, PushRef, at(enum.Developer, "x", false), true},
		"developer pushes main":          {session, PushRef, at(enum.Developer, "main", false), false},
		"developer runs on main":         {session, CreatePipeline, at(enum.Developer, "main", false), true},
		"maintainer pushes main":         {session, PushRef, at(enum.Maintainer, "main", false), true},
		"nobody pushes release":          {session, PushRef, at(enum.Owner, "release-1/x", false), false},
		"admin pushes release":           {Actor{User: root}, PushRef, at(enum.AdminAccess, "release-1", false), true},
		"developer tags":                 {session, PushRef, at(enum.Developer, "v1", true), false},
		"developer runs tag":             {session, CreatePipeline, at(enum.Developer, "v1", true), false},
		"other tag":                      {session, PushRef, at(enum.Developer, "x1", true), true},
		"branch named as tag":            {session, PushRef, at(enum.Developer, "v1", false), true},
		"blocked admin":                  {Actor{User: blocked}, ReadProject, at(enum.AdminAccess, "", false), false},
		"reading token reads":            {token, ReadPipelines, at(enum.Developer, "", false), true},
		"reading token writes":           {token, UpdateJob, at(enum.Owner, "", false), false},
		"repository token pushes":        {Actor{User: user, Scopes: []string{"write_repository"}}, PushRef, at(enum.Developer, "x", false), true},
		"repository token, API":          {Actor{User: user, Scopes: []string{"write_repository"}}, CreatePipeline, at(enum.Owner, "", false), false},
		"job token clones":               {Actor{User: user, Job: &models.Job{ProjectID: 7}}, ReadRepository, at(enum.Reporter, "", false), true},
		"job token without role":         {Actor{User: user, Job: &models.Job{ProjectID: 7}}, ReadRepository, at(0, "", false), false},
		"job token reads artifacts":      {Actor{User: user, Job: &models.Job{ProjectID: 7}}, ReadArtifacts, at(enum.Reporter, "", false), true},
		"job token reads no log":         {Actor{User: user, Job: &models.Job{ProjectID: 7}}, ReadJob, at(enum.Owner, "", false), false},
		"job token, other project":       {Actor{User: root, Job: &models.Job{ProjectID: 8}}, ReadRepository, at(enum.AdminAccess, "", false), false},
		"job token does nothing else":    {Actor{User: root, Job: &models.Job{ProjectID: 7}}, PushRef, at(enum.AdminAccess, "", false), false},
		"job token pushes where it may":  {Actor{User: user, Job: &models.Job{ProjectID: 7}}, PushRef, letsPush(enum.Developer, "x"), true},
		"job token pushes at its user's": {Actor{User: user, Job: &models.Job{ProjectID: 7}}, PushRef, letsPush(enum.Reporter, "x"), false},
		"job token of one who may not":   {Actor{User: user, Job: &models.Job{ProjectID: 7}}, PushRef, letsPush(enum.Developer, "main"), false},
		"job token of one who may":       {Actor{User: user, Job: &models.Job{ProjectID: 7}}, PushRef, letsPush(enum.Maintainer, "main"), true},
		"merge requests":                 {session, ReadMergeRequests, at(enum.Reporter, "", false), true},
		"merge requests, members alone":  {session, ReadMergeRequests, with("merge_requests", "private", 0), false},
		"merge requests, code hidden":    {session, ReadMergeRequests, with("repository", "private", 0), false},
		"merge requests for a guest":     {session, ReadMergeRequests, at(enum.Guest, "", false), false},
		"job token, protected branch":    {Actor{User: user, Job: &models.Job{ProjectID: 7}}, PushRef, letsPush(enum.Developer, "main"), false},
		"job token of another project":   {Actor{User: user, Job: &models.Job{ProjectID: 8}}, PushRef, letsPush(enum.Owner, "x"), false},
		"private repository, stranger":   {session, ReadCode, with("repository", "private", 0), false},
		"private repository, member":     {session, ReadCode, with("repository", "private", enum.Reporter), true},
		"disabled repository, owner":     {session, ReadRepository, with("repository", "disabled", enum.Owner), false},
		"private releases, nobody":       {Actor{}, ReadReleases, with("releases", "private", 0), false},
		"private releases, guest":        {session, ReadReleases, with("releases", "private", enum.Guest), true},
		"private environments":           {session, ReadEnvironments, with("environments", "private", 0), false},
		"disabled merge requests":        {session, UpdateMergeRequests, with("merge_requests", "disabled", enum.Owner), false},
		"user is no administrator":       {session, AdminInstance, Subject{}, false},
		"administrator":                  {Actor{User: root}, AdminInstance, Subject{}, true},
		"administrator's reading token":  {Actor{User: root, Scopes: []string{"read_api"}}, AdminInstance, Subject{}, true},
		"repository token, instance":     {Actor{User: root, Scopes: []string{"read_repository"}}, AdminInstance, Subject{}, false},
		"unknown ability":                {Actor{User: root}, "fly", at(enum.Owner, "", false), false},
	} {
		if got := Allowed(c.a, c.what, c.s); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if ForcePush(rules, "main") || !ForcePush(rules, "x") {
		t.Error("force push")
	}
}

func TestEveryAbilityHasARule(t *testing.T) {
	for _, a := range []Ability{
		ReadProject, ReadRepository, PushRef, CreatePipeline, SetVariables, ReadPipelines, UpdateJob, EraseJob, AdminProject,
		ReadCommands, CreateCommand, AdminInstance, CreateNamespace,
	} {
		if _, ok := table[a]; !ok {
			t.Errorf("%s has no rule", a)
		}
	}
}

func TestScopedNamesWhatIsMissing(t *testing.T) {
	reading := Actor{User: &models.User{State: "active", Admin: true}, Scopes: []string{"read_api"}}
	if ok, _ := Scoped(reading, AdminInstance, false); !ok {
		t.Error("a reading token may read")
	}
	ok, need := Scoped(reading, AdminInstance, true)
	if ok || len(need) != 1 || need[0] != "api" {
		t.Errorf("a reading token writes: %v %v", ok, need)
	}
	ok, need = Scoped(Actor{Scopes: []string{"read_user"}}, ReadProject, false)
	if ok || len(need) != 2 {
		t.Errorf("%v %v", ok, need)
	}
	if ok, _ := Scoped(Actor{Scopes: []string{"read_user"}}, ReadSelf, false); !ok {
		t.Error("read_user reads the user")
	}
}
