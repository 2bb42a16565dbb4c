package gitrepo

import (
	"slices"
	"strings"
)

// ValidRef says whether a full ref name ("refs/heads/main") may exist, by the rules of
// git-check-ref-format.
func ValidRef(name string) bool {
	if !strings.HasPrefix(name, "refs/") || strings.Count(name, "/") < 2 || len(name) > 1024 {
		return false
	}
	if strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.HasSuffix(name, ".") {
		return false
	}
	for _, part := range strings.Split(name, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	for _, c := range name {
		if c <= ' ' || c == 0x7f || strings.ContainsRune("~^:?*[\\", c) {
			return false
		}
	}
	return true
}

// ValidSHA says whether a text is a whole object id: SHA-1 or SHA-256 in lower-case hex.
func ValidSHA(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// ZeroSHA stands for "no commit" in pushes.
const ZeroSHA = "0000000000000000000000000000000000000000"

// IsZero says whether an id stands for "no commit", in either length.
func IsZero(sha string) bool { return strings.Trim(sha, "0") == "" }

// ValidName says whether a branch or a tag may be made with a name. Names that git or a client would read as
// something else are refused, as on GitLab: options, refs, and ids of commits.
func ValidName(short string) bool {
	if short == "HEAD" || len(short) > 244 || strings.HasPrefix(short, "-") || strings.HasPrefix(short, "refs/") || ValidSHA(strings.ToLower(short)) {
		return false
	}
	return ValidRef("refs/heads/" + short)
}

// RefKind is what a ref is to the server.
type RefKind int

// The kinds of refs.
const (
	NoRef    RefKind = iota // not a name that may be written
	Branch                  // refs/heads/…
	Tag                     // refs/tags/…
	Internal                // written by the server alone
	OtherRef                // what clients keep for themselves, such as refs/notes/…
)

// internalRefs are the ones that Gitaly hides or keeps read-only.
var internalRefs = []string{"environments", "keep-around", "merge-requests", "pipelines", "remotes", "tmp"}

// ShortName is a ref's name within its kind: without refs/heads/ or refs/tags/, whole for the others.
func ShortName(ref string) (short string, kind RefKind) {
	rest, ok := strings.CutPrefix(ref, "refs/")
	space, _, _ := strings.Cut(rest, "/")
	switch {
	case slices.Contains(internalRefs, space):
		return ref, Internal
	case !ok || !ValidRef(ref):
		return ref, NoRef
	case space == "heads":
		return strings.TrimPrefix(rest, "heads/"), Branch
	case space == "tags":
		return strings.TrimPrefix(rest, "tags/"), Tag
	}
	return ref, OtherRef
}

// validPath says whether a path may be asked of the batch process: one line, and not empty.
func validPath(p string) bool { return p != "" && !strings.ContainsAny(p, "\n\x00") && len(p) < 4096 }

// validPathspec says whether git itself may be told a path: it must not lead up.
func validPathspec(p string) bool {
	return validPath(p) && !slices.Contains(strings.Split(p, "/"), "..")
}
