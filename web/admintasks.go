package web

import (
	"net/http"
	"strconv"
)

func (s *Server) adminTasks(r *request, _ []string) error {
	rows, counts, err := s.ci.TroubledTasks(r.Context())
	if err != nil {
		return err
	}
	s.render(r, http.StatusOK, "admin_tasks", data{"Title": "Tasks", "Tasks": rows, "Counts": counts})
	return nil
}

// adminTask retries or drops a task. One that runs is left alone.
func (s *Server) adminTask(r *request, args []string) error {
	id, _ := strconv.ParseInt(args[0], 10, 64)
	change, done := s.ci.RetryTask, "The task runs again."
	switch r.PostFormValue("action") {
	case "retry":
	case "drop":
		change, done = s.ci.DropTask, "The task was dropped."
	default:
		return notFound(r)
	}
	if err := change(r.Context(), r.actor, id); err != nil {
		return missingPage(err)
	}
	s.say(r, done)
	return s.to(r, "/admin/tasks")
}
