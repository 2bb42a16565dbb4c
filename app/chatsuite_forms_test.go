package app

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/chatops"
	"signalbox/internal/testenv/chats"
	"signalbox/models"
)

const formsConfig = `
workflow: {rules: [{if: $CI_PIPELINE_SOURCE == "chat"}]}
# Brings a version to an environment.
deploy:
  script: x
  inputs:
    environment: {default: staging, options: [staging, production], description: where to}
    replicas: {type: number, default: 1}
    note: {default: none, regex: '^[a-z ]*$', description: what for}
    force: {type: boolean, default: false}
say: {script: x}
wide:
  script: x
  inputs: {a: {default: ""}, b: {default: ""}, c: {default: ""}, d: {default: ""}, e: {default: "5"}, f: {default: ""}, g: {default: ""}}
hosts: {script: x, inputs: {hosts: {type: array, default: [a, b]}}}
`

func (r *room) configure(config string) {
	r.t.Helper()
	r.t.Cleanup(func() {
		if r.t.Failed() {
			for _, c := range r.commands() {
				r.t.Logf("command %d is %s: %q %q", c.ID, c.State, deref(c.Refusal), c.Acknowledgement)
			}
		}
	})
	r.push("ops", map[string]string{".gitlab-ci.yml": config})
}

// texts are the texts of the commands, newest first.
func (r *room) texts() []string {
	r.t.Helper()
	var out []string
	var all []struct{ Text string }
	r.must(200, "GET", "/projects/"+r.project+"/chat/commands?per_page=100", nil, &all)
	for _, c := range all {
		out = append(out, c.Text)
	}
	return out
}

// ask presses the button that opens a form.
func (r *room) ask(user string, m chats.Message, label string) chats.Form {
	r.t.Helper()
	r.Press(user, m, label)
	f, ok := r.Form(user)
	if !ok {
		r.t.Fatalf("no form for %s: %+v", user, r.saying(user, ""))
	}
	return f
}

func filled(f chats.Form) map[string]string {
	out := map[string]string{}
	for _, x := range f.Fields {
		out[x.Name] = x.Value
	}
	return out
}

// livingOf waits for the message of a job with a button.
func (r *room) livingOf(id int64, label string) (found chats.Message) {
	r.t.Helper()
	r.until(fmt.Sprintf("a button %s of #%d", label, id), func() bool {
		for _, m := range r.saying(r.eve, fmt.Sprint("#", id)) {
			if slices.Contains(m.Labels(), label) {
				found = m
				return true
			}
		}
		r.pass(300 * time.Millisecond)
		return false
	})
	return found
}

// lastWith waits for a button on the newest message that lives.
func (r *room) lastWith(label string) (m chats.Message) {
	r.t.Helper()
	r.until("a button "+label+" on the newest message", func() bool {
		all := r.saying(r.eve, fmt.Sprint("#", r.newest()))
		if len(all) > 0 {
			m = all[len(all)-1]
		}
		r.pass(300 * time.Millisecond)
		return slices.Contains(m.Labels(), label)
	})
	return m
}

// ran waits for a command of a text that ran a pipeline.
func (r *room) ran(text string, pipelines int) {
	r.t.Helper()
	r.eventually(fmt.Sprintf("%d pipelines", pipelines), func() bool { return len(r.pipelines()) == pipelines })
	if got := r.texts()[0]; got != text {
		r.t.Errorf("the command is %q, want %q", got, text)
	}
}

// TestSuiteForms: the button on a job's message asks for other arguments, filled in with the last ones. What is sent is a command of
// whoever sent it.
func TestSuiteForms(t *testing.T) {
	eachRoom(t, withBot, true, func(t *testing.T, r *room) {
		r.configure(formsConfig)
		id, _ := r.run("deploy production replicas=3")
		r.living(chatops.AgainLabel)
		r.reply(id, section("chat_reply", "brought"))
		m := r.once(r.anna, "brought")
		if !slices.Equal(m.Labels(), []string{"Run again", chatops.AgainLabel}) {
			t.Errorf("buttons %v", m.Labels())
		}
		r.Press(r.eve, m, chatops.AgainLabel)
		r.told(r.eve, "connect your")
		if _, open := r.Form(r.eve); open {
			t.Error("somebody unknown has a form")
		}

		f := r.ask(r.anna, m, chatops.AgainLabel)
		want := map[string]string{"environment": "production", "replicas": "3", "note": "none", "force": "false"}
		if got := filled(f); !maps.Equal(got, want) {
			t.Errorf("filled in: %v, want %v", got, want)
		}
		if x, _ := f.Field("environment"); !slices.Equal(x.Options, []string{"staging", "production"}) || !strings.Contains(x.Hint, "where to") || x.Required {
			t.Errorf("environment: %+v", x)
		}
		if x, _ := f.Field("note"); !strings.Contains(x.Hint, "^[a-z ]*$") {
			t.Errorf("note: %+v", x)
		}
		runs := len(r.pipelines())
		r.Submit(r.anna, map[string]string{"replicas": "many"})
		if r.name == "discord" { // its forms show no errors
			r.told(r.anna, "`replicas` must be a number")
			again := r.saying(r.anna, "`replicas` must be a number")[0]
			if f = r.ask(r.anna, again, "Fill in a form"); filled(f)["replicas"] != "many" {
				t.Errorf("filled in again: %v", filled(f))
			}
		} else if f, open := r.Form(r.anna); !open || !strings.Contains(f.Problems()["replicas"], "must be a number, not 'many'") {
			t.Errorf("problems %v, open %v", f.Problems(), open)
		}
		r.Submit(r.anna, map[string]string{"replicas": "5", "note": "two words"})
		r.ran(`run deploy environment=production force=false note="two words" replicas=5`, runs+1)
		r.Again(r.anna)
		r.Again(r.anna)
		r.settled()
		if n := len(r.pipelines()); n != runs+1 {
			t.Errorf("%d pipelines after the same form came three times", n-runs)
		}
		next := r.jobs(r.newest())["deploy"].ID
		r.reply(next, section("chat_reply", "brought again"))
		if again := r.once(r.carl, "brought again"); again.ID == m.ID {
			t.Error("the reply is in the message of the run before")
		}

		r.ask(r.ben, m, chatops.AgainLabel)
		r.Submit(r.ben, nil)
		if r.name == "mattermost" {
			if f, open := r.Form(r.ben); !open || !strings.Contains(f.Error, "You may not run jobs") {
				t.Errorf("%v, open %v", f.Error, open)
			}
		} else {
			r.told(r.ben, "You may not run jobs")
		}
		r.ask(r.carl, m, chatops.AgainLabel)
		r.Submit(r.carl, map[string]string{"note": ""})
		r.ran(`run deploy environment=production force=false note="" replicas=3`, runs+2)
		if jobs := r.jobs(r.newest()); jobs["deploy"].User.Username != "carl" {
			t.Errorf("it ran as %q", jobs["deploy"].User.Username)
		}
	})
}

// TestSuiteFormsOfAllKinds: a job without inputs is asked for its words; one with more than the chat has fields for has one for the rest.
func TestSuiteFormsOfAllKinds(t *testing.T) {
	eachRoom(t, withBot, false, func(t *testing.T, r *room) {
		r.configure(formsConfig)
		runs := len(r.pipelines())
		for i, c := range []struct {
			run  string
			want map[string]string
			fill map[string]string
			text string
		}{
			{`say hello  “you”`, map[string]string{".arguments": `hello  “you”`}, map[string]string{".arguments": "-- --with-needs x"}, "run say -- -- --with-needs x"},
			{"hosts", map[string]string{"hosts": "a,b"}, map[string]string{"hosts": "c, d"}, `run hosts hosts="c, d"`},
			{
				`wide e="it's" g=2`,
				map[string]string{"a": "", "b": "", "c": "", "d": "", "e": "it's", "f": "", "g": "2"},
				map[string]string{"a": "<b> & “c”", "g": ""},
				`run wide a="<b> & \“c\”" e="it's"`,
			},
		} {
			want := c.want
			if r.name == "discord" && len(want) > 5 {
				want, c.text = map[string]string{"e": "it's", "g": "2", "a": "", "b": "", ".arguments": ""}, c.text+" d=1"
				c.fill[".arguments"] = "d=1"
			}
			id, _ := r.run(c.run)
			m := r.livingOf(id, chatops.AgainLabel)
			f := r.ask(r.carl, m, chatops.AgainLabel)
			if got := filled(f); !maps.Equal(got, want) {
				t.Errorf("%s: filled in %v, want %v", c.run, got, want)
			}
			r.Submit(r.carl, c.fill)
			r.ran(c.text, runs+2*(i+1))
		}
	})
}

// TestSuiteFormsAreBound to rules, to an hour, and to who opened them.
func TestSuiteFormsAreBound(t *testing.T) {
	eachRoom(t, withBot, false, func(t *testing.T, r *room) {
		r.configure(formsConfig)
		id, _ := r.run("deploy")
		r.reply(id, section("chat_reply", "brought"))
		m := r.once(r.anna, "brought")
		r.must(201, "POST", "/projects/"+r.project+"/chat/rules", map[string]any{"pattern": "deploy", "approvals": 1}, nil)
		runs := len(r.pipelines())
		r.ask(r.anna, m, chatops.AgainLabel)
		r.Submit(r.anna, nil)
		waiting := r.living("Approve")
		r.Press(r.carl, waiting, "Approve")
		r.eventually("it runs", func() bool { return len(r.pipelines()) == runs+1 })
		if got, want := r.texts()[0], fmt.Sprint("approve command ", r.waited()); got != want {
			t.Errorf("%q, want %q", got, want)
		}

		r.ask(r.anna, m, chatops.AgainLabel)
		r.pass(61 * time.Minute)
		r.Submit(r.anna, map[string]string{"note": "late"})
		f, _ := r.Form(r.anna)
		said := strings.Join(slices.Collect(maps.Values(f.Problems())), " ")
		for _, m := range r.saying(r.anna, "open for too long") {
			said += m.Read()
		}
		if !strings.Contains(strings.ToLower(said), "the form was open for too long") {
			t.Errorf("after an hour: %q", said)
		}
		r.settled()
		if n := len(r.pipelines()); n != runs+1 {
			t.Errorf("%d pipelines", n-runs)
		}

		r.configure("workflow: {rules: [{if: $CI_PIPELINE_SOURCE == 'chat'}]}\nother: {script: x}\n")
		r.Press(r.carl, m, chatops.AgainLabel)
		r.told(r.carl, "there is no job `deploy`")
		if _, open := r.Form(r.carl); open {
			t.Error("there is a form for a job that is gone")
		}
	})
}

// waited is the number of the newest command that ran a job by a form.
func (r *room) waited() int64 {
	for _, c := range r.commands() {
		if c.PipelineID != nil {
			return c.ID
		}
	}
	return 0
}

// TestSuiteFormsForWhatIsMissing: a command that is refused for its arguments offers a form for them.
func TestSuiteFormsForWhatIsMissing(t *testing.T) {
	eachRoom(t, withBot, false, func(t *testing.T, r *room) {
		r.configure("spec: {inputs: {to: {options: [staging, production]}, debug: {type: boolean, default: false}}}\n---\n" +
			"workflow: {rules: [{if: $CI_PIPELINE_SOURCE == \"chat\"}]}\nbring-$[[ inputs.to ]]: {script: x, stage: deploy}\n")
		r.eventually("the push fails for what it cannot give", func() bool { return len(r.pipelines()) == 1 })
		runs := len(r.pipelines())
		for i, run := range []string{"run pipeline", "run stage deploy"} {
			said := r.say(r.anna, run+" debug=true")
			if text := said.Message.Read(); !strings.Contains(text, "`to` must be given. It takes:\n• `to`") {
				t.Fatalf("%q", text)
			}
			f := r.ask(r.anna, said.Message, "Fill in a form")
			if x, _ := f.Field("to"); !x.Required || x.Value != "" || filled(f)["debug"] != "true" {
				t.Errorf("%+v", f)
			}
			r.Submit(r.anna, map[string]string{"to": "production"})
			if f, open := r.Form(r.anna); open {
				t.Fatalf("%+v", f)
			}
			r.ran(run+" to=production debug=true", runs+1+i)
			if jobs := r.jobs(r.newest()); jobs["bring-production"].Name == "" {
				t.Errorf("%v %q %+v", jobs, r.texts(), r.saying(r.anna, "")[1:])
			}
		}
		m := r.lastWith(chatops.AgainLabel)
		if f := r.ask(r.carl, m, chatops.AgainLabel); filled(f)["to"] != "production" || filled(f)["debug"] != "true" {
			t.Errorf("from the message about a stage: %+v", f)
		}
		r.Submit(r.carl, map[string]string{"to": "staging"})
		r.ran("run stage deploy to=staging debug=true", runs+3)
		if jobs := r.jobs(r.newest()); jobs["bring-staging"].User.Username != "carl" {
			t.Errorf("%v", jobs)
		}
		said := r.say(r.anna, "run pipeline@main moon")
		if f := r.ask(r.anna, said.Message, "Fill in a form"); f.Fields == nil {
			t.Errorf("%+v", f)
		}
		r.Submit(r.anna, map[string]string{"to": "staging"})
		r.ran("run pipeline@main to=staging debug=false", runs+4)
	})
}

// TestFormsThatCannotBeShown say why, to who pressed alone.
func TestFormsThatCannotBeShown(t *testing.T) {
	beside(t)
	for _, k := range chatKinds[:2] {
		t.Run(k.name, func(t *testing.T) {
			r := enter(t, k, models.Options{Dir: t.TempDir()}, withBot)
			r.run("build")
			m := r.living(chatops.AgainLabel)
			for _, f := range []chats.Fault{{Kind: "form", Inside: "expired_trigger_id"}, {Kind: "form", Status: 503}, {Kind: "form", Status: 429, After: time.Second}} {
				if k.name == "mattermost" && f.Inside != "" {
					f.Inside, f.Status = "", http.StatusBadRequest
				}
				r.Fail(f)
				before := len(r.saying(r.carl, "The form cannot be shown"))
				r.Press(r.carl, m, chatops.AgainLabel)
				r.until("it is told", func() bool { return len(r.saying(r.carl, "The form cannot be shown")) == before+1 })
			}
			if _, open := r.Form(r.carl); open {
				t.Error("there is a form")
			}
			r.ask(r.carl, m, chatops.AgainLabel)
		})
	}
}

// TestMattermostFormsSpeakForNobodyElse: nothing signs a dialog, and its state is in a browser.
func TestMattermostFormsSpeakForNobodyElse(t *testing.T) {
	r := enter(t, chatKinds[1], models.Options{Dir: t.TempDir()}, withBot)
	r.run("build")
	f := r.ask(r.ben, r.living(chatops.AgainLabel), chatops.AgainLabel)
	runs := len(r.pipelines())
	for name, change := range map[string]func(body map[string]any){
		"another user":  func(b map[string]any) { b["user_id"] = r.carl },
		"another team":  func(b map[string]any) { b["team_id"] = "T2" },
		"another state": func(b map[string]any) { b["state"] = f.State() + "A" },
		"no state":      func(b map[string]any) { delete(b, "state") },
	} {
		body := map[string]any{"type": "dialog_submission", "state": f.State(), "user_id": r.ben, "team_id": "T1", "channel_id": r.channel, "submission": map[string]any{".arguments": "x"}}
		change(body)
		if status := r.apiAs("", "POST", "/projects/"+r.project+"/integrations/mattermost_slash_commands/dialogs", body, nil); status != 404 {
			t.Errorf("%s: %d", name, status)
		}
	}
	r.settled()
	if n := len(r.pipelines()); n != runs {
		t.Errorf("%d pipelines", n-runs)
	}
}
