// Package templates gives the files of `include:template`: those that signalbox ships under GitLab's names, and an
// instance's own.
package templates

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

//go:embed shipped
var shipped embed.FS

// Suffix ends the name of every template.
const Suffix = ".gitlab-ci.yml"

// ErrNotFound says that there is no template of a name.
var ErrNotFound = errors.New("no such template")

// maxSize is the largest template, in bytes.
const maxSize = 2 << 20

// categories are the folders in which a template is looked for that is not where its name says, as in GitLab:
// `SAST.gitlab-ci.yml` is `Security/SAST.gitlab-ci.yml`.
var categories = []string{"", "Pages/", "Verify/", "autodeploy/", "Security/"}

// Find reads a template by its name, such as `Workflows/Branch-Pipelines.gitlab-ci.yml`: the one of the folder if it
// has one, else the one that is shipped. "" is no folder.
func Find(folder, name string) ([]byte, error) {
	if !strings.HasSuffix(name, Suffix) || !fs.ValidPath(name) {
		return nil, ErrNotFound
	}
	for _, category := range categories {
		text, err := own(folder, category+name)
		if errors.Is(err, fs.ErrNotExist) {
			text, err = shipped.ReadFile("shipped/" + category + name)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return text, err
		}
	}
	return nil, ErrNotFound
}

func own(folder, name string) ([]byte, error) {
	if folder == "" {
		return nil, fs.ErrNotExist
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("folder of templates: %w", err)
	}
	defer root.Close()
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(text) > maxSize {
		err = fmt.Errorf("the template %s is larger than %d bytes", name, maxSize)
	}
	return text, err
}
