package bench

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"signalbox/ci/config"
	"signalbox/ci/plan"
	"signalbox/ci/rubyregexp"
	"signalbox/ci/variable"
	"signalbox/models/enum"
)

// included gives files of a configuration by their names.
type included map[string]string

func (f included) Fetch(from config.Context, l config.Location) ([]byte, config.Context, error) {
	from.Source = l.Name
	return []byte(f[l.Name]), from, nil
}

func (included) Match(config.Context, string) ([]string, error) { return nil, nil }

// monorepo is a pushed repository with many files.
type monorepo struct{ files []string }

func (m monorepo) Changed(string) ([]string, bool, error) { return m.files[:20], true, nil }
func (m monorepo) Tree(string, string) ([]string, error)  { return m.files, nil }

// compiled is a configuration of so many jobs in ten files, each with anchors, extends and rules.
func compiled(jobs int) (string, included) {
	files := included{"base.yml": ".base:\n  tags: [linux]\n  before_script: [echo before]\n  variables: {MODE: fast}\n.slow:\n  extends: .base\n  retry: 1\n"}
	main := strings.Builder{}
	main.WriteString("include:\n  - local: base.yml\n")
	for part := range 10 {
		name := fmt.Sprintf("part%d.yml", part)
		fmt.Fprintf(&main, "  - local: %s\n", name)
		var b strings.Builder
		fmt.Fprintf(&b, ".rules%d: &rules%d\n  - if: $CI_COMMIT_BRANCH == \"main\" && $MODE !~ /slow/\n    changes: [\"part%d/**/*\", \"$MODE/**/*.go\", src/*.go]\n  - exists: [go.mod]\n    variables: {MODE: slow}\n", part, part, part)
		for i := range jobs / 10 {
			fmt.Fprintf(&b, "job %d %d:\n  extends: .slow\n  stage: test\n  variables: {N: %d}\n  script:\n    - echo one\n    - echo two\n  rules: *rules%d\n", part, i, i, part)
		}
		files[name] = b.String()
	}
	main.WriteString("stages: [build, test]\n")
	return main.String(), files
}

func (m monorepo) Any(pattern string, paths []string) (bool, error) {
	return rubyregexp.Any(pattern, paths)
}

func BenchmarkCompile(b *testing.B) {
	tree := monorepo{[]string{"go.mod"}}
	for i := range 5000 {
		tree.files = append(tree.files, fmt.Sprintf("part%d/src/file%d.go", i%10, i))
	}
	vars := variable.Base(variable.Server{URL: "https://ci.example.com", Version: "18.9.0"}, variable.Project{ID: 1, Name: "b", Path: "a/b", Namespace: "a", DefaultBranch: "main"},
		variable.Commit{SHA: strings.Repeat("a", 40), Ref: "main", Message: "a commit"}, variable.Pipeline{Source: "push"})
	for _, c := range []struct {
		jobs   int
		target string
	}{{1000, "< 100 ms, < 64 MB"}, {10000, "linear"}} {
		b.Run(fmt.Sprint(c.jobs), func(b *testing.B) {
			text, files := compiled(c.jobs)
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			from, runs := time.Now(), 0
			for b.Loop() {
				for range 5 {
					r, err := config.LoadWith(config.File{Name: ".gitlab-ci.yml", Content: []byte(text)}, config.Options{Resolver: files, Variables: vars, Project: "a/b"})
					if err != nil || r.Errors != nil {
						b.Fatal(err, r.Errors)
					}
					p, err := plan.Build(r.Config, plan.Facts{Source: enum.SourcePush, Ref: "main", Variables: vars, Predefined: len(vars), Files: tree})
					if err != nil || len(p.Jobs) != c.jobs {
						b.Fatal(err)
					}
					runs++
				}
			}
			took := time.Since(from)
			runtime.ReadMemStats(&after)
			report(fmt.Sprintf("%d jobs in 11 files compiled", c.jobs), c.target, fmt.Sprintf("%.0f ms, %d MB allocated",
				float64(took.Milliseconds())/float64(runs), (after.TotalAlloc-before.TotalAlloc)/uint64(runs)>>20))
		})
	}
}
