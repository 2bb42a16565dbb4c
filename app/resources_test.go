package app

import (
	"fmt"
	"strings"
	"testing"

	"signalbox/models"
)

// newest is the newest pipeline.
func (w *world) newest() int64 {
	w.t.Helper()
	all := w.pipelines()
	if len(all) == 0 {
		w.t.Fatal("no pipeline")
	}
	return all[0].ID
}

// create makes a pipeline by the API.
func (w *world) create(ref string, more map[string]any) (p pipelineJSON) {
	w.t.Helper()
	body := map[string]any{"ref": ref}
	for k, v := range more {
		body[k] = v
	}
	w.must(201, "POST", "/projects/"+w.project+"/pipeline", body, &p)
	return p
}

const deployConfig = `
stages: [build, deploy]
build: {stage: build, script: make}
deploy: {stage: deploy, script: make deploy, resource_group: $TARGET-group, variables: {TARGET: prod}}
`

// TestResourceGroups deploys from three pipelines at once, in each order that there is.
func TestResourceGroups(t *testing.T) {
	for mode, want := range map[string][]int{
		"unordered": {1, 0, 2}, "oldest_first": {0, 1, 2}, "newest_first": {2, 1, 0}, "newest_ready_first": {1, 2, 0},
	} {
		onEither(t, func(t *testing.T, o models.Options) {
			t.Run(mode, func(t *testing.T) {
				w := start(t, o)
				w.newProject("app")
				h := w.hand(false)
				w.push("app", map[string]string{".gitlab-ci.yml": deployConfig})
				w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 1 })
				ids := []int64{w.newest(), w.create("main", nil).ID, w.create("main", nil).ID}
				group := "/projects/" + w.project + "/resource_groups/prod-group"
				var g map[string]any
				w.must(200, "PUT", group, map[string]any{"process_mode": mode}, &g)
				if g["process_mode"] != mode || g["key"] != "prod-group" {
					t.Fatalf("the group is %v", g)
				}
				deploy := func(i int) jobJSON { return w.jobs(ids[i])["deploy"] }
				build := func(i int) { h.success(w.jobs(ids[i])["build"].ID) }
				build(1)
				if mode == "unordered" || mode == "newest_ready_first" {
					w.eventually("the one that is ready has the resource", func() bool { return deploy(1).Status == "pending" })
				} else if st := deploy(1).Status; st != "waiting_for_resource" {
					t.Fatalf("out of turn: %s", st)
				}
				if mode == "newest_ready_first" || mode == "unordered" {
					h.run(deploy(1).ID)
				}
				build(0)
				build(2)
				var order []int
				for range ids {
					w.eventually("somebody has the resource", func() bool { return w.holder(group) != 0 })
					holder := w.holder(group)
					for i := range ids {
						if d := deploy(i); d.ID == holder {
							order = append(order, i)
							w.eventually("it may run", func() bool { return deploy(i).Status != "waiting_for_resource" })
						} else if d.Status != "success" && d.Status != "waiting_for_resource" {
							t.Fatalf("%d has the resource and job %d of pipeline %d is %s", holder, d.ID, i, d.Status)
						}
					}
					h.success(holder)
					w.eventually("it is free again", func() bool { return w.holder(group) != holder })
				}
				if fmt.Sprint(order) != fmt.Sprint(want) {
					t.Errorf("order %v, want %v", order, want)
				}
			})
		})
	}
}

// holder is the job that has the resource of a group; 0 if it is free.
func (w *world) holder(group string) int64 {
	var job *jobJSON
	w.must(200, "GET", group+"/current_job", nil, &job)
	if job == nil {
		return 0
	}
	return job.ID
}

// TestAResourceIsNeverLost: whoever has it may be canceled, deleted, or die; the next one gets it.
func TestAResourceIsNeverLost(t *testing.T) {
	onBoth(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("app")
		h := w.hand(false)
		w.push("app", map[string]string{".gitlab-ci.yml": "deploy: {script: x, resource_group: one}"})
		w.eventually("the pipeline of the push", func() bool { return len(w.pipelines()) == 1 })
		ids := []int64{w.newest()}
		for range 4 {
			ids = append(ids, w.create("main", nil).ID)
		}
		deploy := func(i int) jobJSON { return w.jobs(ids[i])["deploy"] }
		turn := func(i int) {
			t.Helper()
			w.eventually(fmt.Sprintf("pipeline %d has its turn", i), func() bool { return deploy(i).Status == "pending" })
			for later := i + 1; later < len(ids); later++ {
				if st := deploy(later).Status; st != "waiting_for_resource" {
					t.Fatalf("pipeline %d has the resource and %d is %s", i, later, st)
				}
			}
		}
		turn(0)
		var upcoming []jobJSON
		w.must(200, "GET", "/projects/"+w.project+"/resource_groups/one/upcoming_jobs", nil, &upcoming)
		if len(upcoming) != 4 || upcoming[0].ID != deploy(1).ID {
			t.Errorf("upcoming: %+v", upcoming)
		}
		_, page, _ := w.visitor("root", "root-password").get(fmt.Sprintf("/root/app/-/jobs/%d", deploy(1).ID))
		if !strings.Contains(page, "resource group one") || !strings.Contains(page, fmt.Sprintf("deploy #%d</a> holds", deploy(0).ID)) {
			t.Errorf("the page does not say what holds the group: %s", page)
		}
		w.act(deploy(0).ID, "cancel")
		turn(1)
		w.must(204, "DELETE", fmt.Sprintf("/projects/%s/pipelines/%d", w.project, ids[1]), nil, nil)
		ids = append(ids[:1], ids[2:]...)
		turn(1)
		h.run(deploy(1).ID)
		w.down()
		w.up()
		h.client.URL = w.node.Local
		h.fail(deploy(1).ID)
		turn(2)
		h.success(deploy(2).ID)
		turn(3)
	})
}
