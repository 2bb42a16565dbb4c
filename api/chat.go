package api

import (
	"signalbox/ci/access"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

type commandEntity struct {
	ID              int64             `json:"id"`
	Text            string            `json:"text"`
	Channel         string            `json:"channel"`
	State           enum.CommandState `json:"state"`
	Acknowledgement string            `json:"acknowledgement"`
	Refusal         *string           `json:"refusal"`
	PipelineID      *int64            `json:"pipeline_id"`
	JobID           *int64            `json:"job_id"`
	Reply           *string           `json:"reply"`
	DeliveryError   *string           `json:"delivery_error"`
	CreatedAt       httpapi.Time      `json:"created_at"`
	FinishedAt      *httpapi.Time     `json:"finished_at"`
}

func commandOf(c *models.ChatCommand) commandEntity {
	return commandEntity{
		ID: c.ID, Text: c.Text, Channel: c.ChannelName, State: c.State, Acknowledgement: c.Acknowledgement, PipelineID: c.PipelineID, JobID: c.JobID,
		Reply: c.Reply, CreatedAt: httpapi.Time(c.CreatedAt), FinishedAt: httpapi.TimeOf(c.FinishedAt), Refusal: given(c.Refusal), DeliveryError: given(c.DeliveryError),
	}
}

func (s *Server) chatRoutes(r routes) {
	path := "/projects/:id/chat/commands"
	r.post(path, project(access.CreateCommand), with(func(c *call, p *struct {
		Text    string `param:"text,required,filled"`
		Channel string `param:"channel" max:"255"`
	},
	) (any, error) {
		row, err := s.chat.Give(c.ctx(), c.actor, c.project, p.Text, p.Channel)
		if err != nil {
			return nil, err
		}
		return commandOf(row), nil
	}))
	r.get(path, project(access.ReadCommands), with(func(c *call, p *struct{ httpapi.Page }) (any, error) {
		var out listing
		err := c.read(func(tx *models.Tx) error {
			rows, total, err := tx.ListCommands(c.project.ID, pageOf(p.Page))
			out = paged(each(rows, commandOf), p.Page, total)
			return err
		})
		return out, err
	}))
	r.get(path+"/:command_id", project(access.ReadCommands), func(c *call) (any, error) {
		n, err := c.id("command_id", "Command")
		if err != nil {
			return nil, err
		}
		var row *models.ChatCommand
		err = c.read(func(tx *models.Tx) (err error) {
			row, err = tx.Command(n)
			return err
		})
		if err == nil && row.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		if err != nil {
			return nil, missing(err, "Command")
		}
		return commandOf(row), nil
	})
}
