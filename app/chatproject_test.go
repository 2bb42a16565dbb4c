package app

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// dispatcher is a program of the project's own: the job's name is the command, it splits CHAT_INPUT at blanks alone, prints its
// answer in a section, and sends files to the channel itself.
const dispatcher = `#!/bin/bash
set -u
: "${CHAT_INPUT?must be there}"
read -r -a args <<< "$CHAT_INPUT"
printf 'section_start:%s:chat_reply\r\033[0K\n' "$(date +%s)"
trap 'printf "section_end:%s:chat_reply\r\033[0K\n" "$(date +%s)"' EXIT
case "$1" in
  feature) echo "feature ${args[*]:-}" ;;
  explain) curl -s -H "Authorization: Bearer $SLACK_TOKEN" -F "channels=$CHAT_CHANNEL" -F "content=plan of ${args[*]}" "$UPLOADS" >/dev/null ;;
  broken) echo "what went wrong"; exit 1 ;;
  *) echo "unknown command $1" ;;
esac
`

const dispatchedConfig = `
.command:
  image: registry.example.com/chatops:latest
  variables: {GIT_STRATEGY: fetch}
  rules:
    - if: $CI_PIPELINE_SOURCE == "chat"
    - when: never
  script:
    - bash bin/chatops $CI_JOB_NAME
feature: {extends: .command}
explain: {extends: .command}
broken: {extends: .command}
`

// TestAProjectWithADispatcherOfItsOwn runs unchanged: one line a command, an own program, replies in a section, files that it
// sends itself to the channel by its id (facts: chatops 7).
func TestAProjectWithADispatcherOfItsOwn(t *testing.T) {
	var mu sync.Mutex
	var uploads []string
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		uploads = append(uploads, r.Header.Get("Authorization")+" "+r.FormValue("channels")+" "+r.FormValue("content"))
		io.WriteString(w, "ok")
	}))
	t.Cleanup(store.Close)
	eachChat(t, "workflow: {rules: [{when: never}]}\nnone: {script: x}", func(t *testing.T, w *world, s chatSide) {
		w.integrate(s, map[string]any{"channel_variable": "id"})
		w.must(201, "POST", "/projects/"+w.project+"/variables", map[string]any{"key": "SLACK_TOKEN", "value": "xoxb-of-the-project", "masked": true}, nil)
		w.variable("UPLOADS", store.URL)
		w.push("ops", map[string]string{".gitlab-ci.yml": dispatchedConfig, "bin/chatops": dispatcher})
		if got := output(s, w.answer(s, "run feature set some_flag true --staging")); got != "feature set some_flag true --staging" {
			t.Errorf("%q", got)
		}
		if got := output(s, w.answer(s, "run feature")); got != "feature" && got != "feature " {
			t.Errorf("without arguments: %q", got)
		}
		if got := w.answer(s, "run broken"); !strings.Contains(got, "what went wrong") || !strings.Contains(got, "failed") {
			t.Errorf("%q", got)
		}
		before := len(w.chat.all("/hooks/"))
		w.say(s, "U1", "run explain SELECT 1")
		w.command("silent")
		if n := len(w.chat.all("/hooks/")); n != before {
			t.Error("a command that answers itself was answered once more")
		}
		mu.Lock()
		defer mu.Unlock()
		if len(uploads) == 0 || uploads[len(uploads)-1] != "Bearer xoxb-of-the-project C1 plan of SELECT 1" {
			raw, _ := json.Marshal(uploads)
			t.Errorf("uploads %s", raw)
		}
	})
}
