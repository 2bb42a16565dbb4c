package server

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"signalbox/ci"
	"signalbox/ci/config"
	"signalbox/ci/plan"
	"signalbox/models"
)

// TestCacheKeysEndAlike: what a fallback names is looked for under the suffix that jobs leave it under.
func TestCacheKeysEndAlike(t *testing.T) {
	for name, c := range map[string]struct {
		suffix string
		cache  config.Cache
		want   []string // key, fallback keys
	}{
		"protected":               {"protected", config.Cache{Key: "k", FallbackKeys: []string{"main", "default"}}, []string{"k-protected", "main-protected", "default-protected"}},
		"not protected":           {"non_protected", config.Cache{Key: "k", FallbackKeys: []string{"main"}}, []string{"k-non_protected", "main-non_protected"}},
		"unprotected":             {"protected", config.Cache{Key: "k", Unprotect: true, FallbackKeys: []string{"main"}}, []string{"k-non_protected", "main-non_protected"}},
		"shared":                  {"", config.Cache{Key: "k", FallbackKeys: []string{"main"}}, []string{"k", "main"}},
		"shared, and unprotected": {"", config.Cache{Key: "k", Unprotect: true}, []string{"k"}},
		"of files":                {"protected", config.Cache{Files: []string{"x"}, FallbackKeys: []string{"f"}}, []string{"default-protected", "f-protected"}},
	} {
		got := cache(c.cache, &ci.Offer{CacheSuffix: c.suffix})
		if keys := append([]string{got.Key}, got.FallbackKeys...); !slices.Equal(keys, c.want) {
			t.Errorf("%s: %q, want %q", name, keys, c.want)
		}
	}
}

// TestThePayloadNamesWhatGitLabsDoes, for logs and metrics of runners: also what is null here.
func TestThePayloadNamesWhatGitLabsDoes(t *testing.T) {
	raw, err := json.Marshal(payload(&ci.Offer{Job: &models.Job{}, Pipeline: &models.Pipeline{}, Project: &models.Project{}, Definition: &plan.Definition{}}))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"job_info": "id instance_id instance_uuid name namespace_id organization_id pipeline_id project_full_path project_id " +
			"project_jobs_running_on_instance_runners_count project_name queue_depth queue_size root_namespace_id scoped_user_id stage time_in_queue_seconds user_id",
		"runner_info": "runner_session_url timeout uuid",
	} {
		var part map[string]any
		if err := json.Unmarshal(got[name], &part); err != nil {
			t.Fatal(err)
		}
		if keys := strings.Join(slices.Sorted(maps.Keys(part)), " "); keys != want {
			t.Errorf("%s: %s, want %s", name, keys, want)
		}
	}
}
