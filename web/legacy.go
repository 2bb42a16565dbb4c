package web

import (
	"net/http"
	"strings"

	"signalbox/internal/fault"
)

// legacyParts are the parts of a project that GitLab had below the project's own path before they came below /-/, with their names
// now, as far as they are pages here. GitLab leads on from these alone (config/routes: redirect_legacy_paths of project.rb,
// repository_deprecated.rb, legacy_builds.rb).
var legacyParts = map[string]string{
	"blob": "blob", "builds": "jobs", "commit": "commit", "commits": "commits", "environments": "environments", "hooks": "hooks",
	"merge_requests": "merge_requests", "pipeline_schedules": "pipeline_schedules", "pipelines": "pipelines",
	"protected_environments": "protected_environments", "raw": "raw", "runners": "runners", "tags": "tags", "tree": "tree", "triggers": "triggers",
}

// maxLegacyDepth bounds how deep a project is looked for: GitLab nests groups twenty deep.
const maxLegacyDepth = 21

// orLegacy is the page of a project whose path may be an old address of a part of another one: /group/app/pipelines/7 leads to
// /group/app/-/pipelines/7. Who may not see the project learns nothing: there it is as if there were none.
func (s *Server) orLegacy(path string, p page) page {
	return func(r *request) error {
		err := p(r)
		if fault.KindOf(err) != fault.NotFound {
			return err
		}
		for _, old := range s.legacyAddresses(path) {
			oldErr := s.inProject(old.project, nil, func(r *request, c *inside) error {
				to := "/" + c.project.FullPath + "/-/" + escaped(old.part)
				if r.URL.RawQuery != "" {
					to += "?" + r.URL.RawQuery
				}
				return s.to(r, to)
			})(r)
			if fault.KindOf(oldErr) != fault.NotFound {
				return oldErr
			}
			err = oldErr
		}
		return err
	}
}

type legacyAddress struct{ project, part string }

// legacyAddresses are the pages of projects that an address without /-/ may stand for.
func (s *Server) legacyAddresses(path string) (out []legacyAddress) {
	parts := strings.Split(path, "/")
	for i := 2; i < min(len(parts), maxLegacyDepth+1); i++ {
		now, ok := legacyParts[parts[i]]
		if !ok {
			continue
		}
		part := strings.Join(append([]string{now}, parts[i+1:]...), "/")
		for _, row := range s.projectTable() {
			if _, ok := match(row.path, part); ok && row.method == http.MethodGet && row.path != "" {
				out = append(out, legacyAddress{strings.Join(parts[:i], "/"), part})
				break
			}
		}
	}
	return out
}

// legacyPages are the old addresses of a page of a project, as Pages lists them.
func legacyPages(row projectRow) (out []Page) {
	if row.method != http.MethodGet {
		return nil
	}
	first, rest, more := strings.Cut(row.path, "/")
	if more {
		rest = "/" + rest
	}
	for old, now := range legacyParts {
		if now == first {
			out = append(out, Page{row.method, "/<project>/" + old + rest})
		}
	}
	return out
}
