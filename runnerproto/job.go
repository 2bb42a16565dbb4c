package runnerproto

// Job is the payload of a 201. Runners are strict on types and lax on presence.
type Job struct {
	ID            int64        `json:"id"`
	Token         string       `json:"token"`
	AllowGitFetch bool         `json:"allow_git_fetch"`
	JobInfo       JobInfo      `json:"job_info"`
	GitInfo       GitInfo      `json:"git_info"`
	RunnerInfo    RunnerInfo   `json:"runner_info"`
	Variables     []Variable   `json:"variables"`
	Steps         []Step       `json:"steps"`
	Hooks         []Hook       `json:"hooks"`
	Image         *Image       `json:"image"`
	Services      []Image      `json:"services"`
	Artifacts     []Artifact   `json:"artifacts"`
	Cache         []Cache      `json:"cache"`
	Credentials   []Credential `json:"credentials"`
	Dependencies  []Dependency `json:"dependencies"`
	Features      JobFeatures  `json:"features"`
	Inputs        []JobInput   `json:"inputs,omitempty"`
}

// JobInput is an input of the job, which its texts name as ${{ job.inputs.KEY }}.
type JobInput struct {
	Key   string        `json:"key"`
	Value JobInputValue `json:"value"`
}

// JobInputValue is the value of an input with its type.
type JobInputValue struct {
	Type      string `json:"type"`
	Content   any    `json:"content"`
	Sensitive bool   `json:"sensitive"`
}

// JobInfo names the job and where it comes from, for logs and metrics.
type JobInfo struct {
	ID              int64   `json:"id"`
	Name            string  `json:"name"`
	Stage           string  `json:"stage"`
	PipelineID      int64   `json:"pipeline_id"`
	ProjectID       int64   `json:"project_id"`
	ProjectName     string  `json:"project_name"`
	ProjectFullPath string  `json:"project_full_path"`
	NamespaceID     int64   `json:"namespace_id"`
	RootNamespaceID int64   `json:"root_namespace_id"`
	OrganizationID  int64   `json:"organization_id"` // always 1: there is one
	InstanceID      string  `json:"instance_id"`
	InstanceUUID    string  `json:"instance_uuid"`
	UserID          int64   `json:"user_id"`
	ScopedUserID    *int64  `json:"scoped_user_id"` // whom a service account acts for: there are none
	TimeInQueue     float64 `json:"time_in_queue_seconds"`
	RunningOnShared string  `json:"project_jobs_running_on_instance_runners_count"` // "0" to "4", "5+", or "+Inf" where it does not matter
	QueueSize       int     `json:"queue_size"`                                     // jobs that the runner could have been given, this one too
	QueueDepth      int     `json:"queue_depth"`                                    // jobs that were looked at until this one
}

// GitInfo says what to check out.
type GitInfo struct {
	RepoURL          string   `json:"repo_url"`
	Ref              string   `json:"ref"`
	RefType          string   `json:"ref_type"` // branch or tag
	SHA              string   `json:"sha"`
	BeforeSHA        string   `json:"before_sha"`
	Refspecs         []string `json:"refspecs"`
	Depth            int      `json:"depth"`
	RepoObjectFormat string   `json:"repo_object_format"`
	Protected        bool     `json:"protected"`
}

// RunnerInfo is about the runner that gets the job.
type RunnerInfo struct {
	UUID       string  `json:"uuid"`
	Timeout    int     `json:"timeout"`            // of the job, in seconds
	SessionURL *string `json:"runner_session_url"` // where the runner serves a terminal: none is asked for
}

// Variable is one variable; file and raw stand only when true.
type Variable struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Public bool   `json:"public"`
	Masked bool   `json:"masked"`
	File   bool   `json:"file,omitempty"`
	Raw    bool   `json:"raw,omitempty"`
}

// Step is a script to run.
type Step struct {
	Name         string   `json:"name"`
	Script       []string `json:"script"`
	Timeout      int      `json:"timeout"`
	When         string   `json:"when"`
	AllowFailure bool     `json:"allow_failure"`
}

// Hook is a script around the runner's own steps.
type Hook struct {
	Name   string   `json:"name"`
	Script []string `json:"script"`
}

// Image is a container image.
type Image struct {
	Name       string     `json:"name"`
	Alias      string     `json:"alias,omitempty"`
	Command    []string   `json:"command,omitempty"`
	Entrypoint []string   `json:"entrypoint,omitempty"`
	Variables  []Variable `json:"variables,omitempty"`
	PullPolicy []string   `json:"pull_policy,omitempty"`
	// ExecutorOpts are for one kind of executor alone: docker and kubernetes.
	ExecutorOpts map[string]any `json:"executor_opts,omitempty"`
}

// Artifact is something to upload.
type Artifact struct {
	Name      string   `json:"name"`
	Untracked bool     `json:"untracked"`
	Paths     []string `json:"paths"`
	Exclude   []string `json:"exclude,omitempty"`
	When      string   `json:"when"`
	ExpireIn  string   `json:"expire_in"`
	Type      string   `json:"artifact_type"`
	Format    string   `json:"artifact_format"`
}

// Cache is something to keep between jobs.
type Cache struct {
	Key          string   `json:"key"`
	Untracked    bool     `json:"untracked"`
	Paths        []string `json:"paths"`
	Policy       string   `json:"policy"`
	When         string   `json:"when"`
	FallbackKeys []string `json:"fallback_keys"`
}

// Credential lets the runner pull images.
type Credential struct {
	Type     string `json:"type"`
	URL      string `json:"url"`
	Username string `json:"username"`
	Password string `json:"password"`
}

// Dependency is an earlier job whose artifacts are fetched.
type Dependency struct {
	ID            int64          `json:"id"`
	Name          string         `json:"name"`
	Token         string         `json:"token"`
	ArtifactsFile *ArtifactsFile `json:"artifacts_file,omitempty"`
}

// ArtifactsFile is there only if the job left an archive.
type ArtifactsFile struct {
	Filename string `json:"filename"`
	Size     int64  `json:"size"`
}

// JobFeatures tells the runner what the coordinator understands.
type JobFeatures struct {
	TraceSections     bool     `json:"trace_sections"`
	TokenMaskPrefixes []string `json:"token_mask_prefixes"`
	FailureReasons    []string `json:"failure_reasons"`
}
