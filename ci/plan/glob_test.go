package plan

import "testing"

func TestGlobsAreRubys(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"README.md", "README.md", true},
		{"*.md", "README.md", true},
		{"*.md", "docs/a.md", false},
		{"**/*.md", "docs/a.md", true},
		{"**/*.md", "a.md", true},
		{"**/*.md", "a/b/c/d.md", true},
		{"docs/**", "docs/a", true},
		{"docs/**", "docs/a/b", false},
		{"docs/**", "docs", false},
		{"docs/**/*", "docs/a/b", true},
		{"**", "a/b", false},
		{"**", "a", true},
		{"a**b", "axxb", true},
		{"a**b", "a/b", false},
		{"*", ".hidden", true},
		{"**/x", ".a/x", true},
		{"{a,b}.go", "b.go", true},
		{"{a,b{c,d}}.go", "bd.go", true},
		{"{,x}a", "a", true},
		{"a?c", "abc", true},
		{"a?c", "a/c", false},
		{"[ab]c", "bc", true},
		{`\*`, "*", true},
		{`\*`, "x", false},
		{"src/**/test/*.rb", "src/test/a.rb", true},
		{"/README.md", "README.md", false},
		{"./README.md", "README.md", false},
		{"dir/*", "dir/a/b", false},
		{"[", "[", false},
	} {
		if got := fnmatch(c.pattern, c.path); got != c.want {
			t.Errorf("%q of %q: %v", c.pattern, c.path, got)
		}
	}
}

func TestManyComparisonsAreTakenToMatch(t *testing.T) {
	paths := make([]string, 1001)
	patterns := make([]string, 50)
	for i := range patterns {
		patterns[i] = "nothing"
	}
	if anyMatch(patterns, paths[:1000]) || !anyMatch(patterns, paths) {
		t.Error("the limit of comparisons")
	}
	if anyExists([]string{"a/b", "**/*.rb"}, []string{"a/c", "x.go"}) || !anyExists([]string{"**/*.rb"}, []string{"lib/x.rb"}) || !anyExists([]string{"lib/"}, []string{"lib/x.rb"}) {
		t.Error("files that exist")
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a/**/{b,c}*.x", "a/b.x")
	f.Fuzz(func(_ *testing.T, pattern, path string) {
		if len(pattern) < 200 && len(path) < 200 {
			fnmatch(pattern, path)
		}
	})
}
