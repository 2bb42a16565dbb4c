package enum

// ProcessMode is the order in which the jobs of a resource group get its resource.
type ProcessMode string

// The modes of GitLab.
const (
	Unordered        ProcessMode = "unordered"
	OldestFirst      ProcessMode = "oldest_first"
	NewestFirst      ProcessMode = "newest_first"
	NewestReadyFirst ProcessMode = "newest_ready_first"
)
