package web

import (
	"fmt"
	"slices"
	"strings"

	"signalbox/internal/fault"
	"signalbox/models"
	"signalbox/models/enum"
)

// choice is something that a form offers.
type choice struct {
	Value, Text string
	On          bool
}

// slackAppName is what people call the one Slack app of the instance.
const slackAppName = "Slack app of the instance"

var notifiedStatuses = []choice{{Value: "success", Text: "passed"}, {Value: "failed", Text: "failed"}, {Value: "canceled", Text: "canceled"}}

// notificationRow is a notification as its list and its form show it.
type notificationRow struct {
	*models.ChatNotification
	ChatName string
	Mute     string // why nothing would be sent
}

// Events says of what the channel is told.
func (n notificationRow) Events() string {
	switch {
	case n.Pipelines && n.Jobs:
		return "pipelines and jobs"
	case n.Jobs:
		return "jobs"
	}
	return "pipelines"
}

// Ends says of which ends it is told.
func (n notificationRow) Ends() string {
	var out []string
	for _, s := range notifiedStatuses {
		if len(n.Statuses) == 0 || slices.Contains(n.Statuses, s.Value) {
			out = append(out, s.Text)
		}
	}
	return strings.Join(out, ", ")
}

func notificationsAt(c *inside) string {
	return "/" + c.project.FullPath + "/-/settings/integrations/notifications"
}

// notifyingChats are the chats that can be told of results, as a form offers them.
func (s *Server) notifyingChats(tx *models.Tx, p *models.Project) (out []choice, err error) {
	rows, err := tx.Integrations(p.ID)
	on := map[enum.Chat]bool{}
	for _, in := range rows {
		on[in.Chat] = in.Active
	}
	for _, k := range chats {
		out = append(out, choice{string(k.Chat), k.Name, on[k.Chat]})
	}
	return out, err
}

func (s *Server) notificationsPage(r *request, c *inside) error {
	form := notificationRow{ChatNotification: &models.ChatNotification{Pipelines: true}}
	d := data{"Title": "Notifications", "At": notificationsAt(c)}
	err := s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		offered, err := s.notifyingChats(tx, c.project)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(offered, func(o choice) bool { return o.On }); i >= 0 {
			form.Chat = enum.Chat(offered[i].Value)
		}
		found, err := tx.ChatNotifications(c.project.ID)
		rows := make([]notificationRow, len(found))
		for i, n := range found {
			rows[i] = notificationRow{ChatNotification: n, ChatName: string(n.Chat)}
			for _, o := range offered {
				if o.Value == string(n.Chat) {
					if rows[i].ChatName = o.Text; !o.On {
						rows[i].Mute = "not connected"
					}
				}
			}
			if r.URL.Query().Get("edit") == fmt.Sprint(n.ID) {
				form = rows[i]
			}
		}
		d["Rows"], d["Chats"], d["Form"] = rows, offered, form
		return err
	})
	if err != nil {
		return err
	}
	ends := slices.Clone(notifiedStatuses)
	for i := range ends {
		ends[i].On = len(form.Statuses) == 0 || slices.Contains(form.Statuses, ends[i].Value)
	}
	d["Ends"] = ends
	return s.show(r, c, "notifications", d)
}

// notificationFound finds the notification of the address; a fresh one for a new one.
func (s *Server) notificationFound(r *request, c *inside) (n *models.ChatNotification, err error) {
	if len(c.args) == 0 {
		return &models.ChatNotification{ProjectID: c.project.ID}, nil
	}
	err = s.ci.DB().Read(r.Context(), func(tx *models.Tx) error {
		if n, err = tx.ChatNotification(c.number(0)); err == nil && n.ProjectID != c.project.ID {
			err = models.ErrNotFound
		}
		return missingPage(err)
	})
	return n, err
}

func (s *Server) saveNotification(r *request, c *inside) error {
	n, err := s.notificationFound(r, c)
	if err != nil {
		return err
	}
	on := func(name string) bool { return r.PostFormValue(name) != "" }
	n.Chat, n.Channel, n.Branches = enum.Chat(r.PostFormValue("chat")), r.PostFormValue("channel"), r.PostFormValue("branches")
	n.Pipelines, n.Jobs, n.OnlyChanges, n.Statuses = on("pipelines"), on("jobs"), on("only_changes"), nil
	for _, end := range notifiedStatuses {
		if on("end_" + end.Value) {
			n.Statuses = append(n.Statuses, end.Value)
		}
	}
	none := len(n.Statuses) == 0
	if len(n.Statuses) == len(notifiedStatuses) {
		n.Statuses = nil // all, as the API has it
	}
	if wrong := s.chat.CheckNotification(n); wrong != nil || none {
		if none {
			wrong = mergeFields(wrong, "statuses", "must name at least one")
		}
		return perField(wrong)
	}
	if err := s.chat.SaveNotification(r.Context(), r.actor, n); err != nil {
		return perField(err)
	}
	s.say(r, "The notification was saved. Press “Test” to send a message to the channel.")
	return s.to(r, notificationsAt(c))
}

// mergeFields adds what is wrong with a field.
func mergeFields(wrong fault.Fields, field, text string) fault.Fields {
	if wrong == nil {
		wrong = fault.Fields{}
	}
	wrong[field] = append(wrong[field], text)
	return wrong
}

func (s *Server) notificationAction(r *request, c *inside) error {
	n, err := s.notificationFound(r, c)
	if err != nil {
		return err
	}
	switch c.args[1] {
	case "test":
		if err := s.chat.TestNotification(r.Context(), r.actor, c.project, n); err != nil {
			return err
		}
		s.say(r, "The message is in the channel "+n.Channel+".")
	case "remove":
		if err := s.chat.RemoveNotification(r.Context(), r.actor, n); err != nil {
			return err
		}
		s.say(r, "The channel "+n.Channel+" is not told any more.")
	default:
		return notFound(r)
	}
	return s.to(r, notificationsAt(c))
}
