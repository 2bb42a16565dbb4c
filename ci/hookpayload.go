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

// object is a JSON object of a payload. Its keys are those of GitLab's builders (lib/gitlab/data_builder, lib/gitlab/hook_data);
// testdata/hooks holds one payload of each event with every key, and a test compares them.
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

// lasted is how many seconds lie between two times; what has not ended lasts until the event.
func (t *telling) lasted(from, to *time.Time) any {
	if from == nil {
		return nil
	}
	if to == nil {
		to = &t.h.At
	}
	return max(0, to.Sub(*from).Seconds())
}

// orNull is a text that GitLab leaves out as null when there is none.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
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
	case MergeRequestEvents:
		body, err = t.mergeRequestEvent()
	case PushEvents, TagPushEvents:
		body, err = t.push()
	default:
		err = fmt.Errorf("webhooks know no event %q", h.Event)
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

// theProject is a project as the events of pipelines and jobs show it.
func (t *telling) theProject() object {
	p := t.project
	return object{
		"id": p.ID, "name": p.Name, "description": p.Description, "web_url": t.web(""), "avatar_url": nil, "git_ssh_url": t.sshURL(),
		"git_http_url": t.web(".git"), "namespace": t.spaces, "visibility_level": visibilityLevel(p.Visibility), "path_with_namespace": p.FullPath,
		"default_branch": p.DefaultBranch, "ci_config_path": orNull(p.CIConfigPath),
	}
}

// oldProject is theProject with the keys that GitLab keeps for old clients in all other events.
func (t *telling) oldProject() object {
	p := t.theProject()
	p["homepage"], p["url"], p["ssh_url"], p["http_url"] = p["web_url"], p["git_ssh_url"], p["git_ssh_url"], p["git_http_url"]
	return p
}

// repository is the part of a project that GitLab has kept from its first events.
func (t *telling) repository(keys ...string) object {
	p, out := t.oldProject(), object{}
	for _, key := range append([]string{"name", "url", "description", "homepage"}, keys...) {
		out[key] = p[key]
	}
	return out
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
		"id": k.SHA, "message": k.Message, "title": hookTitle(k.Message), "timestamp": k.Committer.When.Format("2006-01-02T15:04:05-07:00"), "url": t.web("/-/commit/%s", k.SHA),
		"author": object{"name": k.Author.Name, "email": k.Author.Email},
	}
}

// hookTitle is the first line of a message. One of 100 characters and more is cut between words at the 80th, as GitLab does.
func hookTitle(message string) string {
	if strings.TrimSpace(message) == "" {
		return "No commit message"
	}
	title := message
	if end := strings.IndexAny(message, "\r\n"); end >= 0 {
		title = message[:end]
	}
	letters := []rune(title)
	if len(letters) < 100 {
		return title
	}
	cut := 80
	for at := cut; at > 0; at-- {
		if letters[at] == ' ' {
			cut = at
			break
		}
	}
	return string(letters[:cut]) + "…"
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
