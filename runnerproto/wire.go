// Package runnerproto holds the wire types of GitLab's runner protocol: what runners send and what they are
// answered, from gitlab-runner 12.10 to 19.4 (facts: runner-protocol). It imports nothing of ours.
package runnerproto

// Features is what a runner can do, by name; unknown names are kept, missing ones mean no.
type Features map[string]bool

// Info is what a runner says of itself.
type Info struct {
	Name         string   `json:"name,omitempty"`
	Version      string   `json:"version,omitempty"`
	Revision     string   `json:"revision,omitempty"`
	Platform     string   `json:"platform,omitempty"`
	Architecture string   `json:"architecture,omitempty"`
	Executor     string   `json:"executor,omitempty"`
	Shell        string   `json:"shell,omitempty"`
	Features     Features `json:"features"`
}

// RegisterRequest is POST /runners.
type RegisterRequest struct {
	Token           string `json:"token"`
	Description     string `json:"description,omitempty"`
	Tags            any    `json:"tag_list,omitempty"` // a text with commas, or a list
	RunUntagged     *bool  `json:"run_untagged,omitempty"`
	Locked          *bool  `json:"locked,omitempty"`
	AccessLevel     string `json:"access_level,omitempty"`
	MaximumTimeout  int    `json:"maximum_timeout,omitempty"`
	Active          *bool  `json:"active,omitempty"` // until 14
	Paused          *bool  `json:"paused,omitempty"`
	MaintenanceNote string `json:"maintenance_note,omitempty"`
	Info            Info   `json:"info"`
}

// RegisterResponse answers a registration and a verification.
type RegisterResponse struct {
	ID             int64   `json:"id"`
	Token          string  `json:"token"`
	TokenExpiresAt *string `json:"token_expires_at"`
}

// TokenRequest is the body of verify, unregister and reset.
type TokenRequest struct {
	Token    string `json:"token"`
	SystemID string `json:"system_id,omitempty"`
	Info     *Info  `json:"info,omitempty"`
}

// JobRequest is POST /jobs/request.
type JobRequest struct {
	Info       Info   `json:"info"`
	Token      string `json:"token"`
	SystemID   string `json:"system_id,omitempty"`
	LastUpdate string `json:"last_update,omitempty"`
}

// Output is how much log a runner has sent.
type Output struct {
	Checksum string `json:"checksum,omitempty"` // crc32:xxxxxxxx
	Bytesize *int64 `json:"bytesize,omitempty"`
}

// UpdateRequest is PUT /jobs/:id.
type UpdateRequest struct {
	Token         string  `json:"token"`
	Info          Info    `json:"info"`
	State         string  `json:"state"` // running, success or failed
	FailureReason string  `json:"failure_reason,omitempty"`
	Checksum      string  `json:"checksum,omitempty"` // deprecated twin of Output.Checksum
	Output        *Output `json:"output,omitempty"`
	ExitCode      *int    `json:"exit_code,omitempty"`
}

// The headers of the protocol.
const (
	HeaderJobToken       = "JOB-TOKEN"
	HeaderLastUpdate     = "X-GitLab-Last-Update"
	HeaderJobStatus      = "Job-Status"
	HeaderUpdateInterval = "X-GitLab-Trace-Update-Interval"
)
