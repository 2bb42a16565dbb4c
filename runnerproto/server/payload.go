package server

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"

	"signalbox/ci"
	"signalbox/ci/config"
	"signalbox/internal/secret"
	"signalbox/models/enum"
	"signalbox/runnerproto"
)

// payload renders an offer as the runner reads it. Lists are never null where an old runner walks them.
func payload(o *ci.Offer) runnerproto.Job {
	j := runnerproto.Job{
		ID: o.Job.ID, Token: o.Token, AllowGitFetch: !o.Project.Settings.GitStrategyClone,
		JobInfo: runnerproto.JobInfo{
			ID: o.Job.ID, Name: o.Job.Name, Stage: o.Job.Stage, PipelineID: o.Pipeline.ID, ProjectID: o.Project.ID,
			ProjectName: o.Project.Name, ProjectFullPath: o.Project.FullPath, NamespaceID: o.Project.NamespaceID, UserID: o.UserID,
			TimeInQueue: o.QueuedFor.Seconds(), RunningOnShared: o.Place.Running,
			RootNamespaceID: o.Place.RootID, OrganizationID: 1, InstanceID: o.Identity.InstanceID, InstanceUUID: o.Identity.InstanceUUID,
			QueueSize: o.Place.Size, QueueDepth: o.Place.Depth,
		},
		GitInfo: gitInfo(o), RunnerInfo: runnerproto.RunnerInfo{UUID: o.Identity.RunnerUUID, Timeout: o.Timeout},
		Variables: []runnerproto.Variable{}, Hooks: []runnerproto.Hook{}, Services: []runnerproto.Image{},
		Artifacts: artifacts(o.Definition.Artifacts), Cache: []runnerproto.Cache{}, Credentials: []runnerproto.Credential{},
		Dependencies: []runnerproto.Dependency{},
		Features: runnerproto.JobFeatures{
			TraceSections: true, TokenMaskPrefixes: []string{secret.PersonalToken, secret.RunnerToken, secret.RegisteredRunner, secret.TriggerToken},
		},
	}
	for _, r := range enum.FailureReasons {
		j.Features.FailureReasons = append(j.Features.FailureReasons, string(r))
	}
	for _, v := range o.Variables {
		j.Variables = append(j.Variables, runnerproto.Variable(v))
	}
	for _, in := range o.Inputs {
		j.Inputs = append(j.Inputs, runnerproto.JobInput{Key: in.Name, Value: runnerproto.JobInputValue{Type: in.Kind, Content: in.Value}})
	}
	j.Steps = steps(o)
	if len(o.Definition.Hooks) > 0 {
		j.Hooks = append(j.Hooks, runnerproto.Hook{Name: "pre_get_sources_script", Script: o.Definition.Hooks})
	}
	if o.Definition.Image != nil {
		i := image(*o.Definition.Image)
		j.Image = &i
	}
	for _, s := range o.Definition.Services {
		j.Services = append(j.Services, image(s))
	}
	for _, c := range o.Definition.Cache {
		j.Cache = append(j.Cache, cache(c, o))
	}
	for _, d := range o.Dependencies {
		dep := runnerproto.Dependency{ID: d.ID, Name: d.Name, Token: o.Token}
		if d.Artifact != nil {
			dep.ArtifactsFile = &runnerproto.ArtifactsFile{Filename: d.Artifact.Filename, Size: d.Artifact.Size}
		}
		j.Dependencies = append(j.Dependencies, dep)
	}
	return j
}

// gitInfo asks for the commit itself beside the branch or tag: a branch may have moved on meanwhile.
func gitInfo(o *ci.Offer) runnerproto.GitInfo {
	p := o.Pipeline
	g := runnerproto.GitInfo{
		RepoURL: o.RepoURL, Ref: p.Ref, RefType: "branch", SHA: p.SHA, BeforeSHA: p.BeforeSHA, Depth: o.Depth,
		RepoObjectFormat: "sha1", Protected: p.Protected,
		Refspecs: []string{fmt.Sprintf("+%s:refs/pipelines/%d", p.SHA, p.ID)},
	}
	if len(p.SHA) == 64 {
		g.RepoObjectFormat = "sha256"
	}
	if p.Tag {
		g.RefType = "tag"
	}
	switch {
	case o.Depth == 0:
		g.Refspecs = append(g.Refspecs, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
	case p.Tag:
		g.Refspecs = append(g.Refspecs, fmt.Sprintf("+refs/tags/%s:refs/tags/%s", p.Ref, p.Ref))
	case p.FullRef() == p.Ref: // of a merge request: the commit is all there is to fetch
	default:
		g.Refspecs = append(g.Refspecs, fmt.Sprintf("+refs/heads/%s:refs/remotes/origin/%s", p.Ref, p.Ref))
	}
	return g
}

// afterScriptTimeout is what GitLab gives after_script, in seconds.
const afterScriptTimeout = 300

func steps(o *ci.Offer) []runnerproto.Step {
	d := o.Definition
	out := []runnerproto.Step{{
		Name: "script", Script: append(append([]string{}, d.BeforeScript...), d.Script...), Timeout: o.Timeout, When: "on_success",
	}}
	if len(d.AfterScript) > 0 {
		out = append(out, runnerproto.Step{
			Name: "after_script", Script: d.AfterScript, Timeout: afterScriptTimeout, When: "always", AllowFailure: true,
		})
	}
	return out
}

func image(i config.Image) runnerproto.Image {
	out := runnerproto.Image{Name: i.Name, Alias: i.Alias, Command: i.Command, Entrypoint: i.Entrypoint, PullPolicy: i.PullPolicy, ExecutorOpts: i.Executor}
	for _, v := range i.Variables {
		out.Variables = append(out.Variables, runnerproto.Variable{Key: v.Key, Value: v.Value, Public: true, Raw: v.Raw})
	}
	return out
}

// cache names the cache; one made of files is named by their contents. All its keys end alike, so that what a fallback
// names is looked for where jobs leave it; one with unprotect is that of other refs.
func cache(c config.Cache, o *ci.Offer) runnerproto.Cache {
	suffix := o.CacheSuffix
	if suffix != "" && c.Unprotect {
		suffix = ci.UnprotectedCache
	}
	if suffix != "" {
		suffix = "-" + suffix
	}
	out := runnerproto.Cache{
		Key: cacheKey(c, o) + suffix, Untracked: c.Untracked, Paths: notNil(c.Paths), Policy: o.Variables.Expand(c.Policy, false), When: c.When,
		FallbackKeys: []string{},
	}
	for _, k := range c.FallbackKeys {
		out.FallbackKeys = append(out.FallbackKeys, k+suffix)
	}
	return out
}

func cacheKey(c config.Cache, o *ci.Offer) string {
	if len(c.Files) == 0 {
		return c.Key
	}
	sum := sha256.New()
	found := false
	for _, f := range c.Files {
		if h := o.CacheFiles[f]; h != "" {
			found = true
			fmt.Fprintln(sum, f, h)
		}
	}
	key := "default"
	if found {
		key = hex.EncodeToString(sum.Sum(nil))[:40]
	}
	if c.Prefix != "" {
		key = c.Prefix + "-" + key
	}
	return key
}

// reportNames are the file names under which runners upload reports.
var reportNames = map[string]string{
	"junit": "junit.xml", "dotenv": ".env", "cobertura": "cobertura-coverage.xml", "jacoco": "jacoco-coverage.xml",
	"metrics": "metrics.txt", "lsif": "lsif.json", "cyclonedx": "gl-sbom.cdx.json", "terraform": "tfplan.json",
}

// gzipReports are uploaded as one gzip stream, lsif as a zip, all others raw.
var gzipReports = map[string]bool{
	"junit": true, "dotenv": true, "cobertura": true, "jacoco": true, "metrics": true, "cyclonedx": true, "annotations": true,
	"repository_xray": true,
}

func artifacts(a *config.Artifacts) []runnerproto.Artifact {
	out := []runnerproto.Artifact{}
	if a == nil {
		return out
	}
	if len(a.Paths) > 0 || a.Untracked {
		out = append(out, runnerproto.Artifact{
			Name: a.Name, Untracked: a.Untracked, Paths: notNil(a.Paths), Exclude: a.Exclude, When: a.When, ExpireIn: a.ExpireIn,
			Type: "archive", Format: "zip",
		})
	}
	kinds := make([]string, 0, len(a.Reports))
	for k := range a.Reports {
		kinds = append(kinds, k)
	}
	sort.Strings(kinds)
	for _, k := range kinds {
		name, format := reportNames[k], "raw"
		if name == "" {
			name = "gl-" + k + "-report.json"
		}
		switch {
		case gzipReports[k]:
			format = "gzip"
		case k == "lsif":
			format = "zip"
		}
		out = append(out, runnerproto.Artifact{Name: name, Paths: a.Reports[k], When: "always", ExpireIn: a.ExpireIn, Type: k, Format: format})
	}
	return out
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
