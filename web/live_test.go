package web

import (
	"testing"

	"signalbox/models"
	"signalbox/models/enum"
	"signalbox/models/modelstest"
)

// TestAListOfPipelinesFollowsTheirJobs: a page that shows how many jobs failed is renewed when another one fails, also while
// the pipeline goes on as before.
func TestAListOfPipelinesFollowsTheirJobs(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		db := modelstest.Open(t, o)
		p, pl := &models.Project{Path: "app", Name: "App", Visibility: enum.Private, DefaultBranch: "main", Storage: "s"}, &models.Pipeline{Status: enum.Running, Source: enum.SourcePush, Ref: "main"}
		var jobs []models.NewJob
		for _, name := range []string{"a", "b"} {
			jobs = append(jobs, models.NewJob{Job: &models.Job{Name: name, Stage: "test", Status: enum.Running, When: enum.OnSuccess, Tags: []string{}}, Definition: "{}"})
		}
		write := func(f func(*models.Tx) error) {
			t.Helper()
			if err := db.Write(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		write(func(tx *models.Tx) error {
			u := &models.User{Username: "anna", Name: "Anna", Email: "anna@example.com", State: "active"}
			if err := tx.CreateUser(u); err != nil {
				return err
			}
			n := &models.Namespace{Kind: "group", Path: "team", Name: "Team", Visibility: enum.Private}
			if err := tx.CreateNamespace(n, nil); err != nil {
				return err
			}
			if err := tx.CreateProject(p, n); err != nil {
				return err
			}
			pl.ProjectID, pl.UserID, pl.IID = p.ID, u.ID, 1
			if err := tx.CreatePipeline(pl, nil); err != nil {
				return err
			}
			for _, j := range jobs {
				j.Job.ProjectID, j.Job.UserID = p.ID, u.ID
			}
			return tx.CreateJobs(pl.ID, jobs)
		})
		seen := map[string]bool{}
		version := func() (v string) {
			t.Helper()
			err := db.Read(t.Context(), func(tx *models.Tx) (err error) {
				v, err = pipelinesVersion(tx, p.ID)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		seen[version()] = true
		if !seen[version()] {
			t.Error("the version changes by itself")
		}
		for _, j := range jobs {
			write(func(tx *models.Tx) error {
				j.Job.Status = enum.Failed
				_, err := tx.MoveJob(j.Job, enum.Running)
				return err
			})
			if v := version(); seen[v] {
				t.Errorf("%s failed, and the version is still %s", j.Job.Name, v)
			} else {
				seen[v] = true
			}
		}
	})
}
