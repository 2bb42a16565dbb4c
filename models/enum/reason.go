package enum

// FailureReason says why a job failed.
type FailureReason string

// Reasons that this coordinator gives itself or reads from runners.
const (
	UnknownFailure           FailureReason = "unknown_failure"
	ScriptFailure            FailureReason = "script_failure"
	APIFailure               FailureReason = "api_failure"
	StuckOrTimeout           FailureReason = "stuck_or_timeout_failure"
	RunnerSystemFailure      FailureReason = "runner_system_failure"
	MissingDependencyFailure FailureReason = "missing_dependency_failure"
	RunnerUnsupported        FailureReason = "runner_unsupported"
	StaleSchedule            FailureReason = "stale_schedule"
	JobExecutionTimeout      FailureReason = "job_execution_timeout"
	SchedulerFailure         FailureReason = "scheduler_failure"
	DataIntegrityFailure     FailureReason = "data_integrity_failure"
	UserBlocked              FailureReason = "user_blocked"
	ProjectDeleted           FailureReason = "project_deleted"
	NoMatchingRunner         FailureReason = "no_matching_runner"
	TraceSizeExceeded        FailureReason = "trace_size_exceeded"
	BuildsDisabled           FailureReason = "builds_disabled"

	EnvironmentCreationFailure FailureReason = "environment_creation_failure"
	OutdatedDeployment         FailureReason = "failed_outdated_deployment_job"

	ProtectedEnvironmentFailure FailureReason = "protected_environment_failure"
	DeploymentRejected          FailureReason = "deployment_rejected"
	ServerTimeoutRunning        FailureReason = "server_timeout_running"
	StuckPendingMatching        FailureReason = "stuck_pending_with_matching_runners"
	StuckPendingNoMatching      FailureReason = "stuck_pending_no_matching_runners"
)

// Reasons of bridges, which start other pipelines.
const (
	InsufficientBridgePermissions FailureReason = "insufficient_bridge_permissions"
	DownstreamProjectNotFound     FailureReason = "downstream_bridge_project_not_found"
	InvalidBridgeTrigger          FailureReason = "invalid_bridge_trigger"
	DownstreamCreationFailed      FailureReason = "downstream_pipeline_creation_failed"
	DescendantsTooDeep            FailureReason = "reached_max_descendant_pipelines_depth"
	HierarchyTooLarge             FailureReason = "reached_max_pipeline_hierarchy_size"
	PipelineLoop                  FailureReason = "pipeline_loop_detected"
	DownstreamProjectEmpty        FailureReason = "downstream_project_trigger_resolved_to_empty"
	DownstreamRateLimit           FailureReason = "reached_downstream_pipeline_trigger_rate_limit"
	UpstreamProjectNotFound       FailureReason = "upstream_bridge_project_not_found"
	InsufficientUpstream          FailureReason = "insufficient_upstream_permissions"
)

// FailureReasons lists every reason by GitLab's name. The job payload sends it, so that runners report
// the exact one, and `retry:when` accepts these words.
var FailureReasons = []FailureReason{
	UnknownFailure, ScriptFailure, APIFailure, StuckOrTimeout, RunnerSystemFailure,
	MissingDependencyFailure, RunnerUnsupported, StaleSchedule, JobExecutionTimeout,
	"archived_failure", "unmet_prerequisites", SchedulerFailure, DataIntegrityFailure,
	"forward_deployment_failure", UserBlocked, ProjectDeleted, "ci_quota_exceeded",
	"pipeline_loop_detected", NoMatchingRunner, TraceSizeExceeded, BuildsDisabled,
	"environment_creation_failure", "deployment_rejected", "failed_outdated_deployment_job",
	"job_execution_server_timeout", StuckPendingMatching, StuckPendingNoMatching,
	"no_updates_running", "no_updates_canceling", ServerTimeoutRunning, "server_timeout_canceling",
	"runner_configuration_error", "runner_external_dependency_failure", "runner_interrupted",
}

// RetryReasons lists the words of `retry:when`: besides the reasons of jobs on runners those of jobs that start other
// pipelines, and of GitLab's own parts.
var RetryReasons = append([]FailureReason{
	"protected_environment_failure", "insufficient_bridge_permissions", "downstream_bridge_project_not_found", "invalid_bridge_trigger",
	"upstream_bridge_project_not_found", "insufficient_upstream_permissions", "bridge_pipeline_is_child_pipeline",
	"downstream_pipeline_creation_failed", "secrets_provider_not_found", "reached_max_descendant_pipelines_depth", "ip_restriction_failure",
	"reached_max_pipeline_hierarchy_size", "reached_downstream_pipeline_trigger_rate_limit", "duo_workflow_not_allowed",
	"job_router_failure", "job_token_expired", "id_token_burned_project_path", "downstream_project_trigger_resolved_to_empty",
}, FailureReasons...)

// Deprecated says whether more exact words took the place of one in `retry:when`.
func (r FailureReason) Deprecated() bool { return r == StuckOrTimeout || r == JobExecutionTimeout }

// ParseFailureReason maps what a runner says to a known reason; anything else is unknown_failure.
func ParseFailureReason(s string) FailureReason {
	for _, r := range FailureReasons {
		if string(r) == s {
			return r
		}
	}
	return UnknownFailure
}

// NeverRetried says whether `retry` has no effect on the reason, because another attempt could only end
// the same way (facts: pipeline-semantics 4.9).
func (r FailureReason) NeverRetried() bool {
	switch r {
	case "ci_quota_exceeded", NoMatchingRunner, MissingDependencyFailure, "forward_deployment_failure",
		"environment_creation_failure":
		return true
	}
	return false
}

// DefaultRetries is how often a job is retried for the reason when its configuration says nothing.
func (r FailureReason) DefaultRetries() int {
	if r == SchedulerFailure {
		return 2
	}
	return 0
}

// Sentence says the reason in words for people.
func (r FailureReason) Sentence() string {
	if s, ok := reasonSentences[r]; ok {
		return s
	}
	return "it failed for an unknown reason"
}

var reasonSentences = map[FailureReason]string{
	ScriptFailure:            "its script failed",
	APIFailure:               "an API call failed",
	StuckOrTimeout:           "it was stuck or timed out",
	RunnerSystemFailure:      "its runner failed or went away",
	MissingDependencyFailure: "artifacts of an earlier job that it depends on are gone",
	RunnerUnsupported:        "its runner lacks a feature that it needs",
	StaleSchedule:            "its delayed start was missed",
	JobExecutionTimeout:      "it took longer than its timeout allows",
	SchedulerFailure:         "it could not be prepared for a runner",
	DataIntegrityFailure:     "its data is damaged",
	UserBlocked:              "its user is blocked",
	ProjectDeleted:           "its project was deleted",
	NoMatchingRunner:         "no runner can take it",
	TraceSizeExceeded:        "its log grew over the limit",
	BuildsDisabled:           "CI/CD is switched off for its project",

	EnvironmentCreationFailure: "its environment could not be made",
	OutdatedDeployment:         "it would deploy an older commit over a newer one",

	ProtectedEnvironmentFailure: "its environment is protected",
	DeploymentRejected:          "its deployment was rejected",
	ServerTimeoutRunning:        "it ran past its timeout",
	StuckPendingMatching:        "no runner took it within a day",
	StuckPendingNoMatching:      "no runner can take it",

	InsufficientBridgePermissions: "its user may not start a pipeline there",
	DownstreamProjectNotFound:     "the project that it is to start a pipeline in is not there, or its user may not see it",
	InvalidBridgeTrigger:          "it is to start another pipeline of its own project, which only trigger:include can",
	DownstreamCreationFailed:      "the pipeline that it is to start could not be made",
	DescendantsTooDeep:            "child pipelines can be nested two levels deep, and it would start one below",
	HierarchyTooLarge:             "too many pipelines have started one another",
	PipelineLoop:                  "pipelines would start one another in a circle",
	DownstreamProjectEmpty:        "the name of the project that it is to start a pipeline in came out empty",
	DownstreamRateLimit:           "too many downstream pipelines were triggered within a minute",
	UpstreamProjectNotFound:       "the project whose pipeline it is to show is not there",
	InsufficientUpstream:          "its user may not read the pipelines of the project that it is to show",
}
