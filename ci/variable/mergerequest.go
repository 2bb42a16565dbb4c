package variable

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// MergeRequest is what the variables of a merge request pipeline are made of. Source and target are of the pipeline's project.
type MergeRequest struct {
	ID, IID, DiffID                  int64
	RefPath, DiffBase                string
	SourceBranch, TargetBranch       string
	SourceProtected, TargetProtected bool
	Title, Description, Milestone    string
	Draft, Squash                    bool
	Assignees                        []string // user names
	Labels                           []string
}

// maxDescription is how many characters of a description a job is given.
const maxDescription = 2700

// mergeRequest lists the variables of a merge request pipeline. Such a pipeline is always "detached": nothing is merged for
// it, so that the ids of merged branches are empty (https://docs.gitlab.com/ci/variables/predefined_variables/).
func (c *Collection) mergeRequest(s Server, p Project, m MergeRequest) {
	id, url := strconv.FormatInt(p.ID, 10), s.URL+"/"+p.Path
	c.Add("CI_MERGE_REQUEST_EVENT_TYPE", "detached")
	c.Add("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "")
	c.Add("CI_MERGE_REQUEST_TARGET_BRANCH_SHA", "")
	if m.DiffID != 0 {
		c.Add("CI_MERGE_REQUEST_DIFF_ID", strconv.FormatInt(m.DiffID, 10))
		c.Add("CI_MERGE_REQUEST_DIFF_BASE_SHA", m.DiffBase)
	}
	c.Add("CI_MERGE_REQUEST_ID", strconv.FormatInt(m.ID, 10))
	c.Add("CI_MERGE_REQUEST_IID", strconv.FormatInt(m.IID, 10))
	c.Add("CI_MERGE_REQUEST_REF_PATH", m.RefPath)
	c.Add("CI_MERGE_REQUEST_PROJECT_ID", id)
	c.Add("CI_MERGE_REQUEST_PROJECT_PATH", p.Path)
	c.Add("CI_MERGE_REQUEST_PROJECT_URL", url)
	c.Add("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", m.TargetBranch)
	c.Add("CI_MERGE_REQUEST_TARGET_BRANCH_PROTECTED", strconv.FormatBool(m.TargetProtected))
	c.Add("CI_MERGE_REQUEST_TITLE", m.Title)
	c.Add("CI_MERGE_REQUEST_DRAFT", strconv.FormatBool(m.Draft))
	description, cut := m.Description, utf8.RuneCountInString(m.Description) > maxDescription
	if cut {
		description = string([]rune(description)[:maxDescription])
	}
	c.Add("CI_MERGE_REQUEST_DESCRIPTION", description)
	c.Add("CI_MERGE_REQUEST_DESCRIPTION_IS_TRUNCATED", strconv.FormatBool(cut))
	if len(m.Assignees) > 0 {
		c.Add("CI_MERGE_REQUEST_ASSIGNEES", sentence(m.Assignees))
	}
	if m.Milestone != "" {
		c.Add("CI_MERGE_REQUEST_MILESTONE", m.Milestone)
	}
	if len(m.Labels) > 0 {
		c.Add("CI_MERGE_REQUEST_LABELS", strings.Join(m.Labels, ","))
	}
	c.Add("CI_MERGE_REQUEST_SQUASH_ON_MERGE", strconv.FormatBool(m.Squash))
	c.Add("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", id)
	c.Add("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", p.Path)
	c.Add("CI_MERGE_REQUEST_SOURCE_PROJECT_URL", url)
	c.Add("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", m.SourceBranch)
	c.Add("CI_MERGE_REQUEST_SOURCE_BRANCH_PROTECTED", strconv.FormatBool(m.SourceProtected))
}

// sentence joins names as GitLab does for assignees: "a", "a and b", "a, b, and c".
func sentence(names []string) string {
	switch len(names) {
	case 1:
		return names[0]
	case 2:
		return names[0] + " and " + names[1]
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + ", and " + names[last]
}
