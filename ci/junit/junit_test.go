package junit

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for name, c := range map[string]struct{ xml, want string }{
		"plain":    {`<testsuite><testcase name="a" classname="c" time="0.5"/></testsuite>`, "success c a 0.5 <nil>"},
		"suites":   {`<testsuites><testsuite file="x.go"><testsuite><testcase name="a"/></testsuite></testsuite></testsuites>`, "success  a 0 x.go"},
		"failure":  {`<testsuite><testcase name="a"><failure message="no">at 1</failure><system-out>log</system-out></testcase></testsuite>`, "failed  a 0 <nil> no\nat 1\n\nlog"},
		"error":    {`<testsuite><testcase name="a"><error>boom</error></testcase></testsuite>`, "error  a 0 <nil> boom"},
		"skipped":  {`<testsuite><testcase name="a"><skipped message="later"/></testcase></testsuite>`, "skipped  a 0 <nil> later"},
		"thousand": {`<testsuite><testcase name="a" time="1,234.5" file="f"/></testsuite>`, "success  a 1234.5 f"},
		"latin":    {"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><testsuite><testcase name=\"caf\xe9\"/></testsuite>", "success  café 0 <nil>"},
		"cdata":    {`<testsuite><testcase name="a"><failure><![CDATA[<b>]]></failure></testcase></testsuite>`, "failed  a 0 <nil> <b>"},
		"nested":   {`<testsuite><testcase name="a"><failure>x<b>y</b></failure></testcase></testsuite>`, "failed  a 0 <nil> xy"},
		"alone":    {`<testcase name="a"/>`, "success  a 0 <nil>"},
	} {
		cases, err := Parse(strings.NewReader(c.xml))
		if err != nil || len(cases) != 1 {
			t.Errorf("%s: %v %v", name, cases, err)
			continue
		}
		got := fmt.Sprint(cases[0].Status, " ", cases[0].Classname, " ", cases[0].Name, " ", cases[0].Time, " ")
		if cases[0].File == nil {
			got += "<nil>"
		} else {
			got += *cases[0].File
		}
		if cases[0].Output != nil {
			got += " " + *cases[0].Output
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	deep := strings.Repeat("<a>", 200)
	for name, text := range map[string]string{
		"empty": "", "no XML": "hello", "cut off": `<testsuite><testcase name="a"><failure>`, "charset": `<?xml version="1.0" encoding="nope"?><a/>`,
		"deep": deep, "deep in a case": `<testcase name="a">` + deep, "entity": `<!DOCTYPE a [<!ENTITY b "c">]><testcase name="&b;"/>`,
	} {
		if _, err := Parse(strings.NewReader(text)); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

// TestAReportOfAnySizeCostsWhatIsKept reads a report that would not fit into memory.
func TestAReportOfAnySizeCostsWhatIsKept(t *testing.T) {
	r, w := io.Pipe()
	go func() {
		io.WriteString(w, "<testsuite>")
		line := strings.Repeat("x", 64<<10)
		for i := 0; i < MaxCases+1; i++ {
			out := ""
			if i < 1000 {
				out = "<failure>" + line + "</failure>"
			}
			if _, err := fmt.Fprintf(w, `<testcase name="%d">%s</testcase>`, i, out); err != nil {
				return
			}
		}
		io.WriteString(w, "</testsuite>")
		w.Close()
	}()
	cases, err := Parse(r)
	r.Close()
	if !errors.Is(err, ErrTooMany) || len(cases) != MaxCases {
		t.Errorf("%d cases, %v", len(cases), err)
	}
	if out := *cases[0].Output; len(out) > maxOutput+10 {
		t.Errorf("%d bytes of output are kept", len(out))
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`<testsuites><testsuite name="s"><testcase name="a" time="1"><failure message="m">t</failure></testcase></testsuite></testsuites>`)
	f.Fuzz(func(t *testing.T, text string) {
		cases, _ := Parse(strings.NewReader(text))
		if len(cases) > MaxCases {
			t.Fatal("too many cases")
		}
	})
}
