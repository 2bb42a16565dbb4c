package api

// instanceFacts are GitLab's application settings that are kept and given back; nothing here acts on them.
type instanceFacts struct {
	ProjectsLimit                       *int64  `json:"default_projects_limit" param:"default_projects_limit" default:"100000"`
	BranchProtection                    *int64  `json:"default_branch_protection" param:"default_branch_protection" default:"2"`
	ProjectVisibility                   *string `json:"default_project_visibility" param:"default_project_visibility" values:"private internal public" default:"private"`
	GroupVisibility                     *string `json:"default_group_visibility" param:"default_group_visibility" values:"private internal public" default:"private"`
	SnippetVisibility                   *string `json:"default_snippet_visibility" param:"default_snippet_visibility" values:"private internal public" default:"private"`
	BranchName                          *string `json:"default_branch_name" param:"default_branch_name" max:"255"`
	HomePageURL                         *string `json:"home_page_url" param:"home_page_url" max:"255"`
	AfterSignOutPath                    *string `json:"after_sign_out_path" param:"after_sign_out_path" max:"255"`
	LocalHooks                          *bool   `json:"allow_local_requests_from_web_hooks_and_services" param:"allow_local_requests_from_web_hooks_and_services" default:"false"`
	Gravatar                            *bool   `json:"gravatar_enabled" param:"gravatar_enabled" default:"false"`
	UsagePing                           *bool   `json:"usage_ping_enabled" param:"usage_ping_enabled" default:"false"`
	AutoDevops                          *bool   `json:"auto_devops_enabled" param:"auto_devops_enabled" default:"false"`
	VersionCheck                        *bool   `json:"version_check_enabled" param:"version_check_enabled" default:"false"`
	AuthenticatedApiThrottled           *bool   `json:"throttle_authenticated_api_enabled" param:"throttle_authenticated_api_enabled" default:"false"`
	AuthenticatedApiRequestsPerPeriod   *int64  `json:"throttle_authenticated_api_requests_per_period" param:"throttle_authenticated_api_requests_per_period" default:"7200"`
	AuthenticatedApiPeriodInSeconds     *int64  `json:"throttle_authenticated_api_period_in_seconds" param:"throttle_authenticated_api_period_in_seconds" default:"3600"`
	AuthenticatedWebThrottled           *bool   `json:"throttle_authenticated_web_enabled" param:"throttle_authenticated_web_enabled" default:"false"`
	AuthenticatedWebRequestsPerPeriod   *int64  `json:"throttle_authenticated_web_requests_per_period" param:"throttle_authenticated_web_requests_per_period" default:"7200"`
	AuthenticatedWebPeriodInSeconds     *int64  `json:"throttle_authenticated_web_period_in_seconds" param:"throttle_authenticated_web_period_in_seconds" default:"3600"`
	UnauthenticatedApiThrottled         *bool   `json:"throttle_unauthenticated_api_enabled" param:"throttle_unauthenticated_api_enabled" default:"false"`
	UnauthenticatedApiRequestsPerPeriod *int64  `json:"throttle_unauthenticated_api_requests_per_period" param:"throttle_unauthenticated_api_requests_per_period" default:"3600"`
	UnauthenticatedApiPeriodInSeconds   *int64  `json:"throttle_unauthenticated_api_period_in_seconds" param:"throttle_unauthenticated_api_period_in_seconds" default:"3600"`
	UnauthenticatedThrottled            *bool   `json:"throttle_unauthenticated_enabled" param:"throttle_unauthenticated_enabled" default:"false"`
	UnauthenticatedRequestsPerPeriod    *int64  `json:"throttle_unauthenticated_requests_per_period" param:"throttle_unauthenticated_requests_per_period" default:"3600"`
	UnauthenticatedPeriodInSeconds      *int64  `json:"throttle_unauthenticated_period_in_seconds" param:"throttle_unauthenticated_period_in_seconds" default:"3600"`
}
