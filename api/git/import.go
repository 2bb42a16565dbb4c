package git

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
)

// maxImportParts bounds how many parts of an address may be a project's path.
const maxImportParts = 20

// WithoutSuffix says whether a git client asks for a repository by an address without .git, as people copy it from a page.
func WithoutSuffix(r *http.Request) bool {
	path, ok := strings.CutSuffix(r.URL.Path, "/info/refs")
	return ok && (r.Method == http.MethodGet || r.Method == http.MethodHead) && isProjectPath(strings.TrimPrefix(path, "/"))
}

// ToSuffix leads such a client to the same address with .git, whether there is such a project or not; the client keeps to it.
func ToSuffix(w http.ResponseWriter, r *http.Request) {
	to := url.URL{Path: strings.TrimSuffix(r.URL.Path, "/info/refs") + ".git/info/refs", RawQuery: r.URL.RawQuery}
	http.Redirect(w, r, to.String(), http.StatusMovedPermanently)
}

func isProjectPath(path string) bool { return strings.Contains(path, "/") && ci.MayBeNamed(path) }

// AsksForImport says whether the go command asks where the source of a module lies.
func AsksForImport(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || r.URL.Query().Get("go-get") != "1" {
		return false
	}
	parts := strings.SplitN(strings.Trim(r.URL.Path, "/"), "/", 3)
	return len(parts) >= 2 && isProjectPath(parts[0]+"/"+parts[1])
}

// Import answers the go command. A package may lie below its project, whose own path may be nested: the longest path that is a
// project the caller may see counts. If there is none, the first two parts are given out as one that exists, so that the answer
// tells nobody what does exist (as GitLab's middleware does).
func (h *Handler) Import(w http.ResponseWriter, r *http.Request) {
	path, branch, err := h.importOf(r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	address := h.ci.URL() + "/" + path
	_, prefix, _ := strings.Cut(address, "://")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintf(w, `<html><head><meta name="go-import" content="%s git %s.git"><meta name="go-source" content="%s %s %s/-/tree/%s{/dir} %s/-/blob/%s{/dir}/{file}#L{line}"></head><body>go get %s</body></html>`,
		html.EscapeString(prefix), html.EscapeString(address), html.EscapeString(prefix), html.EscapeString(address), html.EscapeString(address),
		html.EscapeString(branch), html.EscapeString(address), html.EscapeString(branch), html.EscapeString(address))
}

func (h *Handler) importOf(r *http.Request) (path, branch string, err error) {
	actor, err := h.actor(r)
	if err != nil && fault.KindOf(err) != fault.Unauthorized {
		return "", "", err
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	for n := min(len(parts), maxImportParts); n >= 2; n-- {
		path := strings.Join(parts[:n], "/")
		if !ci.MayBeNamed(path) {
			continue
		}
		p, _, err := h.ci.FindProject(r.Context(), actor, path, access.ReadProject)
		var moved *ci.Moved
		switch {
		case err == nil:
			return p.FullPath, p.DefaultBranch, nil
		case !errors.As(err, &moved) && fault.KindOf(err) == fault.Internal:
			return "", "", err
		}
	}
	return parts[0] + "/" + parts[1], "master", nil
}
