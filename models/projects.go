package models

import (
	"fmt"
	"strconv"
	"strings"
	"time"

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
	CreatedAt             time.Time
	UpdatedAt             time.Time
}

// ConfigPath is where the project's configuration lies in its repository.
func (p *Project) ConfigPath() string {
	if p.CIConfigPath != "" {
		return p.CIConfigPath
	}
	return ".gitlab-ci.yml"
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

// CreateNamespace stores a namespace below parent, or at the top.
func (tx *Tx) CreateNamespace(n *Namespace, parent *Namespace) error {
	n.FullPath, n.Traversal = n.Path, "/"
	if parent != nil {
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

// namespacePath lists the ids from the root down to a namespace.
func (tx *Tx) namespacePath(id int64) ([]int64, error) {
	n, err := tx.Namespace(id)
	if err != nil {
		return nil, fmt.Errorf("namespace %d: %w", id, err)
	}
	var ids []int64
	for _, s := range strings.Split(strings.Trim(n.Traversal, "/"), "/") {
		if id, err := strconv.ParseInt(s, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// NamespacePath lists the ids from the root down to the namespace of a project, for group variables.
func (tx *Tx) NamespacePath(p *Project) ([]int64, error) { return tx.namespacePath(p.NamespaceID) }

// CreateProject stores a project below its namespace and protects its default branch as GitLab does:
// Maintainers push and merge.
func (tx *Tx) CreateProject(p *Project, ns *Namespace) error {
	p.NamespaceID, p.FullPath = ns.ID, ns.FullPath+"/"+p.Path
	p.CreatedAt, p.UpdatedAt = tx.now(), tx.now()
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

// UpdateProject stores all fields of p.
func (tx *Tx) UpdateProject(p *Project) error {
	p.UpdatedAt = tx.now()
	return translate(tx.db.Save(p).Error)
}

// VisibleTo names whose projects a list holds.
type VisibleTo struct {
	UserID int64 // 0: nobody is signed in
	All    bool  // an administrator
}

// ListProjects pages through the projects that somebody may see, newest first.
func (tx *Tx) ListProjects(v VisibleTo, search string, p Page) ([]*Project, int64, error) {
	q := tx.db.Model(&Project{}).Where("pending_delete = ?", false)
	if !v.All {
		seen := tx.db.Where("visibility = ?", enum.Public)
		if v.UserID != 0 {
			var roots []string
			err := tx.db.Model(&Namespace{}).Where("owner_id = ? OR id IN (?)", v.UserID,
				tx.db.Model(&Member{}).Select("namespace_id").Where("user_id = ? AND namespace_id IS NOT NULL", v.UserID)).
				Limit(1000).Pluck("traversal", &roots).Error
			if err != nil {
				return nil, 0, err
			}
			seen = seen.Or("visibility = ?", enum.Internal).Or("id IN (?)",
				tx.db.Model(&Member{}).Select("project_id").Where("user_id = ? AND project_id IS NOT NULL", v.UserID))
			for _, root := range roots {
				seen = seen.Or("namespace_id IN (?)", tx.db.Model(&Namespace{}).Select("id").Where("traversal LIKE ?", root+"%"))
			}
		}
		q = q.Where(seen)
	}
	if search != "" {
		q = q.Where("lower(full_path) LIKE ? ESCAPE '!'", "%"+escapeLike(strings.ToLower(search))+"%")
	}
	p.Descending = true
	return list[Project](q, "id", p)
}

func escapeLike(s string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(s)
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

// DeleteProtectedRef removes a rule.
func (tx *Tx) DeleteProtectedRef(projectID int64, kind, name string) error {
	res := tx.db.Where("project_id = ? AND kind = ? AND name = ?", projectID, kind, name).Delete(&ProtectedRef{})
	if res.Error == nil && res.RowsAffected == 0 {
		return ErrNotFound
	}
	return res.Error
}
