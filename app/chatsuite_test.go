package app

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"signalbox/internal/testenv/chats"
	"signalbox/models"
	"signalbox/runnerproto"
)

// talk is a chat as a test sees it: people give commands and press buttons, and read what is shown.
type talk interface {
	Say(c chats.Command) chats.Receipt
	Press(user string, m chats.Message, label string) chats.Receipt
	PressAs(user string, m chats.Message, b chats.Button) chats.Receipt
	Form(user string) (chats.Form, bool)
	Submit(user string, values map[string]string) chats.Receipt
	Again(user string) chats.Receipt
	Said(channel, user string) []chats.Message
	Message(id string) (chats.Message, bool)
	Pings(m chats.Message) []string
	Fail(f chats.Fault)
	Heal()
	Leave(channel string)
	Calls(kind string) []chats.Call
	Wrong() []string
	Page(channel, user string) string
}

// chatKind is a chat that the suite is run for.
type chatKind struct {
	name, slug           string
	channel              string
	anna, ben, carl, eve string // chat users; nobody knows eve
	transient            string // an error inside an answer of 200, after which it is tried again
	handleFor            time.Duration
	open                 func(t *testing.T, clock func() time.Time) opened
	forge                func(r *http.Request)
	refusal              int // status for a forged request
	signed               bool
	inThread             bool                           // files come below the message that lives
	permalink            func(server, id string) string // of a message in the channel
}

// opened is a chat that was started.
type opened struct {
	talk
	server   *chats.Server
	set      func(s *Settings)
	settings map[string]any // of the integration
	aim      func(node string, project string)
}

var chatKinds = []chatKind{
	{
		name: "slack", slug: "slack-slash-commands", channel: "C1", anna: "U1", ben: "U2", carl: "U3", eve: "U9", transient: "internal_error", handleFor: 30 * time.Minute,
		refusal: 404, signed: true, inThread: true,
		permalink: func(_, id string) string {
			return "https://team.slack.com/archives/C1/p" + strings.Replace(id, ".", "", 1)
		},
		forge: func(r *http.Request) { r.Header.Set("X-Slack-Signature", "v0="+strings.Repeat("0", 64)) },
		open: func(t *testing.T, clock func() time.Time) opened {
			s := chats.NewSlack(t)
			s.Now = clock
			return opened{
				s, s.Server, func(set *Settings) { set.SlackAPI = s.URL + "/api" },
				map[string]any{"token": s.Old, "signing_secret": s.Signing},
				func(node, project string) {
					s.Target = node + "/api/v4/projects/" + project + "/integrations/slack_slash_commands"
				},
			}
		},
	},
	{
		name: "mattermost", slug: "mattermost-slash-commands", channel: "chan1", anna: "u1", ben: "u2", carl: "u3", eve: "u9", transient: "<html>starting</html>", handleFor: 30 * time.Minute,
		refusal: 404, inThread: true,
		permalink: func(server, id string) string { return server + "/team/pl/" + id },
		forge: func(r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			raw = bytes.Replace(raw, []byte("mm-command-token"), []byte("mm-command-tokem"), 1)
			r.Body = io.NopCloser(bytes.NewReader(raw))
		},
		open: func(t *testing.T, clock func() time.Time) opened {
			s := chats.NewMattermost(t)
			s.Now = clock
			return opened{s, s.Server, func(*Settings) {}, map[string]any{"token": s.Command, "server_url": s.URL}, func(node, project string) {
				s.Target = node + "/api/v4/projects/" + project + "/integrations/mattermost_slash_commands"
			}}
		},
	},
	{
		name: "discord", slug: "discord", channel: "400000000000000001", anna: "110", ben: "120", carl: "130", eve: "190", transient: "<html>cloudflare</html>", handleFor: 15 * time.Minute,
		refusal: 401, signed: true,
		permalink: func(_, id string) string {
			return "https://discord.com/channels/300000000000000001/400000000000000001/" + id
		},
		forge: func(r *http.Request) { r.Header.Set("X-Signature-Ed25519", strings.Repeat("0", 128)) },
		open: func(t *testing.T, clock func() time.Time) opened {
			s := chats.NewDiscord(t)
			s.Now = clock
			return opened{
				s, s.Server, func(set *Settings) { set.DiscordAPI = s.URL + "/api/v10" },
				map[string]any{"application_id": s.App, "public_key": s.Public},
				func(node, project string) {
					s.Target = node + "/api/v4/projects/" + project + "/integrations/discord/interactions"
				},
			}
		},
	},
}

// allEnv lets tests that do the same in several chats do so on both databases in each.
const allEnv = "SIGNALBOX_TEST_ALL"

// room is a channel of a chat, with a project, its people and a runner that the test plays.
type room struct {
	*world
	opened
	chatKind
	clock *shiftingClock
	h     *hand
	sent  map[int64]int64 // bytes of logs
}

const suiteConfig = `
workflow: {rules: [{if: $CI_PIPELINE_SOURCE == "chat"}]}
build: {script: x}
other: {script: x}
third: {script: x}
deploy: {script: x, environment: production}
start: {script: x, when: manual}
`

// eachRoom runs a test in every chat: in the first one on PostgreSQL, in the others on SQLite; with both in the first one on
// both. SIGNALBOX_TEST_ALL runs it in every chat on both.
func eachRoom(t *testing.T, more map[string]any, both bool, f func(t *testing.T, r *room)) {
	t.Helper()
	beside(t)
	all := os.Getenv(allEnv) != ""
	for i, k := range chatKinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			if all || i == 0 {
				t.Run("postgres", func(t *testing.T) {
					t.Parallel()
					f(t, enter(t, k, freshPostgres(t), more))
				})
			}
			if all || i > 0 || both {
				t.Run("sqlite", func(t *testing.T) {
					t.Parallel()
					f(t, enter(t, k, models.Options{Dir: t.TempDir()}, more))
				})
			}
		})
	}
}

func enter(t *testing.T, k chatKind, o models.Options, more map[string]any, options ...option) *room {
	t.Helper()
	r := &room{chatKind: k, clock: &shiftingClock{}, sent: map[int64]int64{}}
	r.opened = k.open(t, r.clock.now)
	host := strings.TrimPrefix(r.server.URL, "http://")
	r.world = start(t, o, append(options, r.set, func(s *Settings) {
		s.PrivateHosts = append(s.PrivateHosts, host)
		s.Now = r.clock.now
		if s.PostTimeout == 0 {
			s.PostTimeout = 2 * time.Second // a call that waits for longer is one whose answer is lost
		}
	})...)
	r.newProject("ops")
	r.h = r.hand(false)
	r.push("ops", map[string]string{".gitlab-ci.yml": suiteConfig})
	r.connectChat(more)
	for name, role := range map[string]int{"anna": 40, "ben": 20, "carl": 40} {
		id, _ := r.user(name)
		r.must(201, "POST", "/projects/"+r.project+"/members", map[string]any{"user_id": id, "access_level": role}, nil)
		said := r.say(r.people()[name], "run build")
		r.link(linkIn(t, said.Message.Read()), name, name+"-password")
	}
	t.Cleanup(func() {
		for _, wrong := range r.Wrong() {
			t.Errorf("%s was asked what it does not take: %s", r.chatKind.name, wrong)
		}
	})
	return r
}

func (r *room) people() map[string]string {
	return map[string]string{"anna": r.anna, "ben": r.ben, "carl": r.carl}
}

func (r *room) connectChat(more map[string]any) {
	r.t.Helper()
	body := map[string]any{"reply_hosts": []string{strings.TrimPrefix(r.server.URL, "http://")}}
	for _, m := range []map[string]any{r.settings, more} {
		for k, v := range m {
			body[k] = v
		}
	}
	if body["bot_token"] == true {
		body["bot_token"] = r.server.Token
	}
	r.must(200, "PUT", "/projects/"+r.project+"/integrations/"+r.slug, body, nil)
	r.aim(r.node.Local, r.project)
}

func (r *room) say(user, text string) chats.Receipt {
	r.t.Helper()
	return r.Say(chats.Command{Channel: r.channel, ChannelName: "ops", User: user, Text: text})
}

// until waits for something to be seen, while tasks are done as soon as they are due.
func (r *room) until(what string, ok func() bool) {
	r.t.Helper()
	r.eventually(what, func() bool {
		r.node.tasks.Wake()
		return ok()
	})
}

// pass lets time go by.
func (r *room) pass(d time.Duration) {
	r.clock.mu.Lock()
	r.clock.shift += d
	r.clock.mu.Unlock()
	r.node.tasks.Wake()
}

// run gives `run <job>` as anna, and gives the job's id once there is one.
func (r *room) run(job string) (int64, chats.Receipt) {
	r.t.Helper()
	before := len(r.pipelines())
	receipt := r.say(r.anna, "run "+job)
	r.eventually("a pipeline", func() bool { return len(r.pipelines()) > before })
	return r.jobs(r.newest())[strings.Fields(job)[0]].ID, receipt
}

func (r *room) log(id int64, text string) {
	r.t.Helper()
	a, err := r.h.client.Patch(context.Background(), r.h.offer(id), r.sent[id], []byte(text))
	if err != nil || a.Code != 202 {
		r.t.Fatalf("log of %d: %+v %v", id, a, err)
	}
	r.sent[id] += int64(len(text))
}

func section(name, text string) string {
	return "section_start:1:" + name + "\r\x1b[0K\n" + text + "\nsection_end:2:" + name + "\r\x1b[0K\n"
}

// reply lets a job end well with a text for the chat.
func (r *room) reply(id int64, sections ...string) {
	r.t.Helper()
	r.h.run(id)
	r.log(id, strings.Join(sections, ""))
	r.h.success(id)
}

// saying are the bot's messages that a user sees and that hold a text.
func (r *room) saying(user, text string) []chats.Message {
	var out []chats.Message
	for _, m := range r.Said(r.channel, user) {
		if strings.Contains(m.Read(), text) {
			out = append(out, m)
		}
	}
	return out
}

// once waits for a message with a text, and wants one alone of it in the end.
func (r *room) once(user, text string) chats.Message {
	r.t.Helper()
	r.until(fmt.Sprintf("%q is said", text), func() bool { return len(r.saying(user, text)) > 0 })
	r.eventually("the command has its reply", func() bool { return r.commands()[0].State == "replied" })
	r.settled()
	all := r.saying(user, text)
	if len(all) != 1 {
		r.t.Fatalf("%q is said %d times", text, len(all))
	}
	return all[0]
}

func (r *room) alone(m chats.Message, user string) {
	r.t.Helper()
	if m.To != user {
		r.t.Errorf("%q is shown to %q, want %s alone", m.Read(), m.To, user)
	}
}

// picture is the smallest PNG.
var picture = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89\x00\x00\x00\rIDATx\xdac\xfc\xcf\xc0P\x0f\x00\x04\x85\x01\x80\x84\xa9\x8c!\x00\x00\x00\x00IEND\xaeB`\x82")

// artifacts gives files to a job that runs.
func (r *room) artifacts(id int64, files map[string][]byte) {
	r.t.Helper()
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	for name, content := range files {
		f, err := z.Create(name)
		if err == nil {
			_, err = f.Write(content)
		}
		noError(r.t, err)
	}
	noError(r.t, z.Close())
	noError(r.t, r.h.client.Upload(context.Background(), r.h.offer(id), runnerproto.Artifact{Type: "archive", Format: "zip"}, "artifacts.zip", &packed))
}
