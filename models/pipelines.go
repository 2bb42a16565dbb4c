package models

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm/clause"

	"signalbox/models/enum"
)

// Pipeline is one run of a configuration on a commit.
type Pipeline struct {
	ID            int64
	IID           int64 `gorm:"column:iid"`
	ProjectID     int64
	UserID        int64
	Source        enum.Source
	Ref           string
	Tag           bool
	SHA           string `gorm:"column:sha"`
	BeforeSHA     string `gorm:"column:before_sha"`
	Protected     bool
	Status        enum.Status
	FailureReason string
	YAMLErrors    string `gorm:"column:yaml_errors"`
	Name          string
	OnJobFailure  string // workflow:auto_cancel:on_job_failure: all, or none if empty
	OnNewCommit   string // workflow:auto_cancel:on_new_commit; empty is conservative
	// AutoCanceledByID is the newer pipeline that took this one's place.
	AutoCanceledByID *int64
	// SourceJobID is the job that started it: a bridge, or one that used its token. UpstreamID is that job's pipeline, and
	// RootID the first pipeline of all.
	SourceJobID *int64
	UpstreamID  *int64
	RootID      *int64
	// ReopenedByID is the person who made it go on after it had ended or stood; empty if nobody did.
	ReopenedByID      *int64
	NeedsKnown        bool   // who waits for whom is stored; not so for pipelines of older versions
	Locked            bool   // its artifacts are kept
	ScheduleID        *int64 // the schedule that made it
	TriggerShortToken string // the beginning of the trigger token that made it
	// CreationKey makes creation happen once, however often its task runs.
	CreationKey *string
	// MergeRequestID is the merge request that it is about; its ref is that request's, not a branch.
	MergeRequestID *int64
	CommitTitle    string
	CreatedAt      time.Time
	UpdatedAt      time.Time
	StartedAt      *time.Time
	FinishedAt     *time.Time
	Duration       *int64 // seconds
}

// FullRef is the full name of the ref that it runs on.
func (p *Pipeline) FullRef() string {
	switch {
	case p.MergeRequestID != nil || p.Source == enum.SourceMergeRequest:
		return p.Ref
	case p.Tag:
		return "refs/tags/" + p.Ref
	}
	return "refs/heads/" + p.Ref
}

// RefName is the ref as people call it: `!7` is the merge request 7.
func (p *Pipeline) RefName() string {
	iid, ok := strings.CutPrefix(p.Ref, "refs/merge-requests/")
	if iid, head := strings.CutSuffix(iid, "/head"); ok && head {
		return "!" + iid
	}
	return p.Ref
}

// NextIID counts a project's pipelines. Concurrent callers wait for one another.
func (tx *Tx) NextIID(projectID int64, kind string) (int64, error) {
	var value int64
	err := tx.db.Raw(`INSERT INTO iids (project_id, kind, value) VALUES (?, ?, 1)
		ON CONFLICT (project_id, kind) DO UPDATE SET value = iids.value + 1 RETURNING value`,
		projectID, kind).Scan(&value).Error
	return value, err
}

// CreatePipeline stores a pipeline and its variables.
func (tx *Tx) CreatePipeline(p *Pipeline, variables []*PipelineVariable) error {
	p.CreatedAt, p.UpdatedAt = tx.now(), tx.now()
	if err := tx.db.Create(p).Error; err != nil {
		return translate(err)
	}
	for _, v := range variables {
		v.PipelineID = p.ID
	}
	if len(variables) == 0 {
		return nil
	}
	return translate(tx.db.Create(variables).Error)
}

// Pipeline finds a pipeline by id.
func (tx *Tx) Pipeline(id int64) (*Pipeline, error) {
	return first[Pipeline](tx.db.Where("id = ?", id))
}

// PipelineByCreationKey finds the pipeline that a task made on an earlier try.
func (tx *Tx) PipelineByCreationKey(key string) (*Pipeline, error) {
	return first[Pipeline](tx.db.Where("creation_key = ?", key))
}

// LockPipeline finds a pipeline and keeps every other writer of its jobs out until the transaction ends.
// Whoever changes a job's state calls it first; several pipelines are locked in the order of their ids.
func (tx *Tx) LockPipeline(id int64) (*Pipeline, error) {
	q := tx.db.Where("id = ?", id)
	if tx.postgres {
		q = q.Clauses(clause.Locking{Strength: "UPDATE"})
	}
	return first[Pipeline](q)
}

// UpdatePipelineStatus stores status, times and duration of a pipeline.
func (tx *Tx) UpdatePipelineStatus(p *Pipeline) error {
	p.UpdatedAt = tx.now()
	return tx.db.Model(p).Select("status", "started_at", "finished_at", "duration", "reopened_by_id", "updated_at").Updates(p).Error
}

// NoteAutoCanceled stores which pipeline took another one's place.
func (tx *Tx) NoteAutoCanceled(p *Pipeline) error {
	return tx.db.Model(p).Select("auto_canceled_by_id").Updates(p).Error
}

// AlivePipelines lists the pipelines of a ref that are older than p and have not ended, oldest first: the newest of them
// since a time. An index of what is alive bounds the cost.
func (tx *Tx) AlivePipelines(p *Pipeline, since time.Time, limit int) ([]*Pipeline, error) {
	var rows []*Pipeline
	err := tx.db.Where(`project_id = ? AND ref = ? AND tag = ? AND id < ? AND created_at > ? AND status IN ('created',
		'waiting_for_resource', 'preparing', 'waiting_for_callback', 'pending', 'running', 'manual', 'scheduled')`,
		p.ProjectID, p.Ref, p.Tag, p.ID, since).Order("id DESC").Limit(limit).Find(&rows).Error
	slices.Reverse(rows)
	return rows, err
}

// Root is the first pipeline of those that started one another.
func (p *Pipeline) Root() int64 {
	if p.RootID != nil {
		return *p.RootID
	}
	return p.ID
}

// FamilySize counts the pipelines that a root started, directly or through others, and the root.
func (tx *Tx) FamilySize(root int64) (int64, error) {
	var n int64
	err := tx.db.Model(&Pipeline{}).Where("root_id = ?", root).Count(&n).Error
	return n + 1, err
}

// DownstreamOf finds the pipeline that a bridge started.
func (tx *Tx) DownstreamOf(bridgeID int64) (*Pipeline, error) {
	return first[Pipeline](tx.db.Where("source_job_id = ?", bridgeID).Order("id DESC"))
}

// DownstreamsOf finds the pipelines that bridges started, by bridge.
func (tx *Tx) DownstreamsOf(bridgeIDs []int64) (map[int64]*Pipeline, error) {
	out := map[int64]*Pipeline{}
	if len(bridgeIDs) == 0 {
		return out, nil
	}
	var rows []*Pipeline
	err := tx.db.Where("source_job_id IN ?", bridgeIDs).Order("id").Find(&rows).Error
	for _, p := range rows {
		out[*p.SourceJobID] = p
	}
	return out, err
}

// Mirrored says whether a bridge of another pipeline shows how one is.
func (tx *Tx) Mirrored(id int64) (bool, error) {
	ids, err := tx.mirrors(id, 1)
	return len(ids) > 0, err
}

// Mirror stores which pipeline a bridge shows.
func (tx *Tx) Mirror(jobID, pipelineID int64) error {
	return tx.db.Model(&Job{}).Where("id = ?", jobID).Update("mirrors_id", pipelineID).Error
}

// MirrorsOf lists the bridges that show how a pipeline is, latest attempts alone.
func (tx *Tx) MirrorsOf(id int64) ([]int64, error) { return tx.mirrors(id, -1) }

func (tx *Tx) mirrors(id int64, limit int) (ids []int64, err error) {
	err = tx.db.Model(&Job{}).Where("mirrors_id = ? AND retried = ?", id, false).Order("id").Limit(limit).Pluck("id", &ids).Error
	return ids, err
}

// ChildPipelines lists the child pipelines of a pipeline.
func (tx *Tx) ChildPipelines(id int64) ([]*Pipeline, error) {
	var rows []*Pipeline
	err := tx.db.Where("upstream_id = ? AND source = ?", id, enum.SourceParentPipeline).Order("id").Find(&rows).Error
	return rows, err
}

// SelfAndDownstreams lists a pipeline with those that it started, directly or through others, also in other projects: one
// short look at an index for each level, and no more than a number of pipelines.
func (tx *Tx) SelfAndDownstreams(id int64, most int) ([]int64, error) {
	all, level := []int64{id}, []int64{id}
	for len(level) > 0 && len(all) < most {
		var next []int64
		if err := tx.db.Model(&Pipeline{}).Where("upstream_id IN ?", level).Order("id").Limit(most-len(all)).Pluck("id", &next).Error; err != nil {
			return nil, err
		}
		all, level = append(all, next...), next
	}
	return all, nil
}

// RecentPipelines counts the pipelines of a user since a time, and those among them of one commit of a project. It walks
// back along what the user made, which the limit that it is for bounds.
func (tx *Tx) RecentPipelines(userID, projectID int64, sha string, since time.Time) (byUser, byCommit int64, err error) {
	var rows []struct {
		ProjectID int64
		SHA       string `gorm:"column:sha"`
		CreatedAt time.Time
	}
	err = tx.db.Model(&Pipeline{}).Select("project_id, sha, created_at").Where("user_id = ? AND source <> ?", userID, enum.SourceParentPipeline).
		Order("id DESC").Limit(10_000).Find(&rows, "created_at > ?", since).Error
	for _, r := range rows {
		byUser++
		if r.ProjectID == projectID && r.SHA == sha {
			byCommit++
		}
	}
	return byUser, byCommit, err
}

// RecentBridges counts the bridges of one commit of a project that started pipelines as the user of a bridge since a time, and
// those that came before it and are about to. Only pipelines that are alive, or were at that time, can have any.
func (tx *Tx) RecentBridges(j *Job, sha string, since time.Time) (int64, error) {
	var n int64
	of := tx.db.Model(&Pipeline{}).Select("id").Where(`project_id = ? AND sha = ? AND (updated_at > ? OR status IN ('created',
		'waiting_for_resource', 'preparing', 'waiting_for_callback', 'pending', 'running', 'manual', 'scheduled'))`, j.ProjectID, sha, since)
	err := tx.db.Model(&Job{}).Where("pipeline_id IN (?) AND bridge AND mirrors_id IS NULL AND user_id = ? AND id <> ?", of, j.UserID, j.ID).
		Where("started_at > ? OR started_at IS NULL AND status = 'pending' AND id < ?", since, j.ID).Count(&n).Error
	return n, err
}

// ActiveJobsOf counts the jobs of a project's pipelines that have not ended, since a time.
func (tx *Tx) ActiveJobsOf(projectID int64, since time.Time) (int64, error) {
	var n int64
	alive := tx.db.Model(&Pipeline{}).Select("id").Where(`project_id = ? AND created_at > ? AND status IN ('created', 'waiting_for_resource',
		'preparing', 'waiting_for_callback', 'pending', 'running', 'manual', 'scheduled')`, projectID, since)
	err := tx.db.Model(&Job{}).Where("pipeline_id IN (?) AND retried = ?", alive, false).Count(&n).Error
	return n, err
}

// OldPipelines lists a project's pipelines from before a time that have ended or stand, oldest first.
func (tx *Tx) OldPipelines(projectID int64, before time.Time, limit int) ([]*Pipeline, error) {
	var rows []*Pipeline
	err := tx.db.Where("project_id = ? AND created_at < ? AND source <> ? AND status IN ?", projectID, before, enum.SourceParentPipeline,
		[]enum.Status{enum.Success, enum.Failed, enum.Canceled, enum.Skipped, enum.Manual}).Order("created_at").Limit(limit).Find(&rows).Error
	return rows, err
}

// PipelineFilter narrows a list of pipelines; what is empty does not.
type PipelineFilter struct {
	Ref        string
	SHA        string
	Name       string
	Statuses   []enum.Status
	Source     enum.Source
	UserID     int64
	YAMLErrors *bool
	Created    TimeRange
	Updated    TimeRange
	// LatestOf keeps the newest pipeline of each of these refs; Tags says whether they are tags.
	LatestOf []string
	Tags     bool
	// Children includes child pipelines, which lists leave out unless their source is asked for.
	Children bool
}

// ListPipelines pages through a project's pipelines.
func (tx *Tx) ListPipelines(projectID int64, f PipelineFilter, p Page) ([]*Pipeline, int64, error) {
	q := &query{tx.db.Model(&Pipeline{})}
	q.where("project_id = ?", projectID)
	if f.Ref != "" {
		q.where("ref = ?", f.Ref)
	}
	if f.SHA != "" {
		q.where("sha = ?", f.SHA)
	}
	if f.Name != "" {
		q.where("name = ?", f.Name)
	}
	if len(f.Statuses) > 0 {
		q.where("status IN ?", f.Statuses)
	}
	if f.Source != "" {
		q.where("source = ?", f.Source)
	} else if !f.Children {
		q.where("source <> ?", enum.SourceParentPipeline)
	}
	if f.UserID != 0 {
		q.where("user_id = ?", f.UserID)
	}
	if f.YAMLErrors != nil && *f.YAMLErrors {
		q.where("yaml_errors <> ''")
	} else if f.YAMLErrors != nil {
		q.where("yaml_errors = ''")
	}
	f.Created.where(q, "created_at")
	f.Updated.where(q, "updated_at")
	if f.LatestOf != nil {
		q.where("id IN (?)", tx.db.Model(&Pipeline{}).Select("MAX(id)").
			Where("project_id = ? AND tag = ? AND ref IN ?", projectID, f.Tags, f.LatestOf).Group("ref"))
	}
	return list[Pipeline](q.db, "id", p)
}

// Pipelines finds pipelines by id, for lists; a missing one is left out.
func (tx *Tx) Pipelines(ids []int64) (map[int64]*Pipeline, error) {
	out := map[int64]*Pipeline{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []*Pipeline
	err := tx.db.Where("id IN ?", ids).Find(&rows).Error
	for _, p := range rows {
		out[p.ID] = p
	}
	return out, err
}

// LatestPipeline finds the newest pipeline of a commit on a ref; status narrows it if not empty, and an
// empty sha takes any commit.
func (tx *Tx) LatestPipeline(projectID int64, ref, sha string, status enum.Status) (*Pipeline, error) {
	q := &query{tx.db.Where("project_id = ? AND ref = ? AND source <> ?", projectID, ref, enum.SourceParentPipeline)}
	if sha != "" {
		q.where("sha = ?", sha)
	}
	if status != "" {
		q.where("status = ?", status)
	}
	return first[Pipeline](q.db.Order("id DESC"))
}

// PipelineOfCommit finds the newest pipeline of a commit; an empty ref takes any.
func (tx *Tx) PipelineOfCommit(projectID int64, sha, ref string) (*Pipeline, error) {
	q := tx.db.Where("project_id = ? AND sha = ? AND source <> ?", projectID, sha, enum.SourceParentPipeline)
	if ref != "" {
		q = q.Where("ref = ?", ref)
	}
	return first[Pipeline](q.Order("id DESC"))
}

// LatestPipelinesOf finds the newest pipeline of each commit.
func (tx *Tx) LatestPipelinesOf(projectID int64, shas []string) (map[string]*Pipeline, error) {
	out := map[string]*Pipeline{}
	var rows []*Pipeline
	err := tx.db.Where("id IN (?)", tx.db.Model(&Pipeline{}).Select("MAX(id)").
		Where("project_id = ? AND sha IN ? AND source <> ?", projectID, shas, enum.SourceParentPipeline).Group("sha")).Find(&rows).Error
	for _, p := range rows {
		out[p.SHA] = p
	}
	return out, err
}

// LatestPipelineOf finds the newest pipelines of several projects on their default branches, for a list of
// projects.
func (tx *Tx) LatestPipelineOf(projects []*Project) (map[int64]*Pipeline, error) {
	out := map[int64]*Pipeline{}
	if len(projects) == 0 {
		return out, nil
	}
	// One short walk down an index for each project.
	parts := make([]string, len(projects))
	var args []any
	for i, p := range projects {
		parts[i] = "SELECT * FROM (SELECT * FROM pipelines WHERE project_id = ? AND source <> 'parent_pipeline' ORDER BY id DESC LIMIT 1) AS p" + strconv.Itoa(i)
		args = append(args, p.ID)
	}
	var rows []*Pipeline
	err := tx.db.Raw(strings.Join(parts, " UNION ALL "), args...).Scan(&rows).Error
	for _, p := range rows {
		out[p.ProjectID] = p
	}
	return out, err
}

// RenamePipeline stores a pipeline's name.
func (tx *Tx) RenamePipeline(p *Pipeline) error {
	p.UpdatedAt = tx.now()
	return tx.db.Model(p).Select("name", "updated_at").Updates(p).Error
}

// DeletePipeline removes a pipeline and its jobs. The caller removes what lies in the blob store.
func (tx *Tx) DeletePipeline(id int64) error {
	return tx.db.Where("id = ?", id).Delete(&Pipeline{}).Error
}

// StatusCounts counts the latest attempts of each pipeline's jobs by stage and status, for pages of pipelines.
func (tx *Tx) StatusCounts(pipelineIDs []int64) ([]StatusCount, error) {
	var rows []StatusCount
	if len(pipelineIDs) == 0 {
		return nil, nil
	}
	err := tx.db.Model(&Job{}).Select("pipeline_id, stage, stage_index, status, allow_failure, COUNT(*) AS count").
		Where("pipeline_id IN ? AND retried = ?", pipelineIDs, false).
		Group("pipeline_id, stage, stage_index, status, allow_failure").
		Order("pipeline_id, stage_index, status, allow_failure"). // whole, so that the same counts are the same list
		Scan(&rows).Error
	return rows, err
}

// StatusCount is how many jobs of a stage are in a status.
type StatusCount struct {
	PipelineID   int64
	Stage        string
	StageIndex   int
	Status       enum.Status
	AllowFailure bool
	Count        int
}

// KeptCommits are the commits of a project that stay in its repository although no branch or tag may reach them: those of
// pipelines, deployments and merge requests. all is false if there are more than limit of one of them.
func (tx *Tx) KeptCommits(projectID int64, limit int) (shas []string, all bool, err error) {
	all = true
	for _, query := range []string{
		"SELECT DISTINCT sha FROM pipelines WHERE project_id = ? LIMIT ?",
		"SELECT DISTINCT sha FROM deployments WHERE project_id = ? LIMIT ?",
		"SELECT DISTINCT d.head_sha FROM merge_request_diffs d JOIN merge_requests m ON m.id = d.merge_request_id WHERE m.project_id = ? LIMIT ?",
		"SELECT DISTINCT d.base_sha FROM merge_request_diffs d JOIN merge_requests m ON m.id = d.merge_request_id WHERE m.project_id = ? LIMIT ?",
		"SELECT DISTINCT d.start_sha FROM merge_request_diffs d JOIN merge_requests m ON m.id = d.merge_request_id WHERE m.project_id = ? LIMIT ?",
	} {
		var some []string
		if err := tx.db.Raw(query, projectID, limit+1).Scan(&some).Error; err != nil {
			return nil, false, err
		}
		all = all && len(some) <= limit
		shas = append(shas, some...)
	}
	return shas, all, nil
}
