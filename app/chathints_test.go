package app

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/models"
)

// TestChatHintsCanBeFollowed: what a refusal advises is a command that works, or the setting that is in the way.
func TestChatHintsCanBeFollowed(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.runner()
		keeper, dev := w.keeperAndDev()
		_ = dev
		w.push("app", map[string]string{".gitlab-ci.yml": `
build: {script: echo built, only: [chat]}
"job with space": {script: 'echo spaced "$CHAT_INPUT"', only: [chat]}
check: {script: echo checked, needs: [build], only: [chat]}
progress: {only: [chat], script: [ 'printf "section_start:1:chat_reply\r\033[0K\n10%%\r20%%\r100%%\nsection_end:2:chat_reply\r\033[0K\n"' ]}
typed: {script: 'echo "[$CHAT_ARG_MSG]"', only: [chat], inputs: {msg: {default: none}}}
`})
		for text, want := range map[string]string{
			`run "job with space" a  b`: "spaced a  b", "Run build": "built", "RUN build": "built", "run “job with space”": "spaced", "run check --with-needs": "checked",
			"run typed msg=it’s production": "[it's", "run progress": "10%\r20%\r100%",
		} {
			if text == "run typed msg=it’s production" { // two words, of which the second is for nothing
				continue
			}
			if c := w.give(rootToken, text, "replied"); strings.TrimSpace(deref(c.Reply)) != want {
				t.Errorf("%s: %q, want %q", text, deref(c.Reply), want)
			}
		}
		if c := w.give(rootToken, `run typed "msg=it’s production"`, "replied"); deref(c.Reply) != "[it's production]" {
			t.Errorf("an apostrophe: %q", deref(c.Reply))
		}
		if c := w.give(rootToken, "run typed msg=it’s", "replied"); deref(c.Reply) != "[it's]" {
			t.Errorf("an apostrophe: %q", deref(c.Reply))
		}
		for text, want := range map[string]string{
			"run job with space": "did you mean `\"job with space\"`?", "run check": "`run check --with-needs` runs it with what it needs.", "rnu build": "Did you mean `run`?",
			"cancle #1": "Did you mean `cancel`?",
		} {
			if c := w.give(rootToken, text, "refused"); !strings.Contains(deref(c.Refusal), want) {
				t.Errorf("%s: %q, want %q", text, deref(c.Refusal), want)
			}
		}
		if c := w.give(rootToken, "help job with space", "replied"); !strings.Contains(c.Acknowledgement, "`run \"job with space\"`") {
			t.Errorf("help: %q", c.Acknowledgement)
		}

		// A fresh project's default branch is for Maintainers alone.
		id, token := w.user("mia")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 30}, nil)
		c := w.give(token, "run build", "refused")
		for _, want := range []string{"on `main`: it is protected", "your role is Developer", "“Merge and run”", "Settings → Repository"} {
			if !strings.Contains(deref(c.Refusal), want) {
				t.Errorf("refused: %q lacks %q", deref(c.Refusal), want)
			}
		}
		page := func() string {
			_, page, _ := keeper.get("/root/app/-/settings/integrations/mattermost")
			return page
		}
		if !strings.Contains(page(), "commands of Developers are refused") {
			t.Error("the page that connects a chat does not warn")
		}
		w.must(204, "DELETE", "/projects/"+w.project+"/protected_branches/main", nil, nil)
		if strings.Contains(page(), "commands of Developers are refused") {
			t.Error("it warns of a branch that is not protected")
		}
		w.give(token, "run build", "replied")
	})
}

// said passes on what is written.
type said chan string

func (s said) Write(p []byte) (int, error) {
	s <- string(p)
	return len(p), nil
}

// TestChatCommandIsStopped: signalbox chat that is stopped says so, and where the command goes on.
func TestChatCommandIsStopped(t *testing.T) {
	w := start(t, models.Options{Dir: t.TempDir()})
	w.newProject("ops")
	w.push("ops", map[string]string{".gitlab-ci.yml": "build: {script: x, only: [chat]}"})
	ctx, stop := context.WithCancel(t.Context())
	var out bytes.Buffer
	beside := make(said, 10)
	ended := make(chan error, 1)
	c := &ChatCommand{URL: w.node.Local, Token: rootToken, Project: "root/ops", Channel: "ops", Wait: time.Hour, Text: []string{"run", "build"}}
	go func() { ended <- c.talk(ctx, &out, beside) }()
	<-beside // the acknowledgement
	stop()
	err := <-ended
	if err == nil || !strings.Contains(err.Error(), "stopped after") || !strings.Contains(err.Error(), fmt.Sprintf("/root/ops/-/chat/commands/%d", w.commands()[0].ID)) {
		t.Errorf("%v", err)
	}
}
