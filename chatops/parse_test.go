package chatops

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"signalbox/ci/config"
)

func TestParse(t *testing.T) {
	run := func(name, input string) *Action { return &Action{Verb: Run, Name: name, Input: input} }
	for text, want := range map[string]*Action{
		"run": nil, "run ": nil, "running job": nil, "": nil, "start job": nil, "helpme": nil,
		"RUN job": run("job", ""), "Run Job A": run("Job", "A"), "Deploy a TO b": {Verb: Deploy, From: "a", To: "b"}, "Cancel #12": {Verb: Cancel, Name: "#12", Number: 12},
		"run job": run("job", ""), "run job  ": run("job", " "), "run  job   a  b ": run("job", "a  b "), "run job\nl1\nl2": run("job", "l1\nl2"),
		"run my job": run("my", "job"), "run a:b/c [1/2]": run("a:b/c", "[1/2]"), "run\tjob\tx": run("job", "x"),
		`run job "a b" 'c'`:    run("job", `"a b" 'c'`),
		"run\u00a0job\u00a0x":  run("job", "x"),
		"run job “a”":          run("job", "“a”"),
		"run deploy@v2 prod":   run("deploy@v2", "prod"),
		"run job --with-needs": {Verb: Run, Name: "job", WithNeeds: true}, "run job —with-needs a b": {Verb: Run, Name: "job", WithNeeds: true, Input: "a b"},
		"run job --with-needs-not":             run("job", "--with-needs-not"),
		"run --with-needs job a  b":            {Verb: Run, Name: "job", WithNeeds: true, Input: "a  b"},
		"run —with-needs job@v2":               {Verb: Run, Name: "job@v2", WithNeeds: true},
		"run --with-needs":                     run("--with-needs", ""),
		"run job a --with-needs":               run("job", "a --with-needs"),
		"run job -- --with-needs x":            run("job", "--with-needs x"),
		"run job -- -- --with-needs":           run("job", "-- --with-needs"),
		"run job -- ls -l":                     run("job", "-- ls -l"),
		"run job --":                           run("job", "--"),
		"run job --with-needs -- --x “a”":      {Verb: Run, Name: "job", WithNeeds: true, Input: "--x “a”"},
		"run --with-needs job -- --with-needs": {Verb: Run, Name: "job", WithNeeds: true, Input: "--with-needs"},
		"deploy staging to production":         {Verb: Deploy, From: "staging", To: "production"}, "deploy a to b to c": {Verb: Deploy, From: "a to b", To: "c"},
		"deploy a too b": {Verb: Deploy, From: "a", To: "b"}, "deploy a": nil,
		"help": {Verb: Help}, "help deploy": {Verb: Help, Name: "deploy"}, "jobs": {Verb: Jobs}, "jobs @v2": {Verb: Jobs, Name: "@v2"},
		"retry": {Verb: Retry}, "retry #12": {Verb: Retry, Name: "#12", Number: 12}, "cancel deploy": {Verb: Cancel, Name: "deploy"},
		"retry pipeline #12": {Verb: Retry, Name: "pipeline #12", Number: 12, Pipeline: true}, "cancel pipeline": {Verb: Cancel, Name: "pipeline"},
		"status 7": {Verb: Status, Name: "7", Number: 7}, "logs": {Verb: Logs},
	} {
		got, ok := Parse(text)
		if ok != (want != nil) || ok && got != *want {
			t.Errorf("%q: %+v %v, want %+v", text, got, ok, want)
		}
	}
}

func TestRunAgainWithOtherInput(t *testing.T) {
	for _, text := range []string{
		"run job", "run job a  b", "run job@v2 --with-needs a", "run job -- --with-needs x", "run job --with-needs -- --with-needs", "run job -- ls",
		"run job --with-needs -- -- x", "run job -- -- --with-needs",
	} {
		a, _ := Parse(text)
		if got := a.withInput(a.Input); got != text {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

func TestAsGroup(t *testing.T) {
	for text, want := range map[string]Action{
		"run pipeline":                  {Verb: RunPipeline},
		"run pipeline a=b":              {Verb: RunPipeline, Input: "a=b"},
		"run pipeline@v2 a=b c":         {Verb: RunPipeline, Name: "@v2", Input: "a=b c"},
		"run pipeline @v2 a=b":          {Verb: RunPipeline, Name: "@v2", Input: "a=b"},
		"run pipeline @":                {Verb: RunPipeline, Input: "@"},
		"run stage test a=b":            {Verb: RunStage, Name: "test", Input: "a=b"},
		"run stage test@v2\na=b":        {Verb: RunStage, Name: "test@v2", Input: "a=b"},
		"run pipeline --with-needs a=b": {Verb: RunPipeline, Input: "a=b"},
	} {
		a, _ := Parse(text)
		if got, ok := a.AsGroup(); !ok || got != want {
			t.Errorf("%q: %+v %v, want %+v", text, got, ok, want)
		}
	}
}

func TestUnmangle(t *testing.T) {
	for text, want := range map[string]string{
		"“a” ‘b’":                       `"a" 'b'`,
		"—force –dry-run a – b":         "--force --dry-run a – b",
		"a\u00a0b\u200b":                "a b",
		"<https://x.example|x.example>": "x.example", "<https://x.example/a>": "https://x.example/a", "<mailto:a@b.c|a@b.c>": "a@b.c",
		"<@U12|anna> <@U13> <#C1|ops> <!here>": "@anna @U13 #ops <!here>", "a &amp;&amp; b &lt;c&gt;": "a && b <c>",
	} {
		if got := Unmangle(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestFill(t *testing.T) {
	specs := config.InputSpecs(map[string]any{
		"environment": map[string]any{"options": []any{"staging", "production"}, "default": "staging", "description": "where to"},
		"count":       map[string]any{"type": "number", "default": int64(1)},
		"force":       map[string]any{"type": "boolean", "default": false},
		"hosts":       map[string]any{"type": "array", "default": []any{}},
	})
	for text, want := range map[string]map[string]string{
		"production":                  {"environment": "production"},
		"environment=staging count=3": {"environment": "staging", "count": "3"},
		"":                            {}, "--environment=staging --count 3 --force": {"environment": "staging", "count": "3", "force": "true"},
		"—environment staging force=no":              {"environment": "staging", "force": "false"},
		`--force "production" hosts=a,b`:             {"environment": "production", "force": "true", "hosts": "[a b]"},
		`hosts=b -- production`:                      {"environment": "production", "hosts": "[b]"},
		`environment="production" hosts='["a","b"]'`: {"environment": "production", "hosts": "[a b]"},
	} {
		got, err := Fill(specs, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		shown := map[string]string{}
		for k, v := range got {
			shown[k] = fmt.Sprint(v)
		}
		if !maps.Equal(shown, want) {
			t.Errorf("%s: %v, want %v", text, shown, want)
		}
	}
	for text, want := range map[string]string{
		"moon":                           "which input `moon` is for",
		"environment=staging size=3":     "there is no input `size`",
		"production staging":             "which input `staging` is for",
		"production count=many":          "must be a number",
		"production force=maybe":         "must be true or false",
		"production --count":             "has no value",
		`production "x`:                  "not closed",
		"production environment=staging": "which input `production` is for",
	} {
		if _, err := Fill(specs, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestFillAsksForWhatIsRequired(t *testing.T) {
	specs := config.InputSpecs(map[string]any{"to": nil, "tag": map[string]any{"regex": "^v[0-9]+$"}, "my.name": map[string]any{"default": "x"}})
	for text, want := range map[string]string{
		"to=a tag=v1": "", "to=a tag=v1 my.name=y": "", "tag=v1": "`to` must be given", "to=a tag=1": "RegEx",
		"to=--x tag=v1": "", "tag=v1 my.name=y -- --to": "",
	} {
		_, err := Fill(specs, text)
		var wrong *InputsError
		if want == "" && err != nil || want != "" && (!errors.As(err, &wrong) || !strings.Contains(wrong.Problem, want) || !strings.Contains(wrong.Accepted, "`to` (string, must be given)")) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Values that a form holds are read from the command that it gives as they stood in the form.
func TestQuote(t *testing.T) {
	for _, value := range []string{
		"a", "two words", "", `say "hi"`, `it's`, `back\slash`, `\`, "line\nline", "--flag", "a=b", "<@U1> <#C1|ops> <https://x.example|x>", "&lt;b&gt; &amp;",
		"—dash –dash", "x —y", "'a' \"b\"", "`code`", "$HOME $(id)", "<&", "ä ö", "-- a",
	} {
		words, err := Words(Unmangle("name=" + quote(value) + " next"))
		if err != nil || len(words) != 2 || words[0] != "name="+value || words[1] != "next" {
			t.Errorf("%q as %s: %q %v", value, quote(value), words, err)
		}
	}
	words, err := Words(Unmangle("name=" + quote("it’s “so”, it’s")))
	if err != nil || len(words) != 1 || words[0] != `name=it's "so", it's` {
		t.Errorf("smart quotes: %q %v", words, err)
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("a “b” <@U1> &lt; —c")
	f.Fuzz(func(t *testing.T, value string) {
		if typed.Replace(value) != value || !utf8.ValidString(value) {
			return
		}
		words, err := Words(Unmangle("name=" + quote(value)))
		if err != nil || len(words) != 1 || words[0] != "name="+value {
			t.Errorf("%q as %s: %q %v", value, quote(value), words, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("run job@ref --with-needs a=b")
	f.Fuzz(func(t *testing.T, text string) {
		a, ok := Parse(text)
		if ok && a.Verb == Run && a.Name == "" && Unmangle(text) == text {
			t.Errorf("%q runs a job without a name", text)
		}
		Words(Unmangle(text))
	})
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"msg=it's production": "msg=it's|production", "msg='two words' x": "msg=two words|x", "'a b' c": "a b|c", `"it's so" d`: "it's so|d", "dogs' food": "dogs'|food",
		"o'neil's": "o'neil's", `list='["a","b"]'`: `list=["a","b"]`,
	} {
		got, err := Words(text)
		if err != nil || strings.Join(got, "|") != want {
			t.Errorf("%s: %q %v, want %q", text, got, err, want)
		}
	}
}

func TestQuotedNames(t *testing.T) {
	for text, want := range map[string]Action{
		`run "my job" a  b`:           {Verb: Run, Name: "my job", Input: "a  b"},
		`run “my job”`:                {Verb: Run, Name: "my job"},
		`run 'my "job"' x`:            {Verb: Run, Name: `my "job"`, Input: "x"},
		`run "build"`:                 {Verb: Run, Name: "build"},
		`run "my job" --with-needs x`: {Verb: Run, Name: "my job", WithNeeds: true, Input: "x"},
	} {
		a, _ := Parse(text)
		got, ok := a.Quoted()
		if !ok || got != want {
			t.Errorf("%s: %+v %v, want %+v", text, got, ok, want)
		}
		again, _ := Parse(got.withInput(got.Input))
		if again, ok = again.Quoted(); ok && again != want {
			t.Errorf("%s again: %+v", text, again)
		}
	}
	for _, text := range []string{`run "my job`, `run my job`, `run "my job"x`, `run ""`, `help "my job"`} {
		if a, _ := Parse(text); a.Verb == Run {
			if got, ok := a.Quoted(); ok {
				t.Errorf("%s: %+v", text, got)
			}
		}
	}
}
