package web

import (
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/ci/access"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

var functions = template.FuncMap{
	"ansi":  func(s string) template.HTML { return ansiHTML(s) },
	"when":  func(t *time.Time) string { return whenText(t) },
	"since": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
	"short": func(s string) string { return s[:min(8, len(s))] },
	"lines": markdownLines,
	"sentence": func(r enum.FailureReason) string {
		return r.Sentence()
	},
}

func whenText(t *time.Time) string {
	if t == nil {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

const listed = 30

func (s *Server) home(r *request) error {
	if r.actor.User == nil {
		return fault.New(fault.Unauthorized, "sign in")
	}
	var rows []*models.Project
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		rows, _, err = tx.ListProjects(models.VisibleTo{UserID: r.actor.User.ID, All: r.actor.User.Admin}, models.ProjectFilter{}, models.Page{PerPage: 100, Descending: true})
		return err
	})
	if err != nil {
		return err
	}
	s.render(r, http.StatusOK, "home", data{"Title": "Projects", "Projects": rows})
	return nil
}

type projectPage func(r *request, p *models.Project, subject access.Subject) error

func (s *Server) inProject(path string, h projectPage) page {
	return func(r *request) error {
		p, subject, err := s.ci.FindProject(r.Context(), r.actor, path, access.ReadProject)
		if err != nil {
			return err
		}
		return h(r, p, subject)
	}
}

// projectPart finds the page below a project's /-/.
func (s *Server) projectPart(method string, parts []string) projectPage {
	missing := func(*request, *models.Project, access.Subject) error { return notFound(nil) }
	if len(parts) < 2 {
		return missing
	}
	last := parts[len(parts)-1]
	number := func(i int) int64 { n, _ := strconv.ParseInt(parts[i], 10, 64); return n }
	get, post := method == http.MethodGet, method == http.MethodPost
	switch {
	case parts[0] == "pipelines" && len(parts) == 2 && get:
		return s.pipelinePage(number(1))
	case parts[0] == "jobs" && len(parts) == 2 && get:
		return s.jobPage(number(1))
	case parts[0] == "jobs" && len(parts) == 3 && last == "raw" && get:
		return s.rawLog(number(1))
	case parts[0] == "jobs" && len(parts) == 3 && post:
		return s.jobAction(number(1), last)
	case parts[0] == "chat" && parts[1] == "commands" && len(parts) == 3 && get:
		return s.commandPage(number(2))
	}
	return missing
}

func (s *Server) projectPage(r *request, p *models.Project, subject access.Subject) error {
	d := data{"Title": p.Name, "Project": p, "CloneURL": s.ci.URL() + "/" + p.FullPath + ".git"}
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		if access.Allowed(r.actor, access.ReadPipelines, subject) {
			rows, _, err := tx.ListPipelines(p.ID, models.PipelineFilter{}, models.Page{PerPage: listed, Descending: true})
			if err != nil {
				return err
			}
			d["Pipelines"] = rows
		}
		if access.Allowed(r.actor, access.ReadCommands, subject) {
			rows, _, err := tx.ListCommands(p.ID, models.Page{PerPage: listed})
			if err != nil {
				return err
			}
			d["Commands"] = rows
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.render(r, http.StatusOK, "project", d)
	return nil
}

type stage struct {
	Name string
	Jobs []*models.Job
}

func (s *Server) pipelinePage(id int64) projectPage {
	return func(r *request, p *models.Project, subject access.Subject) error {
		if !access.Allowed(r.actor, access.ReadPipelines, subject) {
			return notFound(r)
		}
		var pl *models.Pipeline
		var jobs []*models.Job
		var u *models.User
		err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
			if pl, err = tx.Pipeline(id); err != nil {
				return missingPage(err)
			}
			if pl.ProjectID != p.ID {
				return notFound(r)
			}
			if u, err = tx.User(pl.UserID); err != nil {
				return err
			}
			jobs, err = tx.PipelineJobs(id, false)
			return err
		})
		if err != nil {
			return err
		}
		var stages []*stage
		for _, j := range jobs {
			if len(stages) == 0 || stages[len(stages)-1].Name != j.Stage {
				stages = append(stages, &stage{Name: j.Stage})
			}
			last := stages[len(stages)-1]
			last.Jobs = append(last.Jobs, j)
		}
		s.render(r, http.StatusOK, "pipeline", data{
			"Title": fmt.Sprintf("Pipeline #%d", pl.ID), "Project": p, "Pipeline": pl, "Stages": stages, "Starter": u,
			"Refresh": !pl.Status.Completed() && pl.Status != enum.Manual,
		})
		return nil
	}
}

func missingPage(err error) error {
	if err == models.ErrNotFound {
		return notFound(nil)
	}
	return err
}

func (s *Server) findJob(r *request, p *models.Project, subject access.Subject, id int64) (j *models.Job, pl *models.Pipeline, err error) {
	if !access.Allowed(r.actor, access.ReadPipelines, subject) {
		return nil, nil, notFound(r)
	}
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		if j, err = tx.Job(id); err != nil {
			return missingPage(err)
		}
		if j.ProjectID != p.ID {
			return notFound(r)
		}
		pl, err = tx.Pipeline(j.PipelineID)
		return err
	})
	return j, pl, err
}

// shownLog is how much of a log a page holds: its end. The raw log has all of it.
const shownLog = 512 << 10

func (s *Server) jobPage(id int64) projectPage {
	return func(r *request, p *models.Project, subject access.Subject) error {
		j, pl, err := s.findJob(r, p, subject, id)
		if err != nil {
			return err
		}
		text, cut, err := s.logEnd(r, j)
		if err != nil {
			return err
		}
		may := access.Allowed(r.actor, access.UpdateJob, subject.On(pl.Ref, pl.Tag))
		s.render(r, http.StatusOK, "job", data{
			"Title": fmt.Sprintf("%s #%d", j.Name, j.ID), "Project": p, "Pipeline": pl, "Job": j, "Log": text, "Cut": cut,
			"Play":    may && (j.Status == enum.Manual || j.Status == enum.Scheduled),
			"Cancel":  may && j.Status.Cancelable() && j.Status != enum.Manual && j.Status != enum.Scheduled,
			"Retry":   may && !j.Retried && (j.Status == enum.Success || j.Status == enum.Failed || j.Status == enum.Canceled),
			"Refresh": !j.Status.Completed() && j.Status != enum.Manual,
		})
		return nil
	}
}

func (s *Server) logEnd(r *request, j *models.Job) (text string, cut bool, err error) {
	if j.ErasedAt != nil {
		return "", false, nil
	}
	log, err := s.ci.OpenTrace(r.Context(), j.ID)
	if err != nil {
		return "", false, err
	}
	defer log.Close()
	if cut = log.Size() > shownLog; cut {
		if _, err := log.Seek(-shownLog, io.SeekEnd); err != nil {
			return "", false, err
		}
	}
	b, err := io.ReadAll(io.LimitReader(log, shownLog))
	text = strings.ToValidUTF8(string(b), "\uFFFD")
	if cut {
		_, text, _ = strings.Cut(text, "\n")
	}
	return text, cut, err
}

func (s *Server) rawLog(id int64) projectPage {
	return func(r *request, p *models.Project, subject access.Subject) error {
		j, _, err := s.findJob(r, p, subject, id)
		if err != nil {
			return err
		}
		log, err := s.ci.OpenTrace(r.Context(), j.ID)
		if err != nil {
			return err
		}
		defer log.Close()
		r.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		http.ServeContent(r.w, r.Request, "", time.Time{}, log)
		return nil
	}
}

func (s *Server) jobAction(id int64, action string) projectPage {
	return func(r *request, p *models.Project, subject access.Subject) error {
		if r.actor.User == nil {
			return fault.New(fault.Unauthorized, "sign in")
		}
		if _, _, err := s.findJob(r, p, subject, id); err != nil {
			return err
		}
		var j *models.Job
		var err error
		switch action {
		case "play":
			j, err = s.ci.PlayJob(r.Context(), r.actor, id, nil)
		case "retry":
			j, err = s.ci.RetryJob(r.Context(), r.actor, id)
		case "cancel":
			j, err = s.ci.CancelJob(r.Context(), r.actor, id, false)
		default:
			return notFound(r)
		}
		if err != nil {
			return err
		}
		http.Redirect(r.w, r.Request, fmt.Sprintf("/%s/-/jobs/%d", p.FullPath, j.ID), http.StatusSeeOther)
		return nil
	}
}

func (s *Server) commandPage(id int64) projectPage {
	return func(r *request, p *models.Project, subject access.Subject) error {
		if !access.Allowed(r.actor, access.ReadCommands, subject) {
			return notFound(r)
		}
		var c *models.ChatCommand
		var u *models.User
		err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
			if c, err = tx.Command(id); err != nil {
				return missingPage(err)
			}
			if c.ProjectID != p.ID {
				return notFound(r)
			}
			if c.UserID != nil {
				u, err = tx.User(*c.UserID)
			}
			return err
		})
		if err != nil {
			return err
		}
		s.render(r, http.StatusOK, "command", data{
			"Title": "Command " + c.Text, "Project": p, "Command": c, "By": u, "Refresh": !c.Ended(), "State": stateSentence[c.State],
		})
		return nil
	}
}

var stateSentence = map[enum.CommandState]string{
	enum.CommandAccepted: "accepted, about to run", enum.CommandRefused: "refused", enum.CommandRunning: "its job has not ended, or its reply is on its way",
	enum.CommandReplied: "replied", enum.CommandSilent: "ended without a reply, on purpose: its chat_reply was empty",
	enum.CommandExpired: "its reply came too late for the chat", enum.CommandUndeliverable: "its reply could not be delivered",
}
