package ci

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"signalbox/models"
	"signalbox/models/enum"
)

// dependencies lists the earlier jobs whose artifacts a job fetches (facts: pipeline-semantics 6.1). A
// missing one that was erased or has expired is a reason to fail.
func (c *Coordinator) dependencies(tx *models.Tx, f *jobFacts) ([]Dependency, enum.FailureReason, error) {
	d := f.definition
	if d.Dependencies != nil && len(*d.Dependencies) == 0 || d.Needs != nil && len(*d.Needs) == 0 {
		return nil, "", nil
	}
	var named []string
	if d.Needs != nil {
		for _, n := range *d.Needs {
			named = append(named, n.Job)
		}
	}
	jobs, err := tx.EarlierJobs(f.pipeline.ID, f.job.StageIndex, named)
	if err != nil {
		return nil, "", err
	}
	var wanted []*models.Job
	var ids []int64
	for _, j := range jobs {
		if wantsArtifacts(f, j) {
			wanted, ids = append(wanted, j), append(ids, j.ID)
		}
	}
	if len(ids) == 0 {
		return nil, "", nil
	}
	artifacts, err := tx.Artifacts(ids...)
	if err != nil {
		return nil, "", err
	}
	var out []Dependency
	for _, j := range wanted {
		dep := Dependency{ID: j.ID, Name: j.Name}
		for _, a := range artifacts {
			if a.JobID == j.ID && a.Type == "archive" {
				dep.Artifact = a
			}
		}
		if j.ErasedAt != nil || dep.Artifact != nil && dep.Artifact.ExpireAt != nil && tx.Now().After(*dep.Artifact.ExpireAt) {
			return nil, enum.MissingDependencyFailure, nil
		}
		out = append(out, dep)
	}
	return out, "", nil
}

func wantsArtifacts(f *jobFacts, other *models.Job) bool {
	d := f.definition
	if d.Dependencies != nil && !slices.Contains(*d.Dependencies, other.Name) {
		return false
	}
	if d.Needs == nil {
		return other.StageIndex < f.job.StageIndex
	}
	for _, n := range *d.Needs {
		if n.Job == other.Name {
			return n.Artifacts
		}
	}
	return false
}

// cacheFiles hashes the files that cache keys are made of; a file that is not there has no hash.
func (c *Coordinator) cacheFiles(ctx context.Context, f *jobFacts) map[string]string {
	out := map[string]string{}
	for _, cache := range f.definition.Cache {
		for _, name := range cache.Files {
			if cache.ByCommit {
				if sha, err := c.Repo(f.project).LastCommit(ctx, f.pipeline.SHA, name); err == nil {
					out[name] = sha
				}
				continue
			}
			data, err := c.Repo(f.project).File(ctx, f.pipeline.SHA, name, 32<<20)
			if err == nil {
				sum := sha256.Sum256(data)
				out[name] = hex.EncodeToString(sum[:])
			}
		}
	}
	return out
}
