package api

// projectFacts are the attributes of GitLab's projects that are kept and given back, so that programs which declare a
// project find it as they left it. Nothing here acts on them, but for the access levels of repository, merge requests,
// releases and environments (access.Allowed).
type projectFacts struct {
	IssuesEnabled        *bool   `json:"issues_enabled" param:"issues_enabled" default:"false"`
	MergeRequestsEnabled *bool   `json:"merge_requests_enabled" param:"merge_requests_enabled" default:"true"`
	WikiEnabled          *bool   `json:"wiki_enabled" param:"wiki_enabled" default:"false"`
	SnippetsEnabled      *bool   `json:"snippets_enabled" param:"snippets_enabled" default:"false"`
	RegistryEnabled      *bool   `json:"container_registry_enabled" param:"container_registry_enabled" default:"false"`
	RepositoryAccess     *string `json:"repository_access_level" param:"repository_access_level" values:"disabled private enabled" default:"enabled"`
	MergeRequestsAccess  *string `json:"merge_requests_access_level" param:"merge_requests_access_level" values:"disabled private enabled" default:"enabled"`
	IssuesAccess         *string `json:"issues_access_level" param:"issues_access_level" values:"disabled private enabled" default:"disabled"`
	WikiAccess           *string `json:"wiki_access_level" param:"wiki_access_level" values:"disabled private enabled" default:"disabled"`
	SnippetsAccess       *string `json:"snippets_access_level" param:"snippets_access_level" values:"disabled private enabled" default:"disabled"`
	RegistryAccess       *string `json:"container_registry_access_level" param:"container_registry_access_level" values:"disabled private enabled" default:"disabled"`
	ForkingAccess        *string `json:"forking_access_level" param:"forking_access_level" values:"disabled private enabled" default:"disabled"`
	EnvironmentsAccess   *string `json:"environments_access_level" param:"environments_access_level" values:"disabled private enabled" default:"enabled"`
	ReleasesAccess       *string `json:"releases_access_level" param:"releases_access_level" values:"disabled private enabled" default:"enabled"`
	AnalyticsAccess      *string `json:"analytics_access_level" param:"analytics_access_level" values:"disabled private enabled" default:"disabled"`
	SecurityAccess       *string `json:"security_and_compliance_access_level" param:"security_and_compliance_access_level" values:"disabled private enabled" default:"disabled"`
	FeatureFlagsAccess   *string `json:"feature_flags_access_level" param:"feature_flags_access_level" values:"disabled private enabled" default:"disabled"`
	InfrastructureAccess *string `json:"infrastructure_access_level" param:"infrastructure_access_level" values:"disabled private enabled" default:"disabled"`
	MonitorAccess        *string `json:"monitor_access_level" param:"monitor_access_level" values:"disabled private enabled" default:"disabled"`
	ExperimentsAccess    *string `json:"model_experiments_access_level" param:"model_experiments_access_level" values:"disabled private enabled" default:"disabled"`
	ModelsAccess         *string `json:"model_registry_access_level" param:"model_registry_access_level" values:"disabled private enabled" default:"disabled"`
	PagesAccess          *string `json:"pages_access_level" param:"pages_access_level" values:"disabled private enabled public" default:"disabled"`
	PackagesAccess       *string `json:"package_registry_access_level" param:"package_registry_access_level" values:"disabled private enabled public" default:"disabled"`
	PackagesEnabled      *bool   `json:"packages_enabled" param:"packages_enabled" default:"false"`
	LFSEnabled           *bool   `json:"lfs_enabled" param:"lfs_enabled" default:"false"`
	MergeIfResolved      *bool   `json:"only_allow_merge_if_all_discussions_are_resolved" param:"only_allow_merge_if_all_discussions_are_resolved" default:"false"`
	RequestAccess        *bool   `json:"request_access_enabled" param:"request_access_enabled" default:"false"`
	RemoveSourceBranch   *bool   `json:"remove_source_branch_after_merge" param:"remove_source_branch_after_merge" default:"false"`
	AutocloseIssues      *bool   `json:"autoclose_referenced_issues" param:"autoclose_referenced_issues" default:"false"`
	ServiceDesk          *bool   `json:"service_desk_enabled" param:"service_desk_enabled" default:"false"`
	Emails               *bool   `json:"emails_enabled" param:"emails_enabled" default:"true"`
	Emojis               *bool   `json:"show_default_award_emojis" param:"show_default_award_emojis" default:"true"`
	DiffPreview          *bool   `json:"show_diff_preview_in_email" param:"show_diff_preview_in_email" default:"true"`
	UnwantedCharacters   *bool   `json:"warn_about_potentially_unwanted_characters" param:"warn_about_potentially_unwanted_characters" default:"true"`
	UploadChecks         *bool   `json:"enforce_auth_checks_on_uploads" param:"enforce_auth_checks_on_uploads" default:"true"`
	ResolveOutdated      *bool   `json:"resolve_outdated_diff_discussions" param:"resolve_outdated_diff_discussions" default:"false"`
	PrintLink            *bool   `json:"printing_merge_request_link_enabled" param:"printing_merge_request_link_enabled" default:"true"`
	MergeMethod          *string `json:"merge_method" param:"merge_method" values:"ff rebase_merge merge" default:"merge"`
	SquashOption         *string `json:"squash_option" param:"squash_option" values:"never always default_on default_off" default:"default_off"`
	SuggestionMessage    *string `json:"suggestion_commit_message" param:"suggestion_commit_message" max:"255"`
	MergeTemplate        *string `json:"merge_commit_template" param:"merge_commit_template" max:"500"`
	SquashTemplate       *string `json:"squash_commit_template" param:"squash_commit_template" max:"500"`
	BranchTemplate       *string `json:"issue_branch_template" param:"issue_branch_template" max:"255"`
}

// maintainedFacts are those that maintainers alone see.
type maintainedFacts struct {
	AutoDevops         *bool   `json:"auto_devops_enabled" param:"auto_devops_enabled" default:"false"`
	AutoDevopsStrategy *string `json:"auto_devops_deploy_strategy" param:"auto_devops_deploy_strategy" values:"continuous manual timed_incremental" default:"continuous"`
}

// switched are the features that the older attribute <feature>_enabled switches.
var switched = []string{"issues", "merge_requests", "wiki", "snippets", "container_registry"}

// follow lets a feature's older attribute and its access level say the same: what was given of the two counts.
func (p *projectParams) follow(kept map[string]any) {
	given := factsOf(p.projectFacts)
	for _, feature := range switched {
		level, enabled := feature+"_access_level", feature+"_enabled"
		if text, ok := given[level].(string); ok {
			kept[enabled] = text != "disabled"
		} else if on, ok := given[enabled].(bool); ok {
			kept[level] = map[bool]string{true: "enabled", false: "disabled"}[on]
		}
	}
}
