package models

import (
	"time"

	"gorm.io/gorm/clause"
)

// Release is what a tag is published as.
type Release struct {
	ID          int64
	ProjectID   int64
	Tag         string
	Name        string
	Description string
	SHA         string `gorm:"column:sha"`
	AuthorID    int64
	JobID       *int64        // the job that made it
	Links       []ReleaseLink `gorm:"serializer:json"`
	Milestones  []string      `gorm:"serializer:json"`
	ReleasedAt  time.Time
	CreatedAt   time.Time
}

// ReleaseLink is an address that belongs to a release.
type ReleaseLink struct {
	ID       int64  `json:"id"` // of its release, at least; of the project, if it was made by this version
	Name     string `json:"name"`
	URL      string `json:"url"`
	Filepath string `json:"filepath,omitempty"`
	LinkType string `json:"link_type"`
}

// CreateRelease stores a release; ErrDuplicate if the tag has one.
func (tx *Tx) CreateRelease(r *Release) error {
	r.CreatedAt = tx.now()
	if r.ReleasedAt.IsZero() {
		r.ReleasedAt = tx.now()
	}
	return translate(tx.db.Create(r).Error)
}

// Release finds the release of a tag.
func (tx *Tx) Release(projectID int64, tag string) (*Release, error) {
	return first[Release](tx.db.Where("project_id = ? AND tag = ?", projectID, tag))
}

// ReleaseByID finds a release.
func (tx *Tx) ReleaseByID(id int64) (*Release, error) {
	return first[Release](tx.db.Where("id = ?", id))
}

// LatestRelease finds the release that was published last.
func (tx *Tx) LatestRelease(projectID int64) (*Release, error) {
	return first[Release](tx.db.Where("project_id = ? AND released_at <= ?", projectID, tx.now()).Order("released_at DESC, id DESC"))
}

// Releases pages through a project's releases.
func (tx *Tx) Releases(projectID int64, p Page) ([]*Release, int64, error) {
	return list[Release](tx.db.Model(&Release{}).Where("project_id = ?", projectID), "id", p)
}

// ReleasesOfTags finds the releases of some tags.
func (tx *Tx) ReleasesOfTags(projectID int64, tags []string) (map[string]*Release, error) {
	out := map[string]*Release{}
	if len(tags) == 0 {
		return out, nil
	}
	var rows []*Release
	err := tx.db.Where("project_id = ? AND tag IN ?", projectID, tags).Find(&rows).Error
	for _, r := range rows {
		out[r.Tag] = r
	}
	return out, err
}

// UpdateRelease stores what may change of a release.
func (tx *Tx) UpdateRelease(r *Release) error {
	return tx.db.Model(r).Select("name", "description", "milestones", "released_at").Updates(r).Error
}

// LockRelease finds a release and keeps others from changing it until the transaction ends.
func (tx *Tx) LockRelease(id int64) (*Release, error) {
	q := tx.db.Where("id = ?", id)
	if tx.postgres {
		q = q.Clauses(clause.Locking{Strength: "UPDATE"})
	}
	return first[Release](q)
}

// UpdateReleaseLinks stores the links of a release.
func (tx *Tx) UpdateReleaseLinks(r *Release) error {
	return tx.db.Model(r).Select("links").Updates(r).Error
}

// DeleteRelease removes a release; its tag stays.
func (tx *Tx) DeleteRelease(id int64) error {
	return tx.db.Where("id = ?", id).Delete(&Release{}).Error
}
