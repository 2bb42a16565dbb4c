package chats

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// history answers conversations.history and conversations.replies: what everyone sees since a time, a page at a time, with what
// the messages carry only if that is asked for. The pages are small, so that clients must turn them.
func (s *Slack) history(r *http.Request, body []byte) (int, any) {
	form, err := url.ParseQuery(string(body))
	limit, _ := strconv.Atoi(form.Get("limit"))
	oldest, wrong := strconv.ParseFloat(form.Get("oldest"), 64)
	thread := form.Get("ts")
	switch {
	case err != nil || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded", limit < 1 || limit > 999, wrong != nil || oldest < 1e9,
		strings.HasSuffix(r.URL.Path, "replies") != (thread != ""), thread != "" && !slackTime.MatchString(thread):
		s.complain("%s %s: %s", r.URL.Path, r.Header.Get("Content-Type"), body)
		return refuse("invalid_arguments")
	case s.Blind:
		return refuse("missing_scope")
	}
	if problem := s.there(form.Get("channel"), ""); problem != "" {
		return refuse(problem)
	}
	var all []map[string]any
	for _, m := range s.messages {
		at, _ := strconv.ParseFloat(m.ID, 64)
		if m.Channel != form.Get("channel") || m.To != "" || at <= oldest || (thread == "") != (m.Thread == "") || thread != m.Thread {
			continue
		}
		one := map[string]any{"type": "message", "ts": m.ID, "text": m.Text}
		if kind, key, ok := strings.Cut(m.Key, " "); ok && form.Get("include_all_metadata") == "true" {
			one["metadata"] = map[string]any{"event_type": kind, "event_payload": map[string]any{"key": key}}
		}
		all = append(all, one)
	}
	slices.Reverse(all)
	from, _ := strconv.Atoi(form.Get("cursor"))
	to := min(len(all), from+min(limit, 2))
	next := ""
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return 200, map[string]any{"ok": true, "messages": all[min(from, to):to], "has_more": next != "", "response_metadata": map[string]any{"next_cursor": next}}
}
