package web

import (
	"net/http"
	"strconv"
	"strings"

	"signalbox/ci"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

func (s *Server) adminHome(r *request, _ []string) error { return s.to(r, "/admin/jobs") }

func (s *Server) adminUsers(r *request, _ []string) error {
	p := paging(r)
	var rows []*models.User
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		rows, _, err = tx.ListUsers(models.UserFilter{Search: r.URL.Query().Get("search"), ByEmail: true, Humans: true}, p)
		return err
	})
	if err != nil {
		return err
	}
	s.render(r, http.StatusOK, "admin_users", data{"Title": "Users", "Users": rows, "Pager": pagerOf(p, len(rows)), "Search": r.URL.Query().Get("search")})
	return nil
}

func (s *Server) adminCreateUser(r *request, _ []string) error {
	set, err := s.ci.InstanceSettings(r.Context())
	if err != nil {
		return err
	}
	u := &models.User{
		Username: r.PostFormValue("username"), Name: r.PostFormValue("name"), Email: r.PostFormValue("email"), Admin: r.PostFormValue("admin") != "",
		CanCreateGroup: !set.NoNewGroups,
	}
	if r.PostFormValue("password") == "" {
		return fault.Field("password", "can't be blank")
	}
	if err := s.ci.CreateUser(r.Context(), r.actor, u, r.PostFormValue("password")); err != nil {
		return err
	}
	s.say(r, u.Username+" can sign in now.")
	return s.to(r, "/admin/users")
}

func (s *Server) adminUser(r *request, args []string) error {
	id, _ := strconv.ParseInt(args[0], 10, 64)
	var err error
	switch word := r.PostFormValue("action"); word {
	case "block", "unblock", "activate":
		_, err = s.ci.SetUserState(r.Context(), r.actor, id, word)
	case "delete":
		err = s.ci.DeleteUser(r.Context(), r.actor, id)
	case "admin", "no_admin":
		_, err = s.ci.UpdateUser(r.Context(), r.actor, id, "", func(u *models.User) { u.Admin = word == "admin" })
	default:
		return notFound(r)
	}
	if fault.KindOf(err) == fault.Forbidden {
		return fault.New(fault.Invalid, "%s", fault.Message(err))
	}
	if err != nil {
		return err
	}
	s.say(r, "Done.")
	return s.to(r, "/admin/users")
}

func (s *Server) adminRunners(r *request, _ []string) error {
	d := data{"Title": "Runners", "Base": "/admin/runners", "Kind": "for all projects"}
	if err := s.runnerList(r, d, models.RunnerFilter{}); err != nil {
		return err
	}
	s.render(r, http.StatusOK, "admin_runners", d)
	return nil
}

// runnerList puts a page of runners into what a page shows, with the machine that each was last heard from.
func (s *Server) runnerList(r *request, d data, f models.RunnerFilter) error {
	p := paging(r)
	f.Search = r.URL.Query().Get("search")
	d["Now"], d["Address"], d["Search"] = s.ci.DB().Now(), s.ci.URL(), f.Search
	return s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		rows, _, err := tx.ListRunners(f, p)
		if err != nil {
			return err
		}
		var ids []int64
		for _, row := range rows {
			ids = append(ids, row.ID)
		}
		managers, err := tx.ManagersOf(ids)
		if err != nil {
			return err
		}
		latest := map[int64]*models.RunnerManager{}
		for id, list := range managers {
			for _, m := range list {
				if old := latest[id]; m.ContactedAt != nil && (old == nil || m.ContactedAt.After(*old.ContactedAt)) {
					latest[id] = m
				}
			}
		}
		busy, _, err := tx.BusyRunners(ids)
		d["Runners"], d["Managers"], d["Busy"], d["Pager"] = rows, latest, busy, pagerOf(p, len(rows))
		return err
	})
}

func tagsOf(text string) []string {
	tags := []string{}
	for _, t := range strings.Split(text, ",") {
		if t = strings.TrimSpace(t); t != "" {
			tags = append(tags, t)
		}
	}
	return tags
}

func (s *Server) adminCreateRunner(r *request, _ []string) error {
	_, token, err := s.ci.NewRunner(r.Context(), r.actor, enum.InstanceRunner, 0, 0, ci.RunnerSettings{
		Description: r.PostFormValue("description"), Tags: tagsOf(r.PostFormValue("tags")), RunUntagged: r.PostFormValue("run_untagged") != "",
	})
	if err != nil {
		return err
	}
	s.sessions.Put(r.Context(), "once", token)
	return s.to(r, "/admin/runners")
}

func (s *Server) adminRunner(r *request, args []string) error {
	id, _ := strconv.ParseInt(args[0], 10, 64)
	return s.changeRunner(r, id, "/admin/runners")
}

// changeRunner does what the form of a runner says, for those who administer it.
func (s *Server) changeRunner(r *request, id int64, back string) error {
	var row *models.Runner
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		found, allowed, err := s.ci.FindRunner(tx, r.actor, id)
		if row = found; err == nil && !allowed {
			return notFound(r)
		}
		return missingPage(err)
	})
	if err != nil {
		return err
	}
	set := ci.RunnerSettings{
		Description: row.Description, MaintenanceNote: row.MaintenanceNote, Paused: !row.Active, Locked: row.Locked, RunUntagged: row.RunUntagged,
		RefProtected: row.RefProtected, MaximumTimeout: row.MaximumTimeout, Tags: row.Tags,
	}
	switch r.PostFormValue("action") {
	case "pause":
		set.Paused = true
	case "resume":
		set.Paused = false
	case "tags":
		set.Tags, set.RunUntagged = tagsOf(r.PostFormValue("tags")), r.PostFormValue("run_untagged") != ""
	case "remove":
		if err := s.ci.RemoveRunner(r.Context(), r.actor, row); err != nil {
			return err
		}
		s.say(r, "The runner was removed; its token is worth nothing any more.")
		return s.to(r, back)
	default:
		return notFound(r)
	}
	if _, err := s.ci.UpdateRunner(r.Context(), id, set); err != nil {
		return err
	}
	s.say(r, "The runner was changed.")
	return s.to(r, back)
}

func (s *Server) adminJobs(r *request, _ []string) error {
	d := data{"Title": "Jobs"}
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		rows, err := tx.ActiveJobs(200)
		if err != nil {
			return err
		}
		var ids []int64
		for _, j := range rows {
			ids = append(ids, j.ProjectID)
		}
		projects, _, err := tx.ListProjects(models.VisibleTo{All: true}, models.ProjectFilter{IDs: append([]int64{0}, ids...)}, models.Page{PerPage: 100, Uncounted: true})
		byID := map[int64]*models.Project{}
		for _, p := range projects {
			byID[p.ID] = p
		}
		d["Jobs"], d["Projects"] = rows, byID
		return err
	})
	if err != nil {
		return err
	}
	s.render(r, http.StatusOK, "admin_jobs", d)
	return nil
}

func (s *Server) adminSettings(r *request, _ []string) error {
	set, err := s.ci.InstanceSettings(r.Context())
	if err != nil {
		return err
	}
	s.render(r, http.StatusOK, "admin_settings", data{"Title": "Settings", "Settings": set, "Version": ci.Version, "Revision": ci.Revision})
	return nil
}

func (s *Server) adminSetSettings(r *request, _ []string) error {
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(r.PostFormValue(name), 10, 64)
		return n
	}
	err := s.ci.SetInstanceSettings(r.Context(), r.actor, func(set *ci.InstanceSettings) {
		set.MaxArtifactsMB, set.MaxTraceMB, set.PendingTimeoutHours = number("max_artifacts"), number("max_trace"), number("pending_hours")
		set.MaxIncludes, set.MaxSchedules, set.KeepCommandsDays = number("max_includes"), number("max_schedules"), number("keep_commands")
		set.Limits = ci.Limits{
			PipelineJobs: number("pipeline_jobs"), ActiveJobs: number("active_jobs"), Needs: number("needs"),
			PipelinesPerCommit: number("per_commit"), PipelinesPerUser: number("per_user"), Downstream: number("downstream"),
		}
		set.ArtifactsExpireIn, set.NoNewGroups = r.PostFormValue("expire_in"), r.PostFormValue("groups") == ""
	})
	if err != nil {
		return err
	}
	s.say(r, "The settings were saved. Other nodes follow within seconds.")
	return s.to(r, "/admin/settings")
}
