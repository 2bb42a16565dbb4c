package variable

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Server is what the variables of the installation are made of.
type Server struct {
	URL     string // without a trailing slash
	Version string // GitLab's version that we claim
}

// Project is what the variables of a project are made of.
type Project struct {
	ID, NamespaceID              int64
	Name, Title, Path, Namespace string
	Description, Visibility      string
	DefaultBranch, ConfigPath    string
}

// Commit is what the variables of a commit are made of.
type Commit struct {
	SHA, BeforeSHA, Ref, Message string
	Author                       string // Name <mail>
	When                         time.Time
	Tag                          bool
	TagMessage                   string
	Detached                     bool // of a merge request: Ref is its source branch, and the pipeline none of that branch
	Protected                    bool
}

// Pipeline is what the variables of a pipeline are made of. ID is 0 before it is stored.
type Pipeline struct {
	ID, IID   int64
	Name      string // by workflow:name
	Source    string
	CreatedAt time.Time
	Upstream  Upstream
	Schedule  string // what the schedule that made it is for
	Trigger   string // the beginning of the trigger token that made it
	Frozen    bool   // nothing is to be deployed now

	MergeRequest      *MergeRequest // that it is about; nil if it is about none
	OpenMergeRequests []string      // the newest open ones of its branch
}

// Upstream is the job that started a pipeline; its ids are 0 if none did.
type Upstream struct{ Pipeline, Project, Job int64 }

// Job is what the variables of a job are made of.
type Job struct {
	ID          int64
	Name, Stage string
	Manual      bool
	NodeIndex   int // of parallel, from 1; 0: it is one job
	NodeTotal   int
	Environment Environment
	Token       string
	StartedAt   time.Time
	RunnerID    int64
	RunnerTags  []string
	RunnerName  string
}

// Environment is what the variables of a job's environment are made of; its name is "" for jobs without one.
type Environment struct{ Name, Action, Tier, URL string }

// User is who a job runs as.
type User struct {
	ID                 int64
	Login, Name, Email string
}

// Configured lists what exists once the configuration of a pipeline is read: its rules and jobs may use it, includes
// may not.
func Configured(s Server, p Project, c Commit, pl Pipeline) Collection {
	var v Collection
	host, kind := "", "heads"
	if u, err := url.Parse(s.URL); err == nil {
		host = u.Host
	}
	if c.Tag {
		kind = "tags"
	}
	v.Add("CI_CONFIG_REF_URI", fmt.Sprintf("%s/%s//%s@refs/%s/%s", host, p.Path, p.ConfigPath, kind, c.Ref))
	if pl.Name != "" {
		v.Add("CI_PIPELINE_NAME", pl.Name)
	}
	return v
}

// Base lists what includes may read too: server, project and commit.
func Base(s Server, p Project, c Commit, pl Pipeline) Collection {
	var v Collection
	v.Add("CI", "true")
	v.Add("GITLAB_CI", "true")
	v.server(s)
	v.project(s, p)
	v.pipeline(pl)
	v.commit(c)
	if pl.MergeRequest != nil {
		v.mergeRequest(s, p, *pl.MergeRequest)
	}
	if len(pl.OpenMergeRequests) > 0 {
		v.Add("CI_OPEN_MERGE_REQUESTS", strings.Join(pl.OpenMergeRequests, ","))
	}
	return v
}

func (c *Collection) server(s Server) {
	c.Add("CI_SERVER_URL", s.URL)
	if u, err := url.Parse(s.URL); err == nil {
		port := u.Port()
		if port == "" {
			port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
		}
		c.Add("CI_SERVER_FQDN", u.Host)
		c.Add("CI_SERVER_HOST", u.Hostname())
		c.Add("CI_SERVER_PORT", port)
		c.Add("CI_SERVER_PROTOCOL", u.Scheme)
	}
	c.Add("CI_SERVER_NAME", "GitLab")
	c.Add("CI_SERVER_VERSION", s.Version)
	parts := append(strings.SplitN(s.Version, ".", 3), "", "", "")
	c.Add("CI_SERVER_VERSION_MAJOR", parts[0])
	c.Add("CI_SERVER_VERSION_MINOR", parts[1])
	c.Add("CI_SERVER_VERSION_PATCH", parts[2])
	c.Add("CI_SERVER_REVISION", "signalbox")
	c.Add("CI_API_V4_URL", s.URL+"/api/v4")
	c.Add("GITLAB_FEATURES", "")
}

func (c *Collection) project(s Server, p Project) {
	root, _, _ := strings.Cut(p.Namespace, "/")
	c.Add("CI_PROJECT_ID", strconv.FormatInt(p.ID, 10))
	c.Add("CI_PROJECT_NAME", p.Name)
	c.Add("CI_PROJECT_TITLE", p.Title)
	c.Add("CI_PROJECT_DESCRIPTION", p.Description)
	c.Add("CI_PROJECT_PATH", p.Path)
	c.Add("CI_PROJECT_PATH_SLUG", Slug(p.Path))
	c.Add("CI_PROJECT_NAMESPACE", p.Namespace)
	c.Add("CI_PROJECT_NAMESPACE_ID", strconv.FormatInt(p.NamespaceID, 10))
	c.Add("CI_PROJECT_NAMESPACE_SLUG", Slug(p.Namespace))
	c.Add("CI_PROJECT_ROOT_NAMESPACE", root)
	c.Add("CI_PROJECT_URL", s.URL+"/"+p.Path)
	c.Add("CI_PROJECT_VISIBILITY", p.Visibility)
	c.Add("CI_PROJECT_REPOSITORY_LANGUAGES", "")
	c.Add("CI_PROJECT_TOPICS", "")
	c.Add("CI_PROJECT_CLASSIFICATION_LABEL", "")
	c.Add("CI_DEFAULT_BRANCH", p.DefaultBranch)
	c.Add("CI_DEFAULT_BRANCH_SLUG", Slug(p.DefaultBranch))
	c.Add("CI_CONFIG_PATH", p.ConfigPath)
	c.Add("CI_TEMPLATE_REGISTRY_HOST", "registry.gitlab.com")
}

func (c *Collection) pipeline(p Pipeline) {
	if p.IID != 0 {
		c.Add("CI_PIPELINE_IID", strconv.FormatInt(p.IID, 10))
	}
	c.Add("CI_PIPELINE_SOURCE", p.Source)
	if p.Schedule != "" {
		c.Add("CI_PIPELINE_SCHEDULE_DESCRIPTION", p.Schedule)
	}
	if p.Trigger != "" {
		c.Add("CI_PIPELINE_TRIGGERED", "true")
		c.Add("CI_TRIGGER_SHORT_TOKEN", p.Trigger)
	}
	if p.Frozen {
		c.Add("CI_DEPLOY_FREEZE", "true")
	}
	if u := p.Upstream; u.Pipeline != 0 {
		c.Add("CI_UPSTREAM_PIPELINE_ID", strconv.FormatInt(u.Pipeline, 10))
		c.Add("CI_UPSTREAM_PROJECT_ID", strconv.FormatInt(u.Project, 10))
		c.Add("CI_UPSTREAM_JOB_ID", strconv.FormatInt(u.Job, 10))
	}
	if !p.CreatedAt.IsZero() {
		c.Add("CI_PIPELINE_CREATED_AT", p.CreatedAt.UTC().Format(time.RFC3339))
	}
}

const maxMessage = 100_000

func (c *Collection) commit(k Commit) {
	title, rest, _ := strings.Cut(k.Message, "\n")
	message := k.Message[:min(len(k.Message), maxMessage)]
	description := message
	if len(title) < 100 {
		description = strings.TrimLeft(rest, "\n")
	}
	c.Add("CI_COMMIT_SHA", k.SHA)
	c.Add("CI_COMMIT_SHORT_SHA", k.SHA[:min(8, len(k.SHA))])
	c.Add("CI_COMMIT_BEFORE_SHA", k.BeforeSHA)
	c.Add("CI_COMMIT_REF_NAME", k.Ref)
	c.Add("CI_COMMIT_REF_SLUG", Slug(k.Ref))
	switch {
	case k.Tag:
		c.Add("CI_COMMIT_TAG", k.Ref)
		c.Add("CI_COMMIT_TAG_MESSAGE", k.TagMessage)
	case !k.Detached:
		c.Add("CI_COMMIT_BRANCH", k.Ref)
	}
	c.Add("CI_COMMIT_REF_PROTECTED", strconv.FormatBool(k.Protected))
	c.Add("CI_COMMIT_MESSAGE", message)
	c.Add("CI_COMMIT_MESSAGE_IS_TRUNCATED", strconv.FormatBool(len(k.Message) > maxMessage))
	c.Add("CI_COMMIT_TITLE", title)
	c.Add("CI_COMMIT_DESCRIPTION", description)
	c.Add("CI_COMMIT_AUTHOR", k.Author)
	c.Add("CI_COMMIT_USER_LOGIN", "") // nobody has a public address here
	c.Add("CI_COMMIT_TIMESTAMP", k.When.Format(time.RFC3339))
}

// Persisted lists what comes first for a job that goes to a runner: its ids, addresses and token.
func Persisted(s Server, p Project, pl Pipeline, j Job) Collection {
	c := PersistedPipeline(s, p, pl)
	project := s.URL + "/" + p.Path
	c.Add("CI_JOB_ID", strconv.FormatInt(j.ID, 10))
	c.Add("CI_JOB_URL", fmt.Sprintf("%s/-/jobs/%d", project, j.ID))
	c.AddSecret("CI_JOB_TOKEN", j.Token)
	c.Add("CI_JOB_STARTED_AT", j.StartedAt.UTC().Format(time.RFC3339))
	c.Add("CI_JOB_STARTED_AT_SLUG", Slug(j.StartedAt.UTC().Format(time.RFC3339)))
	c = append(c, Variable{Key: "CI_REPOSITORY_URL", Value: RepositoryURL(s, p, j.Token)})
	return c
}

// PersistedPipeline lists what jobs and bridges know once their pipeline is stored.
func PersistedPipeline(s Server, p Project, pl Pipeline) Collection {
	var c Collection
	c.Add("CI_PIPELINE_ID", strconv.FormatInt(pl.ID, 10))
	c.Add("CI_PIPELINE_URL", fmt.Sprintf("%s/%s/-/pipelines/%d", s.URL, p.Path, pl.ID))
	return c
}

// RepositoryURL is where a job clones its project from, with its token in it.
func RepositoryURL(s Server, p Project, token string) string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return s.URL + "/" + p.Path + ".git"
	}
	u.User = url.UserPassword("gitlab-ci-token", token)
	return u.String() + "/" + p.Path + ".git"
}

var groupSuffix = regexp.MustCompile(`(?:[\s:]+(?:\[.*\]|\d+[\s:/\\]+\d+))$`)

// JobPredefined lists what a job's rules may read of the job itself.
func JobPredefined(j Job) Collection {
	var c Collection
	group := j.Name
	for range 3 {
		group = groupSuffix.ReplaceAllString(group, "")
	}
	c.Add("CI_JOB_NAME", j.Name)
	c.Add("CI_JOB_NAME_SLUG", Slug(j.Name))
	c.Add("CI_JOB_GROUP_NAME", strings.TrimSpace(group))
	c.Add("CI_JOB_STAGE", j.Stage)
	if j.NodeIndex > 0 {
		c.Add("CI_NODE_INDEX", strconv.Itoa(j.NodeIndex))
	}
	c.Add("CI_NODE_TOTAL", strconv.Itoa(max(1, j.NodeTotal)))
	if j.Manual {
		c.Add("CI_JOB_MANUAL", "true")
	}
	if e := j.Environment; e.Name != "" {
		c.Add("CI_ENVIRONMENT_NAME", e.Name)
		c.Add("CI_ENVIRONMENT_ACTION", e.Action)
		if e.Tier != "" {
			c.Add("CI_ENVIRONMENT_TIER", e.Tier)
		}
		if e.URL != "" {
			c.Add("CI_ENVIRONMENT_URL", e.URL)
		}
	}
	return c
}

// Runner lists what a job learns of its runner.
func Runner(j Job) Collection {
	var c Collection
	tags := make([]string, len(j.RunnerTags))
	for i, t := range j.RunnerTags {
		tags[i] = strconv.Quote(t)
	}
	c.Add("CI_RUNNER_ID", strconv.FormatInt(j.RunnerID, 10))
	c.Add("CI_RUNNER_DESCRIPTION", j.RunnerName)
	c.Add("CI_RUNNER_TAGS", "["+strings.Join(tags, ", ")+"]")
	return c
}

// UserVariables lists who the job runs as. They stand above YAML variables and below those of projects and
// pipelines.
func UserVariables(u User) Collection {
	var c Collection
	c.Add("GITLAB_USER_ID", strconv.FormatInt(u.ID, 10))
	c.Add("GITLAB_USER_EMAIL", u.Email)
	c.Add("GITLAB_USER_LOGIN", u.Login)
	c.Add("GITLAB_USER_NAME", u.Name)
	return c
}
