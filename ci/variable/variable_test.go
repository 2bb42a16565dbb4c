package variable

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestExpand(t *testing.T) {
	vars := Collection{{Key: "variable", Value: "value"}, {Key: "variable2", Value: "$variable3"}}
	for in, want := range map[string]string{
		"key": "key", "key$variable": "keyvalue", "key${variable}": "keyvalue", "key%variable%": "keyvalue",
		"key$variable$variable2": "keyvalue$variable3", "key${variable2}${variable}": "key$variable3value",
		"a$none.b": "a.b", "100%": "100%", "$1": "$1", "${}": "${}", "$$variable": "$value",
		"%variable%%variable2%": "value$variable3",
	} {
		if got := vars.Expand(in, false); got != want {
			t.Errorf("Expand(%q) = %q, want %q", in, got, want)
		}
	}
	if got := vars.Expand("a$none%none%${none}$variable", true); got != "a$none%none%${none}value" {
		t.Errorf("keep: %q", got)
	}
}

func TestExpandAll(t *testing.T) {
	got, err := Collection{
		{Key: "A", Value: "$B-$C"},
		{Key: "B", Value: "b$C"},
		{Key: "C", Value: "c"},
		{Key: "RAW", Value: "$A", Raw: true},
		{Key: "USES_RAW", Value: "x$RAW"},
		{Key: "FILE", Value: "content", File: true},
		{Key: "USES_FILE", Value: "$FILE"},
		{Key: "D", Value: "$UNKNOWN $$A"},
		{Key: "PATH", Value: "/bin"},
		{Key: "PATH", Value: "$PATH:/x"},
		{Key: "SELF", Value: "$SELF"},
	}.ExpandAll()
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, v := range got {
		values = append(values, v.Value)
	}
	want := []string{"bc-c", "bc", "c", "$A", "x$RAW", "content", "$FILE", "$UNKNOWN $$A", "/bin", "/bin:/x", "$SELF"}
	if d := cmp.Diff(want, values); d != "" {
		t.Error(d)
	}
	in := Collection{{Key: "OUTSIDE", Value: "$A"}, {Key: "A", Value: "$B"}, {Key: "B", Value: "$C"}, {Key: "C", Value: "$A"}}
	out, err := in.ExpandAll()
	var cycle *CycleError
	if !errors.As(err, &cycle) || err.Error() != `circular variable reference detected: ["A", "B", "C"]` || cmp.Diff(in, out) != "" {
		t.Errorf("cycle: %v, %v", err, out)
	}
}

// TestOrderOfExpansion are GitLab's own cases (by their numbers) of how values are put together.
func TestOrderOfExpansion(t *testing.T) {
	for number, tc := range map[int]struct {
		in   Collection
		want map[string]string
	}{
		433: {
			Collection{{Key: "variable", Value: "$variable2"}, {Key: "variable2", Value: "$variable3"}, {Key: "variable3", Value: "key$variable2$variable", Raw: true}},
			map[string]string{"variable": "$variable3", "variable2": "$variable3", "variable3": "key$variable2$variable"},
		},
		435: {
			Collection{{Key: "variable_b", Value: "$$variable_a"}, {Key: "variable_c", Value: "$variable_a"}, {Key: "variable_a", Value: "value"}},
			map[string]string{"variable_a": "value", "variable_b": "$$variable_a", "variable_c": "value"},
		},
		437: {
			Collection{
				{Key: "TOP_LEVEL_GROUP_NAME", Value: "top"},
				{Key: "SUBGROUP_VAR", Value: "$TOP_LEVEL_GROUP_NAME"},
				{Key: "SUB_GROUP_NAME", Value: "sub"},
				{Key: "SUBGROUP_VAR", Value: "$SUB_GROUP_NAME"},
				{Key: "USES", Value: "$SUBGROUP_VAR"},
			},
			map[string]string{"SUBGROUP_VAR": "sub", "USES": "sub"},
		},
	} {
		out, err := tc.in.ExpandAll()
		if err != nil {
			t.Errorf("case %d: %v", number, err)
		}
		for key, want := range tc.want {
			if got, _ := out.Get(key); got != want {
				t.Errorf("case %d: %s = %q, want %q", number, key, got, want)
			}
		}
	}
}

func TestExpandAllEndsAndKeepsKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SampledFrom([]string{"A", "B", "C", "D"})
		var c Collection
		for range rapid.IntRange(0, 8).Draw(t, "n") {
			parts := rapid.SliceOfN(rapid.SampledFrom([]string{"$A", "${B}", "%C%", "$D", "$$", "x", "$E"}), 0, 4).Draw(t, "value")
			c = append(c, Variable{Key: keys.Draw(t, "key"), Value: strings.Join(parts, ""), Raw: rapid.Bool().Draw(t, "raw")})
		}
		out, _ := c.ExpandAll()
		if len(out) != len(c) {
			t.Fatal("length changed")
		}
		for i := range c {
			if out[i].Key != c[i].Key || c[i].Raw && out[i].Value != c[i].Value {
				t.Fatalf("%v became %v", c[i], out[i])
			}
		}
	})
}

func TestSlugsAndGroupNames(t *testing.T) {
	for in, want := range map[string]string{"Feature/Foo_Bar": "feature-foo-bar", "--x--": "x", "1.2.3": "1-2-3", strings.Repeat("a", 62) + "-b": strings.Repeat("a", 62)} {
		if got := Slug(in); got != want {
			t.Errorf("Slug(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"rspec 1/3": "rspec", "build 1 2": "build", "rspec:1:3": "rspec", "deploy: [x] 1/2": "deploy", "a 1/2 3/4": "a", "test 12": "test 12", "job": "job",
	} {
		if got, _ := JobPredefined(Job{Name: in}).Get("CI_JOB_GROUP_NAME"); got != want {
			t.Errorf("group name of %q = %q, want %q", in, got, want)
		}
	}
}

func TestPredefined(t *testing.T) {
	s := Server{URL: "https://ci.example.com:8443", Version: "18.9.0"}
	p := Project{ID: 7, Name: "app", Path: "grp/sub/app", Namespace: "grp/sub", DefaultBranch: "main", ConfigPath: ".gitlab-ci.yml"}
	c := Commit{SHA: strings.Repeat("ab", 20), Ref: "Feat/X", Message: "Title\n\nBody\n", When: time.Date(2026, 1, 31, 16, 47, 55, 0, time.UTC)}
	all := append(Persisted(s, p, Pipeline{ID: 5}, Job{ID: 9, Token: "glcbt-x"}), Base(s, p, c, Pipeline{ID: 5, IID: 2, Source: "chat"})...)
	for key, want := range map[string]string{
		"CI_SERVER_PORT": "8443", "CI_SERVER_HOST": "ci.example.com", "CI_SERVER_FQDN": "ci.example.com:8443", "CI_SERVER_VERSION_MAJOR": "18",
		"CI_PROJECT_ROOT_NAMESPACE": "grp", "CI_PROJECT_PATH_SLUG": "grp-sub-app", "CI_COMMIT_BRANCH": "Feat/X", "CI_COMMIT_REF_SLUG": "feat-x",
		"CI_COMMIT_SHORT_SHA": "abababab", "CI_COMMIT_TITLE": "Title", "CI_COMMIT_DESCRIPTION": "Body\n", "CI_COMMIT_TIMESTAMP": "2026-01-31T16:47:55Z",
		"CI_PIPELINE_SOURCE": "chat", "CI_PIPELINE_URL": "https://ci.example.com:8443/grp/sub/app/-/pipelines/5",
		"CI_REPOSITORY_URL": "https://gitlab-ci-token:glcbt-x@ci.example.com:8443/grp/sub/app.git",
	} {
		if got, ok := all.Get(key); !ok || got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	if _, ok := all.Get("CI_COMMIT_TAG"); ok {
		t.Error("a branch pipeline has CI_COMMIT_TAG")
	}
	if m := all.Masked(); len(m) != 1 || m[0] != "glcbt-x" {
		t.Errorf("masked %v", m)
	}
}

// TestExpansionsAreBounded: values of values of values cannot become more than a few megabytes.
func TestExpansionsAreBounded(t *testing.T) {
	long := strings.Repeat("x", 1000)
	c := Collection{{Key: "A", Value: long}}
	for i, key := range []string{"B", "C", "D", "E"} {
		c = append(c, Variable{Key: key, Value: strings.Repeat("$"+string(rune('A'+i)), 1000)})
	}
	all, err := c.ExpandAll()
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, v := range all {
		total += len(v.Value)
	}
	if b, _ := all.Get("B"); b != strings.Repeat(long, 1000) {
		t.Errorf("what fits is not expanded: %d bytes", len(b))
	}
	if total > maxAllExpanded+maxExpanded {
		t.Errorf("%d bytes", total)
	}
	if text := c.Expand(strings.Repeat("$A", 100_000), true); len(text) > maxExpanded+200_000 {
		t.Errorf("a text of %d bytes", len(text))
	}
}
