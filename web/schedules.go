package web

import (
	"fmt"
	"net/http"
	"strings"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/models"
)

// scheduled is a schedule as its list shows it.
type scheduled struct {
	*models.PipelineSchedule
	Short string // the ref without its beginning
	Last  *models.Pipeline
	Owner *models.User
	Mine  bool
}

func shortRef(full string) string {
	return strings.TrimPrefix(strings.TrimPrefix(full, "refs/heads/"), "refs/tags/")
}

func (s *Server) schedulesPage(r *request, c *inside) error {
	p := paging(r)
	d := data{"Title": "Schedules", "MayAdd": c.may(r, access.CreatePipeline), "MayKeep": c.may(r, access.ManageSchedules)}
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		found, _, err := tx.Schedules(c.project.ID, nil, p)
		if err != nil {
			return err
		}
		var ids, people []int64
		for _, row := range found {
			ids = append(ids, row.ID)
			if row.OwnerID != nil {
				people = append(people, *row.OwnerID)
			}
		}
		last, err := tx.LastOfSchedules(ids)
		if err != nil {
			return err
		}
		users, err := tx.Users(people)
		rows := make([]scheduled, len(found))
		for i, row := range found {
			rows[i] = scheduled{PipelineSchedule: row, Short: shortRef(row.Ref), Last: last[row.ID], Mine: ci.OwnsSchedule(r.actor, c.subject, row)}
			if row.OwnerID != nil {
				rows[i].Owner = users[*row.OwnerID]
			}
		}
		d["Rows"], d["Pager"] = rows, pagerOf(p, len(rows))
		return err
	})
	if err != nil {
		return err
	}
	return s.show(r, c, "schedules", d)
}

// scheduleOf finds the schedule of the address; nil for a new one.
func (s *Server) scheduleOf(r *request, c *inside) (row *models.PipelineSchedule, err error) {
	if len(c.args) == 0 {
		return nil, nil
	}
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		if row, err = tx.Schedule(c.number(0)); err == nil && row.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missingPage(err)
	})
	return row, err
}

// ownedSchedule is scheduleOf for those who may change it.
func (s *Server) ownedSchedule(r *request, c *inside) (*models.PipelineSchedule, error) {
	row, err := s.scheduleOf(r, c)
	if err == nil && row != nil && !ci.OwnsSchedule(r.actor, c.subject, row) {
		err = fault.New(fault.Forbidden, "Only the owner of a schedule can change it. Maintainers can take it over first.")
	}
	return row, err
}

func (s *Server) schedulePage(r *request, c *inside) error {
	row, err := s.ownedSchedule(r, c)
	if err != nil {
		return err
	}
	if row == nil {
		row = &models.PipelineSchedule{Ref: c.project.DefaultBranch, Cron: "0 4 * * *", CronTimezone: "UTC", Active: true}
	}
	d := data{"Title": "Schedule", "Row": row, "Short": shortRef(row.Ref)}
	if row.ID != 0 {
		lines, kept := []string{}, []string{}
		err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
			vars, err := tx.ScheduleVariables(row.ID)
			if err != nil {
				return err
			}
			for _, v := range vars {
				value, err := s.ci.ScheduleVariableValue(v)
				if err != nil {
					return err
				}
				if !onOneLine(v, value) {
					kept = append(kept, v.Key)
					continue
				}
				lines = append(lines, v.Key+"="+value)
			}
			return nil
		})
		if err != nil {
			return err
		}
		d["Variables"], d["Kept"] = strings.Join(lines, "\n"), kept
	}
	return s.show(r, c, "schedule", d)
}

// onOneLine says whether a variable can be changed as KEY=value on a line. Files, texts of several lines and those that are
// not to be expanded cannot; the page leaves them as they are.
func onOneLine(v *models.ScheduleVariable, value string) bool {
	return v.Type == "env_var" && !v.Raw && !strings.ContainsAny(value, "\r\n")
}

// linesOfVariables reads KEY=value lines.
func linesOfVariables(text string) ([][2]string, error) {
	var out [][2]string
	for _, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if key = strings.TrimSpace(key); !ok || !variable.ValidKey(key) {
			return nil, fault.New(fault.Invalid, "Write each variable as KEY=value on a line of its own: %q is none.", line)
		}
		out = append(out, [2]string{key, value})
	}
	return out, nil
}

func (s *Server) saveSchedule(r *request, c *inside) error {
	old, err := s.ownedSchedule(r, c)
	if err != nil {
		return err
	}
	f := r.PostForm
	vars, err := linesOfVariables(f.Get("variables"))
	if err != nil {
		return err
	}
	if len(vars) > 0 && c.subject.Level < c.project.VariablesMinimumRole {
		return fault.New(fault.Forbidden, "Your role in this project does not allow you to set pipeline variables.")
	}
	id := int64(0)
	if old != nil {
		id = old.ID
	}
	row, err := s.ci.SaveSchedule(r.Context(), r.actor, c.project, id, func(row *models.PipelineSchedule) {
		row.Description, row.Cron, row.CronTimezone, row.Active = f.Get("description"), f.Get("cron"), f.Get("timezone"), f.Get("active") != ""
		if ref := f.Get("ref"); ref != shortRef(row.Ref) {
			row.Ref = ref
		}
	})
	if err != nil {
		return err
	}
	err = s.ci.DB().Write(r.Context(), func(tx *models.Tx) error {
		before, err := tx.ScheduleVariables(row.ID)
		if err != nil {
			return err
		}
		kept := map[string]bool{}
		for _, v := range vars {
			kept[v[0]] = true
			if err := tx.SetScheduleVariable(s.ci.NewScheduleVariable(row.ID, v[0], v[1], "")); err != nil {
				return err
			}
		}
		for _, v := range before {
			value, err := s.ci.ScheduleVariableValue(v)
			if err != nil {
				return err
			}
			if !kept[v.Key] && onOneLine(v, value) {
				if err := tx.DeleteScheduleVariable(row.ID, v.Key); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.to(r, fmt.Sprintf("/%s/-/pipeline_schedules", c.project.FullPath))
}

func (s *Server) scheduleAction(r *request, c *inside) error {
	row, err := s.scheduleOf(r, c)
	if err != nil {
		return err
	}
	keeps := ci.OwnsSchedule(r.actor, c.subject, row) || c.may(r, access.ManageSchedules)
	switch action := c.args[1]; {
	case action == "play":
		err = s.ci.PlaySchedule(r.Context(), r.actor, c.project, row)
	case action == "take_ownership" && c.may(r, access.ManageSchedules):
		_, err = s.ci.TakeSchedule(r.Context(), r.actor, row.ID)
	case action == "delete" && keeps:
		err = s.ci.DB().Write(r.Context(), func(tx *models.Tx) error { return tx.DeleteSchedule(row.ID) })
	default:
		return notFound(r)
	}
	if err != nil {
		return err
	}
	http.Redirect(r.w, r.Request, fmt.Sprintf("/%s/-/pipeline_schedules", c.project.FullPath), http.StatusSeeOther)
	return nil
}
