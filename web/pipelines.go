package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/plan"
	"signalbox/ci/process"
	"signalbox/ci/variable"
	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

func (s *Server) pipelinesPage(r *request, c *inside) error {
	q := r.URL.Query()
	f := models.PipelineFilter{Ref: q.Get("ref"), Source: enum.Source(q.Get("source"))}
	if st := enum.Status(q.Get("status")); st.Known() {
		f.Statuses = []enum.Status{st}
	}
	p := paging(r)
	d := data{"Title": "Pipelines", "Statuses": enum.Statuses, "Sources": []enum.Source{
		enum.SourcePush, enum.SourceWeb, enum.SourceAPI, enum.SourceChat, enum.SourceTrigger, enum.SourceSchedule,
	}}
	version := ""
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		if version, err = pipelinesVersion(tx, c.project.ID); err != nil {
			return err
		}
		if name := q.Get("username"); name != "" {
			u, err := tx.UserByName(name)
			if errors.Is(err, models.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			f.UserID = u.ID
		}
		rows, _, err := tx.ListPipelines(c.project.ID, f, p)
		if err != nil {
			return err
		}
		d["Pipelines"], d["Pager"] = rows, pagerOf(p, len(rows))
		ids, people := []int64{}, []int64{}
		for _, row := range rows {
			ids, people = append(ids, row.ID), append(people, row.UserID)
		}
		counts, err := tx.StatusCounts(ids)
		if err != nil {
			return err
		}
		d["Stages"], d["Failures"] = dots(counts), failures(counts)
		d["People"], err = tx.Users(people)
		return err
	})
	if err != nil {
		return err
	}
	d["Filtered"] = q.Get("ref")+q.Get("source")+q.Get("status")+q.Get("username") != ""
	d["Live"], d["Watched"] = liveAt("/"+c.project.FullPath+"/-/pipelines/live", version), true
	return s.show(r, c, "pipelines", d)
}

// dot is a stage in a list of pipelines: the worst of its jobs' states.
type dot struct {
	Stage  string
	Status enum.Status
}

// severity orders the states that a stage is shown with.
var severity = []enum.Status{
	enum.Failed, enum.Running, enum.Pending, enum.Canceling, enum.Manual, enum.Scheduled, enum.Created, enum.Canceled, warning, enum.Success, enum.Skipped,
}

// warning is how pages show what failed and was allowed to.
const warning enum.Status = "warning"

// outcome is how pages show a job's state.
func outcome(j *models.Job) enum.Status {
	if j.Status == enum.Failed && j.AllowFailure {
		return warning
	}
	return j.Status
}

// failures counts each pipeline's jobs that failed and were not allowed to. Pages show it beside the pipeline's status, which
// may say nothing of them: that of a pipeline with a delayed job is "scheduled".
func failures(counts []models.StatusCount) map[int64]int {
	out := map[int64]int{}
	for _, n := range counts {
		if n.Status == enum.Failed && !n.AllowFailure {
			out[n.PipelineID] += n.Count
		}
	}
	return out
}

// failuresOf counts the failures of the pipelines of a list.
func failuresOf(tx *models.Tx, rows []*models.Pipeline) (map[int64]int, error) {
	var ids []int64
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	counts, err := tx.StatusCounts(ids)
	return failures(counts), err
}

func dots(counts []models.StatusCount) map[int64][]dot {
	out := map[int64][]dot{}
	rank := func(st enum.Status) int {
		for i, s := range severity {
			if s == st {
				return i
			}
		}
		return len(severity)
	}
	for _, n := range counts {
		if n.Status == enum.Failed && n.AllowFailure {
			n.Status = warning
		}
		list := out[n.PipelineID]
		if len(list) == 0 || list[len(list)-1].Stage != n.Stage {
			list = append(list, dot{n.Stage, n.Status})
		} else if last := &list[len(list)-1]; rank(n.Status) < rank(last.Status) {
			last.Status = n.Status
		}
		out[n.PipelineID] = list
	}
	return out
}

// branches lists the names of a project's branches.
func (s *Server) branches(r *request, c *inside) ([]string, error) {
	return s.refNames(r, c, "refs/heads/")
}

func (s *Server) refNames(r *request, c *inside, prefix string) (names []string, err error) {
	refs, err := s.ci.Repo(c.project).Refs(r.Context(), prefix, 500)
	for _, ref := range refs {
		names = append(names, strings.TrimPrefix(ref.Name, prefix))
	}
	return names, err
}

func (s *Server) newPipelinePage(r *request, c *inside) error {
	branches, err := s.branches(r, c)
	if err != nil {
		return err
	}
	tags, err := s.refNames(r, c, "refs/tags/")
	if err != nil {
		return err
	}
	ref := r.URL.Query().Get("ref")
	if ref == "" {
		ref = c.project.DefaultBranch
	}
	return s.show(r, c, "new_pipeline", data{"Title": "Run a pipeline", "Refs": append(branches, tags...), "Ref": ref, "Rows": make([]int, 4)})
}

func (s *Server) runPipeline(r *request, c *inside) error {
	var vars []variable.Variable
	for i, key := range r.PostForm["key"] {
		if key = strings.TrimSpace(key); key != "" && !variable.ValidKey(key) {
			return fault.New(fault.Invalid, "%q cannot be the name of a variable: letters, digits and _ can.", key)
		}
		if key != "" && i < len(r.PostForm["val"]) {
			vars = append(vars, variable.Variable{Key: key, Value: r.PostForm["val"][i]})
		}
	}
	pl, err := s.ci.CreatePipeline(r.Context(), ci.PipelineRequest{
		Project: c.project, Actor: r.actor, Source: enum.SourceWeb, Ref: r.PostFormValue("ref"), Variables: vars,
	})
	var broken *ci.ConfigError
	var refused *plan.Refusal
	switch {
	case errors.As(err, &broken):
		return fault.New(fault.Invalid, "%s", broken.Report())
	case errors.As(err, &refused):
		return fault.New(fault.Invalid, "%s", refused.Text)
	case fault.KindOf(err) == fault.Forbidden:
		return fault.New(fault.Invalid, "%s", fault.Message(err))
	case err != nil:
		return err
	}
	return s.to(r, fmt.Sprintf("/%s/-/pipelines/%d", c.project.FullPath, pl.ID))
}

func missingPage(err error) error {
	if errors.Is(err, models.ErrNotFound) {
		return notFound(nil)
	}
	return err
}

// pipelineOf finds the pipeline of the address.
func (s *Server) pipelineOf(r *request, c *inside) (pl *models.Pipeline, err error) {
	if !c.may(r, access.ReadPipelines) {
		return nil, notFound(r)
	}
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		pl, err = tx.Pipeline(c.number(0))
		if err == nil && pl.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missingPage(err)
	})
	return pl, err
}

type stage struct {
	Name string
	Jobs []jobCard
}

type jobCard struct {
	*models.Job
	Why string // what it waits for, in words
	// Downstream is the pipeline that it started, and Mirrored the one that it shows, if they may be seen.
	Downstream *ci.Related
	Mirrored   *ci.Related
	Took       *int64
	Again      bool // it may be tried again
}

func (s *Server) pipelinePage(r *request, c *inside) error {
	pl, err := s.pipelineOf(r, c)
	if err != nil {
		return err
	}
	var jobs []*models.Job
	var by *models.User
	var coverage *float64
	var merge *models.MergeRequest
	version, over, tested := "", false, false
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		if version, over, err = pipelineVersion(tx, pl.ID); err != nil {
			return err
		}
		if coverage, err = tx.Coverage(pl.ID); err != nil {
			return err
		}
		reports, err := tx.Reports(pl.ID, "junit", 1)
		if err != nil {
			return err
		}
		tested = len(reports) > 0
		if pl, err = tx.Pipeline(pl.ID); err != nil {
			return err
		}
		users, err := tx.Users([]int64{pl.UserID})
		if err != nil {
			return err
		}
		by = users[pl.UserID]
		if pl.MergeRequestID != nil && c.may(r, access.ReadMergeRequests) {
			if merge, err = tx.MergeRequestByID(*pl.MergeRequestID); err != nil {
				return err
			}
		}
		jobs, err = tx.PipelineJobs(pl.ID, false)
		return err
	})
	if err != nil {
		return err
	}
	started, err := s.ci.Downstream(r.Context(), r.actor, jobs)
	if err != nil {
		return err
	}
	mirrored, err := s.ci.Mirrored(r.Context(), r.actor, jobs)
	if err != nil {
		return err
	}
	up, source, err := s.ci.Upstream(r.Context(), r.actor, pl)
	if err != nil {
		return err
	}
	var stages []*stage
	failures, failed, warned, stoppable := 0, false, false, false
	for _, j := range jobs {
		if len(stages) == 0 || stages[len(stages)-1].Name != j.Stage {
			stages = append(stages, &stage{Name: j.Stage})
		}
		last := stages[len(stages)-1]
		card := cardOf(j)
		if d, ok := started[j.ID]; ok {
			card.Downstream = &d
		}
		if d, ok := mirrored[j.ID]; ok {
			card.Mirrored = &d
		}
		last.Jobs = append(last.Jobs, card)
		if outcome(j) == enum.Failed {
			failures++
		}
		failed = failed || j.Status == enum.Failed || j.Status == enum.Canceled
		warned = warned || outcome(j) == warning
		stoppable = stoppable || j.Status.Cancelable()
	}
	may := access.Allowed(r.actor, access.UpdateJob, c.subject.On(pl.Ref, pl.Tag))
	d := data{
		"Title": fmt.Sprintf("Pipeline #%d", pl.ID), "Pipeline": pl, "Stages": stages, "Starter": by, "MayUpdate": may,
		"Retry": may && failed, "Cancel": may && stoppable && pl.Status != enum.Manual, "Wide": true, "Failures": failures, "Warned": warned && pl.Status == enum.Success,
		"Coverage": coverage, "Tested": tested, "Upstream": up, "Source": source, "MergeRequest": merge,
	}
	stated(d, pl.Status)
	if !over {
		d["Live"] = liveAt(fmt.Sprintf("/%s/-/pipelines/%d/live", c.project.FullPath, pl.ID), version)
	}
	return s.show(r, c, "pipeline", d)
}

// toMergeRequest leads from GitLab's address of a merge request, which lives elsewhere, to its pipelines.
func (s *Server) toMergeRequest(r *request, c *inside) error {
	mr := models.MergeRequest{IID: c.number(0)}
	return s.to(r, fmt.Sprintf("/%s/-/pipelines?ref=%s", c.project.FullPath, url.QueryEscape(mr.RefPath())))
}

func cardOf(j *models.Job) jobCard {
	card := jobCard{Job: j}
	card.Again = (j.Status == enum.Failed || j.Status == enum.Canceled) && !j.External && process.Retryable(j.Status, j.FailureReason)
	if j.StartedAt != nil && j.FinishedAt != nil {
		seconds := int64(j.FinishedAt.Sub(*j.StartedAt) / time.Second)
		card.Took = &seconds
	}
	switch {
	case j.Status == enum.Failed && j.StatusReason != "" && j.FailureReason != enum.UnknownFailure:
		card.Why = j.FailureReason.Sentence() + ": " + j.StatusReason
	case j.Status == enum.Failed && j.StatusReason == "":
		card.Why = j.FailureReason.Sentence()
	case j.StatusReason != "" && j.Status == enum.Skipped:
		card.Why = "skipped: " + j.StatusReason
	case j.StatusReason != "":
		card.Why = j.StatusReason
	case j.External && j.Description != "":
		card.Why = j.Description
	case j.MirrorsID != nil && (j.Status == enum.Pending || j.Status == enum.Running):
		card.Why = "waits for the pipeline that it shows"
	case j.Bridge && (j.Status == enum.Pending || j.Status == enum.Running):
		card.Why = "waits for the pipeline that it starts"
	case j.Status == enum.WaitingForResource:
		card.Why = "waits for a resource that another job has"
	case j.Status == enum.Pending && len(j.Tags) > 0:
		card.Why = "waits for a runner with the tags " + strings.Join(j.Tags, ", ")
	case j.Status == enum.Pending:
		card.Why = "waits for a runner"
	case j.Status == enum.Created && j.Needs != nil && len(*j.Needs) > 0:
		card.Why = "waits for " + strings.Join(*j.Needs, ", ")
	case j.Status == enum.Created:
		card.Why = "waits for earlier stages"
	}
	return card
}

func (s *Server) pipelineAction(r *request, c *inside) error {
	pl, err := s.pipelineOf(r, c)
	if err != nil {
		return err
	}
	switch c.args[1] {
	case "retry":
		_, err = s.ci.RetryPipeline(r.Context(), r.actor, pl.ID)
	case "cancel":
		_, err = s.ci.CancelPipeline(r.Context(), r.actor, pl.ID)
	default:
		return notFound(r)
	}
	if err != nil {
		return err
	}
	return s.to(r, fmt.Sprintf("/%s/-/pipelines/%d", c.project.FullPath, pl.ID))
}

// jobOf finds the job of the address and its pipeline.
func (s *Server) jobOf(r *request, c *inside) (j *models.Job, pl *models.Pipeline, err error) {
	if !c.may(r, access.ReadJob) {
		return nil, nil, notFound(r)
	}
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		if j, err = tx.Job(c.number(0)); err == nil && j.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		if err != nil {
			return missingPage(err)
		}
		pl, err = tx.Pipeline(j.PipelineID)
		return err
	})
	return j, pl, err
}

func (s *Server) jobPage(r *request, c *inside) error {
	j, pl, err := s.jobOf(r, c)
	if err != nil {
		return err
	}
	d := data{"Title": fmt.Sprintf("%s #%d", j.Name, j.ID), "Pipeline": pl, "Job": cardOf(j), "Wide": true}
	started, err := s.ci.Downstream(r.Context(), r.actor, []*models.Job{j})
	if err != nil {
		return err
	}
	if one, ok := started[j.ID]; ok {
		d["Downstream"] = one
	}
	mirrored, err := s.ci.Mirrored(r.Context(), r.actor, []*models.Job{j})
	if err != nil {
		return err
	}
	if one, ok := mirrored[j.ID]; ok {
		d["Mirrored"] = one
	}
	stated(d, j.Status)
	if d["ReadableArchive"], err = s.readsArchive(r, c, j); err != nil {
		return err
	}
	status, err := s.addLog(r, c, d, j)
	if err != nil {
		return err
	}
	held := false
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		rows, err := tx.Artifacts(j.ID)
		if err != nil {
			return err
		}
		d["Artifacts"] = rows
		if d["Attempts"], err = tx.JobAttempts(pl.ID, j.Name); err != nil {
			return err
		}
		if j.Status == enum.Pending {
			if err := s.explainWait(tx, d, j, c.project); err != nil {
				return err
			}
		}
		if j.Status == enum.WaitingForResource {
			if err := s.explainResource(tx, d, j); err != nil {
				return err
			}
		}
		if j.EnvironmentID != nil {
			place, err := tx.Environment(*j.EnvironmentID)
			if err != nil && !errors.Is(err, models.ErrNotFound) {
				return err
			}
			d["Place"] = place
			if place != nil && j.Status == enum.Manual {
				if held, err = awaitsApproval(tx, r, c, j, place); err != nil {
					return err
				}
			}
		}
		users, err := tx.Users([]int64{j.UserID})
		d["By"] = users[j.UserID]
		if j.RunnerID != nil {
			found, err := tx.Runners([]int64{*j.RunnerID})
			d["Runner"] = found[*j.RunnerID]
			return err
		}
		return err
	})
	if err != nil {
		return err
	}
	may := access.Allowed(r.actor, access.UpdateJob, c.subject.On(pl.Ref, pl.Tag))
	d["Held"] = held
	d["Play"] = may && !held && (j.Status == enum.Manual || j.Status == enum.Scheduled)
	d["Cancel"] = may && j.Status.Cancelable() && j.Status != enum.Manual && j.Status != enum.Scheduled
	d["Force"] = may && j.Status == enum.Canceling && c.subject.Level >= enum.Maintainer
	d["Retry"] = may && !j.Retried && !j.External && j.Status.Completed() && process.Retryable(j.Status, j.FailureReason)
	d["Erase"] = may && j.Status.Completed() && j.ErasedAt == nil && !j.Bridge && !j.External
	if !j.Status.Completed() && j.Status != enum.Manual && status == http.StatusOK {
		d["Live"] = liveAt(fmt.Sprintf("/%s/-/jobs/%d/live", c.project.FullPath, j.ID), string(j.Status))
	}
	return s.showAs(r, c, status, "job", d)
}

// explainResource says which job has the resource that another one waits for.
func (s *Server) explainResource(tx *models.Tx, d data, j *models.Job) error {
	g, err := tx.ResourceGroup(*j.ResourceGroupID)
	if err != nil {
		return err
	}
	d["Resource"] = g
	if g.HolderID == nil {
		return nil
	}
	d["Holder"], err = tx.Job(*g.HolderID)
	return err
}

// explainWait says what a job waits for, in words.
func (s *Server) explainWait(tx *models.Tx, d data, j *models.Job, p *models.Project) error {
	f := models.RunnerFilter{ProjectID: p.ID, Tags: j.Tags, Status: "online"}
	ns, err := tx.Namespace(p.NamespaceID)
	if err != nil {
		return err
	}
	f.NamespaceIDs = ns.Ancestry()
	rows, _, err := tx.ListRunners(f, models.Page{PerPage: 100, Uncounted: true})
	if err != nil {
		return err
	}
	fit := 0
	for _, r := range rows {
		if r.Active && (len(j.Tags) > 0 || r.RunUntagged) {
			fit++
		}
	}
	switch tags := strings.Join(j.Tags, ", "); {
	case fit > 0:
		d["Wait"] = "The runners that can take it are busy; the first that is free does."
	case len(j.Tags) > 0:
		d["Wait"] = "No online runner of this project has the tags " + tags + "."
	default:
		d["Wait"] = "No online runner of this project takes jobs without tags."
	}
	return nil
}

func (s *Server) rawLog(r *request, c *inside) error {
	j, _, err := s.jobOf(r, c)
	if err != nil {
		return err
	}
	log, err := s.ci.ReadLog(r.Context(), r.actor, c.subject, j)
	if err != nil {
		return err
	}
	defer log.Close()
	r.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if j.ErasedAt != nil {
		return nil
	}
	http.ServeContent(r.w, r.Request, "", time.Time{}, log)
	return nil
}

func (s *Server) jobAction(r *request, c *inside) error {
	if r.actor.User == nil {
		return errSignIn
	}
	j, _, err := s.jobOf(r, c)
	if err != nil {
		return err
	}
	switch c.args[1] {
	case "play":
		j, err = s.ci.PlayJob(r.Context(), r.actor, j.ID, ci.Given{})
	case "retry":
		j, err = s.ci.RetryJob(r.Context(), r.actor, j.ID, ci.Given{})
	case "unschedule":
		_, err = s.ci.UnscheduleJob(r.Context(), r.actor, j.ID)
	case "cancel":
		j, err = s.ci.CancelJob(r.Context(), r.actor, j.ID, false)
	case "force":
		j, err = s.ci.CancelJob(r.Context(), r.actor, j.ID, true)
	case "erase":
		j, err = s.ci.EraseJob(r.Context(), r.actor, j.ID)
	default:
		return notFound(r)
	}
	if err != nil {
		return err
	}
	return s.to(r, fmt.Sprintf("/%s/-/jobs/%d", c.project.FullPath, j.ID))
}
