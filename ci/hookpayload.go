package ci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox/internal/fault"
	"signalbox/internal/gitrepo"
	"signalbox/models"
	"signalbox/models/enum"
)

// object is a JSON object of a payload; its keys are GitLab's (facts: rest-api 2.17).
type object map[string]any

// hookTime is how times stand in payloads.
func hookTime(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func isoTime(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// telling gathers what a payload is made of.
type telling struct {
	c       *Coordinator
	ctx     context.Context
	h       happening
	project *models.Project
	spaces  string // the name of the project's namespace
	users   map[int64]*models.User
	runners map[int64]*models.Runner
	places  map[int64]*models.Environment
	files   map[int64]*models.Artifact // archives by job
}

// payload writes what webhooks are told of an event.
func (c *Coordinator) payload(ctx context.Context, h happening) ([]byte, error) {
	t := &telling{c: c, ctx: ctx, h: h, users: map[int64]*models.User{}}
	err := c.db.Read(ctx, func(tx *models.Tx) (err error) {
		if t.project, err = tx.Project(h.Project); err != nil {
			return err
		}
		ns, err := tx.Namespace(t.project.NamespaceID)
		if err == nil {
			t.spaces = ns.Name
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var body object
	switch h.Event {
	case PipelineEvents:
		body, err = t.pipeline()
	case JobEvents:
		body, err = t.job()
	case DeploymentEvents:
		body, err = t.deployment()
	case ReleaseEvents:
		body, err = t.release()
	default:
		body, err = t.push()
	}
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(body)
	if err == nil && len(text) > maxHookBody {
		err = fault.New(fault.TooLarge, "the payload is larger than %d MB", maxHookBody>>20)
	}
	return text, err
}

func (t *telling) web(format string, args ...any) string {
	return t.c.settings.URL + "/" + t.project.FullPath + fmt.Sprintf(format, args...)
}

func (t *telling) theProject() object {
	p := t.project
	return object{
		"id": p.ID, "name": p.Name, "description": p.Description, "web_url": t.web(""), "avatar_url": nil, "git_ssh_url": t.sshURL(),
		"git_http_url": t.web(".git"), "namespace": t.spaces, "visibility_level": visibilityLevel(p.Visibility), "path_with_namespace": p.FullPath,
		"default_branch": p.DefaultBranch, "ci_config_path": p.CIConfigPath,
	}
}

func (t *telling) sshURL() string {
	host := strings.TrimPrefix(strings.TrimPrefix(t.c.settings.URL, "https://"), "http://")
	host, _, _ = strings.Cut(host, ":")
	return "git@" + host + ":" + t.project.FullPath + ".git"
}

func visibilityLevel(v enum.Visibility) int {
	return map[enum.Visibility]int{enum.Internal: 10, enum.Public: 20}[v]
}

func (t *telling) user(tx *models.Tx, id int64) (any, error) {
	u, ok := t.users[id]
	if !ok {
		found, err := tx.Users([]int64{id})
		if err != nil {
			return nil, err
		}
		u = found[id]
		t.users[id] = u
	}
	if u == nil {
		return nil, nil
	}
	return object{"id": u.ID, "name": u.Name, "username": u.Username, "avatar_url": nil, "email": "[REDACTED]"}, nil
}

func (t *telling) commit(sha string) (*gitrepo.Commit, any, error) {
	k, err := t.c.Repo(t.project).Commit(t.ctx, sha)
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return k, t.theCommit(k), nil
}

func (t *telling) theCommit(k *gitrepo.Commit) object {
	return object{
		"id": k.SHA, "message": k.Message, "title": k.Title(), "timestamp": k.Committer.When.Format(time.RFC3339), "url": t.web("/-/commit/%s", k.SHA),
		"author": object{"name": k.Author.Name, "email": k.Author.Email},
	}
}

// around reads what belongs to jobs, with one query for each kind.
func (t *telling) around(tx *models.Tx, jobs []*models.Job) (err error) {
	var ids, runners, places, users []int64
	for _, j := range jobs {
		ids, users = append(ids, j.ID), append(users, j.UserID)
		if j.RunnerID != nil {
			runners = append(runners, *j.RunnerID)
		}
		if j.EnvironmentID != nil {
			places = append(places, *j.EnvironmentID)
		}
	}
	if t.runners, err = tx.Runners(runners); err != nil {
		return err
	}
	if t.places, err = tx.EnvironmentsByID(places); err != nil {
		return err
	}
	found, err := tx.Users(users)
	if err != nil {
		return err
	}
	for id, u := range found {
		t.users[id] = u
	}
	t.files = map[int64]*models.Artifact{}
	for chunk := range slices.Chunk(ids, 500) {
		rows, err := tx.Artifacts(chunk...)
		if err != nil {
			return err
		}
		for _, a := range rows {
			if a.Type == "archive" {
				t.files[a.JobID] = a
			}
		}
	}
	return nil
}

func (t *telling) runner(id *int64) any {
	if id == nil {
		return nil
	}
	r := t.runners[*id]
	if r == nil {
		return nil
	}
	return object{
		"id": r.ID, "description": r.Description, "runner_type": r.Type, "active": r.Active, "is_shared": r.Type == enum.InstanceRunner,
		"tags": append([]string{}, r.Tags...),
	}
}

func (t *telling) place(j *models.Job) object {
	if j.EnvironmentID == nil {
		return nil
	}
	e := t.places[*j.EnvironmentID]
	if e == nil {
		return nil
	}
	return object{"name": e.Name, "action": j.EnvironmentAction, "deployment_tier": e.Tier}
}

// upstream is what started a pipeline; nil if nothing did.
func (t *telling) upstream(tx *models.Tx, p *models.Pipeline) (any, error) {
	if p.UpstreamID == nil {
		return nil, nil
	}
	up, err := tx.Pipeline(*p.UpstreamID)
	if err != nil {
		return nil, notThere(err)
	}
	project, err := tx.Project(up.ProjectID)
	if err != nil {
		return nil, notThere(err)
	}
	return object{
		"project": object{"id": project.ID, "web_url": t.c.settings.URL + "/" + project.FullPath, "path_with_namespace": project.FullPath},
		"job_id":  p.SourceJobID, "pipeline_id": up.ID,
	}, nil
}

func lasted(from, to *time.Time) any {
	if from == nil || to == nil {
		return nil
	}
	return to.Sub(*from).Seconds()
}

// detailed are the words that GitLab has for statuses of pipelines.
var detailed = map[enum.Status]string{
	enum.Success: "passed", enum.Manual: "waiting for manual action", enum.Scheduled: "waiting for delayed job",
	enum.WaitingForResource: "waiting for resource", enum.WaitingForCallback: "waiting for callback",
}

func (t *telling) pipeline() (object, error) {
	var out object
	var p *models.Pipeline
	err := t.c.db.Read(t.ctx, func(tx *models.Tx) (err error) {
		if p, err = tx.Pipeline(t.h.ID); err != nil {
			return err
		}
		status := p.Status
		if t.h.Status != "" {
			status = t.h.Status
		}
		words := detailed[status]
		if words == "" {
			words = string(status)
		}
		jobs, err := tx.PipelineJobs(p.ID, false)
		if err != nil {
			return err
		}
		if err := t.around(tx, jobs); err != nil {
			return err
		}
		stages, builds := []string{}, []object{}
		for _, j := range jobs {
			if len(stages) == 0 || stages[len(stages)-1] != j.Stage {
				stages = append(stages, j.Stage)
			}
			if j.Bridge {
				continue
			}
			b, err := t.build(tx, j)
			if err != nil {
				return err
			}
			builds = append(builds, b)
		}
		given, err := t.c.pipelineVariables(tx, p.ID)
		if err != nil {
			return err
		}
		vars := []object{}
		for _, v := range given {
			vars = append(vars, object{"key": v.Key, "value": v.Value})
		}
		user, err := t.user(tx, p.UserID)
		if err != nil {
			return err
		}
		var waited any
		if p.StartedAt != nil {
			waited = int64(p.StartedAt.Sub(p.CreatedAt) / time.Second)
		}
		var name any
		if p.Name != "" {
			name = p.Name
		}
		out = object{
			"object_kind": "pipeline",
			"object_attributes": object{
				"id": p.ID, "iid": p.IID, "name": name, "ref": p.Ref, "ref_status_name": p.Ref, "tag": p.Tag, "sha": p.SHA, "before_sha": p.BeforeSHA,
				"source": p.Source, "status": status, "detailed_status": words, "stages": stages, "created_at": hookTime(&p.CreatedAt),
				"finished_at": hookTime(p.FinishedAt), "duration": p.Duration, "queued_duration": waited, "protected_ref": p.Protected,
				"default_branch": !p.Tag && p.Ref == t.project.DefaultBranch, "variables": vars, "url": t.web("/-/pipelines/%d", p.ID),
			},
			"merge_request": nil, "user": user, "project": t.theProject(), "builds": builds,
		}
		if id := p.MergeRequestID; id != nil {
			mr, err := tx.MergeRequestByID(*id)
			if err != nil {
				return err
			}
			out["merge_request"] = t.mergeRequest(mr)
			attributes := out["object_attributes"].(object)
			attributes["ref"], attributes["ref_status_name"], attributes["default_branch"] = mr.SourceBranch, mr.SourceBranch, false
		}
		up, err := t.upstream(tx, p)
		if up != nil {
			out["source_pipeline"] = up
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	_, out["commit"], err = t.commit(p.SHA)
	return out, err
}

// mergeRequest is what a pipeline's event says of the merge request that it is about.
func (t *telling) mergeRequest(mr *models.MergeRequest) object {
	return object{
		"id": mr.ID, "iid": mr.IID, "title": mr.Title, "source_branch": mr.SourceBranch, "source_project_id": mr.ProjectID,
		"target_branch": mr.TargetBranch, "target_project_id": mr.ProjectID, "state": mr.State, "merge_status": "can_be_merged",
		"detailed_merge_status": "mergeable", "url": t.web("/-/merge_requests/%d", mr.IID),
	}
}

func (t *telling) build(tx *models.Tx, j *models.Job) (object, error) {
	user, err := t.user(tx, j.UserID)
	if err != nil {
		return nil, err
	}
	file := object{"filename": nil, "size": nil}
	if a := t.files[j.ID]; a != nil {
		file = object{"filename": a.Filename, "size": a.Size}
	}
	var reason any
	if j.Status == enum.Failed {
		reason = j.FailureReason
	}
	b := object{
		"id": j.ID, "stage": j.Stage, "name": j.Name, "status": j.Status, "created_at": hookTime(&j.CreatedAt), "started_at": hookTime(j.StartedAt),
		"finished_at": hookTime(j.FinishedAt), "duration": lasted(j.StartedAt, j.FinishedAt), "queued_duration": lasted(j.QueuedAt, j.StartedAt),
		"failure_reason": reason, "when": j.When, "manual": j.When == enum.WhenManual, "allow_failure": j.AllowFailure, "user": user,
		"runner": t.runner(j.RunnerID), "artifacts_file": file, "environment": nil,
	}
	if place := t.place(j); place != nil {
		b["environment"] = place
	}
	return b, nil
}

func (t *telling) job() (object, error) {
	var out object
	var p *models.Pipeline
	err := t.c.db.Read(t.ctx, func(tx *models.Tx) error {
		j, err := tx.Job(t.h.ID)
		if err != nil {
			return err
		}
		if p, err = tx.Pipeline(j.PipelineID); err != nil {
			return err
		}
		status := j.Status
		if t.h.Status != "" {
			status = t.h.Status
		}
		if err := t.around(tx, []*models.Job{j}); err != nil {
			return err
		}
		retries, err := tx.Attempts(p.ID, j.Name)
		if err != nil {
			return err
		}
		user, err := t.user(tx, j.UserID)
		if err != nil {
			return err
		}
		reason := j.FailureReason
		if reason == "" {
			reason = enum.UnknownFailure
		}
		project := t.theProject()
		out = object{
			"object_kind": "build", "ref": p.Ref, "tag": p.Tag, "before_sha": p.BeforeSHA, "sha": p.SHA, "retries_count": retries,
			"build_id": j.ID, "build_name": j.Name, "build_stage": j.Stage, "build_status": status,
			"build_created_at": hookTime(&j.CreatedAt), "build_started_at": hookTime(j.StartedAt), "build_finished_at": hookTime(j.FinishedAt),
			"build_created_at_iso": isoTime(&j.CreatedAt), "build_started_at_iso": isoTime(j.StartedAt), "build_finished_at_iso": isoTime(j.FinishedAt),
			"build_duration": lasted(j.StartedAt, j.FinishedAt), "build_queued_duration": lasted(j.QueuedAt, j.StartedAt),
			"build_allow_failure": j.AllowFailure, "build_failure_reason": reason, "pipeline_id": p.ID, "runner": t.runner(j.RunnerID),
			"project_id": t.project.ID, "project_name": t.spaces + " / " + t.project.Name, "user": user,
			"repository": object{
				"name": t.project.Name, "url": project["git_ssh_url"], "description": t.project.Description, "homepage": t.web(""),
				"git_http_url": project["git_http_url"], "git_ssh_url": project["git_ssh_url"], "visibility_level": project["visibility_level"],
			},
			"project": project, "environment": nil,
		}
		if place := t.place(j); place != nil {
			delete(place, "deployment_tier")
			out["environment"] = place
		}
		up, err := t.upstream(tx, p)
		if up != nil {
			out["source_pipeline"] = up
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	commit := object{
		"id": p.ID, "name": nil, "sha": p.SHA, "message": p.CommitTitle, "author_name": "", "author_email": "", "author_url": "", "status": p.Status,
		"duration": p.Duration, "started_at": hookTime(p.StartedAt), "finished_at": hookTime(p.FinishedAt),
		"started_at_iso": isoTime(p.StartedAt), "finished_at_iso": isoTime(p.FinishedAt),
	}
	if p.Name != "" {
		commit["name"] = p.Name
	}
	k, _, err := t.commit(p.SHA)
	if k != nil {
		commit["message"], commit["author_name"], commit["author_email"], commit["author_url"] = k.Message, k.Author.Name, k.Author.Email, "mailto:"+k.Author.Email
	}
	out["commit"] = commit
	return out, err
}

func (t *telling) deployment() (object, error) {
	var d *models.Deployment
	var e *models.Environment
	var user any
	err := t.c.db.Read(t.ctx, func(tx *models.Tx) (err error) {
		if d, err = tx.Deployment(t.h.ID); err != nil {
			return err
		}
		if e, err = tx.Environment(d.EnvironmentID); err != nil {
			return err
		}
		user, err = t.user(tx, d.UserID)
		return err
	})
	if err != nil {
		return nil, err
	}
	status := d.Status
	if t.h.Status != "" {
		status = t.h.Status
	}
	out := object{
		"object_kind": "deployment", "status": status, "status_changed_at": t.h.At.Format("2006-01-02 15:04:05 +0000"), "deployment_id": d.ID,
		"deployable_id": d.JobID, "deployable_url": nil, "environment": e.Name, "environment_tier": e.Tier, "environment_slug": e.Slug,
		"environment_external_url": e.ExternalURL, "project": t.theProject(), "ref": d.Ref, "short_sha": d.SHA[:min(8, len(d.SHA))], "user": user,
		"user_url": nil, "commit_url": t.web("/-/commit/%s", d.SHA), "commit_title": nil,
	}
	if d.JobID != nil {
		out["deployable_url"] = t.web("/-/jobs/%d", *d.JobID)
	}
	if u := t.users[d.UserID]; u != nil {
		out["user_url"] = t.c.settings.URL + "/" + u.Username
	}
	k, _, err := t.commit(d.SHA)
	if k != nil {
		out["commit_title"] = k.Title()
	}
	return out, err
}

func (t *telling) release() (object, error) {
	var r *models.Release
	err := t.c.db.Read(t.ctx, func(tx *models.Tx) (err error) {
		r, err = tx.ReleaseByID(t.h.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	links := []object{}
	for _, l := range r.Links {
		links = append(links, object{"id": l.ID, "name": l.Name, "url": l.URL, "link_type": l.LinkType})
	}
	out := object{
		"object_kind": "release", "action": "create", "id": r.ID, "tag": r.Tag, "name": r.Name, "description": r.Description,
		"created_at": hookTime(&r.CreatedAt), "released_at": hookTime(&r.ReleasedAt), "url": t.web("/-/releases/%s", r.Tag),
		"project": t.theProject(), "assets": object{"count": len(links), "links": links, "sources": []object{}},
	}
	_, out["commit"], err = t.commit(r.SHA)
	return out, err
}

// maxHookCommits is how many commits a push is told with.
const maxHookCommits = 20

func (t *telling) push() (object, error) {
	ch := t.h.Push
	out := object{
		"object_kind": "push", "event_name": "push", "before": ch.Old, "after": ch.New, "ref": ch.Ref, "ref_protected": false, "checkout_sha": ch.New,
		"message": nil, "user_id": t.h.User, "user_name": "", "user_username": "", "user_email": nil, "user_avatar": nil, "project_id": t.project.ID,
		"project": t.theProject(), "commits": []object{}, "total_commits_count": 0,
	}
	if t.h.Event == TagPushEvents {
		out["object_kind"], out["event_name"] = "tag_push", "tag_push"
	}
	if ch.Deletes() {
		out["checkout_sha"] = nil
	}
	err := t.c.db.Read(t.ctx, func(tx *models.Tx) error {
		if _, err := t.user(tx, t.h.User); err != nil {
			return err
		}
		if u := t.users[t.h.User]; u != nil {
			out["user_name"], out["user_username"] = u.Name, u.Username
		}
		return nil
	})
	if err != nil || ch.Deletes() {
		return out, err
	}
	sha, err := t.c.Repo(t.project).Find(t.ctx, ch.New)
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrBadName) {
		return out, nil // rewritten and gone
	}
	if err != nil {
		return nil, err
	}
	out["checkout_sha"] = sha
	log, err := t.c.Repo(t.project).Log(t.ctx, gitrepo.LogOptions{From: sha, Limit: maxHookCommits})
	if err != nil {
		return nil, err
	}
	commits := []object{}
	for _, k := range log {
		if k.SHA == ch.Old {
			break
		}
		commits = append(commits, t.theCommit(k))
	}
	for i, j := 0, len(commits)-1; i < j; i, j = i+1, j-1 { // oldest first
		commits[i], commits[j] = commits[j], commits[i]
	}
	out["commits"], out["total_commits_count"] = commits, len(commits)
	return out, nil
}

// sample finds the newest thing that an event can be about.
func (c *Coordinator) sample(ctx context.Context, h *happening) error {
	return c.db.Read(ctx, func(tx *models.Tx) error {
		none := fault.New(fault.Unprocessable, "Ensure the project has one to be told of: there is nothing yet for %s", h.Event)
		newest := models.Page{PerPage: 1, Descending: true, Uncounted: true}
		switch h.Event {
		case PipelineEvents, PushEvents, TagPushEvents:
			rows, _, err := tx.ListPipelines(h.Project, models.PipelineFilter{}, newest)
			if err != nil || len(rows) == 0 {
				return errors.Join(err, none)
			}
			p := rows[0]
			h.ID, h.Push = p.ID, &RefChange{Ref: "refs/heads/" + p.Ref, Old: p.BeforeSHA, New: p.SHA}
		case JobEvents:
			runners := false
			rows, _, err := tx.ListJobs(models.JobFilter{ProjectID: h.Project, Bridges: &runners}, newest)
			if err != nil || len(rows) == 0 {
				return errors.Join(err, none)
			}
			h.ID = rows[0].ID
		case DeploymentEvents:
			rows, _, err := tx.Deployments(h.Project, models.DeploymentFilter{}, newest)
			if err != nil || len(rows) == 0 {
				return errors.Join(err, none)
			}
			h.ID = rows[0].ID
		case ReleaseEvents:
			r, err := tx.LatestRelease(h.Project)
			if err != nil {
				return errors.Join(notThere(err), none)
			}
			h.ID = r.ID
		default:
			return fault.New(fault.Unprocessable, "there is no event %s", h.Event)
		}
		return nil
	})
}
