package api

import (
	"signalbox/ci/access"
	"signalbox/internal/httpapi"
	"signalbox/models"
	"signalbox/models/enum"
)

type chatNotificationEntity struct {
	ID          int64        `json:"id"`
	Chat        enum.Chat    `json:"chat"`
	Channel     string       `json:"channel"`
	Events      []string     `json:"events"`
	Statuses    []string     `json:"statuses"`
	Branches    string       `json:"branches"`
	OnlyChanges bool         `json:"only_changes"`
	CreatedAt   httpapi.Time `json:"created_at"`
}

func chatNotificationOf(n *models.ChatNotification) chatNotificationEntity {
	events := []string{}
	if n.Pipelines {
		events = append(events, "pipeline")
	}
	if n.Jobs {
		events = append(events, "job")
	}
	return chatNotificationEntity{n.ID, n.Chat, n.Channel, events, n.Statuses, n.Branches, n.OnlyChanges, httpapi.Time(n.CreatedAt)}
}

type chatNotificationParams struct {
	Chat        *string   `param:"chat" values:"slack mattermost discord slack_app"`
	Channel     *string   `param:"channel" max:"255"`
	Events      *[]string `param:"events" values:"pipeline job"`
	Statuses    *[]string `param:"statuses" values:"success failed canceled"`
	Branches    *string   `param:"branches" max:"255"`
	OnlyChanges *bool     `param:"only_changes"`
}

func (p *chatNotificationParams) apply(n *models.ChatNotification) {
	if p.Chat != nil {
		n.Chat = enum.Chat(*p.Chat)
	}
	keep(&n.Channel, p.Channel)
	keep(&n.Statuses, p.Statuses)
	keep(&n.Branches, p.Branches)
	keep(&n.OnlyChanges, p.OnlyChanges)
	if p.Events != nil {
		n.Pipelines, n.Jobs = false, false
		for _, e := range *p.Events {
			n.Pipelines, n.Jobs = n.Pipelines || e == "pipeline", n.Jobs || e == "job"
		}
	}
}

// chatNotificationRoutes serve which channels are told how pipelines and jobs end.
func (s *Server) chatNotificationRoutes(r routes) {
	base := "/projects/:id/chat/notifications"
	in := func(c *call) (one *models.ChatNotification, err error) {
		id, err := c.id("notification_id", "Notification")
		if err != nil {
			return nil, err
		}
		err = c.read(func(tx *models.Tx) error {
			one, err = tx.ChatNotification(id)
			return err
		})
		if err == nil && one.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return one, missing(err, "Notification")
	}
	r.get(base, project(access.AdminProject), func(c *call) (any, error) {
		out := []chatNotificationEntity{}
		err := c.read(func(tx *models.Tx) error {
			rows, err := tx.ChatNotifications(c.project.ID)
			out = each(rows, chatNotificationOf)
			return err
		})
		return out, err
	})
	r.post(base, project(access.AdminProject), with(func(c *call, p *chatNotificationParams) (any, error) {
		n := &models.ChatNotification{ProjectID: c.project.ID, Pipelines: p.Events == nil}
		p.apply(n)
		err := s.chat.SaveNotification(c.ctx(), c.actor, n)
		return chatNotificationOf(n), err
	}))
	r.put(base+"/:notification_id", project(access.AdminProject), with(func(c *call, p *chatNotificationParams) (any, error) {
		n, err := in(c)
		if err != nil {
			return nil, err
		}
		p.apply(n)
		return chatNotificationOf(n), s.chat.SaveNotification(c.ctx(), c.actor, n)
	}))
	r.delete(base+"/:notification_id", project(access.AdminProject), func(c *call) (any, error) {
		n, err := in(c)
		if err != nil {
			return nil, err
		}
		return nil, s.chat.RemoveNotification(c.ctx(), c.actor, n)
	})
}
