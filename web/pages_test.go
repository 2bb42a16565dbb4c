package web

import (
	"testing"
)

// TestAddresses: what stands in an address goes where it is meant to.
func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		ok            bool
		args          []string
	}{
		{"pipelines/*", "pipelines/12", true, []string{"12"}},
		{"pipelines/*", "pipelines/", false, nil},
		{"pipelines/*", "pipelines/1/2", false, nil},
		{"tree/**", "tree/feature/x", true, []string{"feature/x"}},
		{"jobs/*/artifacts/file/**", "jobs/3/artifacts/file/a/b.txt", true, []string{"3", "a/b.txt"}},
		{"jobs/*/artifacts/file/**", "jobs/3/artifacts/browse/a", false, nil},
		{"", "", true, nil},
	} {
		args, ok := match(c.pattern, c.path)
		if ok != c.ok || ok && len(args) != len(c.args) {
			t.Errorf("%s of %s: %v %v", c.pattern, c.path, ok, args)
			continue
		}
		for i := range c.args {
			if ok && args[i] != c.args[i] {
				t.Errorf("%s of %s: %q", c.pattern, c.path, args)
			}
		}
	}
}

// TestEveryPageParses: a broken template is found here, not by whoever opens its page.
func TestEveryPageParses(t *testing.T) {
	_, templates, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	if len(templates) < 20 {
		t.Errorf("%d pages", len(templates))
	}
}
