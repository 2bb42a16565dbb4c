package plan

import (
	"fmt"
	"slices"
	"strings"

	"signalbox/ci/config"
)

// notYet names the keywords of a job that the configuration may hold and whose effect is not there yet: a pipeline with
// the job is refused rather than run without it. It is "" if there are none.
func notYet(j *config.Job) string {
	var words []string
	for word, used := range map[string]bool{
		"run":     j.Run != nil,
		"secrets": j.Secrets != nil, "identity": j.Identity != "",
		"trigger beside needs:pipeline": j.Trigger != nil && j.Needs != nil && mirrored(*j.Needs) != "",
	} {
		if used {
			words = append(words, "`"+word+"`")
		}
	}
	if len(words) == 0 {
		return ""
	}
	slices.Sort(words)
	return fmt.Sprintf("the job `%s` uses %s, which this version of signalbox reads but cannot run yet (%s)", j.Name, strings.Join(words, ", "), j.At)
}

// NotYetDone is what a check of a configuration says of keywords that pipelines are refused for, in the same words. A job
// that is in every pipeline is a mistake; one whose rules may leave it out is warned of.
func NotYetDone(c *config.Config) (refused, warned []*config.Error) {
	for _, j := range c.Jobs {
		text := notYet(j)
		if text == "" {
			continue
		}
		e := &config.Error{Text: text, File: j.At.File, Line: j.At.Line, Column: j.At.Column}
		if everywhere(j) {
			refused = append(refused, e)
		} else {
			warned = append(warned, e)
		}
	}
	return refused, warned
}

// everywhere says whether nothing keeps a job out of a pipeline of a branch or a tag.
func everywhere(j *config.Job) bool {
	if j.HasRules || j.Except != nil {
		return false
	}
	p := j.Only
	return p == nil || p.Variables == nil && p.Changes == nil && slices.Equal(p.Refs, []string{"branches", "tags"})
}
