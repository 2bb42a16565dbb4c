package app

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"signalbox/internal/testenv/chats"
	"signalbox/models"
)

func discordKind() chatKind {
	return chatKinds[slices.IndexFunc(chatKinds, func(k chatKind) bool { return k.name == "discord" })]
}

// TestDiscordSetsUp: Discord tries the address with good and bad signatures, learns the commands, and suggests jobs.
func TestDiscordSetsUp(t *testing.T) {
	beside(t)
	r := enter(t, discordKind(), models.Options{Dir: t.TempDir()}, withBot)
	d := r.talk.(*chats.Discord)
	if got := d.Ping(true); got.Status != 200 || strings.TrimSpace(got.Body) != `{"type":1}` {
		t.Errorf("ping: %d %s", got.Status, got.Body)
	}
	if got := d.Ping(false); got.Status != 401 {
		t.Errorf("forged ping: %d %s", got.Status, got.Body)
	}
	target := d.Target
	d.Target = strings.Replace(target, "/projects/"+r.project+"/", "/projects/4711/", 1)
	if got := d.Ping(true); got.Status != 401 {
		t.Errorf("ping of an unknown project: %d %s", got.Status, got.Body)
	}
	d.Target = target
	for typed, want := range map[string]string{"": "build other third deploy start", "b": "build", "ST": "start", "x": ""} {
		if got := strings.Join(d.Suggest(r.channel, r.anna, typed), " "); got != want {
			t.Errorf("%q suggests %q, want %q", typed, got, want)
		}
	}
	if got := append(d.Suggest(r.channel, r.eve, ""), d.SuggestArguments(r.channel, r.eve, "deploy", "")...); len(got) != 0 {
		t.Errorf("somebody unknown learns of %v", got)
	}
	r.configure(formsConfig)
	for _, c := range [][3]string{
		{"deploy", "", "environment= force= note= replicas="},
		{"deploy", "env", "environment="},
		{"deploy@main", "environment=p", "environment=production"},
		{"deploy", "production force=", "production force=true|production force=false"},
		{"say", "", ""},
		{"nothing", "", ""},
		{"", "x", ""},
	} {
		if got := d.SuggestArguments(r.channel, r.anna, c[0], c[1]); strings.Join(got, "|") != strings.ReplaceAll(c[2], "= ", "=|") {
			t.Errorf("%s %q goes on with %q, want %q", c[0], c[1], got, c[2])
		}
	}
	v := r.visitor("root", "root-password")
	if _, page, _ := v.get("/root/ops/-/settings/integrations/discord"); !strings.Contains(page, "/integrations/discord/interactions") || !strings.Contains(page, d.Public) {
		t.Errorf("the page: %s", page)
	}
	var ready struct{ Address string }
	if r.must(200, "GET", "/projects/"+r.project+"/integrations/discord/setup", nil, &ready); !strings.HasSuffix(ready.Address, "/integrations/discord/interactions") {
		t.Errorf("the address by the API: %q", ready.Address)
	}
	if _, err := r.node.Chat.Test(t.Context(), r.projectRow(), "discord"); err != nil {
		t.Error(err)
	}
	if len(d.Calls("commands")) != 1 {
		t.Errorf("commands were sent %d times", len(d.Calls("commands")))
	}
	r.refused(400, "PUT", "/projects/"+r.project+"/integrations/discord", map[string]any{"public_key": "xyz"}, `{"message":{"public_key":["must be the 64 hexadecimal digits that Discord shows"]}}`)
}

func (w *world) projectRow() (p *models.Project) {
	w.t.Helper()
	err := w.node.db.Read(w.t.Context(), func(tx *models.Tx) (err error) {
		p, err = tx.ProjectByPath("root/ops")
		return err
	})
	noError(w.t, err)
	return p
}

// TestDiscordSlowAnswers: a command that takes over two seconds is shown as being worked on, has its answer in the place of that,
// and its reply after it, for everyone.
func TestDiscordSlowAnswers(t *testing.T) {
	beside(t)
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		io.WriteString(w, "included: {script: x}")
	}))
	t.Cleanup(slow.Close)
	r := enter(t, discordKind(), models.Options{Dir: t.TempDir()}, nil, func(s *Settings) {
		s.IncludeHosts = []string{strings.TrimPrefix(slow.URL, "http://")}
	})
	r.push("ops", map[string]string{".gitlab-ci.yml": suiteConfig + "\ninclude: [{remote: " + slow.URL + "/x.yml}]\n"})
	receipt := r.say(r.anna, "run build")
	if !strings.Contains(receipt.Message.Read(), "thinking") || receipt.Message.To != r.anna {
		t.Fatalf("%s", receipt.Body)
	}
	close(release)
	r.eventually("the pipeline", func() bool { return len(r.pipelines()) == 1 })
	r.reply(r.jobs(r.newest())["build"].ID, section("chat_reply", "slowly built"))
	if m := r.once(r.eve, "slowly built"); m.To != "" {
		t.Errorf("%+v", m)
	}
	if m, _ := r.Message(receipt.Message.ID); !strings.Contains(m.Read(), "was started") || len(m.Edits) != 1 {
		t.Errorf("the answer: %+v", m)
	}
}
