package ci

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"

	"signalbox/ci/access"
	"signalbox/ci/config"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// dependencies lists the earlier jobs whose artifacts a job fetches (facts: pipeline-semantics 6.1). A
// missing one that was erased or has expired is a reason to fail.
func (c *Coordinator) dependencies(tx *models.Tx, f *jobFacts) ([]Dependency, enum.FailureReason, error) {
	own, reason, err := c.ownDependencies(tx, f)
	if err != nil || reason != "" {
		return nil, reason, err
	}
	cross, reason, err := c.crossDependencies(tx, f)
	return append(own, cross...), reason, err
}

// ownDependencies are those of the job's own pipeline.
func (c *Coordinator) ownDependencies(tx *models.Tx, f *jobFacts) ([]Dependency, enum.FailureReason, error) {
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
	earlier := f.job.StageIndex
	if d.Needs != nil {
		earlier = -1 // the named ones alone
	}
	jobs, err := tx.EarlierJobs(f.pipeline.ID, earlier, named)
	if err != nil {
		return nil, "", err
	}
	var wanted []*models.Job
	for _, j := range jobs {
		if !j.Bridge && wantsArtifacts(f, j) {
			wanted = append(wanted, j)
		}
	}
	return archivesOf(tx, wanted)
}

// archivesOf finds what jobs left. One that was erased, or whose archive has expired, is a reason to fail.
func archivesOf(tx *models.Tx, wanted []*models.Job) ([]Dependency, enum.FailureReason, error) {
	if len(wanted) == 0 {
		return nil, "", nil
	}
	ids := make([]int64, len(wanted))
	for i, j := range wanted {
		ids[i] = j.ID
	}
	artifacts, err := tx.Artifacts(ids...)
	if err != nil {
		return nil, "", err
	}
	handsOn := map[int64]bool{} // variables, which do not expire
	rows, err := tx.Dotenvs(ids...)
	for _, r := range rows {
		handsOn[r.JobID] = true
	}
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
		if j.ErasedAt != nil || dep.Artifact != nil && dep.Artifact.Gone(tx.Now()) || dep.Artifact == nil && j.Leaves && !handsOn[j.ID] {
			return nil, enum.MissingDependencyFailure, nil
		}
		out = append(out, dep)
	}
	return out, "", nil
}

// crossDependencies are those of other pipelines: of the same family of parents and children, or the latest successful
// one of another project, whose artifacts the job's user may read. One that is not there is a reason to fail.
func (c *Coordinator) crossDependencies(tx *models.Tx, f *jobFacts) ([]Dependency, enum.FailureReason, error) {
	if len(f.definition.CrossNeeds) == 0 {
		return nil, "", nil
	}
	vars := f.bridgeVariables(c.server())
	var wanted []*models.Job
	for _, n := range f.definition.CrossNeeds {
		if !n.Artifacts {
			continue
		}
		find := c.ofFamily
		if n.Project != "" {
			find = c.ofProject
		}
		j, err := find(tx, f, n, vars)
		if errors.Is(err, models.ErrNotFound) {
			return nil, enum.MissingDependencyFailure, nil
		}
		if err != nil {
			return nil, "", err
		}
		wanted = append(wanted, j)
	}
	return archivesOf(tx, wanted)
}

// ofFamily finds a job of a pipeline that is related to the job's own.
func (c *Coordinator) ofFamily(tx *models.Tx, f *jobFacts, n config.CrossNeed, vars variable.Collection) (*models.Job, error) {
	id, err := strconv.ParseInt(vars.Expand(n.Pipeline, false), 10, 64)
	if err != nil {
		return nil, models.ErrNotFound
	}
	p, err := tx.Pipeline(id)
	if err != nil {
		return nil, err
	}
	if p.ProjectID != f.pipeline.ProjectID || p.Root() != f.pipeline.Root() {
		return nil, models.ErrNotFound
	}
	return successful(tx, p, vars.Expand(n.Job, false))
}

// ofProject finds a job of the latest successful pipeline of a ref in a project whose artifacts the job may fetch.
func (c *Coordinator) ofProject(tx *models.Tx, f *jobFacts, n config.CrossNeed, vars variable.Collection) (*models.Job, error) {
	project, err := tx.ProjectByPath(vars.Expand(n.Project, false))
	if err != nil {
		return nil, err
	}
	if project.ID != f.project.ID {
		if err := jobMayFetch(tx, f.user, f.job, project.ID); fault.KindOf(err) == fault.Forbidden {
			return nil, models.ErrNotFound
		} else if err != nil {
			return nil, err
		}
	}
	p, err := tx.LatestPipeline(project.ID, vars.Expand(n.Ref, false), "", enum.Success)
	if err != nil {
		return nil, err
	}
	j, err := successful(tx, p, vars.Expand(n.Job, false))
	if err != nil || project.ID == f.project.ID {
		return j, err
	}
	left, err := tx.Artifacts(j.ID)
	for _, a := range left {
		if a.Access != access.ArtifactsForAll { // only what everybody may read leaves its project
			return nil, models.ErrNotFound
		}
	}
	return j, err
}

func successful(tx *models.Tx, p *models.Pipeline, name string) (*models.Job, error) {
	j, err := tx.JobByName(p.ID, name)
	if err == nil && (j.Status != enum.Success || j.Bridge) {
		err = models.ErrNotFound
	}
	return j, err
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
