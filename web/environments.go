package web

import (
	"errors"
	"fmt"

	"signalbox/ci"
	"signalbox/ci/access"
	"signalbox/ci/process"
	"signalbox/models"
)

// deployed is an environment or a deployment with what belongs to it.
type deployed struct {
	Environment *models.Environment
	Deployment  *models.Deployment // of an environment the last successful one; nil if there is none
	Job         *models.Job
	User        *models.User
	Again       bool // the asker may deploy it once more
	Blocked     bool // it waits for approval, or did and is to be started
	Waits       ci.Waiting
	Said        []string // who approved
}

// deployedBy reads the jobs and people of deployments.
func deployedBy(tx *models.Tx, rows []deployed) error {
	var jobs, users []int64
	for _, r := range rows {
		if r.Deployment != nil {
			users = append(users, r.Deployment.UserID)
			if r.Deployment.JobID != nil {
				jobs = append(jobs, *r.Deployment.JobID)
			}
		}
	}
	found, err := tx.JobsByID(jobs)
	if err != nil {
		return err
	}
	byID := map[int64]*models.Job{}
	for _, j := range found {
		byID[j.ID] = j
	}
	people, err := tx.Users(users)
	for i, r := range rows {
		if r.Deployment == nil {
			continue
		}
		rows[i].User = people[r.Deployment.UserID]
		if r.Deployment.JobID != nil {
			rows[i].Job = byID[*r.Deployment.JobID]
		}
	}
	return err
}

func (s *Server) environmentsPage(r *request, c *inside) error {
	p := paging(r)
	state := r.URL.Query().Get("state")
	if state != models.Stopped && state != "all" {
		state = models.Available
	}
	d := data{"Title": "Environments", "State": state, "MayStop": c.may(r, access.UpdateEnvironments)}
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		f := models.EnvironmentFilter{State: state}
		if state == "all" {
			f.State = ""
		}
		p.Descending = false
		found, _, err := tx.Environments(c.project.ID, f, p)
		if err != nil {
			return err
		}
		ids := make([]int64, len(found))
		for i, e := range found {
			ids[i] = e.ID
		}
		last, err := tx.LastDeployments(ids)
		if err != nil {
			return err
		}
		rows := make([]deployed, len(found))
		for i, e := range found {
			rows[i] = deployed{Environment: e, Deployment: last[e.ID]}
		}
		d["Rows"], d["Pager"] = rows, pagerOf(p, len(rows))
		return deployedBy(tx, rows)
	})
	if err != nil {
		return err
	}
	return s.show(r, c, "environments", d)
}

func (s *Server) environmentOf(r *request, c *inside) (e *models.Environment, err error) {
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		if e, err = tx.Environment(c.number(0)); err == nil && e.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missingPage(err)
	})
	return e, err
}

func (s *Server) environmentPage(r *request, c *inside) error {
	e, err := s.environmentOf(r, c)
	if err != nil {
		return err
	}
	p := paging(r)
	p.Descending = true
	d := data{"Title": e.Name, "Environment": e, "MayStop": c.may(r, access.UpdateEnvironments)}
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		found, _, err := tx.Deployments(c.project.ID, models.DeploymentFilter{EnvironmentID: e.ID}, p)
		if err != nil {
			return err
		}
		if _, err := tx.ProtectedEnvironment(c.project.ID, e.Name); err == nil {
			d["Protected"] = true
		} else if !errors.Is(err, models.ErrNotFound) {
			return err
		}
		last, err := tx.LastDeployments([]int64{e.ID})
		if err != nil {
			return err
		}
		rows := make([]deployed, len(found))
		for i, one := range found {
			rows[i] = deployed{Environment: e, Deployment: one}
		}
		if err := deployedBy(tx, rows); err != nil {
			return err
		}
		for i, row := range rows {
			if err := waits(tx, r, c, &rows[i]); err != nil {
				return err
			}
			if j := row.Job; j != nil && !j.Retried && j.Status.Completed() && process.Retryable(j.Status, j.FailureReason) {
				rows[i].Again = access.Allowed(r.actor, access.UpdateJob, c.subject.On(row.Deployment.Ref, row.Deployment.Tag))
			}
		}
		d["Rows"], d["Pager"], d["Last"] = rows, pagerOf(p, len(rows)), last[e.ID]
		return nil
	})
	if err != nil {
		return err
	}
	return s.show(r, c, "environment", d)
}

// waits finds what a blocked deployment waits for.
func waits(tx *models.Tx, r *request, c *inside, row *deployed) (err error) {
	row.Blocked = row.Deployment.Status == "blocked" && row.Job != nil
	if !row.Blocked {
		return nil
	}
	if row.Waits, err = ci.WaitsFor(tx, r.actor, c.subject, row.Deployment, row.Job, row.Environment.Name); err != nil {
		return err
	}
	var ids []int64
	for _, a := range row.Waits.Said {
		ids = append(ids, a.UserID)
	}
	people, err := tx.Users(ids)
	for _, id := range ids {
		if u := people[id]; u != nil {
			row.Said = append(row.Said, u.Username)
		}
	}
	return err
}

// awaitsApproval says whether a manual job cannot be started before others have approved its deployment.
func awaitsApproval(tx *models.Tx, r *request, c *inside, j *models.Job, place *models.Environment) (bool, error) {
	d, err := tx.DeploymentOfJob(j.ID)
	if errors.Is(err, models.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	row := deployed{Environment: place, Deployment: d, Job: j}
	err = waits(tx, r, c, &row)
	return row.Waits.Held(), err
}

// approveDeployment approves or rejects a deployment that waits for it.
func (s *Server) approveDeployment(r *request, c *inside) error {
	var d *models.Deployment
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) (err error) {
		if d, err = tx.Deployment(c.number(0)); err == nil && d.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missingPage(err)
	})
	if err != nil {
		return err
	}
	approve := c.args[1] == "approve"
	if !approve && c.args[1] != "reject" {
		return notFound(r)
	}
	if _, err := s.ci.ApproveDeployment(r.Context(), r.actor, d.ID, approve, r.PostFormValue("comment")); err != nil {
		return err
	}
	if approve {
		s.say(r, fmt.Sprintf("You approved deployment #%d.", d.IID))
	} else {
		s.say(r, fmt.Sprintf("You rejected deployment #%d.", d.IID))
	}
	return s.to(r, fmt.Sprintf("/%s/-/environments/%d", c.project.FullPath, d.EnvironmentID))
}

func (s *Server) stopEnvironment(r *request, c *inside) error {
	e, err := s.environmentOf(r, c)
	if err != nil {
		return err
	}
	if _, err := s.ci.StopEnvironment(r.Context(), r.actor, e.ID, false); err != nil {
		return err
	}
	return s.to(r, fmt.Sprintf("/%s/-/environments/%d", c.project.FullPath, e.ID))
}
