package web

import (
	"strconv"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

func (s *Server) editPage(r *request, c *inside) error {
	branches, err := s.branches(r, c)
	if err != nil {
		return err
	}
	return s.show(r, c, "edit", data{"Title": "Settings", "Branches": branches, "MayDelete": c.may(r, access.DeleteProject)})
}

// editProject does what the form's button says.
func (s *Server) editProject(r *request, c *inside) error {
	action := r.PostFormValue("action")
	if action != "save" && !c.may(r, access.DeleteProject) {
		return fault.New(fault.Forbidden, "Only owners of the project may do that.")
	}
	switch action {
	case "delete":
		if r.PostFormValue("confirm") != c.project.FullPath {
			return fault.New(fault.Invalid, "Type %s to delete the project.", c.project.FullPath)
		}
		if err := s.ci.DeleteProject(r.Context(), r.actor, c.project); err != nil {
			return err
		}
		s.say(r, c.project.FullPath+" was deleted.")
		return s.to(r, "/")
	case "save", "archive", "unarchive":
	default:
		return notFound(r)
	}
	p, err := s.ci.UpdateProject(r.Context(), r.actor, c.project.ID, func(p *models.Project) error {
		switch action {
		case "archive", "unarchive":
			p.Archived = action == "archive"
			return nil
		}
		minutes, err := strconv.Atoi(r.PostFormValue("timeout"))
		if err != nil {
			return fault.New(fault.Invalid, "The time limit is a number of minutes.")
		}
		p.Name, p.Path, p.Description = r.PostFormValue("name"), r.PostFormValue("path"), r.PostFormValue("description")
		p.Visibility, p.DefaultBranch = enum.Visibility(r.PostFormValue("visibility")), r.PostFormValue("default_branch")
		p.CIConfigPath, p.BuildTimeout = r.PostFormValue("config_path"), minutes*60
		p.Settings.PrivateJobs = r.PostFormValue("public_jobs") == ""
		if r.PostForm.Has("keep_commands") {
			if p.Settings.KeepCommandsDays, err = strconv.Atoi(r.PostFormValue("keep_commands")); err != nil {
				return fault.New(fault.Invalid, "Commands are kept for a number of days; 0 is for good.")
			}
		}
		p.SharedRunnersEnabled = r.PostFormValue("shared_runners") != ""
		return nil
	})
	if err != nil {
		return err
	}
	s.say(r, "The settings were saved.")
	return s.to(r, "/"+p.FullPath+"/edit")
}

// projectRunners shows the project's own runners and those of others that it may use.
func (s *Server) projectRunners(r *request, c *inside) error {
	d := data{"Title": "Runners", "Base": "/" + c.project.FullPath + "/-/runners", "Kind": "for this project"}
	f := models.RunnerFilter{ProjectID: c.project.ID}
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		ns, err := tx.Namespace(c.project.NamespaceID)
		if err == nil {
			f.NamespaceIDs = ns.Ancestry()
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := s.runnerList(r, d, f); err != nil {
		return err
	}
	return s.show(r, c, "admin_runners", d)
}

func (s *Server) createProjectRunner(r *request, c *inside) error {
	_, token, err := s.ci.NewRunner(r.Context(), r.actor, enum.ProjectRunner, 0, c.project.ID, ci.RunnerSettings{
		Description: r.PostFormValue("description"), Tags: tagsOf(r.PostFormValue("tags")), RunUntagged: r.PostFormValue("run_untagged") != "", Locked: true,
	})
	if err != nil {
		return err
	}
	s.sessions.Put(r.Context(), "once", token)
	return s.to(r, "/"+c.project.FullPath+"/-/runners")
}

func (s *Server) projectRunner(r *request, c *inside) error {
	return s.changeRunner(r, c.number(0), "/"+c.project.FullPath+"/-/runners")
}
