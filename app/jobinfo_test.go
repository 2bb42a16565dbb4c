package app

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"

	"signalbox/models"
	"signalbox/runnerproto"
)

// TestRunnersAreToldOfTheQueue: how many jobs waited for them, and how many of the project instance runners run already.
func TestRunnersAreToldOfTheQueue(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		runner := w.ready(t)
		var group, sub, project struct{ ID int64 }
		w.must(201, "POST", "/groups", map[string]any{"name": "Team", "path": "team"}, &group)
		w.must(201, "POST", "/groups", map[string]any{"name": "Sub", "path": "sub", "parent_id": group.ID}, &sub)
		w.must(201, "POST", "/projects", map[string]any{"path": "deep", "name": "Deep one", "namespace_id": sub.ID}, &project)
		w.project = itoa(project.ID)
		if out, err := w.tryPush("team/sub/deep", rootToken, "main", map[string]string{".gitlab-ci.yml": "job: {script: x, parallel: 7}"}); err != nil {
			t.Fatal(out)
		}
		w.pipeline("pending")
		var names [3]string
		for i, running := range []string{"0", "1", "2", "3", "4", "5+", "5+"} {
			res, body := w.replay(readCapture(t, "v19.4-02-jobs-request-201"), runner, "", 0)
			var job runnerproto.Job
			noError(t, json.Unmarshal([]byte(body), &job))
			got := job.JobInfo
			if res.StatusCode != 201 || got.QueueSize < 7-i || got.QueueSize > 7 || got.QueueDepth < 1 || got.RunningOnShared != running ||
				got.NamespaceID != sub.ID || got.RootNamespaceID != group.ID || got.ProjectName != "Deep one" {
				t.Errorf("job %d: %d %+v, want %s running", i, res.StatusCode, got, running)
			}
			named := [3]string{got.InstanceID, got.InstanceUUID, job.RunnerInfo.UUID}
			for _, id := range named {
				if uuid.Validate(id) != nil || i > 0 && named != names {
					t.Errorf("job %d: named %q, before %q", i, named, names)
				}
			}
			names = named
		}
	})
}
