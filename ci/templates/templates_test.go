package templates

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/ci/config"
)

// resolver finds templates alone.
type resolver struct{}

func (resolver) Fetch(from config.Context, l config.Location) ([]byte, config.Context, error) {
	text, err := Find("", l.Name)
	from.Source = l.Name
	return text, from, err
}

func (resolver) Match(config.Context, string) ([]string, error) { return nil, nil }

func TestEachTemplateCompiles(t *testing.T) {
	n := 0
	err := fs.WalkDir(shipped, "shipped", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		name = strings.TrimPrefix(name, "shipped/")
		text := "include: {template: " + name + "}\nmine: {script: x}\n"
		r, err := config.LoadWith(config.File{Name: ".gitlab-ci.yml", Content: []byte(text)}, config.Options{Resolver: resolver{}, Project: "a/b"})
		if err != nil || len(r.Errors)+len(r.Warnings) > 0 {
			t.Errorf("%s: %v %v %v", name, r.Errors, r.Warnings, err)
		}
		return nil
	})
	if err != nil || n < 9 {
		t.Fatalf("%d templates, %v", n, err)
	}
}

func TestAnInstancesOwnTemplates(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "Security"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"Ours.gitlab-ci.yml": "ours: {script: x}", "Bash.gitlab-ci.yml": "theirs: {script: x}", "Security/SAST.gitlab-ci.yml": "sast: {script: x}",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/hosts", filepath.Join(dir, "Out.gitlab-ci.yml")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"Ours.gitlab-ci.yml": "ours", "Bash.gitlab-ci.yml": "theirs", "Go.gitlab-ci.yml": "golang", "SAST.gitlab-ci.yml": "sast", "HTML.gitlab-ci.yml": "pages"} {
		if text, err := Find(dir, name); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	for _, name := range []string{"None.gitlab-ci.yml", "../x.gitlab-ci.yml", "/etc/x.gitlab-ci.yml", "Go", "", "Pages"} {
		if _, err := Find(dir, name); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if text, err := Find(dir, "Out.gitlab-ci.yml"); err == nil {
		t.Errorf("a link out of the folder was followed: %q", text)
	}
	if _, err := Find("", "Ours.gitlab-ci.yml"); !errors.Is(err, ErrNotFound) {
		t.Errorf("without a folder: %v", err)
	}
}
