package api

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"signalbox/ci"
)

// TestFactsAreDeclaredAlike: each is told under the name by which it is given, and its default is one of its values.
func TestFactsAreDeclaredAlike(t *testing.T) {
	for _, facts := range []any{tellFacts[projectFacts](nil), tellFacts[maintainedFacts](nil), tellFacts[instanceFacts](nil), tellFacts[keptHookEvents](nil)} {
		v := reflect.ValueOf(facts)
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name, def := f.Tag.Get("param"), f.Tag.Get("default")
			if name == "" || name != f.Tag.Get("json") {
				t.Errorf("%T.%s is given as %q and told as %q", facts, f.Name, name, f.Tag.Get("json"))
			}
			if values := f.Tag.Get("values"); values != "" && !slices.Contains(strings.Fields(values), def) {
				t.Errorf("%s: the default %q is none of %q", name, def, values)
			}
			if f.Type.Elem().Kind() != reflect.String && v.Field(i).IsNil() {
				t.Errorf("%s has no default", name)
			}
		}
	}
}

// TestFactsComeBackFromStorage as they were given, numbers too.
func TestFactsComeBackFromStorage(t *testing.T) {
	n, on, text := int64(7), true, "x"
	kept := keepFacts(nil, instanceFacts{ProjectsLimit: &n, Gravatar: &on, BranchName: &text})
	raw, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	var stored map[string]any
	if err := json.Unmarshal(raw, &stored); err != nil {
		t.Fatal(err)
	}
	got := tellFacts[instanceFacts](stored)
	if *got.ProjectsLimit != 7 || !*got.Gravatar || *got.BranchName != "x" || *got.BranchProtection != 2 || got.HomePageURL != nil {
		t.Errorf("%+v", got)
	}
}

// TestKeptHookEventsAreListedOnce: the flags of the API are the engine's list.
func TestKeptHookEventsAreListedOnce(t *testing.T) {
	var names []string
	for name := range factMap(keptHookEvents{}) {
		names = append(names, name)
	}
	listed := slices.Clone(ci.KeptHookEvents)
	slices.Sort(names)
	slices.Sort(listed)
	if !slices.Equal(names, listed) {
		t.Errorf("%q, want %q", names, listed)
	}
}
