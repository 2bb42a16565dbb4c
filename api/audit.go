package api

import (
	"github.com/gin-gonic/gin"

	"signalbox/ci/access"
	"signalbox/internal/httpapi"
	"signalbox/models"
)

type auditEntity struct {
	ID         int64        `json:"id"`
	AuthorID   int64        `json:"author_id"` // -1 if nobody in particular did it
	EntityID   int64        `json:"entity_id"`
	EntityType string       `json:"entity_type"`
	EventName  string       `json:"event_name"`
	Details    gin.H        `json:"details"`
	CreatedAt  httpapi.Time `json:"created_at"`
}

// entityTypes are GitLab's words for what happened to something.
var entityTypes = map[string]string{"project": "Project", "group": "Group", "user": "User", "runner": "Ci::Runner", "instance": "Gitlab::Audit::InstanceScope"}

func (s *Server) auditRoutes(r routes) {
	r.get("/audit_events", user(access.AdminInstance), with(func(c *call, p *auditList) (any, error) {
		f := p.filter()
		for ours, theirs := range entityTypes {
			if p.EntityType == theirs {
				f.EntityType = ours
			}
		}
		f.EntityID = p.EntityID
		return s.listAudit(c, p, f)
	}))
	r.get("/audit_events/:event_id", user(access.AdminInstance), func(c *call) (any, error) { return s.getAudit(c, "", 0) })
	for kind, at := range map[string]place{"project": project(access.AdminProject), "group": group(access.AdminGroup)} {
		r.get("/"+kind+"s/:id/audit_events", at, with(func(c *call, p *auditList) (any, error) {
			f := p.filter()
			_, f.EntityType, f.EntityID = c.place()
			return s.listAudit(c, p, f)
		}))
		r.get("/"+kind+"s/:id/audit_events/:event_id", at, func(c *call) (any, error) {
			_, kind, id := c.place()
			return s.getAudit(c, kind, id)
		})
	}
}

type auditList struct {
	httpapi.Page
	EntityType    string            `param:"entity_type" values:"Project Group User Ci::Runner Gitlab::Audit::InstanceScope"`
	EntityID      int64             `param:"entity_id"`
	CreatedAfter  httpapi.Timestamp `param:"created_after"`
	CreatedBefore httpapi.Timestamp `param:"created_before"`
}

func (p *auditList) filter() models.AuditFilter {
	return models.AuditFilter{Created: models.TimeRange{After: p.CreatedAfter.Time, Before: p.CreatedBefore.Time}}
}

func (s *Server) listAudit(c *call, p *auditList, f models.AuditFilter) (any, error) {
	page := pageOf(p.Page)
	var err error
	if page.Keyset = p.Keyset(); page.Keyset {
		page.Descending = true
		if page.After, err = p.After(); err != nil {
			return nil, err
		}
	}
	var out listing
	err = c.read(func(tx *models.Tx) error {
		rows, total, err := tx.AuditEvents(f, page)
		if err != nil {
			return err
		}
		entities, err := s.audits(tx, rows)
		out = paged(entities, p.Page, total)
		if page.Keyset {
			out.continued(len(rows), func() int64 { return rows[len(rows)-1].ID })
		}
		return err
	})
	return out, err
}

func (s *Server) audits(tx *models.Tx, rows []*models.AuditEvent) ([]auditEntity, error) {
	var ids []int64
	for _, e := range rows {
		if e.UserID != nil {
			ids = append(ids, *e.UserID)
		}
	}
	users, err := tx.Users(ids)
	return each(rows, func(e *models.AuditEvent) auditEntity {
		out := auditEntity{
			ID: e.ID, AuthorID: -1, EntityID: e.EntityID, EntityType: entityTypes[e.EntityType], EventName: e.Action, CreatedAt: httpapi.Time(e.CreatedAt),
			Details: gin.H{"custom_message": e.Action, "target_details": e.Details, "ip_address": e.IPAddress, "author_name": "signalbox", "target_id": e.EntityID},
		}
		if e.UserID != nil {
			out.AuthorID = *e.UserID
			if u := users[*e.UserID]; u != nil {
				out.Details["author_name"] = u.Name
			}
		}
		return out
	}), err
}

func (s *Server) getAudit(c *call, kind string, id int64) (any, error) {
	n, err := c.id("event_id", "Audit Event")
	if err != nil {
		return nil, err
	}
	var out []auditEntity
	err = c.read(func(tx *models.Tx) error {
		e, err := tx.AuditEvent(n)
		if err == nil && kind != "" && (e.EntityType != kind || e.EntityID != id) {
			err = models.ErrNotFound
		}
		if err != nil {
			return missing(err, "Audit Event")
		}
		out, err = s.audits(tx, []*models.AuditEvent{e})
		return err
	})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}
