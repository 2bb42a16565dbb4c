package api

import (
	"signalbox/ci/access"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

// resourceGroup is GitLab's ResourceGroup.
type resourceGroup struct {
	ID          int64            `json:"id"`
	Key         string           `json:"key"`
	ProcessMode enum.ProcessMode `json:"process_mode"`
	CreatedAt   httpapi.Time     `json:"created_at"`
	UpdatedAt   httpapi.Time     `json:"updated_at"`
}

func resourceGroupOf(g *models.ResourceGroup) resourceGroup {
	return resourceGroup{g.ID, g.Key, g.ProcessMode, httpapi.Time(g.CreatedAt), httpapi.Time(g.UpdatedAt)}
}

// inResourceGroup finds the resource group of :key in its project.
func inResourceGroup(a access.Ability) place {
	return project(a).within(func(c *call) error {
		err := c.read(func(tx *models.Tx) (err error) {
			c.resources, err = tx.ResourceGroupByKey(c.project.ID, c.Param("key"))
			return err
		})
		return missing(err, "Resource Group")
	})
}

func (s *Server) resourceRoutes(r routes) {
	base, one := "/projects/:id/resource_groups", "/projects/:id/resource_groups/:key"
	r.get(base, project(access.ReadResourceGroups), with(func(c *call, p *struct{ httpapi.Page }) (any, error) {
		var out listing
		err := c.read(func(tx *models.Tx) error {
			rows, total, err := tx.ResourceGroups(c.project.ID, pageOf(p.Page))
			out = paged(each(rows, resourceGroupOf), p.Page, total)
			return err
		})
		return out, err
	}))
	r.get(one, inResourceGroup(access.ReadResourceGroups), func(c *call) (any, error) { return resourceGroupOf(c.resources), nil })
	r.get(one+"/current_job", inResourceGroup(access.ReadResourceGroups), s.currentJob)
	r.get(one+"/upcoming_jobs", inResourceGroup(access.ReadResourceGroups), with(s.upcomingJobs))
	r.put(one, inResourceGroup(access.UpdateResourceGroups), with(func(c *call, p *struct {
		Mode string `param:"process_mode" values:"unordered oldest_first newest_first newest_ready_first"`
	},
	) (any, error) {
		if p.Mode == "" {
			return resourceGroupOf(c.resources), nil
		}
		g, err := s.ci.SetProcessMode(c.ctx(), c.resources.ID, enum.ProcessMode(p.Mode))
		if err != nil {
			return nil, err
		}
		return resourceGroupOf(g), nil
	}))
}

// currentJob is the job that has the resource; null if it is free.
func (s *Server) currentJob(c *call) (any, error) {
	if c.resources.HolderID == nil {
		return jsonNull, nil
	}
	var job *models.Job
	err := c.read(func(tx *models.Tx) (err error) {
		job, err = tx.Job(*c.resources.HolderID)
		return err
	})
	if err != nil {
		return nil, missing(err, "Job")
	}
	rows, err := s.basicJobs(c, []*models.Job{job})
	if err != nil {
		return nil, err
	}
	return rows[0], nil
}

// maxUpcoming bounds the list of jobs that wait for a resource.
const maxUpcoming = 1000

func (s *Server) upcomingJobs(c *call, p *struct{ httpapi.Page }) (any, error) {
	var rows []*models.Job
	err := c.read(func(tx *models.Tx) (err error) {
		rows, err = tx.UpcomingJobs(c.resources, maxUpcoming)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := sliced(rows, p.Page)
	out.rows, err = s.basicJobs(c, out.rows.([]*models.Job))
	return out, err
}
