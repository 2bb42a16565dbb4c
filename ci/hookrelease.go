package ci

import (
	"fmt"
	"net/url"

	"signalbox/internal/gitrepo"
	"signalbox/models"
)

// release is what is told of a release that was made, changed or removed.
func (t *telling) release() (object, error) {
	r := t.h.Release // as it was; it may have changed again, or be gone
	err := t.c.db.Read(t.ctx, func(tx *models.Tx) (err error) {
		if r == nil {
			r, err = tx.ReleaseByID(t.h.ID)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	action := t.h.Action
	if action == "" {
		action = "create"
	}
	links, sources := []object{}, []object{}
	for _, l := range r.Links {
		links = append(links, object{"id": l.ID, "external": true, "link_type": l.LinkType, "name": l.Name, "url": l.URL})
	}
	for _, format := range gitrepo.ArchiveFormats {
		sources = append(sources, object{"format": format, "url": t.c.settings.URL + fmt.Sprintf("/api/v4/projects/%d/repository/archive.%s?sha=%s", t.project.ID, format, r.SHA)})
	}
	out := object{
		"object_kind": "release", "action": action, "id": r.ID, "tag": r.Tag, "name": r.Name, "description": r.Description,
		"created_at": hookTime(&r.CreatedAt), "released_at": hookTime(&r.ReleasedAt), "url": t.web("/-/releases/%s", url.PathEscape(r.Tag)),
		"project": t.oldProject(), "assets": object{"count": len(links) + len(sources), "links": links, "sources": sources},
	}
	_, out["commit"], err = t.commit(r.SHA)
	return out, err
}
