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
		r.Text += "; did you mean `" + strings.Join(r.Nearest, "`, `") + "`?"
	case len(names) == 0:
		r.Text += "; no job there can be run from chat"
	default:
		sort.Strings(names)
		r.Text += "; it has `" + strings.Join(names[:min(10, len(names))], "`, `") + "`"
	}
	return r
}
