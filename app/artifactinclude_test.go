package app

import (
	"context"
	"strings"
	"testing"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/models"
	"signalbox/models/enum"
)

// TestConfigurationsMadeByJobs: a child pipeline's configuration comes from an artifact of its parent's job (cases
// 147 to 151, 159 and 207 of GitLab's).
func TestConfigurationsMadeByJobs(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.runner()
		w.newProject("app")
		w.push("app", map[string]string{".gitlab-ci.yml": `
generator:
  script:
    - |
      printf 'spec:\n  inputs:\n    env:\n---\ndeploy:\n  script: echo to $[[ inputs.env ]]\n' > made.yml
    - printf ' ' > blank.yml
  artifacts: {paths: [made.yml, blank.yml]}
big:
  script: head -c 6000000 /dev/urandom > big.bin
  artifacts: {paths: [big.bin]}
plain: {script: echo nothing is kept}
`})
		parentID := w.pipeline("success").ID
		var parent *models.Pipeline
		var actor access.Actor
		var project *models.Project
		noError(t, w.node.db.Read(context.Background(), func(tx *models.Tx) (err error) {
			if parent, err = tx.Pipeline(parentID); err != nil {
				return err
			}
			if actor.User, err = tx.User(parent.UserID); err != nil {
				return err
			}
			project, err = tx.Project(parent.ProjectID)
			return err
		}))
		bridge := w.jobs(parentID)["generator"].ID
		child := func(include string, parent *models.Pipeline) (*models.Pipeline, error) {
			sha := w.push("app", map[string]string{".gitlab-ci.yml": "include: [" + include + "]\n"})
			return w.node.CI.CreatePipeline(context.Background(), ci.PipelineRequest{
				Project: project, Actor: actor, Source: enum.SourceAPI, Ref: "main", SHA: sha, Upstream: parent, Bridge: &models.Job{ID: bridge},
			})
		}
		p, err := child("{artifact: made.yml, job: generator, inputs: {env: production}}", parent)
		noError(t, err)
		w.eventually("the child pipeline is done", func() bool {
			j := w.jobs(p.ID)["deploy"]
			return j.Status == "success" && strings.Contains(w.trace(j.ID), "to production")
		})
		for include, want := range map[string]string{
			"{artifact: made.yml}":                  "Job must be provided when including configs from artifacts",
			"{artifact: made.yml, job: nobody}":     "Job `nobody` not found in parent pipeline or does not have artifacts!",
			"{artifact: made.yml, job: plain}":      "Job `plain` not found in parent pipeline or does not have artifacts!",
			"{artifact: other.yml, job: generator}": "Path `other.yml` does not exist inside the `generator` artifacts archive!",
			"{artifact: blank.yml, job: generator}": "File `blank.yml` is empty!",
			"{artifact: big.yml, job: big}":         "Artifacts archive for job `big` is too large: 5.72 MiB exceeds maximum of 5 MiB",
		} {
			if _, err := child(include, parent); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", include, err, want)
			}
		}
		_, err = child("{artifact: made.yml, job: generator}", nil)
		if err == nil || !strings.Contains(err.Error(), "Including configs from artifacts is only allowed when triggering child pipelines") {
			t.Error(err)
		}
	})
}
