package web

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"signalbox/internal/fault"
	"signalbox/models"
)

// addLog puts the part of a job's log that the address asks for on its page. Who may see the job but not its log reads
// why, with the status 403 that a program understands.
func (s *Server) addLog(r *request, c *inside, d data, j *models.Job) (status int, err error) {
	if j.ErasedAt != nil {
		return http.StatusOK, nil
	}
	log, err := s.ci.ReadLog(r.Context(), r.actor, c.subject, j)
	if fault.KindOf(err) == fault.Forbidden {
		d["LogRefused"] = fault.Message(err)
		return http.StatusForbidden, nil
	}
	if err != nil {
		return 0, err
	}
	defer log.Close()
	at := 0
	fmt.Sscan(r.URL.Query().Get("at"), &at)
	index, err := s.ci.IndexTrace(r.Context(), j.ID, log)
	if err != nil {
		return 0, err
	}
	part, err := readPart(r.Context(), log, index, at)
	if err != nil {
		return 0, err
	}
	d["Log"], d["Tail"] = part, part.Last == part.Lines
	if text := strings.TrimSpace(r.URL.Query().Get("q")); text != "" {
		hits, more, err := search(r.Context(), io.NewSectionReader(log, 0, log.Size()), part.Timed, text)
		if err != nil {
			return 0, err
		}
		d["Search"], d["Hits"], d["More"] = text, hits, more
	}
	return http.StatusOK, nil
}
