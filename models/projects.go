package models

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"signalbox/models/enum"
)

// Namespace is a group, or the place of a user's own projects.
type Namespace struct {
	ID          int64
	Kind        string // group or user
	ParentID    *int64
	OwnerID     *int64 // of a user's namespace
	Path        string
	FullPath    string
	Name        string
	Description string
	Visibility  enum.Visibility
	// Traversal holds the ids from the root down to this one, as "/1/5/9/".
	Traversal             string
	RegistrationTokenHash string
	Deleting              bool // what is in it is being removed, and nothing new is put into it
	CreatedAt             time.Time
}

// Project is a repository and its CI.
type Project struct {
	ID                    int64
	NamespaceID           int64
	Path                  string
	FullPath              string
	Name                  string
	Description           string
	Visibility            enum.Visibility
	DefaultBranch         string
	Source                string // hosted or mirrored
	MirrorURL             string
	Storage               string // the repository's folder; it survives renames
	CIConfigPath          string `gorm:"column:ci_config_path"`
	BuildsEnabled         bool
	SharedRunnersEnabled  bool
	GroupRunnersEnabled   bool
	GitDepth              int
	BuildTimeout          int // seconds
	VariablesMinimumRole  enum.AccessLevel
	RegistrationTokenHash string
	CreatorID             *int64
	Archived              bool
	PendingDelete         bool
	Settings              ProjectSettings `gorm:"serializer:json"`
	LastActivityAt        *time.Time
	CreatedAt             time.Time
	UpdatedAt             time.Time
}

// ProjectSettings are what can be set of a project's CI besides what has columns of its own. The zero value
// is GitLab's default.
type ProjectSettings struct {
	Topics                []string `json:"topics,omitempty"`
	GitStrategyClone      bool     `json:"git_strategy_clone,omitempty"`
	KeepRedundant         bool     `json:"keep_redundant,omitempty"`    // auto_cancel_pending_pipelines is disabled
	MembersOnlyJobs       bool     `json:"members_only_jobs,omitempty"` // builds_access_level is private
	PrivateJobs           bool     `json:"private_jobs,omitempty"`      // public_jobs is off: pipelines are for members
	NoForwardDeployment   bool     `json:"no_forward_deployment,omitempty"`
	NoRollback            bool     `json:"no_rollback,omitempty"`
	SharedCaches          bool     `json:"shared_caches,omitempty"` // ci_separated_caches is off
	ForkPipelines         bool     `json:"fork_pipelines,omitempty"`
	OpenToJobTokens       bool     `json:"open_to_job_tokens,omitempty"` // the list of projects whose jobs may come is not asked
	JobTokenPush          bool     `json:"job_token_push,omitempty"`
	ForgetLatestArtifact  bool     `json:"forget_latest_artifact,omitempty"` // keep_latest_artifact is off
	MaxArtifactsSize      int      `json:"max_artifacts_size,omitempty"`     // MB; 0: the instance's
	DeletePipelinesAfter  int      `json:"delete_pipelines_after,omitempty"` // seconds; 0: never
	KeepCommandsDays      int      `json:"keep_commands_days,omitempty"`     // 0: for good
	SubClaimComponents    []string `json:"sub_claim_components,omitempty"`
	ResourceGroupMode     string   `json:"resource_group_mode,omitempty"`
	MergeIfPipelinePassed bool     `json:"merge_if_pipeline_passed,omitempty"`
	AllowMergeOnSkipped   bool     `json:"allow_merge_on_skipped,omitempty"`
	// Facts are attributes of GitLab's projects that are kept and given back, by their names there. Nothing here acts on
	// them, but for the access levels of features that are here (FeatureAccess).
	Facts map[string]any `json:"facts,omitempty"`
}

// FeatureAccess is who may use a feature of a project, such as "releases": disabled, private (its members alone) or enabled.
func (s ProjectSettings) FeatureAccess(feature string) string {
	if level, ok := s.Facts[feature+"_access_level"].(string); ok {
		return level
	}
	return "enabled"
}

// ConfigPath is where the project's configuration lies in its repository.
func (p *Project) ConfigPath() string {
	if p.CIConfigPath != "" {
		return p.CIConfigPath
	}
	return ".gitlab-ci.yml"
}

// ResourceGroupMode is the order of jobs in resource groups that the project gets from now on.
func (p *Project) ResourceGroupMode() enum.ProcessMode {
	if p.Settings.ResourceGroupMode != "" {
		return enum.ProcessMode(p.Settings.ResourceGroupMode)
	}
	return enum.Unordered
}

// ProtectedRef limits who may change the branches or tags that match its name (`*` is a wildcard).
type ProtectedRef struct {
	ID             int64
	ProjectID      int64
	Kind           string // branch or tag
	Name           string
	PushLevel      enum.AccessLevel // for tags: who may create
	MergeLevel     enum.AccessLevel
	AllowForcePush bool
	CreatedAt      time.Time
}

// CreateNamespace stores a namespace below parent, or at the top. A group that is being deleted takes none.
func (tx *Tx) CreateNamespace(n *Namespace, parent *Namespace) (err error) {
	n.FullPath, n.Traversal = n.Path, "/"
	if parent != nil {
		if parent, err = tx.takesMore(parent.ID); err != nil {
			return err
		}
		n.ParentID, n.FullPath, n.Traversal = &parent.ID, parent.FullPath+"/"+n.Path, parent.Traversal
	}
	n.CreatedAt = tx.now()
	if err := tx.db.Create(n).Error; err != nil {
		return translate(err)
	}
	n.Traversal += strconv.FormatInt(n.ID, 10) + "/"
	return tx.db.Model(n).Update("traversal", n.Traversal).Error
}

// Namespace finds a namespace by id.
func (tx *Tx) Namespace(id int64) (*Namespace, error) {
	return first[Namespace](tx.db.Where("id = ?", id))
}

// NamespaceByPath finds a namespace by its full path, whatever its case.
func (tx *Tx) NamespaceByPath(path string) (*Namespace, error) {
	return first[Namespace](tx.db.Where("lower(full_path) = ?", strings.ToLower(path)))
}

// NamespaceByRegistration finds the group that a registration token belongs to.
func (tx *Tx) NamespaceByRegistration(hash string) (*Namespace, error) {
	return first[Namespace](tx.db.Where("registration_token_hash = ? AND registration_token_hash <> ''", hash))
}

// Ancestry lists the ids from the root down to the namespace itself.
func (n *Namespace) Ancestry() []int64 {
	var ids []int64
	for _, s := range strings.Split(strings.Trim(n.Traversal, "/"), "/") {
		if id, err := strconv.ParseInt(s, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// namespacePath lists the ids from the root down to a namespace.
func (tx *Tx) namespacePath(id int64) ([]int64, error) {
	n, err := tx.Namespace(id)
	if err != nil {
		return nil, fmt.Errorf("namespace %d: %w", id, err)
	}
	return n.Ancestry(), nil
}

// NamespacePath lists the ids from the root down to the namespace of a project, for group variables.
func (tx *Tx) NamespacePath(p *Project) ([]int64, error) { return tx.namespacePath(p.NamespaceID) }

// CreateProject stores a project below its namespace and protects its default branch as GitLab does:
// Maintainers push and merge. A group that is being deleted takes none.
func (tx *Tx) CreateProject(p *Project, ns *Namespace) (err error) {
	if ns, err = tx.takesMore(ns.ID); err != nil {
		return err
	}
	p.NamespaceID, p.FullPath = ns.ID, ns.FullPath+"/"+p.Path
	now := tx.now()
	p.CreatedAt, p.UpdatedAt, p.LastActivityAt = now, now, &now
	if err := tx.db.Create(p).Error; err != nil {
		return translate(err)
	}
	return tx.CreateProtectedRef(&ProtectedRef{
		ProjectID: p.ID, Kind: "branch", Name: p.DefaultBranch,
		PushLevel: enum.Maintainer, MergeLevel: enum.Maintainer,
	})
}

// Project finds a project by id.
func (tx *Tx) Project(id int64) (*Project, error) { return first[Project](tx.db.Where("id = ?", id)) }

// ProjectByPath finds a project by its full path, whatever its case.
func (tx *Tx) ProjectByPath(path string) (*Project, error) {
	return first[Project](tx.db.Where("lower(full_path) = ?", strings.ToLower(path)))
}

// ProjectByRegistration finds the project that a registration token belongs to.
func (tx *Tx) ProjectByRegistration(hash string) (*Project, error) {
	return first[Project](tx.db.Where("registration_token_hash = ? AND registration_token_hash <> ''", hash))
}

// UpdateProject stores all fields of p, which LockProject gave in this transaction.
func (tx *Tx) UpdateProject(p LockedProject) error {
	p.UpdatedAt = tx.now()
	return tx.storeLocked(p.in, ProjectAuthority, p.ID, p.Project)
}

// ProjectsThatForget lists the projects that delete their pipelines after a time.
func (tx *Tx) ProjectsThatForget() ([]*Project, error) {
	var rows []*Project
	err := tx.db.Where("settings LIKE ? AND pending_delete = ?", `%"delete_pipelines_after":%`, false).Limit(10_000).Find(&rows).Error
	return rows, err
}

// VisibleTo names whose projects a list holds.
type VisibleTo struct {
	UserID int64 // 0: nobody is signed in
	All    bool  // an administrator
}

// ProjectFilter narrows a list of projects; what is empty does not.
type ProjectFilter struct {
	Search           string // in name and path
	SearchNamespaces bool   // in the whole path
	Membership       bool
	Owned            bool
	Archived         *bool
	Visibility       enum.Visibility
	MinLevel         enum.AccessLevel
	NamespaceIDs     []int64 // only directly in these
	Topics           []string
	IDAfter          int64
	IDBefore         int64
	Activity         TimeRange
	Updated          TimeRange
	OfUser           int64   // in this user's own namespace
	IDs              []int64 // only these
}

// ListProjects pages through the projects that somebody may see.
func (tx *Tx) ListProjects(v VisibleTo, f ProjectFilter, p Page) ([]*Project, int64, error) {
	q := &query{tx.db.Model(&Project{})}
	q.where("pending_delete = ?", false)
	if !v.All {
		seen, err := tx.memberOf(v.UserID, enum.Guest)
		if err != nil {
			return nil, 0, err
		}
		seen = seen.Or("visibility = ?", enum.Public)
		if v.UserID != 0 {
			seen = seen.Or("visibility = ?", enum.Internal)
		}
		q.db = q.db.Where(seen)
	}
	if f.Membership || f.Owned || f.MinLevel > 0 {
		least := max(f.MinLevel, enum.Guest)
		if f.Owned {
			least = enum.Owner
		}
		own, err := tx.memberOf(v.UserID, least)
		if err != nil {
			return nil, 0, err
		}
		q.db = q.db.Where(own)
	}
	f.where(tx, q)
	return list[Project](q.db, "id", p)
}

// memberOf is the condition for projects in which a user holds at least a role. The number of groups that
// somebody is in bounds its size.
func (tx *Tx) memberOf(userID int64, least enum.AccessLevel) (*gorm.DB, error) {
	own := tx.db.Where("1 = 0")
	if userID == 0 {
		return own, nil
	}
	var roots []string
	member := func(column string) *gorm.DB {
		return tx.db.Model(&Member{}).Select(column).Where("user_id = ? AND "+column+" IS NOT NULL AND access_level >= ?", userID, least).
			Where("expires_at IS NULL OR expires_at > ?", tx.now())
	}
	err := tx.db.Model(&Namespace{}).Where("owner_id = ? OR id IN (?)", userID, member("namespace_id")).Limit(1000).Pluck("traversal", &roots).Error
	if err != nil {
		return nil, err
	}
	own = own.Or("id IN (?)", member("project_id"))
	for _, root := range roots {
		own = own.Or("namespace_id IN (?)", tx.db.Model(&Namespace{}).Select("id").Where("traversal LIKE ?", root+"%"))
	}
	return own, nil
}

func (f ProjectFilter) where(tx *Tx, q *query) {
	if f.Search != "" && f.SearchNamespaces {
		q.contains(f.Search, "name", "full_path")
	} else if f.Search != "" {
		q.contains(f.Search, "name", "path")
	}
	if f.Archived != nil {
		q.where("archived = ?", *f.Archived)
	}
	if f.Visibility != "" {
		q.where("visibility = ?", f.Visibility)
	}
	if f.NamespaceIDs != nil {
		q.where("namespace_id IN ?", f.NamespaceIDs)
	}
	if f.OfUser != 0 {
		q.where("namespace_id IN (?)", tx.db.Model(&Namespace{}).Select("id").Where("owner_id = ?", f.OfUser))
	}
	if f.IDs != nil {
		q.where("id IN ?", f.IDs)
	}
	if f.IDAfter != 0 {
		q.where("id > ?", f.IDAfter)
	}
	if f.IDBefore != 0 {
		q.where("id < ?", f.IDBefore)
	}
	for _, topic := range f.Topics {
		quoted, _ := json.Marshal(topic) // a string always can be
		q.where("settings LIKE ? ESCAPE '!'", `%"topics":[%`+escapeLike(string(quoted))+"%")
	}
	f.Activity.where(q, "last_activity_at")
	f.Updated.where(q, "updated_at")
}

// DeleteProject removes a project with all that belongs to it, runners that work for it alone among that, as GitLab does. It is asked for once its pipelines are gone.
func (tx *Tx) DeleteProject(id int64) error {
	tx.changesAuthority(ProjectAuthority, id)
	if err := tx.db.Where("scope = ? AND scope_id = ?", "project", id).Delete(&Variable{}).Error; err != nil {
		return err
	}
	if err := tx.freeRunners(id); err != nil {
		return err
	}
	return tx.db.Where("id = ?", id).Delete(&Project{}).Error
}

// NoteActivity stores that something was pushed to a project.
func (tx *Tx) NoteActivity(id int64) error {
	return tx.db.Model(&Project{}).Where("id = ?", id).Update("last_activity_at", tx.now()).Error
}

// CreateProtectedRef stores a rule for branches or tags.
func (tx *Tx) CreateProtectedRef(r *ProtectedRef) error {
	r.CreatedAt = tx.now()
	return translate(tx.db.Create(r).Error)
}

// ProtectedRefs lists a project's rules of both kinds.
func (tx *Tx) ProtectedRefs(projectID int64) ([]*ProtectedRef, error) {
	var rows []*ProtectedRef
	err := tx.db.Where("project_id = ?", projectID).Order("id").Limit(1000).Find(&rows).Error
	return rows, err
}

// ProtectedRef finds a rule by its name.
func (tx *Tx) ProtectedRef(projectID int64, kind, name string) (*ProtectedRef, error) {
	return first[ProtectedRef](tx.db.Where("project_id = ? AND kind = ? AND name = ?", projectID, kind, name))
}

// UpdateProtectedRef stores all fields of r, which LockProtectedRef gave in this transaction.
func (tx *Tx) UpdateProtectedRef(r LockedProtectedRef) error {
	return tx.store(r.in, r.ProtectedRef, "protected ref", r.ID)
}

// ListProtectedRefs pages through a project's rules of one kind.
func (tx *Tx) ListProtectedRefs(projectID int64, kind, search string, p Page) ([]*ProtectedRef, int64, error) {
	q := &query{tx.db.Model(&ProtectedRef{})}
	q.where("project_id = ? AND kind = ?", projectID, kind)
	if search != "" {
		q.contains(search, "name")
	}
	return list[ProtectedRef](q.db, "id", p)
}

// DeleteProtectedRef removes a rule.
func (tx *Tx) DeleteProtectedRef(projectID int64, kind, name string) error {
	res := tx.db.Where("project_id = ? AND kind = ? AND name = ?", projectID, kind, name).Delete(&ProtectedRef{})
	if res.Error == nil && res.RowsAffected == 0 {
		return ErrNotFound
	}
	return res.Error
}
