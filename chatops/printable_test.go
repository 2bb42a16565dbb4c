package chatops

import "testing"

func TestPrintable(t *testing.T) {
	for given, want := range map[string]string{
		"a\x00b\x07c\x7f":                       "abc",
		"10%\r20%\r100%\r\nnext":                "\x1b[0m100%\x1b[0m\nnext",
		"downloading\r[##]":                     "\x1b[0m[##]loading\x1b[0m",
		"100 %\r 10 %\x1b[K\nnext":              "\x1b[0m 10 %\x1b[0m\nnext",
		"\x1b[31mred\x1b[0m \x1b[2Jdone":        "\x1b[31mred\x1b[0m done",
		"\x1b]0;title\x07text \x1b]8;;x\x1b\\":  "text ",
		"\x1b[32mOK\x1b(B\x1b[m deployed":       "\x1b[32mOK\x1b[m deployed",
		"\x1bPq\x1b\\a\x1b_x\x07b\x1b^y\x1b\\c": "abc",
		"abc\u202edcba\u2066":                   "abcdcba",
		"tab\tand é 日本 🙂":                       "tab\tand é 日本 🙂",
	} {
		if got := printable(given); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

// TestAsData: what programs read has each state of a line that was written over again.
func TestAsData(t *testing.T) {
	for given, want := range map[string]string{
		"10%\r20%\r100%":                  "10%\r20%\r100%",
		"a\x00b\r\n\x1b[31mc\x1b[2Jd\x07": "ab\r\n\x1b[31mcd",
	} {
		if got := asData(given); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

func TestScriptOnly(t *testing.T) {
	mark := func(kind, name string) string { return "section_" + kind + ":1:" + name + "\r\x1b[0K" }
	head := "\x1b[0KRunning with gitlab-runner 18.0 (abc)\x1b[0;m\n  on runner\n" + mark("start", "prepare_executor") + "Preparing\nUsing shell\n" + mark("end", "prepare_executor")
	mine := mark("start", "mine") + "\npart 1\n" + mark("end", "mine")
	for name, c := range map[string]struct {
		end, want string
		whole     bool
	}{
		"no runner":           {"one\ntwo\n", "one\ntwo\n", true},
		"before the script":   {head, "", true},
		"the banner alone":    {"\x1b[0KRunning with gitlab-runner 18.0\n  on runner\n", "", true},
		"in the script":       {head + mark("start", "step_script") + "\x1b[0KExecuting it\n$ make\n" + mine, "$ make\n" + mine, true},
		"only its first line": {head + mark("start", "step_script") + "Executing", "", true},
		"behind the script": {
			head + mark("start", "step_script") + "x\ndone\n" + mark("end", "step_script") + mark("start", "upload_artifacts_on_success") + "Uploading\n", "done\n", true,
		},
		"the end in the script":    {"part 8\npart 9\n", "part 8\npart 9\n", false},
		"the end behind it":        {"part 9\n" + mark("end", "step_script") + "Uploading\n", "part 9\n", false},
		"the end while it fetches": {"fetched 9\n" + mark("end", "get_sources"), "", false},
	} {
		if got := string(scriptOnly([]byte(c.end), c.whole)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
