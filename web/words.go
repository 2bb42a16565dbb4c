package web

import (
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/models"
	"signalbox/models/enum"
)

var functions = template.FuncMap{
	"outcome": outcome,
	"capital": sentence,
	"div":     func(a, b int) int { return a / b },
	"nth": func(list []string, i int) string {
		if i < len(list) {
			return list[i]
		}
		return ""
	},
	"bytes": bytesText,
	"entry": entryPath,
	"utc":   func(t time.Time) template.HTML { return timeElement(t, t.UTC().Format("2006-01-02 15:04:05")+" UTC") },
	"ansi":  func(s string) template.HTML { return ansiHTML(s) },
	"when":  whenText,
	"since": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
	"ago": func(t any) template.HTML {
		at, ok := t.(time.Time)
		if p, pointer := t.(*time.Time); pointer {
			at, ok = *p, true
		}
		if !ok {
			return ""
		}
		return timeElement(at, ago(at))
	},
	"short":    func(s string) string { return s[:min(8, len(s))] },
	"lines":    markdownLines,
	"chat":     chatHTML,
	"sentence": func(r enum.FailureReason) string { return r.Sentence() },
	"took":     func(seconds *int64) string { return tookText(seconds) },
	"percent":  func(p *float64) string { return strconv.FormatFloat(*p, 'f', 2, 64) + "%" },
	"under":    strings.HasPrefix,
	"typed": func(old url.Values, form, name, otherwise string) string {
		if old.Has(form) {
			return old.Get(name)
		}
		return otherwise
	},
	"ticked": func(old url.Values, form, name string, otherwise bool) bool {
		if old.Has(form) {
			return old.Has(name)
		}
		return otherwise
	},
	"inSettings": inSettings,
	"roles":      func() []enum.AccessLevel { return roles },
	"join":       func(s []string) string { return strings.Join(s, ", ") },
	"param":      withParam,
	"list":       func(s ...string) []string { return s },
	"pack":       func(v ...any) []any { return v },
	"word":       word,
	"shown": func(m *models.RunnerManager, r *models.Runner, now time.Time) string {
		if !r.Active {
			return "paused"
		}
		var contact *time.Time
		if m != nil {
			contact = m.ContactedAt
		}
		return models.ContactStatus(contact, r.CreatedAt, now)
	},
}

// settingsPages are the parts of a project's address that stand below its settings.
var settingsPages = []string{"/edit", "/-/settings/", "/-/runners", "/-/protected_environments", "/-/hooks", "/-/triggers"}

func inSettings(path, project string) bool {
	part, ok := strings.CutPrefix(path, "/"+project)
	return ok && slices.ContainsFunc(settingsPages, func(p string) bool { return strings.HasPrefix(part, p) })
}

var roles = []enum.AccessLevel{enum.Guest, enum.Reporter, enum.Developer, enum.Maintainer, enum.Owner}

// withParam is the query of a page with one parameter changed.
func withParam(q url.Values, key string, value any) template.URL {
	next := url.Values{}
	for k, v := range q {
		next[k] = slices.Clone(v)
	}
	next.Set(key, fmt.Sprint(value))
	if key != "page" {
		next.Del("page")
	}
	return template.URL("?" + next.Encode()) // encoded, and a query alone
}

func whenText(t *time.Time) string {
	if t == nil {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// word is a state as people say it.
func word(s string) string {
	switch s {
	case "warning":
		return "failed, allowed"
	case "instance_type":
		return "for all projects"
	case "group_type":
		return "of a group"
	case "project_type":
		return "of projects"
	}
	return strings.ReplaceAll(s, "_", " ")
}

func pathEscape(s string) string { return url.PathEscape(s) }

// timeElement lets browsers tell a time in their own zone.
func timeElement(t time.Time, text string) template.HTML {
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `">` + template.HTMLEscapeString(text) + `</time>`)
}

func bytesText(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

func ago(t time.Time) string {
	d := time.Since(t)
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	case d < 30*24*time.Hour:
		return fmt.Sprintf("%d d ago", int(d.Hours()/24))
	}
	return "on " + t.UTC().Format(time.DateOnly)
}

func tookText(seconds *int64) string {
	if seconds == nil {
		return ""
	}
	return took(*seconds)
}

var stateSentence = map[enum.CommandState]string{
	enum.CommandAccepted: "accepted, about to run", enum.CommandRefused: "refused", enum.CommandRunning: "its job has not ended, or its reply is on its way",
	enum.CommandWaiting: "waiting for the approval of others", enum.CommandReplied: "replied", enum.CommandSilent: "ended without a reply, on purpose: its chat_reply was empty",
	enum.CommandExpired: "its reply came too late for the chat", enum.CommandUndeliverable: "its reply could not be delivered",
}
