package enum

import "strings"

// Source says what created a pipeline (CI_PIPELINE_SOURCE).
type Source string

// Sources that create pipelines here.
const (
	SourcePush           Source = "push"
	SourceWeb            Source = "web"
	SourceTrigger        Source = "trigger"
	SourceSchedule       Source = "schedule"
	SourceAPI            Source = "api"
	SourcePipeline       Source = "pipeline"
	SourceChat           Source = "chat"
	SourceMergeRequest   Source = "merge_request_event"
	SourceParentPipeline Source = "parent_pipeline"
	SourceExternal       Source = "external" // made by what another system says of a commit
)

// Sources are all of them.
var Sources = []Source{SourcePush, SourceWeb, SourceTrigger, SourceSchedule, SourceAPI, SourcePipeline, SourceChat, SourceMergeRequest, SourceParentPipeline, SourceExternal}

// IgnoresSkip says whether `[skip ci]` in the commit message has no effect on pipelines of this source.
func (s Source) IgnoresSkip() bool {
	switch s {
	case SourcePush, SourceChat, SourceMergeRequest:
		return false
	}
	return true
}

// SetsVariables says whether variables come with the source itself, so that no role is asked for them.
func (s Source) SetsVariables() bool {
	return s == SourceChat || s == SourceParentPipeline || s == SourceSchedule
}

// KeepsFailedPipeline says whether a pipeline whose configuration is broken is stored as failed, so that
// people see it, rather than answered as an error. A chat command is different from GitLab on purpose:
// the error goes to the chat and nothing but the command is stored.
func (s Source) KeepsFailedPipeline() bool {
	switch s {
	case SourcePush, SourceTrigger, SourcePipeline, SourceMergeRequest, SourceParentPipeline:
		return true
	}
	return false
}

// MatchesWord says whether a word of only/except names this source: the source without a trailing
// `_event`, in the singular or the plural (facts: pipeline-semantics 2.3).
func (s Source) MatchesWord(word string) bool {
	base := strings.TrimSuffix(string(s), "_event")
	if word == base {
		return true
	}
	plural := base + "s"
	if strings.HasSuffix(base, "sh") || strings.HasSuffix(base, "ch") {
		plural = base + "es"
	}
	return word == plural
}
