package chatops

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestExtractCases(t *testing.T) {
	raw, err := os.ReadFile("testdata/chat-replies.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		ID     int     `json:"id"`
		Desc   string  `json:"desc"`
		Trace  string  `json:"trace_base64"`
		Result string  `json:"result"`
		Reply  *string `json:"reply"`
		Bytes  int     `json:"reply_bytes"`
		Over   bool    `json:"over_limit"`
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 20 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		log, err := base64.StdEncoding.DecodeString(c.Trace)
		if err != nil {
			t.Fatal(err)
		}
		e := Extract(log, false)
		section, reply := e.Section, e.Text
		if string(section) != c.Result {
			t.Errorf("case %d (%s): section %s, want %s", c.ID, c.Desc, section, c.Result)
		}
		if c.Reply != nil && reply != *c.Reply || c.Reply == nil && len(reply) != c.Bytes {
			t.Errorf("case %d (%s): reply %q, want %v", c.ID, c.Desc, reply, c.Reply)
		}
		if over := len(reply) > MaxReply; over != c.Over {
			t.Errorf("case %d: over the limit %v", c.ID, over)
		}
	}
}

const (
	start = "section_start:1:chat_reply\r\x1b[0K"
	end   = "section_end:2:chat_reply\r\x1b[0K"
	ss    = "section_start:1:step_script\r\x1b[0K"
	se    = "section_end:2:step_script\r\x1b[0K"
	green = "\x1b[32;1m"
	plain = "\x1b[0;m"
)

// stamp puts the header of newer runners before every line.
func stamp(log string) string {
	var b strings.Builder
	for _, l := range strings.SplitAfter(log, "\n") {
		if l != "" {
			b.WriteString("2026-01-31T16:47:55.123456Z 01O " + l)
		}
	}
	return b.String()
}

func TestExtract(t *testing.T) {
	cases := map[string]struct {
		log     string
		single  bool
		section Section
		reply   string
	}{
		"two replies are joined":       {ss + "x\n" + start + "\na\n" + end + "\nnoise\n" + start + "\nb\n" + end + se, false, ChatReply, "a\nb"},
		"an empty one among them":      {start + "\n\n" + end + start + "\nb\n" + end, false, ChatReply, "b"},
		"end before start":             {ss + "h\nout\n" + end + "\nx\n" + start + "\n" + se, false, StepScript, "out\nx"},
		"no sections":                  {"hello\nworld\n", false, Missing, ""},
		"empty log":                    {"", false, Missing, ""},
		"single command":               {ss + "Executing\n" + green + "$ echo Hello World" + plain + "\nHello World\n" + se, true, StepScript, "Hello World"},
		"single, first line echoed":    {ss + green + "$ echo hi" + plain + "\nhi\n" + se, true, StepScript, "hi"},
		"single, lines before":         {ss + "Executing\nUsing docker image x\n" + green + "$ ls" + plain + "\na\nb\n" + se, true, StepScript, "a\nb"},
		"several keep the commands":    {ss + "Executing\n" + green + "$ a" + plain + "\n1\n" + green + "$ b" + plain + "\n2\n" + se, false, StepScript, green + "$ a" + plain + "\n1\n" + green + "$ b" + plain + "\n2"},
		"died in the script":           {ss + "Executing\nout\n", false, StepScript, "out"},
		"old runner":                   {"section_start:1:build_script\r\x1b[0K$ x\nhi\nsection_end:2:build_script\r\x1b[0K", false, BuildScript, "hi"},
		"invalid bytes":                {start + "\na\xffb\n" + end, false, ChatReply, "a\uFFFDb"},
		"time headers":                 {stamp(ss + "Executing\n" + green + "$ x" + plain + "\n" + start + "\nreply\n" + end + "\n" + se + "\n"), false, ChatReply, "reply"},
		"colours stay":                 {start + "\n\x1b[31mred\x1b[0m\n" + end, false, ChatReply, "\x1b[31mred\x1b[0m"},
		"carriage returns stay":        {start + "\n10%\r20%\n" + end, false, ChatReply, "10%\r20%"},
		"single without echo":          {ss + "banner\nout\n" + se, true, StepScript, "out"},
		"single with empty output":     {ss + "banner\n" + green + "$ true" + plain + "\n" + se, true, StepScript, ""},
		"doubled word before a marker": {"section_section_start:1:chat_reply\r\x1b[0K\nx\n" + end, false, ChatReply, "x"},
	}
	for name, c := range cases {
		e := Extract([]byte(c.log), c.single)
		section, reply := e.Section, e.Text
		if section != c.section || reply != c.reply {
			t.Errorf("%s: %s %q, want %s %q", name, section, reply, c.section, c.reply)
		}
	}
}

func TestTimeHeadersContinueLines(t *testing.T) {
	head := "2026-01-31T16:47:55.123456Z 01O"
	log := head + " " + start + "\n" + head + " one\n" + head + "+two\n" + head + " " + end + "\n"
	if reply := Extract([]byte(log), false).Text; reply != "onetwo" {
		t.Errorf("%q", reply)
	}
}

func TestLastOutput(t *testing.T) {
	log := ss + "Executing\n" + green + "$ true" + plain + "\n" + green + "$ false" + plain + "\nno such file\n" + se + "ERROR"
	if got := LastOutput([]byte(log), 10); got != green+"$ false"+plain+"\nno such file" {
		t.Errorf("%q", got)
	}
	long := ss + "h\n$ cmd\n" + strings.Repeat("x\n", 50)
	if got := strings.Split(LastOutput([]byte(long), 10), "\n"); len(got) != 10 || got[0] != "$ cmd" || got[1] != "…" {
		t.Errorf("%q", got)
	}
}

func FuzzExtract(f *testing.F) {
	f.Add([]byte(ss+start+"\nx"+end+se), true)
	f.Fuzz(func(t *testing.T, log []byte, single bool) { Extract(log, single); LastOutput(log, 5) })
}

func TestWhatIsForTheAskerAloneIsInNoOtherText(t *testing.T) {
	start, end := "section_start:1:chat_reply_private\r\x1b[0K\n", "section_end:2:chat_reply_private\r\x1b[0K"
	for name, c := range map[string][2]string{
		"none":              {"a\nb", "a\nb"},
		"complete":          {"a\n" + start + "secret\n" + end + "\nb", "a\n\nb"},
		"two":               {start + "secret" + end + "a" + start + "secret" + end + "b", "ab"},
		"open":              {"a\n" + start + "secret", "a\n"},
		"begun before":      {"secret\n" + end + "b", "b"},
		"an end without it": {start + "secret" + end + "a" + end + "b", "a" + end + "b"},
	} {
		if got := string(public([]byte(c[0]), name == "begun before")); got != c[1] {
			t.Errorf("%s: %q, want %q", name, got, c[1])
		}
	}
	log := "section_start:1:step_script\r\x1b[0Kbanner\n\x1b[32;1m$ ./tool\x1b[0;m\n" + start + "secret\n" + end + "\ncat: no such file\n"
	if got := LastOutput([]byte(log), 20); strings.Contains(got, "secret") || !strings.Contains(got, "no such file") {
		t.Errorf("the output of a failed job: %q", got)
	}
	for name, log := range map[string]string{
		"never closed":        "section_start:1:step_script\r\x1b[0Kbanner\nopen\n" + start + "secret\nsection_end:2:step_script\r\x1b[0K\n",
		"within a chat_reply": "section_start:1:chat_reply\r\x1b[0K\nopen\n" + start + "secret\n" + end + "\nsection_end:2:chat_reply\r\x1b[0K\n",
	} {
		if got := Extract([]byte(log), false); strings.Contains(got.Text, "secret") || !strings.Contains(got.Text, "open") {
			t.Errorf("%s: %q", name, got.Text)
		}
	}
}
