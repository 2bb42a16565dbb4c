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
// something else are refused, as on GitLab.
func ValidName(short string) bool {
	if short == "HEAD" || len(short) > 244 || strings.HasPrefix(short, "-") || strings.HasPrefix(short, "refs/") {
		return false
	}
	return ValidRef("refs/heads/" + short)
}

// validPath says whether a path may be asked of the batch process: one line, and not empty.
func validPath(p string) bool { return p != "" && !strings.ContainsAny(p, "\n\x00") && len(p) < 4096 }

// validPathspec says whether git itself may be told a path: it must not lead up.
func validPathspec(p string) bool {
	return validPath(p) && !slices.Contains(strings.Split(p, "/"), "..")
}
