package web

import (
	"fmt"
	"time"

	"signalbox/ci"
	"signalbox/internal/fault"
	"signalbox/internal/secret"
	"signalbox/models"
)

// triggerRow is a trigger token as its list shows it.
type triggerRow struct {
	*models.Trigger
	Begin   string // of the token
	Owner   *models.User
	Mine    bool
	Expired bool
}

func triggersAt(c *inside) string { return "/" + c.project.FullPath + "/-/triggers" }

func (s *Server) triggersPage(r *request, c *inside) error {
	p := paging(r)
	d := data{"Title": "Pipeline triggers", "Call": fmt.Sprintf("%s/api/v4/projects/%d/trigger/pipeline", s.ci.URL(), c.project.ID)}
	edit := r.URL.Query().Get("edit")
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		found, _, err := tx.Triggers(c.project.ID, p)
		if err != nil {
			return err
		}
		var people []int64
		for _, t := range found {
			people = append(people, t.OwnerID)
		}
		users, err := tx.Users(people)
		rows := make([]triggerRow, len(found))
		for i, t := range found {
			rows[i] = triggerRow{
				Trigger: t, Begin: secret.TriggerToken + t.ShortToken, Owner: users[t.OwnerID], Mine: ci.OwnsTrigger(r.actor, t),
				Expired: t.ExpiresAt != nil && !tx.Now().Before(*t.ExpiresAt),
			}
			if rows[i].Mine && edit == fmt.Sprint(t.ID) {
				d["Edit"] = t
			}
		}
		d["Rows"], d["Pager"] = rows, pagerOf(p, len(rows))
		return err
	})
	if err != nil {
		return err
	}
	return s.show(r, c, "triggers", d)
}

// described is what a form says that a token is for.
func described(r *request) (string, error) {
	text := r.PostFormValue("description")
	if text == "" {
		return "", fault.New(fault.Invalid, "Say what the token is for.")
	}
	return text, nil
}

// dateOf reads a field of a form that holds a date or nothing.
func dateOf(r *request, field string) (*time.Time, error) {
	text := r.PostFormValue(field)
	if text == "" {
		return nil, nil
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return nil, fault.New(fault.Invalid, "The date is not like 2030-12-31.")
	}
	return &at, nil
}

func (s *Server) createTrigger(r *request, c *inside) error {
	text, err := described(r)
	if err != nil {
		return err
	}
	until, err := dateOf(r, "expires_at")
	if err != nil {
		return err
	}
	_, token, err := s.ci.CreateTrigger(r.Context(), r.actor, c.project, text, until)
	if err != nil {
		return err
	}
	s.sessions.Put(r.Context(), "once", token)
	return s.to(r, triggersAt(c))
}

func (s *Server) triggerAction(r *request, c *inside) error {
	var t *models.Trigger
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		if t, err = tx.Trigger(c.number(0)); err == nil && t.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missingPage(err)
	})
	if err != nil {
		return err
	}
	switch c.args[1] {
	case "update":
		text, err := described(r)
		if err != nil {
			return err
		}
		if err := s.ci.RenameTrigger(r.Context(), r.actor, t, text); err != nil {
			return err
		}
		s.say(r, "The token was changed.")
	case "remove":
		if err := s.ci.DeleteTrigger(r.Context(), r.actor, t); err != nil {
			return err
		}
		s.say(r, "The token was removed.")
	default:
		return notFound(r)
	}
	return s.to(r, triggersAt(c))
}
