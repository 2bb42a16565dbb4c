package app

import (
	"encoding/json"
	"strings"
	"testing"

	"signalbox/models"
)

// TestLintRefusesWhatCreationRefuses in the same words, whether it is asked of the server or of the command line.
func TestLintRefusesWhatCreationRefuses(t *testing.T) {
	beside(t)
	w := start(t, models.Options{})
	w.newProject("app")
	for text, sentence := range map[string]string{
		"job: {run: [{name: a, script: b}]}":                                                     "uses `run`, which this version",
		"job: {script: a, secrets: {P: {vault: a/b/c@d}}}":                                       "uses `secrets`, which this version",
		"job: {script: a, identity: google_cloud}":                                               "uses `identity`, which this version",
		"include: [{remote: 'not-valid://x/a.yml'}]\njob: {script: a}":                           "Remote file `not-valid://x/a.yml` does not have a valid address!",
		"job: {script: a, rules: [{if: $X == 'y'}], identity: google_cloud}\nother: {script: a}": "",
	} {
		w.push("app", map[string]string{".gitlab-ci.yml": text})
		var raw json.RawMessage
		if got := w.api("POST", "/projects/"+w.project+"/pipeline", map[string]any{"ref": "main"}, &raw); (got == 400) != (sentence != "") || !strings.Contains(plainJSON(raw), sentence) {
			t.Errorf("%s\ncreation answers %d %s", text, got, raw)
		}
		var answer struct {
			Valid            bool
			Errors, Warnings []string
		}
		w.must(200, "POST", "/projects/"+w.project+"/ci/lint", map[string]any{"content": text}, &answer)
		if answer.Valid != (sentence == "") || !strings.Contains(strings.Join(answer.Errors, "\n"), sentence) {
			t.Errorf("%s\nthe server's lint answers %+v", text, answer)
		}
		if sentence == "" && !strings.Contains(strings.Join(answer.Warnings, "\n"), "cannot run yet") {
			t.Errorf("%s\nthe server's lint warns of %q", text, answer.Warnings)
		}
		out, code := lint(t, LintCommand{Dir: treeOf(t, map[string]string{".gitlab-ci.yml": text})})
		if (code == 0) != (sentence == "") || code > 1 || !strings.Contains(out, sentence) {
			t.Errorf("%s\nthe command's lint ends with %d: %s", text, code, out)
		}
	}
}

// plainJSON is JSON with the signs that Go escapes.
func plainJSON(raw json.RawMessage) string {
	return strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(string(raw))
}
