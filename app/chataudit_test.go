package app

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"signalbox/models"
)

type auditJSON struct {
	commandJSON
	Chat       string
	Text       string
	ChannelID  string `json:"channel_id"`
	ChatUserID string `json:"chat_user_id"`
	ChatUser   string `json:"chat_user_name"`
	User       *struct{ Username string }
	Thread     *string
	Decision   *string
	Private    *string `json:"private_reply"`
	Deliveries []struct {
		Kind    string
		Via     string
		Outcome string
		Detail  *string
		Times   int
	}
}

func (w *world) found(query string) (texts []string) {
	w.t.Helper()
	var all []auditJSON
	w.must(200, "GET", "/projects/"+w.project+"/chat/commands?per_page=100&"+query, nil, &all)
	for _, c := range all {
		texts = append(texts, c.Text)
	}
	return texts
}

// TestCommandsTellWhoWhereAndHow, to whoever audits them; what is for the asker alone to nobody else.
func TestCommandsTellWhoWhereAndHow(t *testing.T) {
	config := pageConfig + `
private:
  stage: chatops
  only: [chat]
  script:
    - printf 'section_start:1:chat_reply\r\033[0K\nfor all\nsection_end:2:chat_reply\r\033[0K\nsection_start:3:chat_reply_private\r\033[0K\nfor you\nsection_end:4:chat_reply_private\r\033[0K\n'
`
	eachChat(t, config, func(t *testing.T, w *world, s chatSide) {
		w.integrate(s, map[string]any{"server_url": w.chat.URL})
		f := w.form(s, "U1", "run private")
		f.Set("root_id", "root1")
		w.send(s, f, nil)
		id := w.command("replied").ID
		at := fmt.Sprintf("/projects/%s/chat/commands/%d", w.project, id)
		var c auditJSON
		w.must(200, "GET", at, nil, &c)
		if c.Chat != s.name || c.ChannelID != "C1" || c.User == nil || c.User.Username != "anna" || c.ChatUserID != "U1" || c.ChatUser != "name-U1" || c.Decision != nil || c.Private != nil {
			t.Errorf("to root: %+v", c)
		}
		if s.name == "mattermost" && (c.Thread == nil || *c.Thread != w.chat.URL+"/team/pl/root1") {
			t.Errorf("thread %v", deref(c.Thread))
		}
		kinds := ""
		for _, d := range c.Deliveries {
			kinds += d.Kind + " " + d.Via + " " + d.Outcome + "\n"
		}
		if kinds != "whisper response address delivered\nmessage response address delivered\n" {
			t.Errorf("what was sent: %s", kinds)
		}
		if got := w.apiAs(w.tokenOf("anna"), "GET", at, nil, &c); got != 200 || deref(c.Private) != "for you" {
			t.Errorf("to the asker: %d %+v", got, c)
		}
		w.chat.mu.Lock()
		w.chat.answer = func(int) int { return 410 }
		w.chat.mu.Unlock()
		w.say(s, "U1", "run hello-world")
		w.must(200, "GET", fmt.Sprintf("/projects/%s/chat/commands/%d", w.project, w.command("undeliverable").ID), nil, &c)
		if len(c.Deliveries) != 1 || c.Deliveries[0].Outcome != "refused" || !strings.Contains(deref(c.Deliveries[0].Detail), "410") || c.Decision == nil {
			t.Errorf("an address that is gone: %+v", c)
		}
		if raw := fmt.Sprintf("%+v", c); strings.Contains(raw, "hooks/") {
			t.Errorf("the response address is told: %s", raw)
		}
		w.say(s, "U7", "run hello-world")
		w.must(200, "GET", fmt.Sprintf("/projects/%s/chat/commands/%d", w.project, w.command("refused").ID), nil, &c)
		if c.User != nil || c.ChatUserID != "U7" || c.ChatUser != "name-U7" {
			t.Errorf("of somebody unknown: %+v", c)
		}
		for _, user := range []string{"U7", "NAME-u7"} {
			if got := w.found("user=" + user); len(got) != 1 || got[0] != "run hello-world" {
				t.Errorf("commands of %s: %q", user, got)
			}
		}
		if got := w.found("user=U1"); len(got) != 1 || got[0] != "run anything" { // before the account was linked
			t.Errorf("commands of U1: %q", got)
		}
		export := "/projects/" + w.project + "/chat/commands/export?state=undeliverable&format="
		_, body := w.download(export + "jsonl")
		c = auditJSON{}
		if err := json.Unmarshal([]byte(body), &c); err != nil || len(c.Deliveries) != 1 || c.Deliveries[0].Outcome != "refused" || c.Deliveries[0].Times != 1 {
			t.Errorf("deliveries in lines of JSON: %v %s", err, body)
		}
		if _, body = w.download(export + "csv"); !strings.Contains(body, "message by response address: refused (the response address answers 410)") {
			t.Errorf("deliveries in a table: %s", body)
		}
	})
}

// TestASlackMessageHasAPermalink of the bot's message that follows the job.
func TestASlackMessageHasAPermalink(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		w.newProject("ops")
		w.push("ops", map[string]string{".gitlab-ci.yml": pageConfig})
		s := chatSides[0]
		w.integrate(s, nil)
		w.connect(s, "U1", "anna")
		f := w.form(s, "U1", "help")
		w.send(s, f, nil)
		err := w.node.CI.DB().Write(t.Context(), func(tx *models.Tx) error {
			return tx.ShowCommand(w.commands()[0].ID, "C1/1700000000.000100", "x")
		})
		if err != nil {
			t.Fatal(err)
		}
		var all []auditJSON
		w.must(200, "GET", "/projects/"+w.project+"/chat/commands", nil, &all)
		if got := deref(all[0].Thread); got != "https://team.slack.com/archives/C1/p1700000000000100" {
			t.Errorf("permalink %q", got)
		}
	})
}

// TestCommandsAreFilteredAndExported, cells of spreadsheets without formulas.
func TestCommandsAreFilteredAndExported(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		var clock shiftingClock
		w := start(t, o, func(s *Settings) { s.Now = clock.now })
		w.newProject("ops")
		w.push("ops", map[string]string{".gitlab-ci.yml": pageConfig})
		id, dev := w.user("dev")
		w.must(201, "POST", "/projects/"+w.project+"/members", map[string]any{"user_id": id, "access_level": 30}, nil)
		w.give(rootToken, "help", "replied")
		w.give(rootToken, "=cmd|calc", "refused")
		clock.set(2 * time.Hour)
		w.give(dev, "JOBS of 100%", "refused")
		between := url.QueryEscape(clock.now().Add(-time.Hour).Format(time.RFC3339))
		for query, want := range map[string]string{
			"":                                   "JOBS of 100%,=cmd|calc,help",
			"user=root":                          "=cmd|calc,help",
			"user=DEV":                           "JOBS of 100%",
			fmt.Sprint("user=", id):              "JOBS of 100%",
			"user=nobody":                        "",
			"state=replied":                      "help",
			"channel=ops":                        "JOBS of 100%,=cmd|calc,help",
			"channel=elsewhere":                  "",
			"chat=slack":                         "",
			"chat=console&search=jobs%20of":      "JOBS of 100%",
			"search=0%25":                        "JOBS of 100%",
			"created_after=" + between:           "JOBS of 100%",
			"created_before=" + between:          "=cmd|calc,help",
			"created_after=x&state=replied":      "400",
			"state=nothing":                      "400",
			"user=root&state=refused&search=cmd": "=cmd|calc",
		} {
			if want == "400" {
				w.must(400, "GET", "/projects/"+w.project+"/chat/commands?"+query, nil, nil)
			} else if got := strings.Join(w.found(query), ","); got != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
		for range 30 {
			w.give(rootToken, "help", "replied")
		}
		export := "/projects/" + w.project + "/chat/commands/export"
		res, body := w.download(export + "?format=csv")
		rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
		if err != nil || len(rows) != 34 || rows[0][0] != "id" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/csv") {
			t.Fatalf("%d rows, %v, %v", len(rows), err, res.Header)
		}
		if got := rows[32]; got[9] != "'=cmd|calc" || got[6] != "root" || got[10] != "refused" {
			t.Errorf("a formula: %q", got)
		}
		_, body = w.download(export + "?format=jsonl&user=dev")
		var one struct {
			Text     string
			Username string
		}
		if err := json.Unmarshal([]byte(body), &one); err != nil || one.Text != "JOBS of 100%" || one.Username != "dev" {
			t.Errorf("lines of JSON: %v %s", err, body)
		}
		w.must(400, "GET", export+"?format=xml", nil, nil)
	})
}

// TestOldCommandsAreForgotten after the days that the project or the instance keeps them; what runs stays.
func TestOldCommandsAreForgotten(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		var clock shiftingClock
		w := start(t, o, func(s *Settings) { s.Now = clock.now })
		w.newProject("ops")
		w.push("ops", map[string]string{".gitlab-ci.yml": pageConfig})
		v := w.visitor("root", "root-password")
		form := url.Values{"max_artifacts": {"100"}, "max_trace": {"100"}, "expire_in": {"30 days"}, "pending_hours": {"24"}, "max_includes": {"100"}, "max_schedules": {"10"}, "keep_commands": {"10"}}
		v.sends("/admin/settings", "/admin/settings", "The settings were saved", form)
		w.give(rootToken, "help", "replied")
		w.must(201, "POST", "/projects/"+w.project+"/chat/commands", map[string]any{"text": "run deploy"}, nil)
		w.must(200, "PUT", "/projects/"+w.project, map[string]any{"chat_commands_keep_days": 7}, nil)
		w.must(400, "PUT", "/projects/"+w.project, map[string]any{"chat_commands_keep_days": -1}, nil)
		clock.set(6 * 24 * time.Hour)
		w.give(rootToken, "jobs", "replied")
		if got := strings.Join(w.found(""), ","); got != "jobs,run deploy,help" {
			t.Errorf("after six days: %s", got)
		}
		clock.set(8 * 24 * time.Hour)
		w.eventually("the old one is gone", func() bool { return strings.Join(w.found(""), ",") == "jobs,run deploy" })
		w.must(200, "PUT", "/projects/"+w.project, map[string]any{"chat_commands_keep_days": 0}, nil)
		clock.set(17 * 24 * time.Hour)
		w.eventually("the instance forgets too", func() bool { return strings.Join(w.found(""), ",") == "run deploy" })
	})
}
