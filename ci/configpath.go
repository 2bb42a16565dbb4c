package ci

import (
	"encoding/json"
	"regexp"
	"strings"

	"signalbox/ci/config"
	"signalbox/models"
)

var elsewhere = regexp.MustCompile(`.+\.(?:yml|yaml)@.+`)

// configElsewhere is the configuration of a project whose setting names a file of another project, as
// path.yml@group/project:ref, or an address: a file that includes that one. It is nil for files of the project's own
// repository (facts: pipeline-semantics 1.8).
func configElsewhere(p *models.Project) *config.File {
	path := p.ConfigPath()
	var include map[string]string
	switch {
	case strings.HasPrefix(path, "http://"), strings.HasPrefix(path, "https://"):
		include = map[string]string{"remote": path}
	case elsewhere.MatchString(path):
		file, project, _ := strings.Cut(path, "@")
		project, ref, _ := strings.Cut(project, ":")
		include = map[string]string{"project": project, "file": file}
		if ref != "" {
			include["ref"] = ref
		}
	default:
		return nil
	}
	text, _ := json.Marshal(map[string]any{"include": []any{include}}) // plain texts
	return &config.File{Name: path, Content: text}
}
