package chatops

import (
	"bytes"
	"slices"
	"strings"

	"signalbox/internal/terminal"
)

var (
	// scripts are the sections that hold what a job's script printed.
	scripts = []Section{StepScript, BuildScript, "step_run", "after_script"}
	// runners are the sections of runners before and behind it.
	runners = []Section{
		"prepare_executor", "prepare_script", "get_sources", "restore_cache", "download_artifacts", "archive_cache", "archive_cache_on_failure",
		"upload_artifacts_on_success", "upload_artifacts_on_failure", "cleanup_file_variables", "resolve_secrets",
	}
	banner = "Running with gitlab-runner "
)

// scriptOnly takes out of the end of a log what the script printed, without what the runner says around it. whole says that the log
// is no longer than that. Of a log without a runner's sections it is all.
func scriptOnly(end []byte, whole bool) []byte {
	var out []byte
	from, inside, sawScript, sawRunner := 0, !whole, false, whole && strings.HasPrefix(terminal.Strip(string(end[:min(len(end), 200)])), banner)
	for _, m := range marker.FindAllSubmatchIndex(end, -1) {
		name, start := Section(end[m[6]:m[7]]), string(end[m[2]:m[3]]) == "start"
		switch {
		case slices.Contains(scripts, name) && start:
			if !sawScript {
				out = nil // what stands before the first one is the runner's
			}
			from, inside, sawScript = m[1], true, true
			if i := bytes.IndexByte(end[from:], '\n'); i >= 0 { // the line that says which script it is
				from += i + 1
			} else {
				from = len(end)
			}
		case slices.Contains(scripts, name):
			if inside {
				out = append(out, end[min(from, m[0]):m[0]]...)
			}
			inside, sawScript = false, true
		case slices.Contains(runners, name):
			sawRunner = true
			if !sawScript {
				inside = false
			}
		}
	}
	switch {
	case inside && (sawScript || !sawRunner):
		return append(out, end[from:]...)
	case !sawScript && !sawRunner:
		return end
	}
	return out
}
