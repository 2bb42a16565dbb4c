package ci

import (
	"signalbox/models"
	"signalbox/models/enum"
)

// The suffixes that keep the caches of protected and other refs apart (GitLab: ci_separated_caches). A job of anybody's
// branch must not leave a cache that a protected branch's job unpacks.
const (
	ProtectedCache   = "protected"
	UnprotectedCache = "non_protected"
)

// cacheSuffix is what the keys of a job's caches end in; "" if its project's refs share their caches. Besides jobs of
// protected refs, jobs of a project's Maintainers use the protected caches, as on GitLab.
func cacheSuffix(tx *models.Tx, f *jobFacts) (string, error) {
	switch {
	case f.project.Settings.SharedCaches, len(f.definition.Cache) == 0:
		return "", nil
	case f.pipeline.Protected:
		return ProtectedCache, nil
	}
	level, err := tx.AccessLevel(f.user.ID, f.project)
	if err != nil {
		return "", err
	}
	if level >= enum.Maintainer {
		return ProtectedCache, nil
	}
	return UnprotectedCache, nil
}
