package plan

import (
	"fmt"
	"sort"
	"strings"

	"signalbox/ci/config"
)

// unknownJob names the jobs that are close to what was asked, of those that could run.
func unknownJob(jobs []*config.Job, f Facts, rules *asker) *Refusal {
	var names []string
	for _, j := range jobs {
		if d, err := rules.of(j).decide(); err == nil && !d.out {
			names = append(names, j.Name)
		}
	}
	r := &Refusal{Reason: UnknownJob, Nearest: config.Nearest(f.ChatJob, names, 3)}
	r.Text = fmt.Sprintf("there is no job `%s` on %s", f.ChatJob, f.place())
	switch {
	case len(r.Nearest) > 0:
		r.Text += "; did you mean `" + strings.Join(typed(r.Nearest), "`, `") + "`?"
	case len(names) == 0:
		r.Text += "; no job there can be run from chat"
	default:
		sort.Strings(names)
		r.Text += "; it has `" + strings.Join(typed(names[:min(10, len(names))]), "`, `") + "`"
	}
	return r
}

// typed are names as they are typed in a command: those with blanks in quotes.
func typed(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		switch {
		case !strings.ContainsAny(n, " \t"):
			out[i] = n
		case strings.Contains(n, `"`):
			out[i] = "'" + n + "'"
		default:
			out[i] = `"` + n + `"`
		}
	}
	return out
}
